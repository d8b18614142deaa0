"""How many tokens a network has positions for, read off its table of positions and not off its name.

Most encoders look positions up in a table. In some the first rows are not a token's: RoBERTa and its kin begin behind
the row of padding, others keep two rows free. Where there is no table, a rotary network is made for the length that its
config names, and one with relative positions for any.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import nn
from transformers import AutoModel, PretrainedConfig

_TABLES = ("position_embeddings", "embed_positions")
_ROTARY = ("rope_parameters", "rope_theta")


def first_position(model: nn.Module) -> int:
    """The row of the table of positions that belongs to a sequence's first token; 0 without a table."""
    padding = getattr(_table(model), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def longest_input(model: nn.Module) -> int | None:
    """Tokens that a stock encoder, with or without head, has positions for; None where there is no limit."""
    config: dict[str, Any] = vars(cast("Any", model).config)
    most = config.get("max_position_embeddings")
    table = _table(model)
    if table is None:
        turns = any(config.get(name) for name in _ROTARY) or config.get("position_embedding_type") == "rotary"
        return int(most) if turns and most is not None else None
    rows = len(cast("Any", table).weight) - first_position(model)
    return rows if most is None else min(rows, int(most))


class Positions(NamedTuple):
    """What a network has positions for.

    Attributes:
        first: the row of its table that belongs to a sequence's first token; 0 without a table.
        longest: tokens of a sequence; None where there is no limit.
    """

    first: int
    longest: int | None


def positions_of(config: PretrainedConfig) -> Positions:
    """The positions of a network that is not built, read off one without memory."""
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    return Positions(first_position(model), longest_input(model))


def _table(model: nn.Module) -> nn.Module | None:
    found = (part for name, part in model.named_modules() if name.rpartition(".")[2] in _TABLES)
    return next((part for part in found if hasattr(part, "weight")), None)
