"""One search in one run directory: open it, fix the scale of the error, search, time the front, write the files.

Everything that is decided is in the ledger before the next thing is; the same command goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import time
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.executors.base import Resources, end
from subarch.executors.interrupting import OutOfTimeError, interrupted_after
from subarch.executors.opening import open_executor
from subarch.extraction import preparation, timings
from subarch.extraction.audit import AuditRound, draw_of, rounds
from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import ROUNDING, conclusions, decisive
from subarch.extraction.documents import Documents
from subarch.extraction.objectives import CandidateError, CandidateRun, Measurement
from subarch.extraction.opening import Opened, ask_of, require_possible
from subarch.extraction.pool import TooLong
from subarch.extraction.problem import Problem
from subarch.extraction.replay import evidence
from subarch.extraction.search import Budget, Step, search
from subarch.extraction.statement import counts_hold, e_min_of
from subarch.extraction.study import FILE, Purpose
from subarch.extraction.timings import unread
from subarch.extraction.trainings import Trainings
from subarch.manifest import Manifest, given
from subarch.networks.countmodels import CountsDisagreeError
from subarch.networks.space import Index, Space
from subarch.progress import Watch
from subarch.results.extract import ExtractResult, StepResult
from subarch.running.latency_table import LatencyTable
from subarch.storage import LOCK_FILES, write_json

_LOG = logging.getLogger(__name__)


class Extraction:
    """One search in one run directory, at one number of steps."""

    def __init__(self, opened: Opened, run: Path, watch: Watch, command: str) -> None:
        self.run = run
        self.made = Trainings(opened, run, watch)
        options, question = opened.options, opened.question
        self.ask = ask_of(options, question, None)  # until there is a table of times that decides
        self.progress: list[StepResult] = []
        self.began = time.monotonic()
        self.manifest = Manifest(
            command=command,
            source=opened.source.name,
            options=given(options, without=()),
            seeds=tuple(range(options.seeds)),
            data=opened.error.definition.get("data", {}),
        )
        if not (run / "certificate.json").is_file():  # otherwise that is of the question which that one answers
            write_json(run / "manifest.json", self.manifest.to_json())

    # The stages

    def require_possible(self) -> None:
        """Refuse a question to which no architecture can be the answer, before anything is trained.

        Raises:
            ValueError: when no network of the space meets the limits as they are measured here.
        """
        made = self.made
        table = made.times.begun() if made.question.needs_latency else None
        require_possible(made.question.problem(made.family, made.counts, table, 0.0))

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was trained here yet, and nobody else has put anything into the directory."""
        ours = {*LOCK_FILES, "manifest.json", timings.FILE, FILE, preparation.FOLDER}
        return not self.made.ledger.trials() and {path.name for path in self.run.iterdir()} <= ours

    def result(self, budget: Budget) -> ExtractResult:
        """The finished search."""
        made, self.began = self.made, time.monotonic()
        while True:
            try:
                table = made.table()
                made.confirm_counts()
                made.calibrate(budget)
                self.ask = ask_of(made.options, made.question, None if table is None else table.to_json())
                problem = made.question.problem(made.family, made.counts, table, e_min_of(made.ledger.trials()))
                if self._stands(problem, table, budget):
                    return Documents(made, problem, table, self.ask, self.manifest).written(self.progress)
            except CountsDisagreeError as refuted:
                # Before the network was trained. Those that were are right, and bound others by their true counts.
                made.counts = made.counts.by_building(refuted)
                made.counts.require_countable()
                _LOG.warning("%s: from now on every network is built and counted", refuted)

    def _stands(self, problem: Problem, table: LatencyTable | None, budget: Budget) -> bool:
        """Search and audit until there is no more to do; False where corrected times make it another question."""
        self._audit_on(problem, budget)
        if not self._closed(problem, table, self._left(budget)):
            return False
        while self._is_certified(problem) and self._audit_on(problem, budget, begin=True):
            if not self._closed(problem, table, self._left(budget)):
                return False
        return True

    def _closed(self, problem: Problem, table: LatencyTable | None, budget: Budget) -> bool:
        """Search, and measure the noise of what it has found, unless times that decide it have to be corrected."""
        self._search(problem, budget)
        self._contrast(problem, budget)
        if table is not None and self._corrected(problem, table):
            return False  # what was trained is known, so that asking again is cheap
        self._repeat(problem, budget)
        return True

    def _left(self, budget: Budget) -> Budget:
        return budget.after(time.monotonic() - self.began)

    def _search(self, problem: Problem, budget: Budget) -> None:
        e_min, began = problem.e_min, time.monotonic()
        mine, others = evidence(self.made.ledger.trials(), self.ask, problem)
        self.progress.clear()

        def record(index: Index, measured: Any, /) -> float:
            return max(self._recorded("search", index, measured, problem), e_min)

        options = self.made.options
        asked = Resources.parse(options.resources)
        workers = open_executor(options.executor, asked)

        def renew() -> Executor:
            nonlocal workers
            if workers.executor is not None:
                end(workers.executor, now=True)
            workers = open_executor(options.executor, asked)
            assert workers.executor is not None
            return workers.executor

        done = False
        try:
            search(
                problem,
                _Evaluate(self.made.error, self.made.space),
                record=record,
                known=mine,
                given=others,
                strategy=options.strategy,
                interval=int(options.epsilon) if options.strategy == "interval" else 1,
                budget=budget,
                executor=workers.executor,
                workers=workers.count,
                watch=self._seen,
                before=lambda index: self.made.confirm(index),
                training_seconds=options.training_seconds or math.inf,
                renew=renew if workers.is_renewed else None,
            )
            done = time.monotonic() - began < budget.last
        finally:
            if workers.executor is not None:
                end(workers.executor, now=not done)  # something may hang in it

    def _corrected(self, problem: Problem, table: LatencyTable) -> bool:
        """Time the pick and its nearest rivals, where a fit alone decided on them; whether anything was timed.

        Not where the times are the cost itself: what was trained is written down with them.
        """
        made = self.made
        if made.question.cost == "latency_ms":
            return False
        trials = made.ledger.trials()
        errors = made.ledger.errors(trials, problem.e_min)
        found = unread(problem, table, derive(problem, errors, made.ledger.failed(trials)), errors)
        made.times.read(found)
        return bool(found)

    def _recorded(self, purpose: Purpose, index: Index, measured: Any, problem: Problem, **details: Any) -> float:
        """The error of a training, written down."""
        if isinstance(measured, TooLong):
            measured = _unfinished(measured)
        if max(measured.error, problem.e_min) <= 0:
            raise RuntimeError(
                f"the error of {self.made.space.architecture(index)} is 0 and so is e_min, but W divides by it: "
                "make the errors strictly positive: a function of yours can add a small constant, an error rate "
                "needs more rows (--held-out) or a floor that you vouch for (--error-floor); finished trials are "
                "kept"
            )
        return self.made.record(purpose, self.made.space.architecture(index), measured, ask=self.ask, **details)

    def _is_certified(self, problem: Problem) -> bool:
        """Whether there is something to audit."""
        made, asked = self.made, self.made.options.audit
        if not asked:
            return False
        trials = made.ledger.trials()
        derived = derive(problem, made.ledger.errors(trials, problem.e_min), made.ledger.failed(trials))
        found = conclusions(problem, trials, derived, counts_hold(made.family, made.counts), self.ask)
        if found.verdict != "certified" and found.audit is None:
            _LOG.warning("nothing is certified, so there is no audit")
        return found.verdict == "certified"

    def _audit_on(self, problem: Problem, budget: Budget, *, begin: bool = False) -> bool:
        """Train what is drawn to audit and is not trained yet; begin an audit only where asked to.

        One that was begun is finished before anything else: whether there is more of it must not depend on what the
        search makes of its first ones.

        Returns:
            Whether anything was trained.
        """
        made, asked = self.made, self.made.options.audit
        trials, done = made.ledger.trials(), False
        known = rounds(trials, self.ask)
        if known and not known[-1].closed:
            one = known[-1]
            target = one.target(problem, trials, max(asked, len(one.trials)))
        elif begin:
            one, target = AuditRound(number=len(known) + 1, before=len(trials), trials=()), asked
        else:
            return False
        draw = itertools.islice(draw_of(one, problem, made.ledger), len(one.trials), target)
        for number, index in enumerate(draw, len(one.trials) + 1):
            made.watch("auditing", done=number, total=target)
            measured = self._measured(index, budget)
            if measured is None:
                break
            self._recorded("audit", index, measured, problem, round=one.number, of=target)
            done = True
        if not done and not one.trials and not self._left(budget).is_spent:
            _LOG.warning("every architecture that the claim is about was trained: there is nothing to audit")
        return done

    def _measured(self, index: Index, budget: Budget) -> Measurement | TooLong | None:
        """Train one here; None where there is no time left."""
        left, limit = self._left(budget), self.made.options.training_seconds or math.inf
        if left.is_spent:
            return None
        self.made.confirm(index)
        try:
            with interrupted_after(min(limit, left.last)):
                return self.made.error.measure(self.made.space.architecture(index))
        except OutOfTimeError:
            return TooLong(limit) if self._left(budget).last > 0 else None

    def _contrast(self, problem: Problem, budget: Budget) -> None:
        """Where one training closed the bound, the smallest network as well: one error has no spread to judge by."""
        if len(self.made.ledger.errors(self.made.ledger.trials(), problem.e_min)) != 1 or budget != Budget():
            return
        smallest, _ = self.made.landmarks()
        trained = [trial.architecture for trial in self.made.ledger.trials() if trial.purpose in ("search", "failed")]
        if smallest in trained:
            return
        self.made.counts.confirm(smallest)
        self.made.watch("training the smallest network for contrast")
        with contextlib.suppress(RuntimeError):  # it diverges: then there is no contrast, and no harm
            self.made.record("search", smallest, self.made.error.measure(smallest), ask=self.ask)

    def _repeat(self, problem: Problem, budget: Budget) -> None:
        """Where the errors prove what was asked: how loud the noise of those is that decide it."""
        trials, ledger = self.made.ledger.trials(), self.made.ledger
        errors = ledger.errors(trials, problem.e_min)
        if not errors:
            return
        derived = derive(problem, errors, ledger.failed(trials))
        pick = decisive(problem, trials, derived)
        epsilon = problem.grade(derived.delta)
        proves = derived.achieved is not None and derived.achieved <= epsilon + ROUNDING
        if pick is not None and proves and derived.delta < epsilon:
            self.made.repeat_beside(self.made.space.architecture(pick), budget)

    def _seen(self, step: Step) -> None:
        status = step.status
        self.progress.append(
            StepResult(
                trained=status.trained,
                seconds=round(time.monotonic() - self.began, 3),
                best=_finite(status.value),
                bound=_finite(status.bound),
                achieved=status.achieved,
            )
        )
        reached = "no bound yet" if status.achieved is None else f"epsilon {status.achieved:.3f}"
        total = None if step.left is None else status.trained + step.left
        delta = f", delta {step.delta:.3f}" if step.delta else ""
        self.made.watch(
            "searching",
            done=status.trained,
            total=total,
            note=f"{reached} (asked {self.made.question.epsilon:g}){delta}",
        )
        if step.delta >= max(self.made.question.epsilon, self.made.question.coarsest or 0.0) and not self._warned:
            self._warned = True
            _LOG.warning(
                "the errors break monotony by %.3f, no less than epsilon = %g: only training everything can end this "
                "search; give a larger --epsilon, more --steps, or a --budget",
                step.delta,
                self.made.question.epsilon,
            )

    _warned = False


@dataclass(frozen=True)
class _Evaluate:
    """What runs in a worker: picklable, and cheap to pickle."""

    error: CandidateError
    space: Space

    def __call__(self, index: Index, /) -> Measurement:
        return self.error.measure(self.space.architecture(index))


def _unfinished(measured: TooLong) -> Measurement:
    failure = f"took longer than --training-seconds {measured.seconds:g}"
    failed = CandidateRun(seed=0, hyperparameters={}, error=None, failure=failure)
    return Measurement(math.inf, 0.0, [failed], measured.seconds)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
