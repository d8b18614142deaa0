"""A map into twelve units, one operator on them, and a map out of whatever that gives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from subarch.networks import tracing
from subarch.networks.axes import leaves
from subarch.networks.tracing import Traced

Operator = Callable[[Tensor], Tensor]
WIDTH = 12


class Through(nn.Module):
    """``operator`` gets ``(5, 12)``."""

    def __init__(self, operator: Operator, width: int = WIDTH) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.operator = operator
        self.into = nn.Linear(3, width)
        self.out = nn.Linear(operator(torch.zeros(5, width)).shape[-1], 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.out(self.operator(self.into(values)))


def proven(operator: Operator) -> Traced:
    """The trace, which the permutation of all free units proves to miss nothing."""
    network, inputs = Through(operator), {"values": torch.randn(5, 3)}
    traced = tracing.proven(network, inputs)
    assert not traced.unknown
    return traced


def units(traced: Traced) -> list[tuple[int, str]]:
    """Size, and the reason where it is fixed, of each atom of the twelve."""
    return [(leaf.size, leaf.fixed) for leaf in leaves(traced.axes["into.weight"][0])]
