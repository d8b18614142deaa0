"""Latency of programs side by side: measured in turns, summed up by medians."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subarch.running.timing import Key, Pass, timed, visited

_WARM = 3  # untimed passes of a visit
_LEAST = 3  # timed ones


@dataclass(frozen=True)
class Readings:
    """Milliseconds of one program's passes.

    Attributes:
        p50_ms: the median of the rounds' medians.
        p95_ms: of all passes.
        min_ms: likewise.
        fast_ms: in the program's fast mode, as of :func:`subarch.running.timing.in_turns`.
        passes: how many were timed.
    """

    p50_ms: float
    p95_ms: float
    min_ms: float
    fast_ms: float
    passes: int


def interleaved(
    programs: Mapping[Key, Pass],
    *,
    rounds: int = 5,
    seconds: float = 0.3,
    tick: Callable[[int, int], None] | None = None,
) -> dict[Key, Readings]:
    """Time programs in turns, so that a drift of the machine meets all of them alike.

    Args:
        programs: one pass each, by any key.
        rounds: how often everything is visited.
        seconds: of a visit; at least three passes are timed.
        tick: called with visits done and in all.
    """
    found: dict[Key, list[list[float]]] = {key: [] for key in programs}
    visits = 0
    for _ in range(rounds):
        for key, run in programs.items():
            found[key].append(timed(run, _WARM, _LEAST, seconds))
            visits += 1
            if tick is not None:
                tick(visits, rounds * len(programs))
    return {key: _summary(readings) for key, readings in found.items()}


def _summary(rounds: list[list[float]]) -> Readings:
    everything: NDArray[np.float64] = np.concatenate([np.asarray(one) for one in rounds])
    return Readings(
        p50_ms=statistics.median(statistics.median(one) for one in rounds),
        p95_ms=float(np.percentile(everything, 95)),
        min_ms=float(everything.min()),
        fast_ms=min(visited(one).fast_ms for one in rounds),
        passes=len(everything),
    )
