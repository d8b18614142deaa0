"""The certificate as a document: everything that it says of the trials, put together from them.

Whoever searched writes it, and whoever verifies puts it together again from the ledger and the question: only what no
ledger holds (versions, hardware, when it was made) is taken as it is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from subarch.extraction.abnc import ErrorEvidence, check_abnc
from subarch.extraction.certificate import Derived
from subarch.extraction.conclusions import conclusions, digest
from subarch.extraction.noise import noise_of
from subarch.extraction.problem import Problem
from subarch.extraction.question import Question
from subarch.extraction.study import EVIDENCE, Ledger, Trial
from subarch.networks.countmodels import CountModel
from subarch.networks.family import Family
from subarch.networks.space import Architecture, Space
from subarch.results.base import Json
from subarch.results.certificate import AssumptionResult, CertificateResult, CountsResult, ReferenceResult
from subarch.results.check import CheckResult

SMALLEST_SHARE = 0.01
"""e_min is at least this share of the smallest candidate's distance before training."""
NOISE_FACTOR = 2.0
"""e_min is at least this many times the repeat noise."""

OTHERS = 12
"""Networks that are built and counted in the end, besides all that was trained."""
FROM_POLYNOMIALS = "polynomials"


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a search was made: what no ledger and no question says.

    Attributes:
        strategy: of the search.
        versions, hardware, created: with what, where and when.
    """

    strategy: str
    versions: Json
    hardware: Json
    created: str


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a certificate is about.

    Attributes:
        family: whose networks these are.
        family_json: the same as JSON.
        counts: exact parameters and operations.
        question: what was asked.
        ask: digest of it and the strategy, which its trials carry.
        problem: the problem that it poses.
        ledger: of all trainings.
        trials: in it.
        derived: what their errors prove.
        latency_table: that limits were decided on, as JSON.
    """

    family: Family
    family_json: Json
    counts: CountModel
    question: Question
    ask: str
    problem: Problem
    ledger: Ledger
    trials: Sequence[Trial]
    derived: Derived
    latency_table: Json | None

    def certificate(self, made: Made) -> CertificateResult:
        """All of it."""
        question, counts, problem, error = self.question, self.counts, self.problem, self.ledger.identity["error"]
        concluded = conclusions(problem, self.trials, self.derived, counts_hold(self.family, counts), self.ask)
        evidence = error_evidence(
            problem.space,
            self.trials,
            [violation.size for violation in self.derived.violations],
            concluded.epsilon,
            concluded.spread,
            concluded.noise,
            resolved=concluded.resolved,
        )
        check, ledger_hash = check_abnc(self.family, counts, evidence), self.ledger.hash()
        parameters, cost = problem.reference
        found = CertificateResult(
            **vars(concluded),
            **vars(made),
            steps=int(error["steps"]),
            repeats=calibrations(self.trials),
            counts=counted(counts, self.trials, ledger_hash),
            question=question.to_json(),
            family=self.family_json,
            space=problem.space.to_json(),
            reference=ReferenceResult(architecture=dict(question.reference), parameters=parameters, cost=cost),
            objectives=_objectives(question, counts, error),
            latency_table=self.latency_table,
            assumptions=tuple(_assumptions(problem, self.derived, check)),
            abnc=check,
            ledger_hash=ledger_hash,
            seeds=tuple(error["seeds"]),
        )
        body = {name: value for name, value in found.to_json().items() if name != "digest"}
        return replace(found, digest=digest(json.loads(json.dumps(body))))


def _objectives(question: Question, counts: CountModel, error: Json) -> dict[str, Json]:
    return {
        "parameters": {
            "definition": "trainable parameters of the backbone with its embeddings, without pooler and head",
            "polynomial": counts.parameters.to_json() if counts.parameters else None,
        },
        "cost": {
            "definition": f"{question.cost} of one forward pass at length {question.sequence_length}",
            "polynomial": counts.macs.to_json() if counts.macs else None,
        },
        "error": error,
    }


def calibrations(trials: Sequence[Trial]) -> int:
    """Trainings that fixed the scale and the noise."""
    return sum(trial.purpose in ("repeat", "floor") for trial in trials)


def counted(counts: CountModel, trials: Sequence[Trial], ledger_hash: str) -> CountsResult:
    """How the counts are known, as the certificate says it: of all that was trained by building it."""
    trained = len({tuple(trial.architecture.values()) for trial in trials})
    polynomials = counts.parameters is not None and counts.macs is not None
    built = [*(trial.architecture for trial in trials), *_others(counts, ledger_hash)]
    confirmed = counts.confirmed_with(built)
    words = f"confirmed on {confirmed} networks, among them all {trained} that were trained"
    return CountsResult(
        source=FROM_POLYNOMIALS if polynomials else "each network, built",
        confirmed=confirmed if polynomials else None,
        trained=trained,
        words=words if polynomials else "no polynomials: each network was built and counted",
    )


def confirm_others(counts: CountModel, ledger_hash: str) -> None:
    """Build and count networks that were not trained: drawn by the ledger, so that nobody knew before which they are.

    Raises:
        CountsDisagreeError: where one is not as the polynomials say.
    """
    for architecture in _others(counts, ledger_hash):
        counts.confirm(architecture)


def _others(counts: CountModel, ledger_hash: str) -> list[Architecture]:
    return [counts.space.architecture(row) for row in counts.space.sample(OTHERS, int(ledger_hash[:8], 16))]


def e_min_of(trials: Sequence[Trial]) -> float:
    """The constant to which errors are clamped.

    The larger of 1 % of the smallest candidate's distance before training, and twice the repeat noise.
    """
    smallest = [trial.error for trial in trials if trial.purpose == "floor"]
    return max([SMALLEST_SHARE * error for error in smallest] + [NOISE_FACTOR * noise_of(trials)])


def counts_hold(family: Family, counts: CountModel) -> bool:
    """Whether the clauses that a program can check all hold: polynomial counts, growth, order."""
    return check_abnc(family, counts).verdict in ("strong", "weak")


def error_evidence(
    space: Space,
    trials: Sequence[Trial],
    violations: Sequence[float],
    epsilon: float,
    spread: float,
    noise: float,
    *,
    resolved: bool,
) -> ErrorEvidence:
    """What the trials of a run say about the error, for the fourth clause of the ABnC check."""
    rows = np.array([space.index(t.architecture) for t in trials if t.purpose in EVIDENCE], dtype=np.int16)
    comparable = sum(int(space.leq(row, rows).sum()) - 1 for row in rows)
    runs = [run for trial in trials for run in trial.details.get("runs", [])]
    clips = [run.get("hyperparameters", {}).get("clip_weights") for run in runs]
    return ErrorEvidence(
        comparable_pairs=comparable,
        violations=tuple(violations),
        epsilon=epsilon,
        spread=spread,
        noise=noise,
        resolved=resolved,
        gradient_norms=tuple(float(run["gradient_norm"]) for run in runs if run.get("gradient_norm") is not None),
        weight_bound=max(clips) if clips and all(clip is not None for clip in clips) else None,
    )


def _assumptions(problem: Problem, derived: Derived, check: CheckResult) -> Iterator[AssumptionResult]:
    order = next((c for c in check.clauses if "monoton" in c.name), None)
    yield AssumptionResult(
        name="parameters and cost grow with every ordered parameter",
        status=order.verdict if order else "checked",
        evidence=order.evidence if order else "exact counts",
    )
    yield AssumptionResult(
        name=f"a larger network is never worse by more than delta = {derived.delta:.3g}",
        status="assumed",
        evidence=f"{len(derived.violations)} violations among {derived.evaluated} trained networks, "
        f"the largest {derived.violations[0].size if derived.violations else 0:.3g}",
    )
    yield AssumptionResult(
        name="the short-run error stands for the error after full training",
        status="assumed",
        evidence="a surrogate by construction; the certificate is about the surrogate",
    )
    if problem.error_floor:
        yield AssumptionResult(
            name=f"no error lies below {problem.error_floor:g}",
            status="violated" if derived.floor_void else "assumed",
            evidence="given by the user" + ("; a trained error lies below it" if derived.floor_void else ""),
        )
