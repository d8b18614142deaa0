"""Trainings that run at the same time, each with a limit of its own: none is waited for longer."""

from __future__ import annotations

import concurrent.futures
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from subarch.executors.interrupting import OutOfTimeError, interrupted_after
from subarch.networks.space import Index

BEGINNING_SECONDS = 60.0
"""Granted to a process, which imports libraries first, besides the time of its training."""


class Evaluate(Protocol):
    """Measures one architecture; runs in the executor's worker and returns whatever ``record`` understands."""

    def __call__(self, index: Index, /) -> Any: ...


@dataclass(frozen=True)
class TooLong:
    """What is recorded instead of a measurement where a training took more than the seconds that it was given."""

    seconds: float


@dataclass(frozen=True)
class _Timed:
    """Measures in a worker, for so long at most where it does so in a main thread; as picklable as what it calls."""

    evaluate: Evaluate
    seconds: float

    def __call__(self, index: Index, /) -> Any:
        try:
            with interrupted_after(self.seconds):
                return self.evaluate(index)
        except OutOfTimeError:
            return TooLong(self.seconds)


class Pool:
    """What runs in an executor, and since when."""

    def __init__(
        self,
        executor: concurrent.futures.Executor,
        evaluate: Evaluate,
        training_seconds: float,
        renew: Callable[[], concurrent.futures.Executor] | None,
    ) -> None:
        self._executor, self._evaluate = executor, _Timed(evaluate, training_seconds)
        # Where trainings end themselves, this is for those that cannot, and leaves time for a process to begin.
        self._seconds = training_seconds if renew is None else 2 * training_seconds + BEGINNING_SECONDS
        self._renew = renew
        self.running: dict[concurrent.futures.Future[Any], tuple[Index, float]] = {}

    @property
    def indices(self) -> tuple[Index, ...]:
        return tuple(index for index, _ in self.running.values())

    def submit(self, index: Index) -> None:
        self.running[self._executor.submit(self._evaluate, index)] = index, time.monotonic()

    def wait(self, patience: float) -> None:
        """Until something is done, or the time of something is over."""
        first = min(began for _, began in self.running.values())
        self._wait(min(first + self._seconds - time.monotonic(), patience), concurrent.futures.FIRST_COMPLETED)

    def wait_for_all(self, patience: float) -> None:
        """Cancel what has not begun, and wait for the rest, while there is time."""
        self.cancel()
        self._wait(min(self._seconds, patience), concurrent.futures.ALL_COMPLETED)

    def _wait(self, seconds: float, until: str) -> None:
        concurrent.futures.wait(self.running, None if seconds == math.inf else max(0.0, seconds), until)

    def finished(self) -> Iterator[tuple[Index, concurrent.futures.Future[Any]]]:
        """Take out what is done."""
        for future in [one for one in self.running if one.done()]:
            index, _ = self.running.pop(future)
            if not future.cancelled():
                yield index, future

    def overdue(self) -> list[Index]:
        """Take out what has had its time; the executor is renewed where it can be, and the rest begins anew."""
        now = time.monotonic()
        late = [future for future, (_, began) in self.running.items() if now - began >= self._seconds]
        found = [self.running.pop(future)[0] for future in late]
        if found and self._renew is not None:
            others, self.running = self.indices, {}
            self._executor = self._renew()
            for index in others:
                self.submit(index)
        return found

    def cancel(self) -> None:
        for future in self.running:
            future.cancel()
