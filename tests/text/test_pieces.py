"""Tokenizers with the pieces of some texts alone take these apart as before, whatever they are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from subarch.text.documentation import installed_documentation
from subarch.text.pieces import Growth, differing, growth, save_short, used, with_pieces
from subarch.text.tokenizers import train_tokenizer

TEXTS = [one.text[:600] for one in installed_documentation()[::40]][:160]
LEARNED, OTHERS = TEXTS[:120], TEXTS[120:]
ODD = ["Ωμέγα ☃☃ x", "日本語 テキスト", "[MASK] is <mask> here", "a" * 300, "##ing", "", " \t\n\n  x\n", "🤗🤗", "Å½é"]
ENDS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """With what is put around texts, as XLM-RoBERTa has it."""
    ends = [(one, tokenizer.token_to_id(one)) for one in ("<s>", "</s>")]
    cast("Any", tokenizer).post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
    )
    names = ("bos_token", "pad_token", "eos_token", "unk_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", **dict(zip(names, ENDS, strict=True))
    )


def scored() -> PreTrainedTokenizerFast:
    tokenizer: Any = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=3000, special_tokens=ENDS, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(LEARNED, trainer)
    return wrapped(tokenizer)


def paired() -> PreTrainedTokenizerFast:
    """Byte pairs as they come out of SentencePiece: no bytes but for what has no piece."""
    tokenizer: Any = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    alphabet = [f"<0x{n:02X}>" for n in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=3000, special_tokens=ENDS, show_progress=False)
    tokenizer.train_from_iterator(LEARNED, trainer)
    made = json.loads(tokenizer.to_str())
    pieces = made["model"]["vocab"]
    pieces |= {byte: len(pieces) + n for n, byte in enumerate(alphabet)}
    return wrapped(Tokenizer.from_str(json.dumps(made)))


MADE = {
    "word pieces": lambda: train_tokenizer(LEARNED, 3000),
    "bytes": lambda: train_tokenizer(LEARNED, 3000, model="bpe"),
    "unigram": scored,
    "byte pairs of SentencePiece": paired,
}


@pytest.fixture(scope="module", params=sorted(MADE))
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return MADE[request.param]()


def pieces(tokenizer: Any, *texts: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(*texts)["input_ids"])


def test_the_stock_library_takes_these_texts_apart_as_before(tokenizer: Any, tmp_path: Path) -> None:
    texts = [*LEARNED[:60], *ODD]
    short = save_short(tokenizer, with_pieces(tokenizer, used(tokenizer, texts)), tmp_path)
    again: Any = AutoTokenizer.from_pretrained(tmp_path)
    assert len(again) == len(short.kept) < len(tokenizer)
    for text in texts:
        assert pieces(again, text) == pieces(tokenizer, text)
    assert pieces(again, *texts[:2]) == pieces(tokenizer, *texts[:2])  # what is put between two has new numbers, too
    names = again.convert_ids_to_tokens(list(range(len(again))))
    assert names == tokenizer.convert_ids_to_tokens(short.kept.tolist())
    for name in ("pad", "cls", "sep", "mask", "unk"):
        assert getattr(again, f"{name}_token") == getattr(tokenizer, f"{name}_token")
    assert again.all_special_ids == [short.numbers[old] for old in tokenizer.all_special_ids]
    assert not list(differing(tokenizer, short, texts))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokenizer.json", "tokenizer_config.json"]


@settings(max_examples=40)
@given(st.lists(st.text(max_size=40) | st.sampled_from(OTHERS), min_size=1, max_size=4))
def test_any_texts(tokenizer: Any, texts: list[str]) -> None:
    short = with_pieces(tokenizer, used(tokenizer, texts))
    assert not list(differing(tokenizer, short, texts))
    assert np.all(np.diff(short.kept) > 0)


def test_what_other_texts_turn_into(tokenizer: Any) -> None:
    short = with_pieces(tokenizer, used(tokenizer, LEARNED[:3]))
    found = growth(tokenizer, short, OTHERS)
    small, kept = Tokenizer.from_str(short.settings), {tokenizer.convert_ids_to_tokens(int(n)) for n in short.kept}
    ours = [one for text in OTHERS for one in pieces(tokenizer, text)[1:-1]]
    theirs = [one for text in OTHERS for one in small.encode(text, add_special_tokens=False).tokens]
    assert found == Growth(len(ours), sum(one not in kept for one in ours), len(theirs))
    assert 0 < found.share < 1 and found.growth == pytest.approx(len(theirs) / len(ours) - 1)
    assert set(theirs) <= kept


@pytest.mark.parametrize("name", ["XLMRobertaTokenizer", "RobertaTokenizer", "BertTokenizer"])
def test_classes_of_the_stock_library(name: str, tmp_path: Path) -> None:
    """They build a tokenizer of their own from the pieces when they are opened."""
    kind = {"X": scored, "R": lambda: train_tokenizer(LEARNED, 2000, model="bpe"), "B": MADE["word pieces"]}[name[0]]
    made = kind()
    made.save_pretrained(tmp_path / "whole")
    file = tmp_path / "whole" / "tokenizer_config.json"
    said = json.loads(file.read_text())
    said = {key: value for key, value in said.items() if key not in ("backend", "added_tokens_decoder")}
    file.write_text(json.dumps(said | {"tokenizer_class": name}))
    whole: Any = AutoTokenizer.from_pretrained(tmp_path / "whole")
    assert type(whole).__name__ == name
    texts = LEARNED[:20]
    save_short(whole, with_pieces(whole, used(whole, texts)), tmp_path / "short")
    again: Any = AutoTokenizer.from_pretrained(tmp_path / "short")
    assert type(again).__name__ == name and len(again) < len(whole)
    assert [pieces(again, text) for text in texts] == [pieces(whole, text) for text in texts]


def test_a_difference_is_told_by_its_place() -> None:
    tokenizer = MADE["word pieces"]()
    short = with_pieces(tokenizer, used(tokenizer, LEARNED[:1]))
    found = next(differing(tokenizer, short, [LEARNED[0], OTHERS[0]]))
    assert (found.place, found.text) == (2, OTHERS[0]) and found.pieces != found.short
