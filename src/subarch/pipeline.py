"""The whole story as functions: ``extract``, ``verify_run``, ``demo``. Stages meet in the files of a run directory.

What ``extract`` does, in order: open the source, count its family, claim the run directory, fix e_min (the smallest
candidate untrained, one candidate repeated with other seeds and batches), search, time the front on this machine, write
``certificate.json``, ``architecture.json``, ``extract.json`` and ``report.html``.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from subarch import __version__
from subarch.executors import open_executor
from subarch.extraction.abnc import AbncCheck, ErrorEvidence, check_abnc
from subarch.extraction.certificate import Derived, conclusions, derive, digest
from subarch.extraction.objectives import CandidateError, Measurement
from subarch.extraction.problem import Claim, Problem
from subarch.extraction.question import Question
from subarch.extraction.search import Budget, Step, search
from subarch.extraction.study import Ledger, Purpose, Trial
from subarch.extraction.verification import (
    Verification,
    counts_hold,
    e_min_of,
    load_certificate,
    noise_of,
    verify,
)
from subarch.learning.classifier import ClassifierRecipe, train_classifier
from subarch.networks.counting import CountModel, count, fit_counts
from subarch.networks.sources import Source, open_source
from subarch.networks.space import Architecture, Index, Space
from subarch.options import CheckOptions, DemoOptions, ExtractOptions
from subarch.running.timing import LatencyTable, compare
from subarch.storage import claimed, write_json, write_text
from subarch.telling.manifest import hardware, manifest, versions
from subarch.telling.report import write_report
from subarch.text.tasks import DEMO_TASK, Task, load_task
from subarch.text.tokenizers import train_tokenizer

_LOG = logging.getLogger(__name__)

FORMAT = 1
"""Of the run directory; a directory of another format is refused."""
REPEATS = 4
DEMO_VOCABULARY = 6000
AUTO_STEPS = 10
MOST_AUTO_STEPS = 640
LISTED_IN_REPORT = 5000
TIMED_AT_MOST = 16


class Watch(Protocol):
    """Told what goes on: a stage begins, or something in it is done."""

    def __call__(self, stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None: ...


def silent(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
    """A watch that looks away."""
    del stage, done, total, note


# ------------------------------------------------------------------------------------------------------- opening


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Everything that a run needs to know before the first training."""

    options: ExtractOptions
    source: Source
    counts: CountModel
    question: Question
    error: CandidateError


def read_space(path: Path | None) -> Space | None:
    """A space from its JSON file.

    Raises:
        ValueError: when the file holds none.
        OSError: when it cannot be read.
    """
    if path is None:
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--space {path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"--space {path} must hold a JSON object, got {type(data).__name__}")
    return Space.from_json(cast("dict[str, Any]", data))


def read_reference(text: str | None) -> Architecture | None:
    """A reference architecture from JSON or from a file that holds it.

    Raises:
        ValueError: when it is neither.
    """
    if text is None:
        return None
    try:
        data = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--reference is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f'--reference must be a JSON object such as {{"num_hidden_layers": 24}}, got {data!r}')
    return cast("Architecture", data)


def open_run(options: ExtractOptions, *, steps: int | None = None) -> Opened:
    """Open source, counts, question and error function; reads no weights yet and writes nothing.

    Raises:
        ValueError: for whatever is wrong with the options; the message says what to do.
    """
    source = open_source(options.source, space=read_space(options.space), reference=read_reference(options.reference))
    if not len(source.family.space.sample(1, 0)):
        raise ValueError("the space is empty: no architecture meets its constraints; relax them")
    claim: Claim = options.claim or ("constrained" if options.limits else "w")
    question = Question(
        claim=claim,
        epsilon=options.epsilon if options.strategy != "interval" else 0.1,
        reference=source.family.reference,
        cost=options.cost,
        sequence_length=options.sequence_length,
        limits=options.limits,
        delta=options.delta,
        error_floor=options.error_floor,
    )
    counts = fit_counts(source.family, options.sequence_length)
    return Opened(
        options=options, source=source, counts=counts, question=question, error=_error(options, source, steps)
    )


def _error(options: ExtractOptions, source: Source, steps: int | None) -> CandidateError:
    wanted = steps if steps is not None else (None if options.steps in ("auto", "default") else int(options.steps))
    return CandidateError(
        source,
        start=options.start,
        steps=wanted,
        seeds=options.seeds,
        learning_rates=options.learning_rates,
        clip_weights=options.clip_weights,
        corpus=options.corpus,
        data=options.data,
        tokenizer=options.tokenizer,
        threads=options.threads,
    )


# ------------------------------------------------------------------------------------------------------ extracting


def extract(options: ExtractOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Run (or go on with) an extraction and return what ``extract.json`` holds.

    Raises:
        ValueError: for wrong input.
        OSError: when the run directory cannot be written.
    """
    budget = Budget.parse(options.budget)
    executor_check, _ = open_executor(options.executor)  # refuse a wrong name before anything is written
    if executor_check is not None:
        executor_check.shutdown()
    watch("opening", note=options.source)
    opened = open_run(options, steps=AUTO_STEPS if options.steps == "auto" else None)
    run = options.run or new_run_directory(opened.source.name)
    run.mkdir(parents=True, exist_ok=True)
    with claimed(run):
        began = time.monotonic()
        while True:
            result = _Extraction(opened, run, watch, command).result(_left(budget, began))
            steps = opened.error.steps
            done = options.steps != "auto" or result["certificate"]["resolved"] or 2 * steps > MOST_AUTO_STEPS
            if done or _is_spent(_left(budget, began)):
                return result
            _LOG.info("errors at %d steps are not resolved: trying %d", steps, 2 * steps)
            opened = replace(opened, error=_error(options, opened.source, 2 * steps))


def new_run_directory(name: str) -> Path:
    """A folder under ``runs/`` that does not exist yet."""
    stem = "".join(c if c.isalnum() else "-" for c in Path(name).name).strip("-") or "run"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"extract-{stem}-{stamp}"


def _left(budget: Budget, began: float) -> Budget:
    if budget.seconds is None:
        return budget
    return Budget(seconds=budget.seconds - (time.monotonic() - began))


def _is_spent(budget: Budget) -> bool:
    return budget.seconds is not None and budget.seconds <= 0


class _Extraction:
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

    def result(self, budget: Budget) -> dict[str, Any]:
        table = self._latencies() if self.question.needs_latency else None
        self._calibrate()
        trials = self.ledger.trials()
        problem = self.question.problem(self.family, self.counts, table, e_min_of(trials))
        self._possible(problem)
        self._search(problem, trials, budget)
        return self._finish(problem, table)

    def _latencies(self) -> LatencyTable:
        """Measured once a run and kept: what the limits are decided on."""
        path = self.run / "latency.json"
        if path.is_file():
            return LatencyTable.from_json(json.loads(path.read_text(encoding="utf-8")), self.space)
        table = LatencyTable.measure(
            self.family,
            sequence_length=self.question.sequence_length,
            threads=self.options.threads,
            tick=lambda done, total: self.watch("timing the space", done=done, total=total),
        )
        write_json(path, table.to_json())
        return table

    def _possible(self, problem: Problem) -> None:
        if problem.claim != "constrained":
            return
        corners = np.array([box.lo for box in self.space.roots()], dtype=np.int16)
        if not problem.within(corners).any():
            least = {limit.name: float(limit.values(corners).min()) for limit in problem.limits}
            wanted = {limit.name: limit.maximum for limit in problem.limits}
            raise ValueError(
                f"no architecture of the space meets the limits: at most {wanted} was asked, the smallest has {least}; "
                "relax them or give a --space with smaller choices"
            )

    def _calibrate(self) -> None:
        """The trainings that fix e_min and the noise, before the search."""
        done = [trial for trial in self.ledger.trials() if trial.purpose != "search"]
        smallest, middle = self._landmarks()
        if not any(trial.purpose == "floor" for trial in done) and self.error.inherits:
            self.watch("measuring the scale of the error", done=0, total=REPEATS + 1)
            self._record("floor", smallest, self.error.measure(smallest, steps=0))
        repeats = [trial.details.get("repeat") for trial in done if trial.purpose == "repeat"]
        for repeat in range(1, REPEATS + 1):
            if repeat not in repeats:
                self.watch("measuring the noise of the error", done=repeat, total=REPEATS + 1)
                self._record("repeat", middle, self.error.measure(middle, repeat=repeat), repeat=repeat)

    def _landmarks(self) -> tuple[Architecture, Architecture]:
        """The smallest architecture, and one in the middle of the sizes (of a sample, where the space is large)."""
        rows = self.space.sample(512, 0)
        costs = self.counts.table(rows)[1]
        order = np.argsort(costs, kind="stable")
        corners = np.array([box.lo for box in self.space.roots()], dtype=np.int16)
        feasible = corners[self.space.feasible(corners)]
        lowest = feasible[0] if len(feasible) else rows[order[0]]
        return self.space.architecture(lowest), self.space.architecture(rows[order[len(order) // 2]])

    def _record(self, purpose: Purpose, architecture: Architecture, measured: Measurement, **details: Any) -> float:
        index = self.space.index(architecture)
        parameters, cost = self._costs(index)
        if not math.isfinite(measured.error):
            raise RuntimeError(
                f"every hyperparameter set diverged on {architecture}: lower --learning-rates; finished trials are kept"
            )
        content = {"standard_error": measured.standard_error, "runs": measured.runs, "seconds": measured.seconds}
        self.ledger.record(
            purpose,
            architecture,
            parameters=parameters,
            cost=cost,
            error=measured.error,
            details={**content, **details},
        )
        return measured.error

    def _costs(self, index: Index) -> tuple[float, float]:
        p, i = self._problem_costs(np.array([index], dtype=np.int16))[0]
        return float(p), float(i)

    def _problem_costs(self, indices: Any) -> Any:
        table = self._latencies() if self.question.cost == "latency_ms" else None
        return self.question.problem(self.family, self.counts, table, 0.0).costs(indices)

    def _search(self, problem: Problem, trials: list[Trial], budget: Budget) -> None:
        e_min = problem.e_min
        mine: dict[Index, float] = {}
        others: dict[Index, float] = {}
        for trial in trials:
            if trial.purpose == "search":
                target = mine if trial.details.get("ask") == self.ask else others
                target[self.space.index(trial.architecture)] = max(trial.error, e_min)

        def record(index: Index, measured: Any, /) -> float:
            error = self._record("search", self.space.architecture(index), measured, ask=self.ask)
            return max(error, e_min)

        executor, workers = open_executor(self.options.executor)
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
            )
        finally:
            if executor is not None:
                executor.shutdown(cancel_futures=True)

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
        derived = derive(problem, errors)
        if not errors:
            raise ValueError("the budget ended before a single architecture was trained: give more")
        points = _Points(self, problem, trials, derived)
        self.watch("timing the front", note=f"{len(points.to_time)} networks")
        points.time()
        certificate = self._certificate(problem, derived, trials, table)
        document = points.document(certificate)
        best = certificate["best"]["architecture"]
        if best is not None:
            write_json(self.run / "architecture.json", self.family.describe(best))
        write_json(self.run / "certificate.json", certificate)
        write_json(self.run / "extract.json", document)
        self.watch("writing the report")
        write_report(self.run)
        return document

    def _certificate(
        self, problem: Problem, derived: Derived, trials: list[Trial], table: LatencyTable | None
    ) -> dict[str, Any]:
        noise = noise_of(trials)
        check = self._abnc(derived, trials, noise)
        document: dict[str, Any] = {
            **conclusions(problem, derived, noise, counts_hold(self.family, self.counts)),
            "strategy": self.options.strategy,
            "steps": self.error.steps,
            "repeats": sum(trial.purpose != "search" for trial in trials),
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


# ------------------------------------------------------------------------------------------------------- the points


class _Points:
    """The trained architectures with everything that console and report show of them."""

    def __init__(self, extraction: _Extraction, problem: Problem, trials: list[Trial], derived: Derived) -> None:
        self._x, self._problem, self._derived = extraction, problem, derived
        self._trials = [trial for trial in trials if trial.purpose == "search"]
        space = extraction.space
        self._rows = np.array([space.index(trial.architecture) for trial in self._trials], dtype=np.int16)
        self._counts = np.stack(extraction.counts.table(self._rows), axis=1)
        self._costs = problem.costs(self._rows)
        self._errors = np.array([max(trial.error, problem.e_min) for trial in self._trials])
        share = np.maximum(0.0, 1 - self._costs / np.array(problem.reference))
        self._w = share.prod(axis=1) / self._errors
        self._latency: dict[int, float] = {}
        self._reference_ms: float | None = None
        self._front = self._non_dominated()

    def _non_dominated(self) -> list[int]:
        values = np.column_stack([self._costs, self._errors])
        front = [
            n for n, row in enumerate(values) if not ((values <= row).all(axis=1) & (values < row).any(axis=1)).any()
        ]
        return sorted(front, key=lambda n: (self._costs[n, 1], self._costs[n, 0]))

    def _knee(self) -> int:
        """The point of the front nearest to its ideal corner, on logarithmic scales stretched to [0, 1]."""
        values = np.log(np.column_stack([self._costs, self._errors])[self._front])
        low, high = values.min(axis=0), values.max(axis=0)
        scaled = (values - low) / np.where(high > low, high - low, 1.0)
        return self._front[int(np.argmin((scaled**2).sum(axis=1)))]

    def _constrained(self) -> int | None:
        within = self._problem.within(self._rows)
        if not self._problem.limits or not within.any():
            return None
        return int(np.argmin(np.where(within, self._errors, np.inf)))

    @property
    def picks(self) -> dict[str, int | None]:
        best = int(np.argmax(self._w))
        return {"w": best if self._w[best] > 0 else None, "knee": self._knee(), "constrained": self._constrained()}

    @property
    def to_time(self) -> list[int]:
        """The picks, then the front, evenly thinned where it is long."""
        picks = [n for n in self.picks.values() if n is not None]
        rest = [n for n in self._front if n not in picks]
        room = max(0, TIMED_AT_MOST - len(set(picks)))
        thin = (
            rest if len(rest) <= room else [rest[int(k)] for k in np.linspace(0, len(rest) - 1, room)] if room else []
        )
        return list(dict.fromkeys([*picks, *thin]))

    def time(self) -> None:
        """Measure the reference and the points again, side by side in one run."""
        family, question = self._x.family, self._x.question
        inputs = family.inputs(1, question.sequence_length)
        architectures = {"reference": question.reference}
        architectures |= {str(n): self._x.space.architecture(self._rows[n]) for n in self.to_time}
        networks = {name: (family.network(architecture), inputs) for name, architecture in architectures.items()}
        measured = compare(networks, threads=self._x.options.threads)
        self._reference_ms = measured.pop("reference").p50_ms
        self._latency = {int(name): found.p50_ms for name, found in measured.items()}

    def point(self, n: int) -> dict[str, Any]:
        return {
            "architecture": self._x.space.architecture(self._rows[n]),
            "parameters": int(self._counts[n, 0]),
            "macs": int(self._counts[n, 1]),
            "latency_ms": self._latency.get(n),
            "error": float(self._errors[n]),
        }

    def _pick(self, name: str, n: int | None, certificate: Mapping[str, Any]) -> dict[str, Any] | None:
        if n is None:
            return None
        certified = certificate["verdict"] == "certified" and certificate["claim"] == name
        pick = {**self.point(n), "w": float(self._w[n]), "certified": certified}
        if name == "constrained":
            pick["missed"] = self._missed(n)
        return pick

    def _missed(self, n: int) -> list[str]:
        """Latency targets that the pick, measured again, misses."""
        limits, latency = self._x.question.limits, self._latency.get(n)
        missed: list[str] = []
        if latency is None or self._reference_ms is None:
            return missed
        if latency > limits.get("latency_ms", math.inf):
            missed.append(f"latency {latency:.3g} ms measured again, at most {limits['latency_ms']:g} ms asked")
        if self._reference_ms / latency < limits.get("speedup", 0.0):
            missed.append(
                f"{self._reference_ms / latency:.2f} times as fast measured again, {limits['speedup']:g} asked"
            )
        return missed

    def document(self, certificate: dict[str, Any]) -> dict[str, Any]:
        """What ``extract.json`` holds."""
        picks = self.picks
        claimed_pick = picks["constrained" if self._problem.claim == "constrained" else "w"]
        chosen = claimed_pick if claimed_pick is not None else self._front[0]
        told = {name: self._pick(name, n, certificate) for name, n in picks.items()}
        reference = count(self._x.family, self._x.question.reference, self._x.question.sequence_length)
        untrained, total = self._untrained()
        return {
            **self.point(chosen),
            "w": float(self._w[chosen]),
            "front": [self.point(n) for n in self._front],
            "picks": told,
            "certificate": certificate,
            "source": {
                "name": self._x.opened.source.name,
                "architecture": dict(self._x.question.reference),
                "parameters": reference.parameters,
                "macs": reference.macs,
                "latency_ms": self._reference_ms,
            },
            "trained": [
                {
                    "number": trial.number,
                    **self.point(n),
                    "standard_error": trial.details.get("standard_error"),
                    "w": float(self._w[n]),
                    "seconds": trial.details.get("seconds"),
                }
                for n, trial in enumerate(self._trials)
            ],
            "untrained": untrained,
            "untrained_total": total,
            "progress": self._x.progress,
            "run": str(self._x.run),
        }

    def _untrained(self) -> tuple[list[dict[str, Any]], int]:
        """Architectures that were bounded out, with the proven lower bound of their error; a sample of large spaces."""
        space, derived = self._x.space, self._derived
        rows = space.sample(LISTED_IN_REPORT + len(self._rows), 0)
        trained = {tuple(row) for row in self._rows.tolist()}
        rows = np.array([row for row in rows.tolist() if tuple(row) not in trained][:LISTED_IN_REPORT], dtype=np.int16)
        if not len(rows):
            return [], 0
        p, i = self._x.counts.table(rows)
        highest = np.zeros(len(rows))
        for row, error in zip(self._rows, self._errors, strict=True):
            np.maximum(highest, np.where(space.leq(rows, row), error, 0.0), out=highest)
        bound = np.maximum(derived.floor, (1 - derived.delta) * highest)
        listed = [
            {
                "architecture": space.architecture(row),
                "parameters": int(p[n]),
                "macs": int(i[n]),
                "error_bound": float(bound[n]) if bound[n] > 0 else None,
            }
            for n, row in enumerate(rows)
        ]
        return listed, derived.space_size - derived.evaluated


# --------------------------------------------------------------------------------------------------- verifying again


def verify_run(run: Path, *, retrain: int = 0, watch: Watch = silent) -> Verification:
    """Verify a run; with ``retrain``, train that many of its trials again, as its manifest says they were made.

    Raises:
        ValueError: when the directory holds no run.
    """

    def retrainer(certificate: dict[str, Any]) -> Callable[[Architecture], float]:
        options = options_of(run)
        opened = open_run(options, steps=int(certificate["steps"]))
        if opened.error.definition != certificate["objectives"]["error"]:
            raise ValueError(
                "the errors of this run cannot be measured again here: source, text, tokenizer or settings have changed"
            )

        def train(architecture: Architecture) -> float:
            watch("training again", note=str(architecture))
            return opened.error.measure(architecture).error

        return train

    watch("verifying", note=str(run))
    return verify(run, retrain=retrain, retrainer=retrainer)


def options_of(run: Path) -> ExtractOptions:
    """The options of a run, from its manifest.

    Raises:
        ValueError: when there is no manifest, or it holds none.
    """
    path = run / "manifest.json"
    try:
        recorded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["options"]
        for name in ("run", "space", "corpus"):
            recorded[name] = None if recorded.get(name) is None else Path(recorded[name])
        recorded["learning_rates"] = tuple(recorded["learning_rates"])
        return ExtractOptions(**recorded)
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say how the run was made ({error!r})") from error


# --------------------------------------------------------------------------------------------------------- the check


def check(options: CheckOptions) -> dict[str, Any]:
    """The ABnC check of a source, with the errors of a finished run as evidence where one is given.

    Raises:
        ValueError: for a source that cannot be opened, or a run that is none.
    """
    source = open_source(options.source, space=read_space(options.space))
    counts = fit_counts(source.family, options.sequence_length)
    evidence: ErrorEvidence | None = None
    if options.run is not None:
        certificate = load_certificate(options.run)
        if certificate["space_hash"] != source.family.space.hash:
            raise ValueError(f"{options.run} searched another space than {options.source} has: give the same --space")
        evidence = _evidence(certificate, options.run, source.family.space)
    return check_abnc(source.family, counts, evidence).to_json()


def _evidence(certificate: Mapping[str, Any], run: Path, space: Space) -> ErrorEvidence:
    trials = Ledger.reading(run, space, int(certificate["steps"])).trials()
    return error_evidence(
        space,
        trials,
        [v["size"] for v in certificate["violations"]],
        certificate["epsilon"],
        certificate["spread"],
        certificate["noise"],
    )


# ---------------------------------------------------------------------------------------------------------- the demo


def demo(options: DemoOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Train a small source on installed documentation, extract from it, verify the certificate, write the report.

    Returns:
        What ``extract.json`` holds, with ``source_accuracy`` and ``verification``.

    Raises:
        ValueError, OSError: as :func:`extract`.
    """
    options.run.mkdir(parents=True, exist_ok=True)
    folder = options.run / "source"
    texts = options.run / "texts.jsonl"
    if not (folder.is_dir() and texts.is_file()):
        watch("reading the installed documentation")
        task = load_task(DEMO_TASK)
        if not folder.is_dir():
            _train_demo_source(task, folder, watch)
        write_text(texts, "".join(json.dumps({"text": text}) + "\n" for text in task.train.texts))
    result = extract(
        ExtractOptions(
            source=str(folder),
            run=options.run,
            corpus=texts,
            speedup=options.speedup,
            epsilon=options.epsilon,
        ),
        watch=watch,
        command=command,
    )
    found = verify_run(options.run, watch=watch)
    accuracy = json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
    return {
        **result,
        "source_accuracy": accuracy,
        "verification": {"accepted": found.accepted, "reason": found.reason, "achieved": found.achieved},
    }


def _train_demo_source(task: Task, folder: Path, watch: Watch) -> None:
    watch("learning a vocabulary")
    tokenizer = train_tokenizer(task.train.texts, DEMO_VOCABULARY)
    part = folder.with_name("source.unfinished")
    shutil.rmtree(part, ignore_errors=True)
    trained = train_classifier(
        task,
        tokenizer,
        part,
        ClassifierRecipe(),
        watch=lambda step, steps, loss: watch(
            f"training a source: which of {len(task.label_names)} packages?",
            done=step,
            total=steps,
            note=f"loss {loss:.2f}",
        ),
    )
    write_json(part / "accuracy.json", {"development": trained.accuracy, "steps": trained.steps, "task": DEMO_TASK})
    part.rename(folder)
