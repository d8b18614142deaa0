"""The search: ask for an architecture, train it, tell the frontier; until nothing is open or the budget ends.

Strategies:
    ``certified`` (default): best-first branch and bound with a proof of how far from optimal the pick can be.
    ``interval``: the published algorithm (OSE, arXiv 2010.08512): sort by p, train every ``interval``-th, keep
        the best W.
    ``exhaustive``: interval 1.

The search handles numbers and indices only. How an error is measured is the caller's function, where trials are kept
is the caller's ledger, and where trainings run is any ``concurrent.futures.Executor``.
"""

from __future__ import annotations

import concurrent.futures
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from subarch.extraction.claims import Status
from subarch.extraction.frontier import LISTED_LIMIT, Frontier, open_frontier
from subarch.extraction.problem import Problem
from subarch.networks.space import Index

Strategy = Literal["certified", "interval", "exhaustive"]


class Evaluate(Protocol):
    """Measures one architecture; runs in the executor's worker and returns whatever ``record`` understands."""

    def __call__(self, index: Index, /) -> Any: ...


class Record(Protocol):
    """Writes a finished measurement down, in the searching process, and returns the error (clamped to e_min)."""

    def __call__(self, index: Index, measurement: Any, /) -> float: ...


def _as_it_is(index: Index, measurement: Any, /) -> float:
    del index
    return float(measurement)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When to stop early: after a number of trainings, or of seconds, whichever is given. Certificates stay honest."""

    trainings: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str | None) -> Budget:
        """``"40"`` trainings or ``"600s"`` seconds; None for no budget.

        Raises:
            ValueError: for anything else.
        """
        if text is None:
            return cls()
        try:
            if text.endswith("s"):
                seconds = float(text[:-1])
                if 0 < seconds < float("inf"):
                    return cls(seconds=seconds)
            elif int(text) > 0:
                return cls(trainings=int(text))
        except ValueError:
            pass
        raise ValueError(f"--budget is a number of trainings such as 40, or seconds such as 600s; got {text!r}")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One training, as seen by whoever watches.

    Args:
        index: what was trained.
        error: its error.
        status: where the search stands after it.
        trained_now: False when it was replayed.
        left: trainings that are expected to be still needed, None where no forecast is made.
        delta: the violation of monotony that the bounds allow for.
    """

    index: Index
    error: float
    status: Status
    trained_now: bool
    left: int | None
    delta: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the search ended: every error used, in the order of training, and whether it ran to its end."""

    errors: dict[Index, float]
    status: Status
    finished: bool


def search(
    problem: Problem,
    evaluate: Evaluate,
    *,
    record: Record = _as_it_is,
    known: Mapping[Index, float] | None = None,
    given: Mapping[Index, float] | None = None,
    strategy: Strategy = "certified",
    interval: int = 1,
    budget: Budget = Budget(),
    executor: concurrent.futures.Executor | None = None,
    workers: int = 1,
    watch: Callable[[Step], None] | None = None,
    listed_limit: int = LISTED_LIMIT,
) -> Outcome:
    """Search ``problem``.

    Args:
        problem: space, costs, claim, epsilon.
        evaluate: measures an architecture; may run elsewhere.
        record: turns a measurement into an error, here, before the next architecture is asked for.
        known: errors that this very search has measured before it was interrupted. They are replayed: asked for in the
            same order and taken instead of a training, so that the search goes on exactly as if undisturbed.
        given: errors from elsewhere (the same space and error, another claim or epsilon), used from the start.
        strategy: see the module.
        interval: for ``interval``: train every ``interval``-th architecture by size.
        budget: when to stop early.
        executor: where trainings run; None runs them here, one at a time.
        workers: trainings at once, with an executor.
        watch: called after every training.
        listed_limit: spaces with larger grids are searched by boxes, never listed.

    Returns:
        The outcome. What it proves is for the certificate to say.
    """
    frontier: Frontier = open_frontier(problem, listed_limit=listed_limit)
    for index, error in (given or {}).items():
        frontier.tell(index, error)
    source: Frontier = frontier
    if strategy != "certified":
        source = _Sequence(frontier, _every(problem, 1 if strategy == "exhaustive" else interval, set(given or ())))
    run = _Run(source, evaluate, record, dict(known or {}), budget, watch)
    finished = run.serially() if executor is None else run.concurrently(executor, workers)
    return Outcome(errors={**dict(given or {}), **run.errors}, status=frontier.status(), finished=finished)


def _every(problem: Problem, interval: int, done: set[Index]) -> list[Index]:
    rows = problem.space.listed()
    if not 1 <= interval <= max(1, len(rows)):
        raise ValueError(
            f"the interval must be an integer from 1 to the size of the space ({len(rows)}), got {interval}"
        )
    costs = problem.costs(rows)
    order = sorted(range(len(rows)), key=lambda n: (costs[n, 0], costs[n, 1], n))
    chosen = [tuple(int(v) for v in rows[n]) for n in order[::interval]]
    return [index for index in chosen if index not in done]


class _Sequence:
    """A fixed list of architectures behind the frontier's protocol."""

    def __init__(self, frontier: Frontier, indices: Sequence[Index]) -> None:
        self._frontier = frontier
        self._rest: Iterator[Index] = iter(indices)

    def tell(self, index: Index, error: float) -> None:
        self._frontier.tell(index, error)

    def ask(self, pending: Sequence[Index] = ()) -> Index | None:
        return next(self._rest, None)

    def status(self) -> Status:
        return self._frontier.status()

    @property
    def delta(self) -> float:
        return self._frontier.delta

    def forecast(self) -> int | None:
        return operator.length_hint(self._rest)


@dataclass
class _Run:
    frontier: Frontier
    evaluate: Evaluate
    record: Record
    known: dict[Index, float]
    budget: Budget
    watch: Callable[[Step], None] | None

    def __post_init__(self) -> None:
        self.errors: dict[Index, float] = {}
        self._started = time.monotonic()
        self._trainings = 0

    def _spent(self, running: int = 0) -> bool:
        if self.budget.trainings is not None and len(self.errors) + running >= self.budget.trainings:
            return True
        return self.budget.seconds is not None and time.monotonic() - self._started >= self.budget.seconds

    def _tell(self, index: Index, error: float, *, trained_now: bool) -> None:
        self.errors[index] = error
        self.frontier.tell(index, error)
        if self.watch is not None:
            step = Step(
                index=index,
                error=error,
                status=self.frontier.status(),
                trained_now=trained_now,
                left=self._left() if trained_now else None,
                delta=self.frontier.delta,
            )
            self.watch(step)

    def _left(self) -> int | None:
        forecast = self.frontier.forecast()
        if self.budget.trainings is not None:
            rest = max(0, self.budget.trainings - len(self.errors))
            return rest if forecast is None else min(rest, forecast)
        return forecast

    def _take_over(self) -> bool:
        """Tell every known error that the replay did not ask for; True when there was one.

        Trainings that ran side by side, or a search in between with another question, were asked for in an order that
        this replay does not repeat. They are finished all the same.
        """
        rest = [index for index in self.known if index not in self.errors]
        for index in rest:
            self._tell(index, self.known[index], trained_now=False)
        return bool(rest)

    def serially(self) -> bool:
        while not self._spent():
            index = self.frontier.ask()
            if index not in self.known and self._take_over():
                continue
            if index is None:
                return True
            replayed = self.known.get(index)
            error = self.record(index, self.evaluate(index)) if replayed is None else replayed
            self._tell(index, error, trained_now=replayed is None)
        return self.frontier.ask() is None

    def _finish_what_runs(self, running: dict[concurrent.futures.Future[Any], Index]) -> None:
        """One training failed: start no other, but wait for those under way and record them."""
        for future in running:
            future.cancel()
        for future, index in running.items():
            if not future.cancelled() and future.exception() is None:
                self._tell(index, self.record(index, future.result()), trained_now=True)

    def concurrently(self, executor: concurrent.futures.Executor, workers: int) -> bool:
        running: dict[concurrent.futures.Future[Any], Index] = {}
        try:
            while True:
                while len(running) < workers and not self._spent(len(running)):
                    index = self.frontier.ask(tuple(running.values()))
                    if index not in self.known and self._take_over():
                        continue
                    if index is None:
                        break
                    if (replayed := self.known.get(index)) is not None:
                        self._tell(index, replayed, trained_now=False)
                    else:
                        running[executor.submit(self.evaluate, index)] = index
                if not running:
                    return self.frontier.ask() is None
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                failures: list[BaseException] = []
                for future in done:  # whatever is finished is recorded, also beside a failure
                    index = running.pop(future)
                    if (failure := future.exception()) is not None:
                        failures.append(failure)
                    else:
                        self._tell(index, self.record(index, future.result()), trained_now=True)
                if failures:
                    self._finish_what_runs(running)
                    raise failures[0]
        finally:
            for future in running:
                future.cancel()
