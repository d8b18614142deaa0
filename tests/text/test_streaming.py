"""Packed rows: no token is lost, rows are full, sides never mix, and the store is the same however it came about."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from subarch.text.corpora import Corpus, is_held_out
from subarch.text.streaming import PackedRows, RowLayout, open_rows
from subarch.text.tokenizers import train_tokenizer
from subarch.text.vocabulary import Vocabulary

TEXTS = [
    f"Document {i} says: the café number {i * i} isn't open on a {'very ' * (i % 40)}rainy day." for i in range(300)
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, 400)


@pytest.fixture(scope="module")
def bytewise() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, 300, model="bpe")


def corpus(texts: list[str], name: str = "0") -> Corpus:
    return Corpus("memory", name * 64, (texts.__iter__,))


def opened(texts: list[str], layout: RowLayout, cache: Path, **given: Any) -> tuple[PackedRows, PackedRows]:
    wanted = {"rows": 10**6, "held_out": 10**6, "workers": 0, "chunk": 2000} | given
    return open_rows(corpus(texts), layout, cache=cache, **wanted)


def inner(rows: PackedRows) -> list[int]:
    """All tokens in order, without those that the packing put in."""
    vocabulary, field = rows.layout.vocabulary, "tokens"
    added = (vocabulary.start, vocabulary.end, vocabulary.padding)
    return [int(token) for row in everything(rows) for token in row[field] if token not in added]


def everything(rows: PackedRows) -> list[Any]:
    return [rows[n] for n in range(len(rows))]


@pytest.mark.parametrize("length", [8, 31, 128])
def test_no_token_is_lost_and_no_document_is_on_both_sides(tokenizer: Any, tmp_path: Path, length: int) -> None:
    learning, held_out = opened(TEXTS, RowLayout(Vocabulary.of(tokenizer), length), tmp_path)
    for rows, side in ((learning, False), (held_out, True)):
        texts = [text for text in TEXTS if is_held_out(text) == side]
        expected = [token for text in texts for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
        assert expected
        assert inner(rows) == expected


def test_rows_are_full(tokenizer: Any, tmp_path: Path) -> None:
    rows, _ = opened(TEXTS, RowLayout(Vocabulary.of(tokenizer), 64), tmp_path, chunk=10**6)
    *full, _ = everything(rows)
    # What is left of a row needs room for a token between [CLS] and [SEP].
    assert max((row["words"] == 0).sum() for row in full) <= 2
    assert sum((row["words"] == 0).sum() for row in full) < 0.01 * 64 * len(full)


def test_pieces_begin_and_end_as_the_tokenizer_has_it(tokenizer: Any, tmp_path: Path) -> None:
    rows, _ = opened(["one two three"] * 8 + TEXTS, RowLayout(Vocabulary.of(tokenizer), 512), tmp_path, chunk=10**6)
    one = tokenizer("one two three")["input_ids"]
    assert rows[0]["tokens"][: 2 * len(one)].tolist() == one + one
    words = tokenizer("one two three").word_ids()
    assert len(set(rows[0]["words"][: len(one)].tolist())) == len(set(words[1:-1])) + 2
    assert np.diff(rows[0]["words"][rows[0]["words"] > 0].astype(int)).min() >= 0


def test_special_tokens_in_a_text_are_words(tokenizer: Any, tmp_path: Path) -> None:
    vocabulary = Vocabulary.of(tokenizer)
    rows, _ = opened([*TEXTS, "The [MASK] and the [CLS] are written [SEP] here."], RowLayout(vocabulary, 64), tmp_path)
    tokens = np.concatenate([row["tokens"][row["words"] > 0] for row in everything(rows)])
    assert vocabulary.mask not in tokens
    starts = np.concatenate([row["tokens"] == vocabulary.start for row in everything(rows)]).sum()
    assert starts == np.concatenate([row["tokens"] == vocabulary.end for row in everything(rows)]).sum()


def test_many_processes_make_the_same_store(tokenizer: Any, tmp_path: Path) -> None:
    layout = RowLayout(Vocabulary.of(tokenizer), 32)
    alone, _ = opened(TEXTS, layout, tmp_path / "a")
    together, _ = opened(TEXTS, layout, tmp_path / "b", workers=3)
    assert len(list((tmp_path / "a").rglob("*.learning.npy"))) > 5
    assert len(alone) == len(together)
    assert all(one == other for one, other in zip(everything(alone), everything(together), strict=True))


def test_a_store_goes_on_where_it_stopped_and_mends_what_is_damaged(tokenizer: Any, tmp_path: Path) -> None:
    layout = RowLayout(Vocabulary.of(tokenizer), 32)
    whole, _ = opened(TEXTS, layout, tmp_path / "a")
    few, _ = opened(TEXTS, layout, tmp_path / "b", rows=20, held_out=1)
    assert 20 <= len(few) < len(whole) / 2
    store = next((tmp_path / "b").iterdir())
    (store / "00000.learning.npy").write_bytes((store / "00000.learning.npy").read_bytes()[:-100])
    (store / "00001.held-out.npy").unlink()
    more, _ = opened(TEXTS, layout, tmp_path / "b")
    assert [row.tobytes() for row in everything(more)] == [row.tobytes() for row in everything(whole)]
    # And what a run gets does not depend on how much is there.
    again, _ = opened(TEXTS, layout, tmp_path / "b", rows=20, held_out=1)
    assert len(again) == len(few)


def test_what_is_held_out_does_not_depend_on_what_is_learned(tokenizer: Any, tmp_path: Path) -> None:
    layout = RowLayout(Vocabulary.of(tokenizer), 32)
    few, judged = opened(TEXTS, layout, tmp_path, rows=20, held_out=30)
    more, same = opened(TEXTS, layout, tmp_path, rows=200, held_out=30)
    assert len(few) < len(more)
    assert [row.tobytes() for row in everything(judged)] == [row.tobytes() for row in everything(same)]


def test_a_complete_store_needs_no_text(tokenizer: Any, tmp_path: Path) -> None:
    layout = RowLayout(Vocabulary.of(tokenizer), 32)
    before, _ = opened(TEXTS, layout, tmp_path)

    def gone() -> Iterator[str]:
        raise AssertionError("read again")

    rows, _ = open_rows(
        Corpus("memory", "0" * 64, (gone,)), layout, rows=10**6, held_out=1, workers=0, chunk=2000, cache=tmp_path
    )
    assert len(rows) == len(before)


def test_memory_is_constant(tokenizer: Any, tmp_path: Path) -> None:
    def endless() -> Iterator[str]:
        for n in range(3000):
            yield f"{n} {TEXTS[n % 300]}" * 8

    def peak(rows: int) -> int:
        tracemalloc.start()
        source = Corpus("generated", str(rows), (endless,))
        open_rows(
            source,
            RowLayout(Vocabulary.of(tokenizer), 64),
            rows=rows,
            held_out=1,
            workers=0,
            chunk=20_000,
            cache=tmp_path,
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small = peak(100)
    assert peak(2000) < 1.5 * small + 1_000_000


def test_too_little_text_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    layout = RowLayout(Vocabulary.of(tokenizer), 32)
    held = next(text for text in TEXTS if is_held_out(text))
    with pytest.raises(ValueError, match="longer corpus"):
        opened([held], layout, tmp_path)
    with pytest.raises(ValueError, match="at least 3"):
        RowLayout(Vocabulary.of(tokenizer), 2)


# --- two tokenizers ---------------------------------------------------------------------------------------------------


def by_word(tokens: Any, words: Any, tokenizer: Any) -> dict[int, str]:
    """The text of each word of a row, as its tokens spell it."""
    return {
        int(word): tokenizer.decode(tokens[words == word].tolist()).replace(" ", "").replace("##", "")
        for word in np.unique(words[words > 0])
    }


def test_words_of_two_tokenizers_spell_the_same(tokenizer: Any, tmp_path: Path) -> None:
    other = train_tokenizer([text.upper() for text in TEXTS[:40]], 320)
    layout = RowLayout(Vocabulary.of(tokenizer), 40, Vocabulary.of(other), 64)
    rows, _ = opened(TEXTS, layout, tmp_path)
    shared = total = 0
    for row in everything(rows):
        ours = by_word(row["tokens"], row["words"], tokenizer)
        theirs = by_word(row["other_tokens"], row["other_words"], other)
        assert all(ours[word] == theirs[word] for word in theirs)
        shared, total = shared + len(theirs), total + len(ours)
    assert shared > 0.9 * total  # all but words that a row's end cuts


def test_words_of_a_bytewise_tokenizer_fit_too(tokenizer: Any, bytewise: Any, tmp_path: Path) -> None:
    texts = [text.lower().replace("é", "e").replace("'", " ") for text in TEXTS]
    rows, _ = opened(texts, RowLayout(Vocabulary.of(tokenizer), 40, Vocabulary.of(bytewise), 80), tmp_path)
    seen = 0
    for row in everything(rows)[:50]:
        ours = by_word(row["tokens"], row["words"], tokenizer)
        theirs = by_word(row["other_tokens"], row["other_words"], bytewise)
        for word in theirs:
            assert ours[word] == theirs[word]
            seen += 1
    assert seen > 500


@given(st.lists(st.text(alphabet="ab' .é\U0001f600", max_size=30), min_size=1, max_size=20))
def test_any_text_can_be_packed_with_two_tokenizers(
    tokenizer: Any, bytewise: Any, tmp_path_factory: Any, texts: list[str]
) -> None:
    layout = RowLayout(Vocabulary.of(tokenizer), 16, Vocabulary.of(bytewise), 24)
    rows, _ = opened([*texts, *TEXTS[:40]], layout, tmp_path_factory.mktemp("store"))
    for row in everything(rows):
        assert set(row["other_words"]) <= set(row["words"]) | {0}
        assert (row["other_tokens"] == layout.other.start).sum() <= (row["tokens"] == layout.vocabulary.start).sum()
