"""Attention as one operator: where a mask is of keys alone, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from models import built
from torch import nn
from transformers.masking_utils import and_masks, bidirectional_mask_function, sliding_window_overlay

from subarch.running.fused import FUSED, FusedAttention
from subarch.running.graphs import attention_of

KEYS = torch.tensor([[True, True, True], [True, True, False]])


def asked(function: Any) -> dict[str, Any]:
    """What the stock library asks for a mask of two texts of three tokens, the second one shorter."""
    sizes = {"batch_size": 2, "q_length": 3, "kv_length": 3, "q_offset": 0, "kv_offset": 0}
    return {**sizes, "mask_function": function, "attention_mask": KEYS, "device": torch.device("cpu")}


def test_a_mask_of_keys_stays_one_and_a_window_is_whole() -> None:
    kind = FusedAttention()
    keys = kind.mask(**asked(bidirectional_mask_function))
    assert keys.dtype == torch.int32 and keys.tolist() == KEYS.int().tolist()
    windows = kind.mask(**asked(and_masks(bidirectional_mask_function, sliding_window_overlay(1))))
    assert windows.shape == (2, 1, 3, 3)


def test_a_mask_that_nobody_knows_is_no_mask_of_keys() -> None:
    kind, states = FusedAttention(), torch.zeros(2, 1, 3, 4)
    keys = kind.mask(**asked(bidirectional_mask_function))
    with pytest.raises(Exception, match="Linear changes its mask on the way"):
        kind.attention(nn.Linear(1, 1), states, states, states, keys.clone())


def test_values_of_another_width_keep_torchs_attention() -> None:
    kind, states = FusedAttention(), torch.zeros(2, 1, 3, 4)
    keys = kind.mask(**asked(bidirectional_mask_function))
    values = torch.tensor([[[[1.0], [3.0], [8.0]]], [[[1.0], [3.0], [8.0]]]])
    found, _ = kind.attention(nn.Linear(1, 1).eval(), states, states, values, keys)
    assert found[:, :, 0, 0].tolist() == [[4.0] * 3, [2.0] * 3]  # the mean of what each token sees


def test_the_models_own_attention_comes_back() -> None:
    model = built("classification").model
    with attention_of(model, FUSED, FusedAttention()):
        assert model.config._attn_implementation == FUSED
    assert model.config._attn_implementation == "sdpa"
