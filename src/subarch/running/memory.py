"""Memory of a piece of work, in a process of its own. Light: what is measured must not be what measures.

Loads nothing but the standard library, so that a fresh process has no more than the work itself brings.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from subarch.executors.engines.processes import fresh_processes


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
