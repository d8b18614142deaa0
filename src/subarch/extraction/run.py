"""One search in one run directory: open it, fix the scale of the error, search, time the front, write the files.

Everything that is decided is in the ledger before the next thing is; the same command goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from subarch import __version__
from subarch.errors import InputError
from subarch.executors import OutOfTimeError, end, interrupted_after, open_executor
from subarch.extraction.abnc import AbncCheck, ErrorEvidence, check_abnc
from subarch.extraction.certificate import Derived, derive
from subarch.extraction.conclusions import conclusions, digest
from subarch.extraction.objectives import CandidateError, Measurement
from subarch.extraction.opening import Opened, require_possible
from subarch.extraction.points import Points
from subarch.extraction.problem import Problem
from subarch.extraction.search import Budget, Step, TooLong, search
from subarch.extraction.study import FILE, Ledger, Purpose, Trial
from subarch.extraction.verification import calibrations, confirm_others, counted, counts_hold, e_min_of, noise_of
from subarch.manifest import hardware, manifest, versions
from subarch.networks.countmodels import CountsDisagreeError
from subarch.networks.space import Architecture, Index, Space
from subarch.options.search import ExtractOptions
from subarch.progress import Watch
from subarch.running.conversion import builder
from subarch.running.timing import Builder, LatencyTable
from subarch.storage import LOCK_FILES, read_json, write_json

_LOG = logging.getLogger(__name__)

FORMAT = 1
"""Of the run directory; a directory of another format is refused."""
REPEATS = 4
MOST_FAILURES = 3
"""Networks that may fail before as many must have succeeded."""
_NO_TIME = "the budget ended before a single architecture was trained: give more"


class Extraction:
    """One search in one run directory, at one number of steps."""

    def __init__(self, opened: Opened, run: Path, watch: Watch, command: str) -> None:
        self.opened, self.run, self.watch, self.command = opened, run, watch, command
        self.options, self.question = opened.options, opened.question
        self.family, self.counts, self.error = opened.source.family, opened.counts, opened.error
        self.space = self.family.space
        family = json.loads(json.dumps(self.family.to_json()))
        self.family_json: dict[str, Any] = family
        identity = {
            "format": FORMAT,
            "version": __version__,
            "family": digest(family),
            "space": self.space.hash,
            "reference": dict(self.question.reference),
            "cost": self.question.cost,
            "sequence_length": self.question.sequence_length,
            "error": self.error.definition,
        }
        self.ledger = Ledger(run, self.space, self.error.steps, identity)
        self.ask = digest(
            {"question": self.question.to_json(), "strategy": [self.options.strategy, self.options.epsilon]}
        )
        self.progress: list[dict[str, Any]] = []
        self.began = time.monotonic()
        write_json(run / "manifest.json", self._manifest())

    def _manifest(self) -> dict[str, Any]:
        return manifest(
            command=self.command,
            source=self.opened.source.name,
            options={k: str(v) if isinstance(v, Path) else v for k, v in _public(self.options).items()},
            seeds=list(range(self.options.seeds)),
            data=self.error.definition.get("data", {}),
        )

    # The stages

    def require_possible(self) -> None:
        """Refuse a question to which no architecture can be the answer, before anything is trained.

        Raises:
            ValueError: when no network of the space meets the limits as they are measured here.
        """
        require_possible(self.question.problem(self.family, self.counts, self._table(), 0.0))

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was trained here yet, and nobody else has put anything into the directory."""
        ours = {*LOCK_FILES, "manifest.json", "latency.json", FILE}
        return not self.ledger.trials() and {path.name for path in self.run.iterdir()} <= ours

    def result(self, budget: Budget) -> dict[str, Any]:
        """The finished search, as ``extract.json`` holds it."""
        table = self._table()
        while True:
            try:
                self._confirm_counts()
                self._calibrate(budget)
                trials = self.ledger.trials()
                problem = self.question.problem(self.family, self.counts, table, e_min_of(trials))
                self._search(problem, trials, budget)
                self._contrast(problem, budget)
                return self._finish(problem, table)
            except CountsDisagreeError as refuted:
                # Before the network was trained. Those that were are right, and bound others by their true counts.
                self.counts = self.counts.by_building(refuted)
                self.counts.require_countable()
                _LOG.warning("%s: from now on every network is built and counted", refuted)

    def _confirm_counts(self) -> None:
        """What an earlier call has trained is counted by building it, as everything is before it is trained.

        Raises:
            ValueError: for a ledger with other counts.
        """
        for trial in self.ledger.trials():
            built = self.counts.confirm(trial.architecture)
            cost = built.macs if self.question.cost == "macs" else trial.cost
            if (trial.parameters, trial.cost) != (built.parameters, cost):
                raise InputError(
                    f"{self.run} records {trial.parameters:g} parameters and a cost of {trial.cost:g} for "
                    f"{trial.architecture}, which has {built.parameters} and {cost:g}: take another --run"
                )

    def _table(self) -> LatencyTable | None:
        return self._latencies() if self.question.needs_latency else None

    def _latencies(self) -> LatencyTable:
        """Measured once a run and kept: what the limits are decided on."""
        path = self.run / "latency.json"
        if path.is_file():
            try:
                known = LatencyTable.from_json(json.loads(path.read_text(encoding="utf-8")), self.space)
            except ValueError as error:
                raise InputError(f"{path} cannot be used ({error}): delete it, and it is measured again") from error
            if (before := known.settings.get("runtime", "pytorch")) != self.options.runtime:
                raise InputError(
                    f"{path} was measured with --runtime {before}, got {self.options.runtime}: give another --run"
                )
            return known
        table = LatencyTable.measure(
            self.family,
            sequence_length=self.question.sequence_length,
            threads=self.options.threads,
            build=self._builder(),
            runtime=self.options.runtime,
            tick=lambda done, total: self.watch("timing the space", done=done, total=total),
        )
        write_json(path, table.to_json())
        return table

    def _builder(self) -> Builder | None:
        """Puts networks on the runtime that was asked for; None: PyTorch."""
        return None if self.options.runtime == "pytorch" else builder(self.options.runtime, self.options.threads)

    def _calibrate(self, budget: Budget) -> None:
        """The trainings that fix e_min and the noise, before the search.

        Raises:
            ValueError: when the budget ends before they are done.
            RuntimeError: when a network is found none of whose trainings succeeds, three times.
        """
        trials = self.ledger.trials()
        smallest, _ = self._landmarks()
        try:
            with interrupted_after(budget.last):
                if not any(trial.purpose == "floor" for trial in trials) and self.error.inherits:
                    self.watch("measuring the scale of the error", done=0, total=REPEATS + 1)
                    self._record("floor", smallest, self.error.measure(smallest, steps=0))
                repeats = [trial.details.get("repeat") for trial in trials if trial.purpose == "repeat"]
                for repeat in range(1, REPEATS + 1):
                    if repeat not in repeats:
                        self.watch("measuring the noise of the error", done=repeat, total=REPEATS + 1)
                        self._repeat(repeat)
        except OutOfTimeError:
            raise InputError(_NO_TIME) from None

    def _repeat(self, repeat: int) -> None:
        """Train a network in the middle again; another one where every training of that fails."""
        while True:
            _, middle = self._landmarks()
            self.counts.confirm(middle)
            measured = self.error.measure(middle, repeat=repeat)
            if self._record("repeat", middle, measured, repeat=repeat) < math.inf:
                return

    def _landmarks(self) -> tuple[Architecture, Architecture]:
        """The smallest architecture, and one in the middle of the sizes (of a sample, where the space is large).

        The middle one is that of the repeats that there are, and none whose every training failed.
        """
        trials = self.ledger.trials()
        failed = set(self.ledger.failed(trials))
        repeated = [trial.architecture for trial in trials if trial.purpose == "repeat"]
        rows = self.space.sample(512, 0)
        costs = self.counts.table(rows)[1]
        order = np.argsort(costs, kind="stable")
        corners = np.array([box.lo for box in self.space.roots()], dtype=np.int16)
        feasible = corners[self.space.feasible(corners)]
        lowest = feasible[0] if len(feasible) else rows[order[0]]
        near = sorted(range(len(order)), key=lambda n: (abs(n - len(order) // 2), n))
        middle = next((rows[order[n]] for n in near if tuple(rows[order[n]].tolist()) not in failed), rows[order[0]])
        return self.space.architecture(lowest), repeated[0] if repeated else self.space.architecture(middle)

    def _record(self, purpose: Purpose, architecture: Architecture, measured: Measurement, **details: Any) -> float:
        """Write a training down, and return its error: infinite where it failed.

        Raises:
            RuntimeError: when so much fails that the settings must be wrong.
        """
        index = self.space.index(architecture)
        parameters, cost = self._costs(index)
        content = {"standard_error": measured.standard_error, "runs": measured.runs, "seconds": measured.seconds}
        self.ledger.record(
            purpose if measured.error < math.inf else "failed",
            architecture,
            parameters=parameters,
            cost=cost,
            error=measured.error,
            details={**content, **details},
        )
        if not measured.error < math.inf:
            self._failed(architecture, measured)
        return measured.error

    def _failed(self, architecture: Architecture, measured: Measurement) -> None:
        """Say that a network is left out, or end the run where that has become the rule."""
        reasons = "; ".join(sorted({str(run["failure"]) for run in measured.runs if run.get("failure")}))
        trials = self.ledger.trials()
        failed = self.ledger.failed(trials)
        if len(failed) >= MOST_FAILURES and 2 * len(failed) > len(failed) + len(self.ledger.errors(trials, 0.0)):
            named = ", ".join(str(self.space.architecture(index)) for index in failed[-MOST_FAILURES:])
            advice = "an error is a finite number from 0" if self.error.custom else "lower --learning-rates"
            raise RuntimeError(
                f"every training of {named} failed ({reasons}): {advice}, and take another --run; finished trials are "
                "kept"
            )
        _LOG.warning(
            "every training of %s failed (%s): it is left out, and named in the certificate", architecture, reasons
        )

    def _costs(self, index: Index) -> tuple[float, float]:
        built = self.counts.confirm(self.space.architecture(index))
        if self.question.cost == "latency_ms":
            return float(built.parameters), float(self._latencies().predict(np.array([index], dtype=np.int16))[0])
        return float(built.parameters), float(built.macs)

    def _search(self, problem: Problem, trials: list[Trial], budget: Budget) -> None:
        e_min = problem.e_min
        mine: dict[Index, float] = {}
        others: dict[Index, float] = {}
        for trial in trials:
            if trial.purpose == "search":
                target = mine if trial.details.get("ask") == self.ask else others
                target[self.space.index(trial.architecture)] = max(trial.error, e_min)
        others |= dict.fromkeys(self.ledger.failed(trials), math.inf)  # found so by whatever was asked first

        def record(index: Index, measured: Any, /) -> float:
            if isinstance(measured, TooLong):
                measured = _unfinished(measured)
            if max(measured.error, e_min) <= 0:
                raise RuntimeError(
                    f"the error of {self.space.architecture(index)} is 0 and so is e_min, but W divides by it: make "
                    "the errors strictly positive, for example by adding a small constant; finished trials are kept"
                )
            error = self._record("search", self.space.architecture(index), measured, ask=self.ask)
            return max(error, e_min)

        executor, workers = open_executor(self.options.executor)
        processes = self.options.executor.startswith("processes:")

        def renew() -> Executor:
            nonlocal executor
            if executor is not None:
                end(executor, now=True)
            executor, _ = open_executor(self.options.executor)
            assert executor is not None
            return executor

        done = False
        try:
            search(
                problem,
                _Evaluate(self.error, self.space),
                record=record,
                known=mine,
                given=others,
                strategy=self.options.strategy,
                interval=int(self.options.epsilon) if self.options.strategy == "interval" else 1,
                budget=budget,
                executor=executor,
                workers=workers,
                watch=self._seen,
                before=self._confirm,
                training_seconds=self.options.training_seconds or math.inf,
                renew=renew if processes else None,
            )
            done = time.monotonic() - self.began < budget.last
        finally:
            if executor is not None:
                end(executor, now=not done)  # something may hang in it

    def _confirm(self, index: Index) -> None:
        """Counted by building it, before it is trained."""
        self.counts.confirm(self.space.architecture(index))

    def _contrast(self, problem: Problem, budget: Budget) -> None:
        """Where one training closed the bound, the smallest network as well: one error has no spread to judge by."""
        if len(self.ledger.errors(self.ledger.trials(), problem.e_min)) != 1 or budget != Budget():
            return
        smallest, _ = self._landmarks()
        trained = [trial.architecture for trial in self.ledger.trials() if trial.purpose in ("search", "failed")]
        if smallest in trained:
            return
        self.counts.confirm(smallest)
        self.watch("training the smallest network for contrast")
        with contextlib.suppress(RuntimeError):  # it diverges: then there is no contrast, and no harm
            self._record("search", smallest, self.error.measure(smallest), ask=self.ask)

    def _seen(self, step: Step) -> None:
        status = step.status
        self.progress.append(
            {
                "trained": status.trained,
                "seconds": round(time.monotonic() - self.began, 3),
                "best": _finite(status.value),
                "bound": _finite(status.bound),
                "achieved": status.achieved,
            }
        )
        reached = "no bound yet" if status.achieved is None else f"epsilon {status.achieved:.3f}"
        total = None if step.left is None else status.trained + step.left
        delta = f", delta {step.delta:.3f}" if step.delta else ""
        self.watch(
            "searching", done=status.trained, total=total, note=f"{reached} (asked {self.question.epsilon:g}){delta}"
        )
        if step.delta >= self.question.epsilon and not self._warned:
            self._warned = True
            _LOG.warning(
                "the errors break monotony by %.3f, no less than epsilon = %g: only training everything can end this "
                "search; give a larger --epsilon, more --steps, or a --budget",
                step.delta,
                self.question.epsilon,
            )

    _warned = False

    # The documents

    def _finish(self, problem: Problem, table: LatencyTable | None) -> dict[str, Any]:
        trials = self.ledger.trials()
        errors = self.ledger.errors(trials, problem.e_min)
        if not errors:
            raise InputError(_NO_TIME)
        confirm_others(self.counts, self.ledger.hash())
        derived = derive(problem, errors, self.ledger.failed(trials))
        if (known := self._known(table)) is not None:
            return known
        points = Points(
            family=self.family,
            counts=self.counts,
            question=self.question,
            problem=problem,
            trials=trials,
            derived=derived,
            threads=self.options.threads,
            build=self._builder(),
        )
        self.watch("timing the front", note=f"{len(points.to_time)} networks")
        points.time()
        certificate = self._certificate(problem, derived, trials, table)
        document = points.document(certificate, self.opened.source.name)
        document |= {"progress": self.progress, "run": str(self.run), "timed_with": self._timed_with}
        best = certificate["best"]["architecture"]
        if best is not None:
            write_json(self.run / "architecture.json", self.family.describe(best))
        else:
            (self.run / "architecture.json").unlink(missing_ok=True)
        write_json(self.run / "certificate.json", certificate)
        write_json(self.run / "extract.json", document)
        return document

    @property
    def _timed_with(self) -> dict[str, Any]:
        return {"runtime": self.options.runtime, "threads": self.options.threads}

    def _known(self, table: LatencyTable | None) -> dict[str, Any] | None:
        """What an earlier call wrote about these very trials, this question and this machine, if that is all there."""
        document: dict[str, Any] = read_json(self.run / "extract.json") or {}
        certificate: dict[str, Any] = document.get("certificate", {})
        decided = {
            "ledger_hash": self.ledger.hash(),
            "question": self.question.to_json(),
            "strategy": self.options.strategy,
            "steps": self.error.steps,
            "latency_table": table.to_json() if table is not None else None,
            "versions": versions(),
            "hardware": hardware(),
        }
        named = {"run": str(self.run), "timed_with": self._timed_with}
        best = certificate.get("best", {}).get("architecture")
        is_the_same = (
            {name: certificate.get(name) for name in decided} == json.loads(json.dumps(decided))
            and {name: document.get(name) for name in named} == named
            and read_json(self.run / "certificate.json") == certificate
            and read_json(self.run / "architecture.json")
            == (None if best is None else json.loads(json.dumps(self.family.describe(best))))
        )
        return document if is_the_same else None

    def _certificate(
        self, problem: Problem, derived: Derived, trials: list[Trial], table: LatencyTable | None
    ) -> dict[str, Any]:
        noise = noise_of(trials)
        check = self._abnc(derived, trials, noise)
        document: dict[str, Any] = {
            **conclusions(problem, derived, noise, counts_hold(self.family, self.counts)),
            "strategy": self.options.strategy,
            "steps": self.error.steps,
            "repeats": calibrations(trials),
            "counts": counted(self.counts, trials, self.ledger.hash()),
            "question": self.question.to_json(),
            "family": self.family_json,
            "space": self.space.to_json(),
            "reference": {
                "architecture": dict(self.question.reference),
                "parameters": problem.reference[0],
                "cost": problem.reference[1],
            },
            "objectives": {
                "parameters": {
                    "definition": "trainable parameters of the backbone with its embeddings, without pooler and head",
                    "polynomial": self.counts.parameters.to_json() if self.counts.parameters else None,
                },
                "cost": {
                    "definition": f"{self.question.cost} of one forward pass at length {self.question.sequence_length}",
                    "polynomial": self.counts.macs.to_json() if self.counts.macs else None,
                },
                "error": self.error.definition,
            },
            "latency_table": table.to_json() if table is not None else None,
            "assumptions": _assumptions(problem, derived, check),
            "abnc": check.to_json(),
            "ledger_hash": self.ledger.hash(),
            "seeds": list(range(self.options.seeds)),
            "versions": versions(),
            "hardware": hardware(),
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        document = json.loads(json.dumps(document))
        return {**document, "digest": digest(document)}

    def _abnc(self, derived: Derived, trials: list[Trial], noise: float) -> AbncCheck:
        sizes = [violation.size for violation in derived.violations]
        evidence = error_evidence(self.space, trials, sizes, self.question.epsilon, derived.spread, noise)
        return check_abnc(self.family, self.counts, evidence)


def error_evidence(
    space: Space, trials: list[Trial], violations: Sequence[float], epsilon: float, spread: float, noise: float
) -> ErrorEvidence:
    """What the trials of a run say about the error, for the fourth clause of the ABnC check."""
    rows = np.array([space.index(t.architecture) for t in trials if t.purpose == "search"], dtype=np.int16)
    comparable = sum(int(space.leq(row, rows).sum()) - 1 for row in rows)
    runs = [run for trial in trials for run in trial.details.get("runs", [])]
    clips = [run.get("hyperparameters", {}).get("clip_weights") for run in runs]
    return ErrorEvidence(
        comparable_pairs=comparable,
        violations=tuple(violations),
        epsilon=epsilon,
        spread=spread,
        noise=noise,
        gradient_norms=tuple(float(run["gradient_norm"]) for run in runs if run.get("gradient_norm") is not None),
        weight_bound=max(clips) if clips and all(clip is not None for clip in clips) else None,
    )


@dataclass(frozen=True)
class _Evaluate:
    """What runs in a worker: picklable, and cheap to pickle."""

    error: CandidateError
    space: Space

    def __call__(self, index: Index, /) -> Measurement:
        return self.error.measure(self.space.architecture(index))


def _unfinished(measured: TooLong) -> Measurement:
    record = {"failure": f"took longer than --training-seconds {measured.seconds:g}", "hyperparameters": {}}
    return Measurement(math.inf, 0.0, [record], measured.seconds)


def _public(options: ExtractOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ExtractOptions.__dataclass_fields__}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _assumptions(problem: Problem, derived: Derived, check: AbncCheck) -> list[dict[str, str]]:
    order = next((c for c in check.clauses if "monoton" in c.name), None)
    rows = [
        {
            "name": "parameters and cost grow with every ordered parameter",
            "status": order.verdict if order else "checked",
            "evidence": order.evidence if order else "exact counts",
        },
        {
            "name": f"a larger network is never worse by more than delta = {derived.delta:.3g}",
            "status": "assumed",
            "evidence": f"{len(derived.violations)} violations among {derived.evaluated} trained networks, "
            f"the largest {derived.violations[0].size if derived.violations else 0:.3g}",
        },
        {
            "name": "the short-run error stands for the error after full training",
            "status": "assumed",
            "evidence": "a surrogate by construction; the certificate is about the surrogate",
        },
    ]
    if problem.error_floor:
        rows.append(
            {
                "name": f"no error lies below {problem.error_floor:g}",
                "status": "violated" if derived.floor_void else "assumed",
                "evidence": "given by the user" + ("; a trained error lies below it" if derived.floor_void else ""),
            }
        )
    return rows
