"""Batches: masked tokens for language modelling, and the examples of a task, tokenised once and of similar length.

An example is one sequence of tokens, or one for each candidate of a choice. Padding costs what text costs, so a batch
holds sequences of similar length; which examples meet in a batch still changes from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from subarch.learning.distances import Batch
from subarch.text.examples import Example

MASKED_SHARE = 0.15
_POOL = 8  # batches that are drawn together and then sorted by length
_LEAST_POOLS = 4  # of an epoch: small data are mixed too


def masked(batch: Batch, tokenizer: PreTrainedTokenizerFast, seed: int) -> Batch:
    """The batch with some 15 % of its tokens replaced by the mask token, and where they are."""
    known = cast("Any", tokenizer)
    if known.mask_token_id is None:
        raise ValueError("masked language modelling needs a tokenizer with a mask token, this one has none")
    ids = batch["input_ids"]
    special = torch.isin(ids, torch.tensor(sorted(known.all_special_ids)))
    draw = torch.rand(ids.shape, generator=torch.Generator().manual_seed(seed % 2**63)).masked_fill(special, 2.0)
    draw.view(-1)[draw.argmin()] = 0.0  # at least one
    where = (draw < MASKED_SHARE) & ~special
    return {"input_ids": ids.masked_fill(where, int(known.mask_token_id)), "masked": where, "labels": ids}


@dataclass(frozen=True)
class Tokens:
    """Examples as token ids.

    Attributes:
        sequences: token ids, one list for each sequence.
        types: which text each token belongs to, as the tokenizer tells it; None where the network does not ask.
        starts: the first sequence of every example, and the number of sequences: ``(examples + 1,)``.
        labels: of the examples, as they are; None where one has none.
        right: for each sequence whether it is a right candidate, ``(sequences,)``; None but for choices.
        padding: the token that fills a batch up.
    """

    sequences: list[list[int]]
    types: list[list[int]] | None
    starts: NDArray[np.int64]
    labels: list[int | float] | None
    right: NDArray[np.bool_] | None
    padding: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longest sequence of every example: ``(examples,)``."""
        longest = np.array([len(ids) for ids in self.sequences], dtype=np.int64)
        return np.maximum.reduceat(longest, self.starts[:-1]) if len(self) else longest

    def by_length(self, most: int, rows: Sequence[int] | None = None) -> Iterator[list[int]]:
        """Examples in parts of at most ``most`` tokens (or one example) with next to no padding.

        Args:
            most: tokens of a part, padding included.
            rows: which examples; all when not given.

        Yields:
            Rows of a part. The longest come first, so that what does not fit into memory shows at once.
        """
        lengths, counts = self.lengths, np.diff(self.starts)
        part: list[int] = []
        sequences = 0
        for row in sorted(range(len(self)) if rows is None else rows, key=lambda row: -int(lengths[row])):
            if part and int(lengths[part[0]]) * (sequences + int(counts[row])) > most:
                yield part
                part, sequences = [], 0
            part.append(row)
            sequences += int(counts[row])
        if part:
            yield part

    def batch(self, rows: Sequence[int]) -> Batch:
        """The sequences of these examples, padded to the longest.

        Returns:
            ``input_ids`` (sequences, length); ``attention_mask`` likewise, only where there is padding;
            ``token_type_ids`` where the network asks for them; ``labels`` (examples,) where they are known; for choices
            ``owners`` (sequences,), the position in the batch of the example that each sequence belongs to, and
            ``right`` (sequences,).
        """
        chosen = list(chain.from_iterable(range(self.starts[row], self.starts[row + 1]) for row in rows))
        sequences = [self.sequences[n] for n in chosen]
        longest = max(map(len, sequences))
        batch = {"input_ids": _padded(sequences, longest, self.padding)}
        if any(len(ids) < longest for ids in sequences):
            ends = torch.tensor([len(ids) for ids in sequences])
            batch["attention_mask"] = (torch.arange(longest) < ends[:, None]).long()
        if self.types is not None:
            batch["token_type_ids"] = _padded([self.types[n] for n in chosen], longest, 0)
        if self.labels is not None:
            batch["labels"] = torch.tensor([self.labels[row] for row in rows])
        if self.right is not None:
            sizes = torch.tensor([int(self.starts[row + 1] - self.starts[row]) for row in rows])
            batch["owners"] = torch.repeat_interleave(torch.arange(len(rows)), sizes)
            batch["right"] = torch.from_numpy(self.right[chosen])
        return batch


def _padded(rows: list[list[int]], length: int, value: int) -> Tensor:
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])


def tokenize(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    *,
    length: int,
    choice: bool = False,
    types: bool = True,
) -> Tokens:
    """All examples as token ids; of a text and its second one the longer is cut first.

    Args:
        examples: of one task.
        tokenizer: a fast one.
        length: tokens a sequence is cut to, special tokens included.
        choice: whether second texts are candidates, each a sequence of its own beside the first text.
        types: whether the network has an embedding for each of two texts.
    """
    counts = [len(example.seconds) if choice else 1 for example in examples]
    firsts = [example.first for example, count in zip(examples, counts, strict=True) for _ in range(count)]
    seconds = list(chain.from_iterable(example.seconds for example in examples))
    if seconds and len(seconds) != len(firsts):
        raise ValueError("expected examples of one task, got some with one text and some with two")
    encode: Any = tokenizer
    columns = (firsts, seconds) if seconds else (firsts,)
    encoded = encode(*columns, truncation=True, max_length=length, return_attention_mask=False) if firsts else {}
    labels = [example.label for example in examples if example.label is not None]
    right = [n in (example.label, *example.right) for example in examples for n in range(len(example.seconds))]
    return Tokens(
        sequences=encoded["input_ids"] if firsts else [],
        types=encoded.get("token_type_ids") if types and seconds else None,
        starts=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        labels=labels if len(labels) == len(examples) else None,
        right=np.array(right, dtype=bool) if choice else None,
        padding=int(encode.pad_token_id or 0),
    )


def epoch(lengths: NDArray[np.int64], size: int, seed: Sequence[int]) -> Iterator[list[int]]:
    """Every example once, in batches of similar length and random order.

    Args:
        lengths: of the examples: ``(examples,)``.
        size: examples a batch.
        seed: of the order; give the epoch's number in it.

    Yields:
        Rows of a batch.
    """
    rng = np.random.default_rng(list(seed))
    order = rng.permutation(len(lengths))
    pool = size * max(1, min(_POOL, len(lengths) // (_LEAST_POOLS * size)))
    batches: list[NDArray[np.int64]] = []
    for first in range(0, len(order), pool):
        rows = order[first : first + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[start : start + size] for start in range(0, len(rows), size)]
    for n in rng.permutation(len(batches)):
        yield batches[int(n)].tolist()


def drawn(tokens: Tokens, count: int, size: int, *, held_out: bool, seed: int) -> list[Batch]:
    """Up to ``count`` examples (held out), or exactly ``count`` in rounds (training), in batches of ``size``."""
    rng = np.random.default_rng(seed)
    rounds = 1 if held_out else -(-count // len(tokens))
    rows = np.concatenate([rng.permutation(len(tokens)) for _ in range(rounds)])[:count].tolist()
    if held_out:
        lengths = tokens.lengths
        rows.sort(key=lengths.__getitem__)  # neighbours of one length need no padding
    return [tokens.batch(rows[first : first + size]) for first in range(0, len(rows), size)]
