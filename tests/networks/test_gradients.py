"""Importance by gradients: what nothing reads has none, and units of one weight are ordered by what they contribute."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from subarch.networks.axes import leaves
from subarch.networks.gradients import importance
from subarch.networks.tracing import tensors_of, told, trace


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False)).eval()


def test_a_linear_networks_units_by_hand() -> None:
    """f = B A x: both tensors of unit u give |v . b_u| |a_u . x| summed over their weights, for one example."""
    model, x = network(), torch.tensor([[1.0, -2.0, 0.5]])
    axes = trace(model, {"input": x}).axes
    unit = leaves(axes["0.weight"][0])[0]
    a, b = (cast("Tensor", one.weight).detach() for one in cast("list[nn.Linear]", list(model)))
    found = importance(model, axes, [unit], [{"input": x}], told, seed=7)[unit]
    signs = torch.randint(0, 2, (1, 2), generator=torch.Generator().manual_seed(7)) * 2.0 - 1
    back = (signs @ b)[0]  # d(v . f) / d(A x), for each unit
    by_hand = (a.abs() * x.abs() * back[:, None].abs()).sum(1) + (b.abs() * (a @ x[0]).abs()).sum(0)
    torch.testing.assert_close(found, by_hand)


def test_units_that_nothing_reads_have_no_importance_and_the_network_stays_frozen() -> None:
    model = network().requires_grad_(False)
    with torch.no_grad():
        cast("Tensor", model[1].weight)[:, 2] = 0
    before = {name: one.clone() for name, one in tensors_of(model).items()}
    batch = {"input": torch.randn(40, 3)}
    axes = trace(model, batch).axes
    unit = leaves(axes["0.weight"][0])[0]
    scores = importance(model, axes, [unit], [batch], told)[unit]
    assert scores[2] == 0
    assert (scores[[0, 1, 3]] > 0).all()
    assert all(torch.equal(one, before[name]) for name, one in tensors_of(model).items())
    assert not any(one.requires_grad or one.grad is not None for one in model.parameters())
