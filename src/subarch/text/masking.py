"""What a run of masked language modelling sees: packed rows in a pseudo-random order, with BERT's masks.

Sample n is a row, its place in the order and its mask depending on the seed and on n alone. So a run resumes at any
sample, and many processes share its samples without a word.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.text.streaming import PackedRows
from subarch.text.vocabulary import Vocabulary

MASKED_SHARE = 0.15
IGNORED = -100
"""The label of tokens that are not to be predicted."""

Sample = dict[str, Any]


def most_masked(length: int) -> int:
    """The largest number of masked tokens in a row of so many."""
    return max(1, round(MASKED_SHARE * (length - 2)))


class Samples:
    """Rows in a pseudo-random order with BERT's masks; a new order and new masks each time all rows have been seen.

    Of a row's tokens 15 % are to be predicted: of these 80 % are hidden behind the mask token, 10 % are replaced by any
    token of the vocabulary, and 10 % stay.

    Args:
        rows: packed ones.
        count: samples.
        seed: of order and masks.
        whole_words: mask all tokens of a word or none.

    Raises:
        ValueError: when the tokenizer has no mask token.
    """

    def __init__(self, rows: PackedRows, *, count: int, seed: int, whole_words: bool = False) -> None:
        if rows.layout.vocabulary.mask is None:
            raise InputError("masked language modelling needs a tokenizer with a mask token, this one has none")
        self.rows, self.seed, self.whole_words = rows, seed, whole_words
        self._count, self._mask = count, rows.layout.vocabulary.mask

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        """Sample ``index``.

        Returns:
            ``sample``: its number; ``input_ids``, ``labels`` (``IGNORED`` where nothing is asked), ``position_ids``
            (from 0 in each piece), ``documents`` (the piece's number, from 1; 0 for padding) and ``words``, each
            ``(length,)``; ``other_ids``, ``other_positions``, ``other_documents`` and ``other_words`` of the other
            tokenizer, where there is one. All int64.
        """
        if not 0 <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        turn, place = divmod(index, len(self.rows))
        row = self.rows[_shuffled(place, len(self.rows), f"{self.seed} {turn}")]
        layout = self.rows.layout
        tokens, words = row["tokens"].astype(np.int64), row["words"].astype(np.int64)
        documents, positions = _pieces(tokens, words, layout.vocabulary)
        labels, inputs = self._masked(tokens, words, index)
        sample = {
            "sample": np.int64(index),
            "input_ids": inputs,
            "labels": labels,
            "position_ids": positions,
            "documents": documents,
            "words": words,
        }
        if layout.other is not None:
            tokens, words = row["other_tokens"].astype(np.int64), row["other_words"].astype(np.int64)
            documents, positions = _pieces(tokens, words, layout.other)
            other = {"ids": tokens, "positions": positions, "documents": documents, "words": words}
            sample |= {f"other_{name}": values for name, values in other.items()}
        return sample

    def _masked(self, tokens: Any, words: Any, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        vocabulary = self.rows.layout.vocabulary
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, index, 0]))
        draws, kinds = rng.random((2, len(tokens)))
        others = rng.integers(0, vocabulary.size, len(tokens))
        free = np.flatnonzero((words > 0) & (tokens != vocabulary.start) & (tokens != vocabulary.end))
        budget = max(1, round(MASKED_SHARE * len(free)))
        chosen = free[np.argsort(draws[free], kind="stable")[:budget]]
        if self.whole_words:
            chosen = _whole_words(words, free, chosen, draws, budget)
        labels, inputs = np.full_like(tokens, IGNORED), tokens.copy()
        labels[chosen] = tokens[chosen]
        kind = kinds[chosen]
        inputs[chosen] = np.where(kind < 0.8, self._mask, np.where(kind < 0.9, others[chosen], tokens[chosen]))
        return labels, inputs


def _whole_words(words: Any, free: Any, single: Any, draws: Any, budget: int) -> NDArray[np.int64]:
    """Tokens of words in the order of their first tokens' draws, without those that are too long for what is left."""
    names, firsts, sizes = np.unique(words[free], return_index=True, return_counts=True)
    taken: list[Any] = []
    left = budget
    for word in np.argsort(draws[free[firsts]], kind="stable"):
        if sizes[word] <= left:
            taken.append(names[word])
            left -= int(sizes[word])
            if not left:
                break
    # All words can be longer than the whole budget: then a part of one is better than nothing.
    return free[np.isin(words[free], taken)] if taken else single


def _pieces(tokens: Any, words: Any, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each token's piece in the row, from 1 (padding: 0), and its place in the piece."""
    starts = (tokens == vocabulary.start) & (words > 0)
    places = np.arange(len(tokens))
    documents = np.where(words > 0, np.cumsum(starts), 0)
    return documents, places - np.maximum.accumulate(np.where(starts, places, 0))


def _shuffled(place: int, size: int, seed: str) -> int:
    """The image of ``place`` in a pseudo-random permutation of ``range(size)`` that needs no memory.

    A Feistel network of four rounds on the next even number of bits; what falls outside the range goes round again.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = place >> half, place & mask
        for key in _keys(seed):
            mixed = ((right ^ key) * 0x9E3779B97F4A7C15) & (2**64 - 1)
            mixed = ((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
            left, right = right, left ^ (mixed >> 32 & mask)
        place = left << half | right
        if place < size:
            return place


@lru_cache(maxsize=64)
def _keys(seed: str) -> tuple[int, ...]:
    digest = hashlib.sha256(seed.encode()).digest()
    return tuple(int.from_bytes(digest[n : n + 8], "big") for n in range(0, 32, 8))
