"""A family that lies about its builds, blocks, parameters or counts is caught, each time for that reason."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subarch.networks.family import Family, Parts
from subarch.networks.space import Constraint, Parameter, Space, Value
from subarch.testing import FamilySuite, check_family


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inside = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.tanh(self.inside(x))


class Network(nn.Module):
    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.last = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)


class Honest(Family):
    name = "honest"
    space = Space((Parameter(name="depth", choices=(1, 2, 3)), Parameter(name="width", choices=(2, 4, 6, 8))))
    reference: dict[str, Value] = {"depth": 3, "width": 8}  # noqa: RUF012

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return Network(int(architecture["depth"]), int(architecture["width"]))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"x": torch.zeros(batch_size, 3)}

    def parts(self, network: Any) -> Parts:
        return Parts(("first",), tuple(f"blocks.{n}" for n in range(len(network.blocks))), ("last",))

    def probes(self, name: str) -> tuple[int, ...]:
        return (1, 2, 3, 4)


class TestHonest(FamilySuite):
    """Collected as an author's would be."""

    family = Honest()


class WithChoices(Honest):
    """One parameter that only the outputs tell, one that a constraint ties to another, one that counts alone tell."""

    space = Space(
        (
            Parameter(name="width", choices=(2, 4)),
            Parameter(name="activation", choices=("tanh", "relu"), ordered=False),
            Parameter(name="twin", choices=(2, 4)),
        ),
        (Constraint("twin == width"),),
    )
    reference: dict[str, Value] = {"width": 4, "activation": "relu", "twin": 4}  # noqa: RUF012

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        width = int(architecture["width"])
        made = {"tanh": nn.Tanh, "relu": nn.ReLU}[str(architecture["activation"])]()
        return nn.Sequential(nn.Linear(3, width), made, nn.Linear(width, 2))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"input": torch.zeros(batch_size, 3)}

    def parts(self, network: Any) -> Parts:
        return Parts(("0",), ("1",), ("2",))


class TestWithChoices(FamilySuite):
    """What is tied to another parameter cannot be tried alone, and is believed."""

    family = WithChoices()


def liar(**changes: Any) -> Family:
    return type("Liar", (Honest,), changes)()


def drawn_outside_of_torch(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    network: Any = Honest.build(self, architecture)
    if not network.last.bias.is_meta:
        with torch.no_grad():
            network.last.bias += float(np.random.default_rng().normal())
    return network


BUILDS = count()


def other_each_time(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    return Network(int(architecture["depth"]), int(architecture["width"]) + next(BUILDS) % 2)


def capped(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    return Network(int(architecture["depth"]), min(int(architecture["width"]), 7))


def smaller_at_the_top(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    return Network(int(architecture["depth"]), {8: 3}.get(int(architecture["width"]), int(architecture["width"])))


def parts(first: tuple[str, ...], middle: Any, last: tuple[str, ...]) -> Any:
    return lambda self, network: Parts(first, middle(network) if callable(middle) else middle, last)


def blocks(network: Any) -> tuple[str, ...]:
    return tuple(f"blocks.{n}" for n in range(len(network.blocks)))


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "weights of other randomness": ({"build": drawn_outside_of_torch}, "same torch.manual_seed differ"),
    "another network each time": ({"build": other_each_time}, "does not run|differ|parameters on the CPU"),
    "head and beginning confused": ({"parts": parts(("last",), blocks, ("first",))}, "the parts run in the order"),
    "a block that is called the end": (
        {"parts": parts(("first",), ("last",), ("blocks.0",))},
        "the parts run in the order",
    ),
    "blocks that are left out": (
        {"parts": parts(("first",), ("blocks.0",), ("last",))},
        "blocks.1.inside.bias, blocks.1.inside.weight.* come with a larger depth, but parts.. does not name them as",
    ),
    "a parameter that changes nothing": (
        {
            "space": Space((*Honest.space.parameters, Parameter(name="heads", choices=(1, 2), ordered=False))),
            "reference": {**Honest.reference, "heads": 2},
        },
        r"the parameter 'heads' changes nothing: \{.*'heads': 2\} and \{.*'heads': 1\} have the same tensors",
    ),
    "counts that stop growing at the top": ({"build": capped}, "correct build"),
    "counts that fall at the top": (
        {"build": smaller_at_the_top},
        "fall as width rises to 8: make that parameter",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_caught(lie: str) -> None:
    changes, message = LIES[lie]
    with pytest.raises(AssertionError, match=message):
        check_family(liar(**changes))


def test_who_is_honest_is_believed() -> None:
    check_family(Honest())
    check_family(liar(parts=parts(("first",), ("blocks",), ("last",))))
