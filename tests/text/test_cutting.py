"""What has to stay with a piece, for tokenizers of a few pieces that were worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from subarch.text.pieces import require_known, used, with_pieces


def pieces(tokenizer: Any, text: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])


def by_hand(model: Any, **more: Any) -> PreTrainedTokenizerFast:
    tokenizer: Any = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", **more)


def kept_of(tokenizer: Any, *texts: str) -> set[str]:
    return set(tokenizer.convert_ids_to_tokens(with_pieces(tokenizer, used(tokenizer, texts)).kept.tolist()))


def test_a_word_that_was_unknown_stays_so() -> None:
    """abx begins with ab, after which nothing goes on. Without ab it would become a and ##bx, which xbx needs."""
    words = ["[UNK]", "a", "b", "x", "##b", "ab", "##bx", "xx", "other"]
    tokenizer: Any = by_hand(models.WordPiece({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    assert pieces(tokenizer, "abx xbx") == ["[UNK]", "x", "##bx"]
    assert kept_of(tokenizer, "abx xbx") == {"[UNK]", "a", "b", "x", "##b", "ab", "##bx"}
    assert kept_of(tokenizer, "xbx") == {"[UNK]", "a", "b", "x", "##b", "##bx"}


def test_what_a_piece_is_merged_from_stays() -> None:
    """abcd is (ab)(cd); abc is never met, and neither is the merge that makes it."""
    made = ["[UNK]", "a", "b", "c", "d", "ab", "cd", "abc", "abcd"]
    merges = [("a", "b"), ("c", "d"), ("ab", "c"), ("ab", "cd")]
    model = models.BPE({piece: n for n, piece in enumerate(made)}, merges, unk_token="[UNK]")
    tokenizer: Any = by_hand(model)
    assert kept_of(tokenizer, "abcd") == {"[UNK]", "a", "b", "c", "d", "ab", "cd", "abcd"}
    short = json.loads(with_pieces(tokenizer, used(tokenizer, ["abcd"])).settings)
    assert short["model"]["merges"] == [["a", "b"], ["c", "d"], ["ab", "cd"]]
    assert short["model"]["vocab"] == {"[UNK]": 0, "a": 1, "b": 2, "c": 3, "d": 4, "ab": 5, "cd": 6, "abcd": 7}


def test_what_the_unknown_costs_stays() -> None:
    """A unigram model reckons the unknown from its lowest score: that piece stays, and every score as it was."""
    rows = [("[UNK]", 0.0), ("a", -1.0), ("b", -2.0), ("ab", -2.5), ("aé", -9.0), ("zz", -30.0), ("qq", -20.0)]
    tokenizer: Any = by_hand(models.Unigram(rows, unk_id=0))
    assert kept_of(tokenizer, "ab a") == {"[UNK]", "a", "b", "ab", "zz"}
    short = json.loads(with_pieces(tokenizer, used(tokenizer, ["ab a"])).settings)["model"]
    assert [tuple(row) for row in short["vocab"]] == [rows[n] for n in (0, 1, 2, 3, 5)] and short["unk_id"] == 0


def test_what_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"WordLevel model.*WordPiece, BPE, Unigram"):
        require_known(by_hand(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]")))
    with pytest.raises(ValueError, match=r"dropout 0\.1"):
        require_known(by_hand(models.BPE({"[UNK]": 0, "a": 1}, [], unk_token="[UNK]", dropout=0.1)))
