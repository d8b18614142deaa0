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
import math
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from subarch.errors import InputError
from subarch.executors.interrupting import OutOfTimeError, interrupted_after
from subarch.extraction.boxes import Boxes
from subarch.extraction.claims import Status
from subarch.extraction.frontier import LISTED_LIMIT, Frontier
from subarch.extraction.listed import Listed
from subarch.extraction.pool import Evaluate, Pool, TooLong
from subarch.extraction.problem import Problem
from subarch.networks.space import Index

Strategy = Literal["certified", "interval", "exhaustive"]


class Recorder(Protocol):
    """Writes a finished measurement down, in the searching process, and returns the error (clamped to e_min).

    Infinite where every training of the architecture failed: it is then excluded from the search.
    """

    def __call__(self, index: Index, measurement: Any, /) -> float: ...


def _as_it_is(index: Index, measurement: Any, /) -> float:
    del index
    return float(measurement)


def open_frontier(problem: Problem, *, listed_limit: int = LISTED_LIMIT) -> Frontier:
    """The frontier that fits the size of the space."""
    return Boxes(problem) if problem.space.listing(listed_limit) is None else Listed(problem)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When to stop early: after a number of trainings, or of seconds, whichever is given. Certificates stay honest.

    Args:
        trainings: so many at most.
        seconds: no training is begun after that.
        patience: seconds that trainings under way are waited for then; as long again when not given.
    """

    trainings: int | None = None
    seconds: float | None = None
    patience: float | None = None

    @property
    def last(self) -> float:
        """Seconds after which nothing is waited for any more; infinite without a limit."""
        if self.seconds is None:
            return float("inf")
        return self.seconds + (abs(self.seconds) if self.patience is None else self.patience)

    @property
    def is_spent(self) -> bool:
        """Whether its seconds are over."""
        return self.seconds is not None and self.seconds <= 0

    def after(self, seconds: float) -> Budget:
        """What is left of it when so many seconds are over."""
        if self.seconds is None:
            return self
        return Budget(seconds=self.seconds - seconds, patience=self.patience or self.seconds)

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
        raise InputError(f"--budget is a number of trainings such as 40, or seconds such as 600s; got {text!r}")


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
    """How the search ended: every error used, in the order of training, and whether it ran to its end.

    Architectures whose every training failed are in ``failed``, not among the errors.
    """

    errors: dict[Index, float]
    failed: tuple[Index, ...]
    status: Status
    finished: bool


def search(
    problem: Problem,
    evaluate: Evaluate,
    *,
    record: Recorder = _as_it_is,
    known: Mapping[Index, float] | None = None,
    given: Mapping[Index, float] | None = None,
    strategy: Strategy = "certified",
    interval: int = 1,
    budget: Budget = Budget(),
    executor: concurrent.futures.Executor | None = None,
    workers: int = 1,
    watch: Callable[[Step], None] | None = None,
    listed_limit: int = LISTED_LIMIT,
    before: Callable[[Index], None] | None = None,
    training_seconds: float = float("inf"),
    renew: Callable[[], concurrent.futures.Executor] | None = None,
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
        listed_limit: larger spaces are searched by boxes, never listed.
        before: called, here, before an architecture is trained, such as to build it and count.
        training_seconds: a training that takes longer is recorded as :class:`TooLong`. It is interrupted where it runs
            in a main thread, here or in a process of its own; otherwise it is no longer waited for.
        renew: ends all that runs in the executor and gives another in its place: for what cannot be interrupted.

    Returns:
        The outcome. What it proves is for the certificate to say.
    """
    given = dict(given or {})
    source = begun(problem, given, strategy, interval, listed_limit=listed_limit)
    own = {index: error for index, error in (known or {}).items() if index not in given}
    run = _Run(source, evaluate, record, own, budget, watch, before, training_seconds, renew)
    finished = run.serially() if executor is None else run.concurrently(executor, workers)
    everything = {**given, **run.errors}
    return Outcome(
        errors={index: error for index, error in everything.items() if error < math.inf},
        failed=tuple(index for index, error in everything.items() if error == math.inf),
        status=source.status(),
        finished=finished,
    )


def begun(
    problem: Problem,
    given: Mapping[Index, float],
    strategy: Strategy = "certified",
    interval: int = 1,
    *,
    listed_limit: int = LISTED_LIMIT,
) -> Frontier:
    """What a search asks, which knows some errors from elsewhere."""
    frontier = open_frontier(problem, listed_limit=listed_limit)
    for index, error in given.items():
        frontier.tell(index, error)
    if strategy == "certified":
        return frontier
    return _Sequence(frontier, _every(problem, 1 if strategy == "exhaustive" else interval, set(given)))


def _every(problem: Problem, interval: int, done: set[Index]) -> list[Index]:
    rows = problem.space.listed()
    if not 1 <= interval <= max(1, len(rows)):
        raise InputError(
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
    record: Recorder
    known: dict[Index, float]
    budget: Budget
    watch: Callable[[Step], None] | None
    before: Callable[[Index], None] | None
    training_seconds: float
    renew: Callable[[], concurrent.futures.Executor] | None

    def __post_init__(self) -> None:
        self.errors: dict[Index, float] = {}
        self._started = time.monotonic()

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

    @property
    def _patience(self) -> float:
        """Seconds that a training may still take before nothing is waited for any more."""
        return self.budget.last - (time.monotonic() - self._started)

    def _about_to_train(self, index: Index) -> None:
        if self.before is not None:
            self.before(index)

    def serially(self) -> bool:
        while not self._spent():
            index = self.frontier.ask()
            if index not in self.known and self._take_over():
                continue
            if index is None:
                return True
            if (replayed := self.known.get(index)) is not None:
                self._tell(index, replayed, trained_now=False)
                continue
            self._about_to_train(index)
            measured: Any
            try:
                with interrupted_after(min(self.training_seconds, self._patience)):
                    measured = self.evaluate(index)
            except OutOfTimeError:
                if self._patience <= 0:
                    return False
                measured = TooLong(self.training_seconds)
            self._tell(index, self.record(index, measured), trained_now=True)
        return self.frontier.ask() is None

    def concurrently(self, executor: concurrent.futures.Executor, workers: int) -> bool:
        pool = Pool(executor, self.evaluate, self.training_seconds, self.renew)
        try:
            while True:
                self._fill(pool, workers)
                if not pool.running:
                    return self.frontier.ask() is None
                pool.wait(self._patience)
                failures = self._collect(pool)
                if failures:
                    raise failures[0]
                if self._patience <= 0:
                    return False
                for index in pool.overdue():
                    self._tell(index, self.record(index, TooLong(self.training_seconds)), trained_now=True)
        except Exception:
            # Start no other, but wait for those under way, while they have time, and record them.
            pool.wait_for_all(self._patience)
            self._collect(pool)
            raise
        finally:
            pool.cancel()

    def _fill(self, pool: Pool, workers: int) -> None:
        """Ask and submit until as many run as may."""
        while len(pool.running) < workers and not self._spent(len(pool.running)):
            index = self.frontier.ask(pool.indices)
            if index not in self.known and self._take_over():
                continue
            if index is None:
                return
            if (replayed := self.known.get(index)) is not None:
                self._tell(index, replayed, trained_now=False)
                continue
            self._about_to_train(index)
            pool.submit(index)

    def _collect(self, pool: Pool) -> list[BaseException]:
        """Record whatever is finished, also beside a failure; the failures."""
        failures: list[BaseException] = []
        for index, future in pool.finished():
            if (failure := future.exception()) is not None:
                failures.append(failure)
            else:
                self._tell(index, self.record(index, future.result()), trained_now=True)
        return failures
