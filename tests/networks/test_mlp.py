"""The perceptron family against networks written out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from subarch.networks.mlp import MLPFamily, mlp_preset
from subarch.networks.space import Parameter, Space


def test_network_is_the_one_written_by_hand() -> None:
    family = MLPFamily.from_widths([(4, 8), (5, 6)], inputs=3, outputs=2, activation="tanh")
    torch.manual_seed(1)
    own = family.network({"width_1": 8, "width_2": 5})
    torch.manual_seed(1)
    by_hand = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 2))
    x = torch.randn(7, 3)
    assert torch.equal(own(x), by_hand(x))
    assert family.parts(own) == type(family.parts(own))(("0",), ("2",), ("4",))
    assert family.inputs(7, 99)["input"].shape == (7, 3)
    assert family.reference == {"width_1": 8, "width_2": 6}


def test_without_outputs_the_last_width_is_the_output() -> None:
    family = MLPFamily.from_widths([(3, 4), (2, 4)], inputs=3, outputs=None)
    assert family.network({"width_1": 4, "width_2": 2})(torch.zeros(1, 3)).shape == (1, 2)


def test_preset() -> None:
    family = mlp_preset()
    assert family.space.num_points == 4_294_967_296
    assert family.space.parameters[0].choices == tuple(range(32, 513, 32))


def test_space_can_be_replaced() -> None:
    family = MLPFamily.from_widths([(4, 8)], inputs=3)
    wider = family.with_space(Space((Parameter(name="width_1", choices=(4, 16)),)), {"width_1": 16})
    assert (wider.inputs_size, wider.reference) == (3, {"width_1": 16})
    with pytest.raises(ValueError, match="reference"):
        family.with_space(reference={"width_2": 3})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [(0, 4)]}, "positive"),
        ({"widths": [(0.5, 4)]}, "positive"),
        ({"widths": [(4,)], "inputs": 0}, "positive"),
        ({"widths": [(4,)], "activation": "sine"}, "activation"),
        ({"widths": []}, "parameter"),
    ],
)
def test_wrong_input_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPFamily.from_widths(**change)  # type: ignore[arg-type]


def test_other_parameter_names_are_refused() -> None:
    with pytest.raises(ValueError, match="width_1"):
        MLPFamily(Space((Parameter(name="depth", choices=(1,)),)), {"depth": 1})
