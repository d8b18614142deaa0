"""Places that numbers name stay, all other axes go on: each proven by another order of units."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from through import proven, units
from torch import Tensor, nn
from torch.nn import functional

from subarch.networks.axes import leaves
from subarch.networks.tracing import require_whole, trace

ORDER = torch.tensor([4, 0, 2, 1, 3])
PUT = "put at places by number"


def whole(x: Tensor) -> Tensor:
    """Rows in another order, unit by unit."""
    return ORDER.to(x.device)[:, None].expand(5, x.shape[1])


@pytest.mark.parametrize(
    "operator",
    [
        lambda x: torch.zeros_like(x).scatter(0, whole(x), x) + x,
        lambda x: torch.zeros_like(x).scatter_add(0, whole(x), x) + x,
        lambda x: torch.zeros_like(x).scatter_reduce(0, whole(x), x, "amax", include_self=False) + x,
        lambda x: torch.zeros_like(x).index_add(0, ORDER.to(x.device), x) + x,
        lambda x: torch.zeros_like(x).index_copy(0, ORDER.to(x.device), x) + x,
        lambda x: torch.zeros_like(x).index_put((ORDER.to(x.device),), x) + x,
        lambda x: torch.slice_scatter(torch.zeros_like(x), x[:2], 0, 1, 3) + x,
        lambda x: torch.select_scatter(torch.zeros_like(x), x[1], 0, 2) + x,
        lambda x: x * torch.bucketize(x, torch.tensor([-0.5, 0.0, 0.5], device=x.device)),
        lambda x: torch.floor_divide(x, 0.1),
        lambda x: x * torch.histc(x, 4, -9.0, 9.0).sum(),
    ],
)
def test_units_beside_the_places_stay_free(operator: Callable[[Tensor], Tensor]) -> None:
    assert units(proven(operator)) == [(12, "")]


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (lambda x: x.scatter(1, torch.tensor([[3], [1], [0], [2], [7]], device=x.device), 0.0), PUT),
        (lambda x: x.index_add(1, torch.tensor([3, 1], device=x.device), x[:, :2]), PUT),
        (lambda x: torch.index_put(x, (ORDER.to(x.device), ORDER.to(x.device)), x.sum(1)), PUT),
        (lambda x: torch.slice_scatter(x, x[:, :3], 1, 4, 7), PUT),
        (lambda x: x.unfold(1, 4, 2).flatten(1), "read in windows"),
        (lambda x: x + torch.bucketize(x[:, :1].sum(1), x[0]).sum(), "bounds in their order"),
    ],
)
def test_units_that_are_places_are_fixed(operator: Callable[[Tensor], Tensor], why: str) -> None:
    found = units(proven(operator))
    assert found and all(reason for _, reason in found)
    assert why in {reason for _, reason in found}


class Pictures(nn.Module):
    """Channels through one operator on pictures."""

    def __init__(self, operator: Callable[[Tensor], Tensor], channels: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.operator = operator
        self.into = nn.Conv2d(3, channels, 1)
        self.out = nn.Linear(operator(torch.zeros(2, channels, 6, 6)).shape[1], 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.out(self.operator(self.into(values)).flatten(2).mean(2))


def sampled(x: Tensor) -> Tensor:
    grid = torch.linspace(-1, 1, 2 * 3 * 3 * 2, device=x.device).view(2, 3, 3, 2)
    return functional.grid_sample(x, grid, align_corners=False)


@pytest.mark.parametrize(
    ("operator", "free"),
    [
        (sampled, [8]),
        (lambda x: functional.pixel_shuffle(x, 2), [2]),
        (lambda x: functional.unfold(x, 2), [8]),
    ],
)
def test_channels_of_pictures_stay_free(operator: Callable[[Tensor], Tensor], free: list[int]) -> None:
    network, inputs = Pictures(operator), {"values": torch.randn(2, 3, 6, 6)}
    traced = trace(network, inputs)
    assert not traced.unknown
    require_whole(network, inputs, traced)
    assert [leaf.size for leaf in leaves(traced.axes["into.weight"][0]) if not leaf.fixed] == free
