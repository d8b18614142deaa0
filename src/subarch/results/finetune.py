"""What ``finetune`` returns: scores on the sealed split, a row for each way of training, and the checkpoint."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, absent, rest
from subarch.results.classes import ByClass
from subarch.results.wording import relatives, whole


@dataclass(frozen=True, kw_only=True)
class MethodResult(Record):
    """One way of training.

    Attributes:
        method: ``teacher``, ``plain``, ``distilled``, ``augmented``, ``agora``.
        mean: of the metric over the seeds, on the sealed split; between 0 and 1 (a correlation from -1).
        ci95: half of its 95 % interval; None of one seed.
        scores: of each seed.
        seeds: how many.
        steps: of the optimiser, of one seed; 0 of the teacher.
        apart: mean on the sealed rows that are not too much like rows that were learned from.
        development: mean on development data, where it may be judged there: what choices were made on.
        metrics: mean of each metric.
        learning_rate: that was chosen.
        to_teacher: mean difference to the teacher.
    """

    method: str
    mean: float
    ci95: float | None
    scores: tuple[float, ...]
    seeds: int
    steps: int = 0
    apart: float | None = None
    development: float | None = None
    metrics: Mapping[str, float] | None = absent()
    learning_rate: float | None = absent()
    to_teacher: float | None = absent()
    more: Mapping[str, Any] = rest()

    def cells(self) -> tuple[str, ...]:
        """The row in words."""
        return (
            self.method,
            f"{100 * self.mean:.1f}",
            "" if self.ci95 is None else f"{100 * self.ci95:.1f}",
            ", ".join(f"{100 * one:.1f}" for one in self.scores),
            whole(self.steps) if self.steps else "",
            f"{self.learning_rate:g}" if self.to_teacher is None else f"{100 * self.to_teacher:+.1f}",
        )


@dataclass(frozen=True, kw_only=True)
class SizesResult(Record):
    """Examples of each split."""

    train: int
    development: int
    sealed: int


@dataclass(frozen=True, kw_only=True)
class DataResult(Record):
    """What was learned from.

    Attributes:
        task: its name, or the path of the file.
        fingerprint: of its examples.
        sealed: digest of the sealed split.
        examples: of each split.
    """

    task: str
    fingerprint: str
    sealed: str
    examples: SizesResult
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class SampleResult(Record):
    """A text that was learned, beside the mistake that it was made near, and what the teacher says of it."""

    round: int
    mistake: tuple[str, ...]
    proposal: tuple[str, ...]
    label: str


@dataclass(frozen=True, kw_only=True)
class LoopResult(Record):
    """What Agora did with one seed.

    Attributes:
        seed: of the loop.
        told: what it came to, in words.
        rounds: one after another, as :class:`subarch.agora.rounds.Round` has them.
        samples: of what was learned.
        classes: how many examples of each were learned from in the end.
    """

    seed: int
    told: str
    rounds: tuple[Mapping[str, Any], ...]
    samples: tuple[SampleResult, ...] = ()
    classes: Mapping[str, int] | None = None
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class ChosenResult(Record):
    """Which way is kept, its scores on development data beside the others', and the same in words."""

    way: str
    development: Mapping[str, float]
    told: str
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class TeacherResult(Record):
    """Who taught, and how good it is on development data."""

    model: str | None
    quality: float
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class Learned(Record):
    """What training came to, in whichever ways.

    Attributes:
        metric: of the rows.
        rows: each way of training.
        checkpoint: the student that is kept, in the stock form.
        method: how it was trained.
        max_length: tokens that it reads.
        related: sealed rows that are too much like rows that were learned from.
        trainings: how many there were.
        cut: share of the training sequences that are longer than it reads.
        chosen: with Agora, which way is kept, and why.
        teacher: with Agora, who taught.
        rounds: of Agora, what each loop did.
    """

    metric: str
    rows: tuple[MethodResult, ...]
    checkpoint: Path
    method: str
    max_length: int
    related: int
    trainings: int
    cut: float | None = absent()
    chosen: ChosenResult | None = absent()
    teacher: TeacherResult | None = absent()
    rounds: tuple[LoopResult, ...] | None = absent()

    def row(self, method: str) -> MethodResult:
        """Of one way.

        Raises:
            StopIteration: where there is none.
        """
        return next(row for row in self.rows if row.method == method)


@dataclass(frozen=True, kw_only=True)
class FinetuneResult(Learned, ByClass, Result):
    """A finished fine-tuning.

    Attributes:
        task: its name, or the path of the file.
        run: directory of the run.
        model: the network that learned, in words.
        kind: of the task.
        label_names: of its classes.
        data: what was learned from.
        text_columns: of the table that was read.
        label_column: likewise.
        identity: of everything that this depends on, where that is known.
        weights: digest of the checkpoint's.
    """

    task: str
    run: str
    model: str
    kind: str
    label_names: tuple[str, ...]
    data: DataResult
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    identity: str | None
    weights: str
    more: Mapping[str, Any] = rest()

    @property
    def apart(self) -> str:
        """How many sealed rows are too much like others, and the scores without them, in words; or nothing."""
        return relatives(self.related, self.data.examples.sealed, {row.method: row.apart for row in self.rows})

    def table(self) -> Rows:
        """Each way of training."""
        last = "learning rate" if self.rounds is None else "to the teacher"
        columns = ("way of training", "mean", "± 95 %", "each seed", "steps", last)
        return Rows(columns, [row.cells() for row in self.rows])

    def told(self) -> Iterator[Told]:
        yield Line(
            f"{self.metric} on {whole(self.data.examples.sealed)} sealed examples; learned from "
            f"{whole(self.data.examples.train)}, chosen on {whole(self.data.examples.development)}",
            lead=self.task,
        )
        if self.text_columns:
            yield Line(f"columns: {', '.join(self.text_columns)} to {self.label_column}")
        yield self.table()
        if self.apart:
            yield Line(self.apart)
        for loop in self.rounds or ():
            yield Line(loop.told)
        if self.chosen is not None:
            yield Line(self.chosen.told)
        yield from self.told_by_class()
        yield Line(f"wrote {self.checkpoint}")
        yield Line(f"go on with: subarch predict {shlex.quote(str(self.checkpoint))} --data FILE")
