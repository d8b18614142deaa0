"""Work that is ended when its time is over, wherever in Python it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


class OutOfTimeError(BaseException):
    """Work was interrupted. Not an ``Exception``: what catches those of the work must not catch this."""


@contextmanager
def interrupted_after(seconds: float) -> Generator[None]:
    """Interrupt the work of this thread after so long, wherever in Python it is; infinite: never.

    That takes the main thread and a system with timers. Elsewhere work is not interrupted.

    Raises:
        OutOfTimeError: in the work, when its time is over.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if seconds == float("inf") or not in_main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*signalled: Any) -> None:
        del signalled
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
