"""A space of 288 architectures whose times and errors are known, as functions of a user's own."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import toy

from subarch.networks.space import Parameter, Space, Value

LOG, KILL_AFTER = "SUBARCH_TEST_TIMES", "SUBARCH_TEST_KILL_AFTER"


class Large(toy.Toy):
    """The toy family with more choices."""

    def __init__(self) -> None:
        super().__init__()
        self.space = Space(
            (
                Parameter(name="depth", choices=(1, 2, 3, 4, 5, 6)),
                Parameter(name="width", choices=(8, 16, 24, 32, 40, 48, 56, 64)),
                Parameter(name="inner", choices=(8, 16, 24, 32, 48, 64)),
            )
        )
        self.reference = {"depth": 6, "width": 64, "inner": 64}


def times(architecture: Mapping[str, Any]) -> float:
    """Milliseconds that a polynomial fits. Every call is written down where a test asks for it, and may be the last."""
    if log := os.environ.get(LOG):
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(f"{dict(architecture)}\n")
        calls = len(Path(log).read_text(encoding="utf-8").splitlines())
        if calls == int(os.environ.get(KILL_AFTER, "0")):
            os.kill(os.getpid(), signal.SIGKILL)
    depth, width, inner = (float(architecture[name]) for name in ("depth", "width", "inner"))
    return 0.1 + 0.05 * depth + 0.01 * depth * width / 8 + 0.02 * depth * width * inner / 512


def jumps(architecture: Mapping[str, Any]) -> float:
    """Milliseconds that no polynomial fits: from a width on, and from a depth on, everything takes longer."""
    slower = (1.35 if architecture["width"] > 32 else 1.0) * (1.25 if architecture["depth"] > 3 else 1.0)
    return slower * times(architecture)


def backwards(architecture: Mapping[str, Any]) -> float:
    """No time at all."""
    return -times(architecture)


error = toy.error


def everything() -> list[dict[str, Value]]:
    """All architectures."""
    space = Large().space
    return [dict(space.architecture(row)) for row in space.listed().tolist()]
