"""Batches: every example once, little padding, and nothing that depends on the company a sequence is in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tokenizer

from subarch.learning.batches import drawn, epoch
from subarch.text.encoding import tokenize
from subarch.text.examples import Example

TOKENIZER = tokenizer()


@given(st.lists(st.integers(1, 90), min_size=1, max_size=300), st.integers(1, 40), st.integers(0, 5))
def test_an_epoch_holds_every_example_once(lengths: list[int], size: int, seed: int) -> None:
    batches = list(epoch(np.array(lengths), size, (seed, 0)))
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert max(map(len, batches)) <= size
    assert len(batches) == -(-len(lengths) // size)
    assert batches == list(epoch(np.array(lengths), size, (seed, 0)))


def test_epochs_pad_little_and_mix() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 4000)
    first, second = (list(epoch(lengths, 32, (0, n))) for n in (0, 1))
    padded = sum(max(lengths[row] for row in rows) * len(rows) for rows in first)
    assert padded < 1.15 * lengths.sum()  # drawn at random it is 1.8 times as many
    companions = {row: set(rows) for rows in first for row in rows}
    shared = [len(companions[rows[0]] & set(rows)) for rows in second]
    assert np.mean(shared) < 6


def test_single_texts_pairs_and_candidates() -> None:
    single = tokenize([Example("good film", label=1), Example("bad", label=0)], TOKENIZER, length=16)
    batch = single.batch([0, 1])
    good, film, bad = (TOKENIZER.convert_tokens_to_ids(word) for word in ("good", "film", "bad"))
    start, end = TOKENIZER.cls_token_id, TOKENIZER.sep_token_id
    assert batch["input_ids"].tolist() == [[start, good, film, end], [start, bad, end, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["labels"].tolist() == [1, 0]
    assert "attention_mask" not in single.batch([0])  # no padding, no mask

    pair = tokenize([Example("good film", ("bad",), 1)], TOKENIZER, length=16).batch([0])
    assert pair["input_ids"].tolist() == [[start, good, film, end, bad, end]]
    assert pair["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1]]

    choices = [Example("film", ("good", "bad"), 1), Example("film", ("good", "bad", "good film"), 0, right=(2,))]
    batch = tokenize(choices, TOKENIZER, length=16, choice=True).batch([1, 0])
    assert batch["owners"].tolist() == [0, 0, 0, 1, 1]
    assert batch["right"].tolist() == [True, False, True, False, True]
    assert batch["labels"].tolist() == [0, 1]


def test_long_texts_are_cut_and_the_longer_of_a_pair_first() -> None:
    tokens = tokenize([Example("good " * 50, ("bad film",), 0)], TOKENIZER, length=12)
    bad, film = (TOKENIZER.convert_tokens_to_ids(word) for word in ("bad", "film"))
    assert tokens.lengths.tolist() == [12] and tokens.cut_share == 1.0
    assert tokens.batch([0])["input_ids"][0, -3:-1].tolist() == [bad, film]


def test_examples_of_two_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="one text and some with two"):
        tokenize([Example("a"), Example("a", ("b",))], TOKENIZER, length=8)


def test_tokenizing_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = [Example(f"film {'good ' * n}", ("bad", "very good")[: 1 + n % 2], 0) for n in range(23)]
    whole = tokenize(choices, TOKENIZER, length=16, choice=True)
    monkeypatch.setattr("subarch.text.encoding._CHUNK", 4)
    pieces = tokenize(choices, TOKENIZER, length=16, choice=True)
    assert len(whole) == len(pieces) == 23
    one, other = (tokens.batch(range(23)) for tokens in (whole, pieces))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert len(tokenize([], TOKENIZER, length=16)) == 0


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 200))
def test_parts_by_length_respect_the_limit(lengths: list[int], most: int) -> None:
    tokens = tokenize([Example("good " * length) for length in lengths], TOKENIZER, length=64)
    parts = list(tokens.by_length(most))
    assert sorted(row for part in parts for row in part) == list(range(len(lengths)))
    assert all(len(part) == 1 or len(part) * max(tokens.lengths[part]) <= most for part in parts)


def test_drawn_batches_repeat_and_go_round() -> None:
    tokens = tokenize([Example("good " * n, label=n) for n in range(1, 8)], TOKENIZER, length=64)
    batches = drawn(tokens, 20, 4, held_out=False, seed=1)
    labels = torch.cat([batch["labels"] for batch in batches]).tolist()
    assert len(labels) == 20
    assert sorted(labels[:7]) == list(range(1, 8))
    assert sum(len(batch["labels"]) for batch in drawn(tokens, 20, 4, held_out=True, seed=1)) == 7
