"""Which tensors a stock network wants and which a checkpoint has, as the stock library itself says it; no weights."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PretrainedConfig

from subarch.silence import quiet_transformers

# Tensors that stock checkpoints carry along, and that change nothing: heads of pre-training and ties beside the words'.
_HARMLESS = re.compile(
    r"(^|\.)(position_ids|token_type_ids)$|^cls\.seq_relationship\.|^cls\.predictions\.decoder\.|^lm_head\.decoder\.|"
    r"(^|\.)pooler\.dense\.|^cls\.predictions\.bias$|^lm_head\.bias$"
)


@dataclass(frozen=True)
class Compared:
    """What a network wants and what a checkpoint has: names, and sizes that differ (name, has, wants)."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    parts: frozenset[str]

    def inside(self, kind: Any) -> list[str]:
        """Tensors of the encoder that nothing asks for."""
        return [name for name in self.unexpected if in_encoder(name, kind.base_model_prefix, self.parts)]

    def outside(self, kind: Any) -> list[str]:
        """Tensors of a head that nothing asks for."""
        inside = set(self.inside(kind))
        return [name for name in self.unexpected if name not in inside]


def in_encoder(name: str, prefix: str, parts: frozenset[str]) -> bool:
    """Whether a tensor of this name belongs to the encoder, with or without its prefix."""
    return name.startswith(f"{prefix}.") or name.partition(".")[0] in parts


def compared(kind: Any, config: PretrainedConfig, shapes: Mapping[str, tuple[int, ...]]) -> Compared:
    """What the stock library says, without a single weight."""
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    with quiet_transformers():
        model, found = kind.from_pretrained(
            None,
            config=copy.deepcopy(config),
            state_dict=state,
            device_map={"": "meta"},
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    unexpected = sorted(name for name in found["unexpected_keys"] if not _HARMLESS.search(name))
    sizes = sorted((str(name), tuple(has), tuple(wants)) for name, has, wants in found["mismatched_keys"])
    parts = frozenset(name for name, _ in model.base_model.named_children())
    return Compared(tuple(sorted(found["missing_keys"])), tuple(unexpected), tuple(sizes), parts)
