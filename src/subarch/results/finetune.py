"""What ``finetune`` returns: scores on the sealed split, a row for each way of training, and the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, absent, rest
from subarch.results.classes import told_by_class
from subarch.results.wording import apart, whole


@dataclass(frozen=True, kw_only=True)
class MethodResult(Record):
    """One way of training.

    Attributes:
        method: ``teacher``, ``plain``, ``distilled``, ``augmented``, ``agora``.
        mean: of the metric over the seeds, on the sealed split; between 0 and 1 (a correlation from -1).
        ci95: half of its 95 % interval; None of one seed.
        scores: of each seed.
        steps: of the optimiser, of one seed.
    """

    method: str
    mean: float
    ci95: float | None
    scores: tuple[float, ...]
    steps: int
    more: Mapping[str, Any] = rest()

    def cells(self) -> tuple[str, ...]:
        """The row in words."""
        last = (
            f"{self.more['learning_rate']:g}"
            if "learning_rate" in self.more
            else f"{100 * self.more['to_teacher']:+.1f}"
        )
        return (
            self.method,
            f"{100 * self.mean:.1f}" + ("" if self.ci95 is None else f" ± {100 * self.ci95:.1f}"),
            ", ".join(f"{100 * one:.1f}" for one in self.scores),
            whole(self.steps) if self.steps else "",
            last,
        )


@dataclass(frozen=True, kw_only=True)
class FinetuneResult(Result):
    """A finished fine-tuning.

    Attributes:
        task: its name, or the path of the file.
        metric: of the rows.
        run: directory of the run.
        rows: each way of training.
        checkpoint: the student that is kept, in the stock form.
        data: what was learned from, with ``examples`` of each split.
        text_columns: of the table that was read.
        label_column: likewise.
        rounds: of Agora, what each loop did.
        chosen: with Agora, which way is kept, and why.
        classes: how each class fares on the sealed split.
        by_class: measures in which all classes count alike.
    """

    task: str
    metric: str
    run: str
    rows: tuple[MethodResult, ...]
    checkpoint: Path
    data: Mapping[str, Any]
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    rounds: tuple[Mapping[str, Any], ...] | None = absent()
    chosen: Mapping[str, Any] | None = absent()
    classes: tuple[Mapping[str, Any], ...] | None = absent()
    by_class: Mapping[str, float] | None = absent()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        data = self.data["examples"]
        yield Line(
            f"{self.metric} on {whole(data['sealed'])} sealed examples; learned from {whole(data['train'])}, chosen on "
            f"{whole(data['development'])}",
            lead=self.task,
        )
        if self.text_columns:
            yield Line(f"columns: {', '.join(self.text_columns)} to {self.label_column}")
        last = "learning rate" if self.rounds is None else "to the teacher"
        columns = ("method", "mean, 95 % interval", "each seed", "steps", last)
        yield Rows(columns, [row.cells() for row in self.rows])
        if told := apart(self.to_json()):
            yield Line(told)
        for loop in self.rounds or ():
            yield Line(loop["told"])
        if self.chosen is not None:
            yield Line(self.chosen["told"])
        yield from told_by_class(self.classes, self.by_class)
        yield Line(f"wrote {self.checkpoint}")
        yield Line(f"go on with: subarch predict {self.checkpoint} --data FILE")
