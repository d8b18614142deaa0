"""Views: units stay what they are under other shapes, and what is torn apart or read by place is fixed."""

from __future__ import annotations

import pytest
import torch
from through import Operator, proven, units

FREE = ""
CASES: dict[str, tuple[Operator, list[tuple[int, str]]]] = {
    "view": (lambda x: x.view(5, 3, 4).flatten(1), [(3, FREE), (4, FREE)]),
    "transpose": (lambda x: x.view(5, 3, 4).transpose(1, 2).flatten(1), [(3, FREE), (4, FREE)]),
    "permute": (lambda x: x.view(5, 3, 4).permute(2, 1, 0).permute(2, 0, 1).flatten(1), [(3, FREE), (4, FREE)]),
    "t": (lambda x: x.t().t(), [(12, FREE)]),
    "unsqueeze and squeeze": (lambda x: x.unsqueeze(1).squeeze(1), [(12, FREE)]),
    "squeeze of all": (lambda x: x.unsqueeze(0).squeeze(), [(12, FREE)]),
    "expand": (lambda x: x.unsqueeze(0).expand(2, 5, 12).sum(0), [(12, FREE)]),
    "repeat": (lambda x: x.repeat(1, 2), [(12, FREE)]),
    "slice": (lambda x: x[:, :4] + 0, [(4, FREE), (8, FREE)]),
    "halves added": (lambda x: x[:, :6] + x[:, 6:], [(6, FREE), (6, FREE)]),
    "halves turned, as rotary does": (lambda x: x * 2 + torch.cat([-x[:, 6:], x[:, :6]], 1), [(6, FREE), (6, FREE)]),
    "split": (lambda x: torch.mul(*x.split(6, 1)), [(6, FREE), (6, FREE)]),
    "chunk": (lambda x: sum(x.chunk(3, 1)), [(4, FREE)] * 3),
    "cat": (lambda x: torch.cat([x, x], 1), [(12, FREE)]),
    "stack": (lambda x: torch.stack([x, 2 * x]).sum(0), [(12, FREE)]),
    "padding": (lambda x: torch.nn.functional.pad(x, (2, 1)), [(12, FREE)]),
    "one of a group": (lambda x: x.view(5, 3, 4)[:, 1], [(3, "read at one place"), (4, FREE)]),
    "unbind": (lambda x: torch.add(*x.view(5, 2, 6).unbind(1)), [(2, "read at one place"), (6, FREE)]),
    "every third": (lambda x: x[:, ::3] + 0, [(4, FREE), (3, "read at one place")]),
    "every fifth": (lambda x: x[:, ::5] + 0, [(12, "read with a step")]),
    "inside a unit": (
        lambda x: x.view(5, 3, 4).flatten(1)[:, :6] + 0,
        [(3, "cut in the middle of a unit"), (4, "cut in the middle of a unit")],
    ),
    "flip": (lambda x: x + x.flip(1), [(12, "read in another order")]),
    "roll": (lambda x: x + x.roll(1, 1), [(12, "read in another order")]),
    "less padding": (lambda x: torch.nn.functional.pad(x, (-2, 0)), [(12, "cut by padding")]),
    "two groupings": (
        lambda x: x.view(5, 3, 4).flatten(1) + x.view(5, 4, 3).flatten(1),
        [(3, "regrouped across units"), (4, "regrouped across units")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_units_under_a_view(name: str) -> None:
    operator, expected = CASES[name]
    assert units(proven(operator)) == expected
