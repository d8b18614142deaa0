"""A tiny family and error functions of a user's own, for tests that run the whole program many times."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from subarch.networks.family import Family, Parts
from subarch.networks.space import Parameter, Space, Value

LOG = "SUBARCH_TEST_LOG"


class Toy(Family):
    """Two hidden layers and a depth: 80 architectures, counted in milliseconds."""

    def __init__(self) -> None:
        self.name = "toy"
        self.space = Space(
            (
                Parameter(name="depth", choices=(1, 2, 3, 4)),
                Parameter(name="width", choices=(8, 16, 24, 32, 48)),
                Parameter(name="inner", choices=(8, 16, 32, 64)),
            )
        )
        self.reference = {"depth": 4, "width": 48, "inner": 64}

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        depth, width, inner = (int(architecture[name]) for name in self.space.names)
        blocks = [nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width)) for _ in range(depth)]
        return nn.ModuleDict(
            {"first": nn.Linear(4, width), "middle": nn.Sequential(*blocks), "last": nn.Linear(width, 2)}
        ).apply(_runnable)

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"x": torch.zeros(batch_size, 4)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts(("first",), ("middle",), ("last",))

    def probes(self, name: str) -> tuple[int, ...]:
        return (1, 2, 3, 5, 6)


def _runnable(module: nn.Module) -> None:
    if isinstance(module, nn.ModuleDict):
        module.forward = lambda x: module["last"](module["middle"](module["first"](x)))  # type: ignore[method-assign]


def error(architecture: Mapping[str, Value], seed: int) -> float:
    """Falls along the order; the seed moves it by a thousandth. Every call is written down where a test asks for it."""
    depth, width, inner = (float(architecture[name]) for name in ("depth", "width", "inner"))
    value = 0.02 + 0.5 * depth**-0.8 * (width / 8) ** -0.7 * (inner / 8) ** -0.3
    value *= 1 + 0.001 * math.sin(seed)
    if log := os.environ.get(LOG):
        time.sleep(0.03)
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(f"{dict(architecture)} {seed}\n")
    return value


def loud(architecture: Mapping[str, Value], seed: int) -> float:
    """The same, but that other seeds move it by up to 6 %, each architecture in its own way."""
    return error(architecture, 0) * (1 + 0.06 * math.sin(seed * (1.0 + sum(map(float, architecture.values())))))


def one_width_is_bad(architecture: Mapping[str, Value], seed: int) -> float:
    """All networks of one width are better than their size says: what the search sees need not show it."""
    width, share = BETTER
    return error(architecture, seed) * (share if architecture["width"] == width else 1.0)


BETTER = (24, 0.6)


def learning(architecture: Mapping[str, Value], seed: int, steps: int) -> float:
    """Likewise, and the quieter the longer it is trained."""
    return error(architecture, 0) + (loud(architecture, seed) - error(architecture, 0)) * 5 / steps


def flat(architecture: Mapping[str, Value], seed: int) -> float:
    """The same for every architecture, but for noise."""
    return 1.0 + 0.01 * math.sin(7.0 * seed + float(hash(tuple(architecture.values())) % 97))


def broken(architecture: Mapping[str, Value], seed: int) -> float:
    raise RuntimeError("no training today")


def nothing(architecture: Mapping[str, Value], seed: int) -> float:
    return math.nan


def widths(architecture: Mapping[str, Value], seed: int) -> float:
    """For perceptrons: falls with the widths."""
    return 0.01 + 1.0 / sum(float(value) for value in architecture.values()) * (1 + 1e-3 * math.sin(seed))
