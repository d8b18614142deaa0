"""What rows of tokens need to know of a tokenizer."""

from __future__ import annotations

from typing import Any

import pytest

from subarch.text.tokenizers import train_tokenizer
from subarch.text.vocabulary import Vocabulary

TEXTS = ["a good film", "the play was bad"] * 9


def test_special_tokens_by_their_places() -> None:
    made: Any = train_tokenizer(TEXTS, 300)
    found = Vocabulary.of(made)
    assert (found.start, found.end) == (made.cls_token_id, made.sep_token_id)
    assert (found.padding, found.mask, found.size) == (made.pad_token_id, made.mask_token_id, len(made))


def test_without_tokens_of_berts_those_of_a_text_will_do() -> None:
    made: Any = train_tokenizer(TEXTS, 300)
    start, end = made.cls_token, made.sep_token
    made.cls_token = made.sep_token = made.pad_token = made.mask_token = None
    with pytest.raises(ValueError, match=r"expected a tokenizer with .CLS. and .SEP."):
        Vocabulary.of(made)
    made.bos_token, made.eos_token = start, end
    found = Vocabulary.of(made)
    assert (found.start, found.end) == (made.bos_token_id, made.eos_token_id)
    assert found.padding == found.end and found.mask is None


def test_a_fingerprint_covers_what_decides_on_tokens() -> None:
    one, same = (Vocabulary.of(train_tokenizer(TEXTS, 300)) for _ in range(2))
    assert one == same and one.fingerprint == same.fingerprint
    other = Vocabulary.of(train_tokenizer([*TEXTS, "entirely other words"], 300))
    cut: Any = train_tokenizer(TEXTS, 300)
    cut(["a good film"], truncation=True, max_length=4)  # leaves a length behind, which changes no tokens of rows
    assert other.fingerprint != one.fingerprint == Vocabulary.of(cut).fingerprint
