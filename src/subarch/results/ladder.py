"""The plainest rivals beside each other: from the commonest class over the teacher to what was made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from subarch.results.base import Line, Record, Result, Rows, Told, absent, rest
from subarch.results.promise import DropResult, Shown
from subarch.results.report import Page
from subarch.results.wording import decimal, duration, whole

What = Literal["rung", "way", "form"]
_SIGNS = {"met": "✓ met", "not shown": "≈ not shown", "missed": "✕ missed"}


@dataclass(frozen=True, kw_only=True)
class RungsAsked(Record):
    """What was asked for.

    Attributes:
        max_drop: points of 100 that may be lost against the teacher.
        speedup: how many times as fast as the teacher in its fastest form; None: not asked.
        max_latency_ms: from a text to its answer; None: not asked.
    """

    max_drop: float
    speedup: float | None = None
    max_latency_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class RungResult(Record):
    """One rung, one way of training, or one form.

    Attributes:
        name: ``constant``, ``tfidf``, ``static``, ``first-layers``, ``teacher``, ``teacher-int8``; of a way ``plain``,
            ``distilled``, ``agora`` and so on; of a form its own name.
        what: which of the three it is.
        quality: of the metric, on the sealed rows; None before they are opened.
        ci95: half of its 95 % interval: over the seeds where there are several, otherwise over the rows.
        development: quality on the development rows, where it was asked about these.
        drop: what is lost against the teacher on the sealed rows, row by row.
        development_drop: likewise on the development rows, on which choices are made.
        verdict: whether all targets are met, by the sealed rows where they are open, else by the development rows.
        ms_per_text: median from one text, as long as 95 in 100, to its answer, tokens included.
        texts_per_second: many texts a call, of all lengths.
        size_bytes: of what answers, without the tokenizer.
        seconds_to_make: how long it took.
        folder: that ``subarch predict`` and ``Predictor`` serve.
        words: what it is, for people.
    """

    name: str
    what: What = "rung"
    quality: float | None = None
    ci95: float | None = None
    development: float | None = None
    drop: DropResult | None = None
    development_drop: DropResult | None = None
    verdict: Shown | None = None
    ms_per_text: float | None = None
    texts_per_second: float | None = None
    size_bytes: int | None = None
    seconds_to_make: float | None = None
    folder: str | None = None
    words: str = ""
    more: Mapping[str, Any] = rest()

    def cells(self) -> tuple[str, ...]:
        """The row in words; lost points are those of the sealed rows where they are open."""
        lost = self.drop or self.development_drop
        return (
            self.name,
            "" if self.development is None else f"{100 * self.development:.1f}",
            "" if self.quality is None else f"{100 * self.quality:.1f}",
            "" if lost is None else lost.in_words(),
            "" if self.ms_per_text is None else decimal(self.ms_per_text, 3),
            "" if self.texts_per_second is None else whole(self.texts_per_second),
            "" if self.size_bytes is None else decimal(self.size_bytes / 1e6, 3),
            "" if self.seconds_to_make is None else duration(self.seconds_to_make),
            "" if self.verdict is None else _SIGNS[self.verdict],
        )


@dataclass(frozen=True, kw_only=True)
class LadderResult(Result):
    """All rungs, the cheapest to have first.

    Attributes:
        metric: of their quality.
        rungs: in that order, then ways of training and forms where there are any.
        enough: the first rung that meets all targets, chosen on the development rows; None: none does.
        asked: the targets.
        run: directory.
        task: what was learned.
        development_rows, sealed_rows: how many.
        pool: texts without labels that were learned from.
        left_out: rungs that could not be made, and why.
        report: the page, where one was written.
        identity: of everything that this depends on.
    """

    metric: str
    rungs: tuple[RungResult, ...]
    enough: str | None = None
    asked: RungsAsked
    run: str = ""
    task: str = ""
    development_rows: int = 0
    sealed_rows: int = 0
    pool: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    report: Page | None = absent()
    identity: str | None = None
    more: Mapping[str, Any] = rest()

    def rung(self, name: str) -> RungResult | None:
        """One by its name; None where there is none."""
        return next((one for one in self.rungs if one.name == name), None)

    @property
    def is_sealed(self) -> bool:
        """Whether the sealed rows are still closed."""
        return all(one.quality is None for one in self.rungs)

    def told(self) -> Iterator[Told]:
        yield from self._two_tables()
        lost = "sealed" if not self.is_sealed else "development"
        yield Line(
            f"{self.metric}; points lost against the teacher with 95 % intervals, on the {lost} rows; ms: from one "
            "text, as long as 95 in 100, to its answer, tokens included, on this processor" + self._how_fast()
        )
        for name, why in self.left_out.items():
            yield Line(f"{name} is left out: {why}", tone="warning")
        yield self.sentence()
        if self.report is not None:
            yield Line(f"wrote {self.report}")

    def _how_fast(self) -> str:
        """A search promises the time of the network alone, which a rung without one does not have."""
        if self.asked.speedup is None and self.asked.max_latency_ms is None:
            return ""
        return "; by this whole way the targets here are judged, those of a search by the network alone"

    def table(self) -> Rows:
        """Every rung."""
        columns = ("", "development", "sealed", "lost (95 %)", "ms", "texts a second", "MB", "to make", "targets")
        return Rows(columns, [one.cells() for one in self.rungs])

    def _two_tables(self) -> Iterator[Rows]:
        """The same in halves, which fit into a terminal: what rungs are worth, and what they cost."""
        table = self.table()
        for places in ((0, 1, 2, 3, 8), (0, 4, 5, 6, 7)):
            yield Rows([table.columns[n] for n in places], [[row[n] for n in places] for row in table.rows])

    def sentence(self) -> Line:
        """Which rung is enough."""
        one = None if self.enough is None else self.rung(self.enough)
        if one is None:
            near = [rung.name for rung in self.rungs if rung.what == "rung" and rung.verdict == "not shown"]
            words = "no plain rung is shown to meet all targets on the development rows"
            words += f"; within them by the estimate alone: {', '.join(near)}" if near else ""
            return Line(words)
        words = f"{one.name} ({one.words}) meets all targets on the development rows"
        if one.drop is not None and one.verdict is not None:
            words += f", and on the sealed rows: {one.verdict}"
        return Line(f"{words}. It is in {one.folder}, ready to answer", lead="enough", tone="good")
