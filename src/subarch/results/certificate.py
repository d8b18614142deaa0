"""How far from optimal an extraction can be: its certificate, and the part of it that a verifier derives again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Result, Told, Tone, absent, rest
from subarch.results.check import CheckResult
from subarch.results.wording import claim_in_words, decimal, percent, whole

_TONES: Mapping[str, Tone] = {"certified": "good", "unresolved": "warning"}
Shape = Mapping[str, Any]
"""Value of each architectural parameter by name."""


@dataclass(frozen=True, kw_only=True)
class ViolationResult(Record):
    """Two that were trained, of which the larger one has the higher error, and by what share."""

    smaller: Shape
    larger: Shape
    smaller_error: float
    larger_error: float
    size: float


@dataclass(frozen=True, kw_only=True)
class ValueResult(Record):
    """The best value that was found, or the bound on all, and whose it is."""

    value: float | None
    architecture: Shape | None


@dataclass(frozen=True, kw_only=True)
class ExcludedResult(Record):
    """One that was left out, since every training of it failed, and what it could be at best."""

    architecture: Shape
    error_at_least: float | None
    w_at_most: float | None


@dataclass(frozen=True, kw_only=True)
class FloorResult(Record):
    """The lower bound on every error that was vouched for, and whether a trained one lies below it."""

    assumed: float
    void: bool


@dataclass(frozen=True, kw_only=True)
class DeltaResult(Record):
    """The epsilon that the same trainings prove if larger networks may be worse by so much; None where nothing is."""

    delta: float
    epsilon: float | None


@dataclass(frozen=True, kw_only=True)
class ContradictionResult(Record):
    """One that was drawn to audit, and has an error below the bound that it had before."""

    architecture: Shape
    error: float
    bound: float


@dataclass(frozen=True, kw_only=True)
class AuditResult(Record):
    """Untrained architectures that were drawn at random and trained, against the bounds that they had.

    Attributes:
        trained: so many were drawn, and have an error.
        untrained: of so many; None where nobody can list them.
        failed: so many more were drawn, and could not be trained.
        contradictions: of those trained, so many have an error below their bound.
        contradicting: which.
        confidence: with which the share is told.
        share_upper95: at most this share of the untrained architectures contradict theirs (with 95 % confidence or
            more); None where nothing was trained.
        earlier: audits after which the search went on.
    """

    trained: int
    untrained: int | None
    failed: int
    contradictions: int
    contradicting: tuple[ContradictionResult, ...]
    confidence: float
    share_upper95: float | None
    earlier: tuple[AuditResult, ...] = ()

    @property
    def in_words(self) -> str:
        """The statement, in sentences."""
        of = "" if self.untrained is None else f" of {whole(self.untrained)}"
        said = f"{self.trained}{of} untrained architectures were drawn at random and trained: "
        if self.share_upper95 is None:
            return f"{said}nothing is known of the others."
        said += f"{self.contradictions or 'none'} contradict{'' if self.contradictions > 1 else 's'} "
        said += f"the bound that {'they' if self.contradictions > 1 else 'it'} had."
        if self.failed:
            said += f" {self.failed} more could not be trained, and {'are' if self.failed > 1 else 'is'} left out."
        if self.trained == self.untrained:
            return f"{said} These are all."
        return (
            f"{said} So with {percent(self.confidence, 4)} confidence at most {percent(self.share_upper95, 2)} of the "
            "untrained architectures contradict theirs, whether larger networks are better or not."
        )


@dataclass(frozen=True, kw_only=True)
class CountsResult(Record):
    """How parameters and operations are known.

    Attributes:
        source: polynomials, or each network by itself.
        confirmed: networks that were built and agree; None without polynomials.
        trained: of them were trained.
        words: the same for people.
    """

    source: str
    confirmed: int | None
    trained: int
    words: str

    def to_json(self) -> dict[str, Any]:
        """With the name that the field has in files, which Python has for itself."""
        return {"from" if name == "source" else name: value for name, value in super().to_json().items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CountsResult:
        """Likewise."""
        return super().from_json({"source" if name == "from" else name: value for name, value in data.items()})


@dataclass(frozen=True, kw_only=True)
class ReferenceResult(Record):
    """T, and what it costs."""

    architecture: Shape
    parameters: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class AssumptionResult(Record):
    """What a certificate rests on: checked, assumed or violated, and the evidence."""

    name: str
    status: str
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Conclusions(Record):
    """The part of a certificate that follows from the ledger and the question; a verifier derives it again.

    Attributes:
        claim: what is certified: ``w``, ``constrained`` or ``front``.
        verdict: ``certified``, ``unresolved``, or what was reached otherwise.
        reason: why.
        epsilon: how far from optimal the claim is about; what was asked for, or coarser, where that was allowed.
        achieved: and what was reached.
        delta: violation of monotony that is allowed for.
        e_min: errors below it count as it.
        error_floor: what was vouched for.
        evaluated: architectures that were trained.
        space_size: architectures of the space.
        space_listed: whether each of them was looked at.
        spread: between the errors of the largest and the smallest architecture.
        noise: standard deviation of one architecture's error.
        relative_noise: upper limit of the noise of errors that are compared, as a share of them; None: not known.
        epsilon_by_delta: what would still be proved, were monotony broken by more than was seen.
        resolved: whether errors tell architectures apart.
        violations: of monotony that were seen.
        best: the best value found.
        bound: no other can be better.
        excluded: architectures that the claim is not about.
        audit: of bounds, by architectures that were drawn at random; None where there was none.
        limits: of a constrained claim, by name.
        space_hash: of the space.
    """

    claim: str
    verdict: str
    reason: str
    epsilon: float
    achieved: float | None
    delta: float
    e_min: float
    error_floor: FloorResult
    evaluated: int
    space_size: int
    space_listed: bool
    spread: float
    noise: float
    relative_noise: float | None = None
    epsilon_by_delta: tuple[DeltaResult, ...] = ()
    resolved: bool
    violations: tuple[ViolationResult, ...]
    best: ValueResult
    bound: ValueResult
    excluded: tuple[ExcludedResult, ...]
    audit: AuditResult | None = absent()
    limits: Mapping[str, float]
    space_hash: str


@dataclass(frozen=True, kw_only=True)
class CertificateResult(Conclusions, Result):
    """How far from optimal an extraction can be.

    Attributes:
        strategy: of the search.
        steps: of every training.
        repeats: trainings for scale and noise.
        counts: how parameters and operations are known.
        question: what was asked, from which a verifier poses it again.
        family: whose networks these are, likewise.
        space: of them, likewise.
        reference: T, and what it costs.
        objectives: what size, cost and error are.
        latency_table: milliseconds over the space, where these decide.
        assumptions: that it rests on.
        abnc: the ABnC check.
        ledger_hash: of all trainings.
        seeds, versions, hardware, created: what it was made with, and when.
        digest: of all of this.
    """

    strategy: str
    steps: int
    repeats: int
    counts: CountsResult
    question: Mapping[str, Any]
    family: Mapping[str, Any]
    space: Mapping[str, Any]
    reference: ReferenceResult
    objectives: Mapping[str, Any]
    latency_table: Mapping[str, Any] | None
    assumptions: tuple[AssumptionResult, ...]
    abnc: CheckResult
    ledger_hash: str
    seeds: tuple[int, ...]
    versions: Mapping[str, str]
    hardware: Mapping[str, Any]
    created: str
    digest: str = ""
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(self.reason, lead=self.verdict, tone=_TONES.get(self.verdict, "bad"))
        yield Line(
            f"trained {self.evaluated} of {whole(self.space_size)} architectures (and {self.repeats} for scale and "
            f"noise); epsilon {decimal(self.achieved, 3)} reached, {self.epsilon:g} {self._asked}; delta "
            f"{decimal(self.delta, 3)}, spread {decimal(self.spread, 3)}, noise {_share(self.relative_noise)}, "
            f"{len(self.violations)} violations"
        )
        if self.verdict == "certified" and len(self.epsilon_by_delta) > 1:
            yield Line(f"Were monotony broken by more: {by_delta_in_words(self.epsilon_by_delta)}.")
        if self.audit is not None:
            for one in (*self.audit.earlier, self.audit):
                yield Line(one.in_words, lead="audit", tone="warning" if one.contradictions else "plain")

    @property
    def _asked(self) -> str:
        first = self.question.get("epsilon", self.epsilon)
        return "asked" if first == self.epsilon else f"can be told ({first:g} asked)"

    @property
    def in_words(self) -> str:
        """What is claimed about the architectures that were not trained."""
        return claim_in_words(self.to_json())


def _share(noise: float | None) -> str:
    return "not known" if noise is None else percent(noise, 2)


def by_delta_in_words(curve: Sequence[DeltaResult]) -> str:
    """What would still be proved with each larger violation, in a clause."""
    later = [one for one in curve[1:] if one.epsilon is not None]
    return "; ".join(
        f"by {percent(one.delta, 2)}, epsilon {decimal(one.epsilon, 3)} would still be proved" for one in later
    )
