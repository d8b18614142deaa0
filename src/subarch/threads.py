"""How many threads torch computes with."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

import torch

from subarch.errors import InputError


class _Pins(threading.local):
    """The number of threads that this thread has asked for; None outside of :func:`pinned`."""

    asked: int | None = None


_PINS, _LOCK = _Pins(), threading.Lock()
_OUTSIDE: list[int] = []  # torch's number before anybody asked for another, once for each who does


@contextmanager
def pinned(threads: int | None) -> Generator[None]:
    """Run with so many of torch's threads (None: leave them), and put the number back afterwards.

    The number belongs to the process and to each of its threads: the last one to leave puts back what the first found.

    Raises:
        ValueError: for fewer than one.
    """
    if threads is None:
        yield
        return
    if threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    with _LOCK:
        _OUTSIDE.append(_OUTSIDE[0] if _OUTSIDE else torch.get_num_threads())
        before = _PINS.asked
        torch.set_num_threads(threads)
    _PINS.asked = threads
    try:
        yield
    finally:
        _PINS.asked = before
        with _LOCK:
            outside = _OUTSIDE.pop()
            torch.set_num_threads(outside if before is None else before)
