"""Families whose counts follow no rule, or one with an exception, and errors that go wrong at some networks."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from subarch.networks.family import Family, Parts
from subarch.networks.space import Parameter, Space, Value

WIDTHS = (8, 16, 32, 64)
DEEP = tuple(range(1, 17))  # with those widths more than is counted whole


class Irregular(Family):
    """A perceptron of ``depth`` layers of ``width``, with as many layers more as ``extra`` says."""

    name = "irregular"

    def __init__(
        self,
        extra: Callable[[int, int], int],
        depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6),
        widths: tuple[int, ...] = WIDTHS,
    ) -> None:
        self.extra = extra
        self.space = Space((Parameter(name="depth", choices=depths), Parameter(name="width", choices=widths)))
        self.reference = {"depth": depths[-1], "width": widths[-1]}

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        depth, width = int(architecture["depth"]), int(architecture["width"])
        layers = [nn.Linear(width, width) for _ in range(depth + self.extra(depth, width))]
        return nn.Sequential(nn.Linear(4, width), nn.Sequential(*layers), nn.Linear(width, 2))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"input": torch.zeros(batch_size, 4)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts(("0",), ("1",), ("2",))

    def probes(self, name: str) -> tuple[int, ...]:
        return (1, 2, 3, 4) if name == "width" else (1, 2, 3)


def numbers(depth: int, width: int, extra: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates, by hand."""
    layers = depth + extra
    return 4 * width + width + layers * (
        width * width + width
    ) + 2 * width + 2, 4 * width + layers * width**2 + 2 * width


def three_more(depth: int, width: int) -> int:
    return 3 if width >= 64 else 0


def wide() -> Family:
    return Irregular(three_more)


def once() -> Family:
    """Irregular where nothing but training it, or chance, would look."""
    return Irregular(lambda depth, width: 2 if (depth, width) == (9, 32) else 0, DEEP)


class Mixed(Irregular):
    """An unordered choice among words and a number."""

    def __init__(self) -> None:
        super().__init__(lambda depth, width: 0)
        kinds = Parameter(name="kind", choices=("four", "three", 1), ordered=False)
        self.space = Space((kinds, *self.space.parameters))
        self.reference = {"kind": "four", **self.reference}
        self.name = "mixed"

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        kind = architecture["kind"]
        self.extra = lambda depth, width: {"four": 4, "three": 3, 1: 1}[kind]
        return super().build(architecture)


class FromNothing(Irregular):
    """Without a layer it costs nothing."""

    def __init__(self) -> None:
        super().__init__(lambda depth, width: 0, (0, 1, 2))

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        depth, width = int(architecture["depth"]), int(architecture["width"])
        sizes = [4, *[width] * depth]
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        return nn.Sequential(nn.Identity(), nn.Sequential(*layers), nn.Identity())


class Alone(Irregular):
    """A single architecture."""

    def __init__(self) -> None:
        super().__init__(lambda depth, width: 0, (2,))
        self.space = Space((Parameter(name="depth", choices=(2,)), Parameter(name="width", choices=(8,))))
        self.reference = {"depth": 3, "width": 64}


def error(architecture: Mapping[str, Value], seed: int) -> float:
    depth, width = float(architecture["depth"]), float(architecture["width"])
    log(architecture)
    return (0.02 + 0.5 * (depth + 1) ** -0.8 * (width / 8) ** -0.5) * (1 + 1e-4 * math.sin(seed))


def log(architecture: Mapping[str, Value]) -> None:
    if path := os.environ.get("SUBARCH_TEST_LOG"):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(f"{dict(architecture)}\n")


def diverges_at_the_largest(architecture: Mapping[str, Value], seed: int) -> float:
    return math.nan if architecture["depth"] == 6 and architecture["width"] == 64 else error(architecture, seed)


def diverges_in_the_middle(architecture: Mapping[str, Value], seed: int) -> float:
    return math.nan if architecture["depth"] in (3, 4) and architecture["width"] == 16 else error(architecture, seed)


def diverges_where_deep(architecture: Mapping[str, Value], seed: int) -> float:
    return math.nan if int(architecture["depth"]) > 3 else error(architecture, seed)


def hangs_at_the_largest(architecture: Mapping[str, Value], seed: int) -> float:
    if architecture["depth"] == 6 and architecture["width"] == 64:
        time.sleep(600)
    return error(architecture, seed)


def hangs(architecture: Mapping[str, Value], seed: int) -> float:
    time.sleep(600)
    return 1.0


def always_diverges(architecture: Mapping[str, Value], seed: int) -> float:
    return math.nan


def regular(depth: int, width: int) -> int:
    return 0


class Regular(Irregular):
    """None is exceptional."""

    def __init__(self) -> None:
        super().__init__(regular)
