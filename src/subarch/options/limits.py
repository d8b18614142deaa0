"""Checks that several commands share: what an option may be, said in one sentence."""

from __future__ import annotations

import math


def at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be an integer from {least}, got {value}")


def positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number, got {value}")


def share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1 (0.1 = within ten percent), got {value:g}")


def faster(value: float) -> None:
    """A speed-up below one would be a larger network."""
    if not 1 <= value < math.inf:
        raise ValueError(f"--speedup must be a number from 1 (3 = three times as fast), got {value:g}")
