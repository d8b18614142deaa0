"""Batches: masked tokens for language modelling, and the examples of a task, of similar length.

Padding costs what text costs, so a batch holds sequences of similar length; which examples meet in a batch still
changes from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.learning.distances import Batch
from subarch.text.encoding import Tokens

MASKED_SHARE = 0.15
_POOL = 8  # batches that are drawn together and then sorted by length
_LEAST_POOLS = 4  # of an epoch: small data are mixed too


def masked(batch: Batch, tokenizer: PreTrainedTokenizerFast, seed: int) -> Batch:
    """The batch with some 15 % of its tokens replaced by the mask token, and where they are."""
    known = cast("Any", tokenizer)
    if known.mask_token_id is None:
        raise InputError("masked language modelling needs a tokenizer with a mask token, this one has none")
    ids = batch["input_ids"]
    special = torch.isin(ids, torch.tensor(sorted(known.all_special_ids)))
    draw = torch.rand(ids.shape, generator=torch.Generator().manual_seed(seed % 2**63)).masked_fill(special, 2.0)
    draw.view(-1)[draw.argmin()] = 0.0  # at least one
    where = (draw < MASKED_SHARE) & ~special
    return {"input_ids": ids.masked_fill(where, int(known.mask_token_id)), "masked": where, "labels": ids}


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
