"""A family whose sizes follow any rule, to try counts and their polynomials on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from subarch.networks.family import Family, Parts
from subarch.networks.space import Space, Value


class Rule(Family):
    """A linear layer whose sizes follow any rule, to try the interpolation on."""

    name = "rule"

    def __init__(self, space: Space, rule: Any) -> None:
        self.space = space
        self.rule = rule
        self.reference = {p.name: p.choices[-1] for p in space.parameters}

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return nn.Linear(3, int(self.rule(**architecture)), bias=False)

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"input": torch.zeros(batch_size, 3)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts((), ())
