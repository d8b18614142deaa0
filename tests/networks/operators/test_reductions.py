"""Reductions: sums leave units free, means mark them, and what names places fixes them."""

from __future__ import annotations

import pytest
import torch
from through import Operator, proven, units
from torch import Tensor, nn
from torch.nn import functional

from subarch.networks.axes import leaves
from subarch.networks.tracing import require_whole, trace


def groups(x: Tensor) -> Tensor:
    return x.view(5, 3, 4)


@pytest.mark.parametrize(
    ("operator", "averaged"),
    [
        (lambda x: groups(x).sum(1), False),
        (lambda x: groups(x).amax(1), False),
        (lambda x: groups(x).logsumexp(1), False),
        (lambda x: groups(x).norm(dim=1), False),
        (lambda x: groups(x).mean(1), True),
        (lambda x: groups(x).var(1), True),
        (lambda x: groups(x).std(1), True),
        (lambda x: functional.layer_norm(groups(x).transpose(1, 2), (3,)).transpose(1, 2).flatten(1), True),
        (lambda x: groups(x).softmax(1).flatten(1), False),
    ],
)
def test_means_are_marked(operator: Operator, averaged: bool) -> None:
    traced = proven(operator)
    first, second = leaves(traced.axes["into.weight"][0])
    assert (first.fixed, second.fixed) == ("", "")
    assert (first.averaged, second.averaged) == (averaged, False)


@pytest.mark.parametrize("name", ["max", "min", "sort", "topk", "median"])
def test_what_names_places_fixes_them(name: str) -> None:
    def operator(x: Tensor) -> Tensor:
        return getattr(groups(x), name)(*((2, 1) if name == "topk" else (1,)))[0].flatten(1)

    assert units(proven(operator)) == [(3, f"its units are numbered by {name}"), (4, "")]


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
def test_what_is_added_up_in_order_stays_in_order(name: str) -> None:
    assert units(proven(lambda x: getattr(groups(x), name)(1).flatten(1))) == [(3, "added up in order"), (4, "")]


class Pictures(nn.Module):
    """Batch and group normalisation, pooling, and a picture that is laid flat."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.batch, self.group = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GroupNorm(2, 8)
        self.last = nn.Linear(8 * 4, 2)

    def forward(self, values: Tensor) -> Tensor:
        inner = self.group(self.batch(self.first(values)).relu())
        return self.last(functional.adaptive_avg_pool2d(functional.max_pool2d(inner, 2), 2).flatten(1))


def test_norms_and_pools_of_pictures_keep_channels() -> None:
    network, inputs = Pictures(), {"values": torch.randn(2, 3, 10, 10)}
    traced = trace(network, inputs)
    require_whole(network, inputs, traced)
    channels = leaves(traced.axes["first.weight"][0])
    assert [leaf.size for leaf in channels] == [2, 4]  # groups, and channels of a group
    assert leaves(traced.axes["batch.running_mean"][0]) == channels
    assert leaves(traced.axes["last.weight"][1])[:2] == channels
    assert all(leaf.averaged for leaf in channels)
