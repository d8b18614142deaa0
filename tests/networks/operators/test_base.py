"""What is pointwise torch itself says; axes of one extent in one place are the same."""

from __future__ import annotations

import torch
from through import proven, units
from torch import Tensor

from subarch.networks.operators.base import pointwise


def test_torch_says_what_is_pointwise() -> None:
    assert pointwise(torch.ops.aten.gelu.default, "gelu")
    assert pointwise(torch.ops.aten.add_.Tensor, "add_")
    assert not pointwise(torch.ops.aten.mm.default, "mm")


def test_places_are_counted_from_the_last_axis() -> None:
    def added(x: Tensor) -> Tensor:
        return (x.view(5, 3, 4) + x.view(5, 3, 4)[:, :, :1] * 2).flatten(1)

    assert units(proven(added)) == [(3, ""), (1, ""), (3, "")]


def test_in_place_operators_are_known_by_the_others() -> None:
    assert units(proven(lambda x: x.clone().add_(1).masked_fill_(x > 9, 0).relu_())) == [(12, "")]
