"""What ``extract`` returns: the front, the picks, and the certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, absent, rest
from subarch.results.certificate import CertificateResult, Shape
from subarch.results.vocabulary import VocabularyResult
from subarch.results.wording import check_command, decimal, describe, short, timing_in_words

_WEIGHTS = "model.safetensors"

# ------------------------------------------------------------------------------------------------------- architectures


@dataclass(frozen=True, kw_only=True)
class PointResult(Record):
    """One architecture that was trained.

    Attributes:
        architecture: value of each architectural parameter.
        parameters: of the backbone with its embeddings.
        macs: multiply-accumulates of a forward pass.
        latency_ms: milliseconds of one, where that was measured or a latency table says it.
        error: of the training, between 0 and 1.
    """

    architecture: Shape
    parameters: int
    macs: int
    latency_ms: float | None
    error: float
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class PickResult(PointResult):
    """One that was chosen.

    Attributes:
        w: size saved times operations saved over error.
        certified: whether the certificate is about it.
        missed: limits on time that it misses, measured again, in words.
    """

    w: float
    certified: bool
    missed: tuple[str, ...] | None = absent()


@dataclass(frozen=True, kw_only=True)
class TrainedResult(PointResult):
    """One training of the search.

    Attributes:
        number: of it, from 0.
        standard_error: of the error over the seeds.
        w: as of a pick.
        seconds: that it took.
    """

    number: int
    standard_error: float | None
    w: float
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class UntrainedResult(Record):
    """One that was bounded out.

    Attributes:
        architecture, parameters, macs: as of a point.
        error_bound: that its error cannot be below; None where nothing is known of it.
    """

    architecture: Shape
    parameters: int
    macs: int
    error_bound: float | None
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class SourceResult(Record):
    """The reference's own figures.

    Attributes:
        name: of the source.
        architecture, parameters, macs, latency_ms: as of a point.
    """

    name: str
    architecture: Shape
    parameters: int
    macs: int
    latency_ms: float | None
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class StepResult(Record):
    """Where a search was after a training.

    Attributes:
        trained: architectures so far.
        seconds: since it began.
        best: the best value found.
        bound: no other can be better.
        achieved: how far from optimal the best can be.
    """

    trained: int
    seconds: float
    best: float | None
    bound: float | None
    achieved: float | None
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class TimedWith(Record):
    """What latencies were measured with.

    Attributes:
        runtime, threads: of the networks.
        reference_runtime, reference_threads: of the reference, which runs in its own fastest form.
        networks: that the latency table was made of.
        error: of its fit at networks that it did not have, the median.
    """

    runtime: str
    threads: int | None
    reference_runtime: str | None = absent()
    reference_threads: int | None = absent()
    networks: int | None = absent()
    error: float | None = absent()
    more: Mapping[str, Any] = rest()


# ---------------------------------------------------------------------------------------------------------- the search


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
        trained: every training of the search.
        untrained: what was bounded out, of large spaces a sample.
        untrained_total: how many these are in all.
        progress: where the search was after each training of the last call.
        timed_with: what latencies were measured with.
        seconds: of this run's trainings (``search``), and of timing networks (``timing``), where that was needed.
        vocabulary: what the source is without the pieces that no text uses, where it was cut so; all figures are of
            that source.
    """

    run: str
    architecture: Shape
    parameters: int
    macs: int
    latency_ms: float | None
    error: float
    w: float | None
    front: tuple[PointResult, ...]
    picks: Mapping[str, PickResult | None]
    certificate: CertificateResult
    source: SourceResult
    trained: tuple[TrainedResult, ...]
    untrained: tuple[UntrainedResult, ...]
    untrained_total: int
    progress: tuple[StepResult, ...]
    timed_with: TimedWith
    seconds: Mapping[str, float] | None = absent()
    vocabulary: VocabularyResult | None = absent()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        if self.vocabulary is not None:
            yield from self.vocabulary.told()
        yield told_front(self.front, self.picks)
        yield from self.certificate.told()
        yield Line(describe(self.architecture), lead="the pick")
        yield Line("  " + ", ".join(self._gains()))
        if timing := timing_in_words(self.timed_with.to_json(), self.seconds):
            yield Line(timing)
        constrained = self.picks.get("constrained")
        for missed in (constrained and constrained.missed) or ():
            yield Line(f"  the target is missed: {missed}", tone="warning")
        weights = f"; {self.run}/{_WEIGHTS} its weights" if (Path(self.run) / _WEIGHTS).is_file() else ""
        yield Line(
            f"{self.run}/report.html shows it all; {self.run}/architecture.json is its config{weights}; check it with: "
            f"{check_command(self.run, self.certificate.to_json())}"
        )

    def _gains(self) -> list[str]:
        source = self.source
        gains = [
            f"{short(self.parameters)} parameters ({self.parameters / source.parameters:.1%} of the reference)",
            f"{source.macs / self.macs:.1f} times fewer operations",
        ]
        if self.latency_ms and source.latency_ms:
            gains.append(f"{source.latency_ms / self.latency_ms:.1f} times as fast here")
        return [*gains, f"error {decimal(self.error, 3)}"]


def told_front(front: Sequence[PointResult], picks: Mapping[str, PickResult | None]) -> Rows:
    """The front as a table, with the picks by name."""
    rows: list[tuple[str, ...]] = []
    for point in front:
        names = [
            f"{name}{' (certified)' if pick.certified else ''}"
            for name, pick in picks.items()
            if pick and pick.architecture == point.architecture
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
