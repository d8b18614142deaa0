"""The ways to a small network beside each other: from the teacher over plain training to the exported forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subarch.results.base import Line, Record, Result, Rows, Told
from subarch.results.compress import CompressResult
from subarch.results.wording import decimal


@dataclass(frozen=True, kw_only=True)
class Rung(Record):
    """One way, or one form.

    Attributes:
        name: of the way (``teacher``, ``plain``, ``distilled``, ``agora``), or of the form.
        quality: of the metric, mean over the seeds; None of a form that was not judged.
        ci95: half of its 95 % interval; None of one seed, and of a form.
        judged_on: which rows gave it.
        ms_per_text: median of a pass with one text; None where it was not timed.
        texts_per_second: likewise.
        size_bytes: of its file, where it has one of its own.
        folder: where it is, where it is kept.
    """

    name: str
    quality: float | None
    ci95: float | None
    judged_on: str
    ms_per_text: float | None
    texts_per_second: float | None
    size_bytes: int | None
    folder: str | None


@dataclass(frozen=True, kw_only=True)
class LadderResult(Result):
    """Rungs from what was there to what is deployed.

    Attributes:
        metric: of their quality.
        rungs: in the order in which they were made.
    """

    metric: str
    rungs: tuple[Rung, ...]

    @classmethod
    def of(cls, made: CompressResult) -> LadderResult:
        """What a run has: its ways of training, timed as PyTorch runs them here, and the exported forms."""
        return cls(metric=made.finetune.metric, rungs=(*_ways(made), *_forms(made)))

    def told(self) -> Iterator[Told]:
        rows = [
            (
                one.name,
                "" if one.quality is None else f"{100 * one.quality:.1f}",
                "" if one.ci95 is None else f"± {100 * one.ci95:.1f}",
                one.judged_on,
                "" if one.ms_per_text is None else decimal(one.ms_per_text, 3),
                "" if one.size_bytes is None else f"{one.size_bytes / 1e6:.1f}",
            )
            for one in self.rungs
        ]
        yield Rows(("", self.metric, "95 %", "judged on", "ms a text", "MB"), rows)
        yield Line("times: one text a pass, on this processor; ways of training in PyTorch, with 32-bit floats")


def _ways(made: CompressResult) -> Iterator[Rung]:
    stock = {row.name: row for row in made.bench.rows if (row.runtime, row.precision) == ("pytorch", "float32")}
    student = stock.get(made.run)
    teacher = next((row for name, row in stock.items() if name != made.run), None)
    kept = made.finetune.more.get("method")
    for row in sorted(made.finetune.rows, key=lambda row: row.method != "teacher"):
        timed = teacher if row.method == "teacher" else student
        yield Rung(
            name=row.method,
            quality=row.mean,
            ci95=row.ci95,
            judged_on="sealed rows",
            ms_per_text=None if timed is None else timed.p50_ms,
            texts_per_second=None if timed is None else 1000 * timed.batch_size / timed.p50_ms,
            size_bytes=None if timed is None else timed.size_bytes,
            folder=str(made.finetune.checkpoint) if row.method == kept else None,
        )


def _forms(made: CompressResult) -> Iterator[Rung]:
    times = {row["artifact"]: row["p50_ms"] for row in made.export.latency}
    for one in made.export.parity:
        chosen = one.artifact == made.export.chosen
        ms = times.get(one.artifact)
        yield Rung(
            name=one.artifact,
            quality=made.sealed["exported"] if chosen else one.metric,
            ci95=None,
            judged_on="sealed rows" if chosen else made.export.judged_on,
            ms_per_text=ms,
            texts_per_second=None if ms is None else 1000 / ms,
            size_bytes=made.export.sizes.get(one.artifact),
            folder=str(made.export.folder),
        )
