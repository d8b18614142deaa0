"""What ``extract`` returns: the front, the picks, and the certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, Tone, rest
from subarch.results.wording import check_command, claim_in_words, decimal, describe, short, whole

_TONES: Mapping[str, Tone] = {"certified": "good", "unresolved": "warning"}


@dataclass(frozen=True, kw_only=True)
class PointResult(Record):
    """One architecture that was trained.

    Attributes:
        architecture: value of each architectural parameter.
        parameters: of the backbone with its embeddings.
        macs: multiply-accumulates of a forward pass.
        latency_ms: milliseconds of one, where that was measured.
        error: of the training, between 0 and 1.
    """

    architecture: Mapping[str, Any]
    parameters: int
    macs: int
    latency_ms: float | None
    error: float
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class CertificateResult(Result):
    """How far from optimal an extraction can be.

    Attributes:
        claim: what is certified: ``w``, ``constrained`` or ``front``.
        verdict: ``certified``, ``unresolved``, or what was reached otherwise.
        reason: why.
        epsilon: how far from optimal was asked for.
        achieved: and what was reached.
        delta: violation of monotony that is allowed for.
        evaluated: architectures that were trained.
        space_size: architectures of the space.
        spread: between the errors of the largest and the smallest architecture.
        noise: standard deviation of one architecture's error.
        violations: of monotony that were seen.
        repeats: trainings for scale and noise.
    """

    claim: str
    verdict: str
    reason: str
    epsilon: float
    achieved: float
    delta: float
    evaluated: int
    space_size: int
    spread: float
    noise: float
    violations: tuple[Mapping[str, Any], ...]
    repeats: int
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(self.reason, lead=self.verdict, tone=_TONES.get(self.verdict, "bad"))
        yield Line(
            f"trained {self.evaluated} of {whole(self.space_size)} architectures (and {self.repeats} for scale and "
            f"noise); epsilon {decimal(self.achieved, 3)} reached, {self.epsilon:g} asked; delta "
            f"{decimal(self.delta, 3)}, spread {decimal(self.spread, 3)}, noise {decimal(self.noise, 2)}, "
            f"{len(self.violations)} violations"
        )

    @property
    def in_words(self) -> str:
        """What is claimed about the architectures that were not trained."""
        return claim_in_words(self.to_json())


@dataclass(frozen=True, kw_only=True)
class ExtractResult(Result):
    """The best small network of a source.

    Attributes:
        run: directory of the run.
        architecture: of the pick.
        parameters, macs, latency_ms, error: of the pick, as of a :class:`PointResult`.
        w: of the pick, where that is what was certified.
        front: what was trained and is beaten by nothing else.
        picks: of each kind: ``w``, ``knee``, ``constrained``.
        certificate: how far from optimal the pick can be.
        source: the reference's own figures.
    """

    run: str
    architecture: Mapping[str, Any]
    parameters: int
    macs: int
    latency_ms: float | None
    error: float
    w: float | None
    front: tuple[PointResult, ...]
    picks: Mapping[str, Any]
    certificate: CertificateResult
    source: Mapping[str, Any]
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield told_front(self.front, self.picks)
        yield from self.certificate.told()
        yield Line(describe(self.architecture), lead="the pick")
        yield Line("  " + ", ".join(self._gains()))
        for missed in (self.picks.get("constrained") or {}).get("missed", []):
            yield Line(f"  the target is missed: {missed}", tone="warning")
        yield Line(
            f"{self.run}/report.html shows it all; {self.run}/architecture.json is its config; check it with: "
            f"{check_command(self.run, self.certificate.to_json())}"
        )

    def _gains(self) -> list[str]:
        gains = [
            f"{short(self.parameters)} parameters ({self.parameters / self.source['parameters']:.1%} of the reference)",
            f"{self.source['macs'] / self.macs:.1f} times fewer operations",
        ]
        if self.latency_ms and self.source["latency_ms"]:
            gains.append(f"{self.source['latency_ms'] / self.latency_ms:.1f} times as fast here")
        return [*gains, f"error {decimal(self.error, 3)}"]


def told_front(front: Sequence[PointResult], picks: Mapping[str, Any]) -> Rows:
    """The front as a table, with the picks by name."""
    rows: list[tuple[str, ...]] = []
    for point in front:
        names = [
            f"{name}{' (certified)' if pick['certified'] else ''}"
            for name, pick in picks.items()
            if pick and pick["architecture"] == point.architecture
        ]
        rows.append(
            (
                " / ".join(str(value) for value in point.architecture.values()),
                short(point.parameters),
                short(point.macs),
                "" if point.latency_ms is None else f"{point.latency_ms:.2f} ms",
                decimal(point.error, 3),
                ", ".join(names),
            )
        )
    columns = ("architecture", "parameters", "operations", "latency", "error", "")
    return Rows(columns, rows, title="Pareto front of what was trained")
