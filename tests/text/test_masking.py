"""Masks and order: a function of seed and number alone, in BERT's proportions, and every row once a turn."""

from __future__ import annotations

import hashlib
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from subarch.text.corpora import Corpus
from subarch.text.masking import IGNORED, Samples, most_masked
from subarch.text.streaming import PackedRows, RowLayout, open_rows
from subarch.text.tokenizers import train_tokenizer
from subarch.text.vocabulary import Vocabulary

TEXTS = [
    f"The {n}th of the unforgettable documents speaks of antidisestablishmentarianism {n % 7}." for n in range(800)
]


def packed(texts: list[str], trained_on: list[str], length: int, cache: Path) -> PackedRows:
    corpus = Corpus("memory", hashlib.sha256("".join(texts).encode()).hexdigest(), (texts.__iter__,))
    layout = RowLayout(Vocabulary.of(train_tokenizer(trained_on, 300)), length)
    return open_rows(corpus, layout, rows=10**6, held_out=1, workers=0, cache=cache)[0]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> PackedRows:
    return packed(TEXTS, ["the documents speak of something else", *TEXTS[:3]], 64, tmp_path_factory.mktemp("rows"))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_a_sample_is_a_function_of_seed_and_number(rows: PackedRows) -> None:
    samples = Samples(rows, count=500, seed=3)
    assert same(samples[7], Samples(rows, count=9999, seed=3)[7])
    assert not same(samples[7], samples[8])
    assert not same(samples[7], Samples(rows, count=500, seed=4)[7])


def test_every_row_is_seen_once_a_turn_in_another_order(rows: PackedRows) -> None:
    samples = Samples(rows, count=2 * len(rows), seed=0)

    def texts(turn: int) -> list[bytes]:
        found = [samples[n] for n in range(turn * len(rows), (turn + 1) * len(rows))]
        return [np.where(s["labels"] == IGNORED, s["input_ids"], s["labels"]).tobytes() for s in found]

    expected = sorted(rows[n]["tokens"].astype(np.int64).tobytes() for n in range(len(rows)))
    assert sorted(texts(0)) == sorted(texts(1)) == expected
    assert texts(0) != texts(1)


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_the_order_is_a_permutation(size: int, seed: int) -> None:
    from subarch.text.masking import _shuffled

    assert sorted(_shuffled(n, size, f"{seed} 0") for n in range(size)) == list(range(size))


def test_the_order_looks_random() -> None:
    from subarch.text.masking import _shuffled

    order = np.array([_shuffled(n, 10_000, "0 0") for n in range(10_000)])
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.03
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.03
    # As many neighbours stay neighbours as chance has it (two of ten thousand, not hundreds).
    assert (np.abs(np.diff(order)) == 1).sum() < 12


def test_proportions_are_those_of_bert(rows: PackedRows) -> None:
    vocabulary = rows.layout.vocabulary
    samples = Samples(rows, count=3000, seed=0)
    free = masked = hidden = kept = 0
    for n in range(3000):
        sample = samples[n]
        asked = sample["labels"] != IGNORED
        text = np.where(asked, sample["labels"], sample["input_ids"])
        special = (text == vocabulary.start) | (text == vocabulary.end) | (sample["words"] == 0)
        assert not (asked & special).any()
        assert 1 <= asked.sum() <= most_masked(64)
        free, masked = free + int((~special).sum()), masked + int(asked.sum())
        hidden += int((sample["input_ids"][asked] == vocabulary.mask).sum())
        kept += int((sample["input_ids"][asked] == sample["labels"][asked]).sum())
    assert masked / free == pytest.approx(0.15, abs=0.005)
    assert hidden / masked == pytest.approx(0.8, abs=0.02)
    assert kept / masked == pytest.approx(0.1, abs=0.02)


def test_whole_words_are_masked_whole(tmp_path: Path) -> None:
    texts = [f"the cat {n} sat on a mat and a dog too so it was all of us" for n in range(200)]
    samples = Samples(
        packed(texts, [" ".join(string.ascii_lowercase + string.digits)], 64, tmp_path),
        count=200,
        seed=1,
        whole_words=True,
    )
    sizes: list[int] = []
    for n in range(200):
        sample = samples[n]
        asked = sample["labels"] != IGNORED
        assert 1 <= asked.sum() <= most_masked(64)
        words = set(sample["words"][asked].tolist())
        whole = [int((sample["words"] == word).sum()) for word in words]
        assert sum(whole) == asked.sum()
        sizes += whole
    assert sum(size > 1 for size in sizes) > 300


def test_a_word_longer_than_the_budget_is_masked_in_part(tmp_path: Path) -> None:
    texts = [letter * size for letter in "abcdefgh" for size in range(80, 90)]
    samples = Samples(packed(texts, ["a b c d e f g h"], 32, tmp_path), count=50, seed=0, whole_words=True)
    for n in range(50):
        assert 1 <= (samples[n]["labels"] != IGNORED).sum() <= most_masked(32)


def test_positions_begin_anew_in_each_document(rows: PackedRows) -> None:
    sample = Samples(rows, count=10, seed=0)[0]
    starts = np.flatnonzero(np.diff(sample["documents"], prepend=0) > 0)
    assert len(starts) > 1
    assert (sample["position_ids"][starts] == 0).all()
    inside = np.setdiff1d(np.arange(64), starts)
    assert (np.diff(sample["position_ids"])[inside - 1] == 1).all()


def test_a_tokenizer_without_mask_is_refused(tmp_path: Path) -> None:
    known = train_tokenizer(TEXTS[:50], 300)
    maskless = PreTrainedTokenizerFast(tokenizer_object=known.backend_tokenizer, cls_token="[CLS]", sep_token="[SEP]")
    corpus = Corpus("memory", "1" * 64, (TEXTS.__iter__,))
    made, _ = open_rows(corpus, RowLayout(Vocabulary.of(maskless), 32), rows=1, held_out=1, workers=0, cache=tmp_path)
    with pytest.raises(ValueError, match="mask token"):
        Samples(made, count=1, seed=0)
