"""Latency of programs side by side: measured in turns, summed up by medians, and each one's memory on its own."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.executors import fresh_processes
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


def peak_memory(work: Callable[..., Any], *given: Any) -> int | None:
    """Bytes that a piece of work takes at most, in a fresh process, above what the process had before.

    Args:
        work: a function of a module; it opens a program and runs a pass.
        given: its arguments.

    Returns:
        None where the process was ended, as for want of memory, and where the system does not tell.
    """
    with fresh_processes(1, share_cores=False) as pool:
        try:
            return pool.submit(_measured, work, given).result()
        except BrokenProcessPool:
            return None


def _measured(work: Callable[..., Any], given: tuple[Any, ...]) -> int | None:
    before = _resident("VmRSS")
    work(*given)
    peak = _resident("VmHWM")  # not getrusage: on Linux that remembers the parent's memory
    return None if before is None or peak is None else max(0, peak - before)


def resident_memory() -> int | None:
    """Bytes that this process holds in memory; None where the system does not tell."""
    return _resident("VmRSS")


def _resident(field: str) -> int | None:
    """Bytes, of a line of the process's own status."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith(f"{field}:")), None)
    return None if found is None else 1024 * int(found.split()[1])
