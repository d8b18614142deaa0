"""Batches for short runs: masked tokens, and labelled texts padded together."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from subarch.learning.distances import Batch
from subarch.text.tasks import Split

MASKED_SHARE = 0.15


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


def labelled_batches(
    split: Split,
    tokenizer: PreTrainedTokenizerFast,
    count: int,
    size: int,
    length: int,
    held_out: bool,
    seed: int,
) -> list[Batch]:
    """Up to ``count`` (held out) or exactly ``count`` (training, in rounds) labelled texts, padded batch by batch."""
    rng = np.random.default_rng(seed)
    rounds = 1 if held_out else -(-count // len(split))
    rows = np.concatenate([rng.permutation(len(split)) for _ in range(rounds)])[:count].tolist()
    encode: Any = tokenizer
    tokens: dict[int, list[int]] = {
        row: encode(split.texts[row], truncation=True, max_length=length)["input_ids"] for row in set(rows)
    }
    if held_out:
        lengths = {row: len(ids) for row, ids in tokens.items()}
        rows.sort(key=lengths.__getitem__)  # neighbours of one length need no padding
    batches: list[Batch] = []
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        sequences = [torch.tensor(tokens[row]) for row in part]
        padding = int(encode.pad_token_id or 0)
        ids = nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=padding)
        ends = torch.tensor([len(sequence) for sequence in sequences])
        mask = (torch.arange(ids.shape[1]) < ends[:, None]).long()
        batches.append(
            {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([split.labels[row] for row in part])}
        )
    return batches
