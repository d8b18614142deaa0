"""Each operator has its own rule, works unit by unit, or is not known; a rule of a user's own is taken."""

from __future__ import annotations

import torch
from torch import Tensor, library, nn

from subarch.networks.axes import leaves
from subarch.networks.operators.base import RULES, Call, rule, unitwise, unknown
from subarch.networks.operators.table import rule_of
from subarch.networks.tracing import trace


def test_what_operators_do() -> None:
    assert rule_of(torch.ops.aten.mm.default, "mm") is RULES["mm"]
    assert rule_of(torch.ops.aten.squeeze_.dim, "squeeze_") is RULES["squeeze"]
    assert rule_of(torch.ops.aten.copy_.default, "copy_") is unitwise
    assert rule_of(torch.ops.aten.tanh.default, "tanh") is unitwise
    assert rule_of(torch.ops.aten.linalg_svd.default, "linalg_svd") is unknown


def test_an_operator_of_a_users_own_gets_a_rule() -> None:
    @library.custom_op("mine::doubled", mutates_args=())
    def doubled(values: Tensor) -> Tensor:
        return values * 2

    @doubled.register_fake
    def _(values: Tensor) -> Tensor:
        return torch.empty_like(values)

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(3, 8), nn.Linear(8, 2)

        def forward(self, values: Tensor) -> Tensor:
            return self.out(doubled(self.into(values)))

    def reason() -> str:
        return leaves(trace(Own(), {"values": torch.zeros(5, 3)}).axes["into.weight"][0])[0].fixed

    assert reason() == "read by mine::doubled, an operator without a rule"
    try:

        @rule("mine::doubled")
        def _same(call: Call) -> list[object]:
            return [call.axes("values")]

        assert reason() == ""
    finally:
        RULES.pop("mine::doubled", None)
