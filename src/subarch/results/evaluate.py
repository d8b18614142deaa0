"""What ``evaluate`` returns: metrics on one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Result, Rows, Told, absent, rest
from subarch.results.classes import ByClass
from subarch.results.wording import relatives, whole


@dataclass(frozen=True, kw_only=True)
class EvaluateResult(ByClass, Result):
    """Scores of a model.

    Attributes:
        task: its name, or the path of the file.
        split: which examples were scored.
        metrics: by name, between 0 and 1 (a correlation from -1).
        examples: how many were scored.
        model: as it was given.
        artifact: of an export, the form that answered.
        related: of sealed rows, how many are too much like rows that were learned from.
        apart: the score on the others.
    """

    task: str
    split: str
    metrics: Mapping[str, float]
    examples: int
    model: str
    artifact: str | None = absent()
    related: int | None = absent()
    apart: float | None = None
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(f"{self.task}, {self.split}, {whole(self.examples)} examples")
        yield Rows(("metric", "value"), [(name, f"{value:.4f}") for name, value in self.metrics.items()])
        if told := relatives(self.related, self.examples, {"score": self.apart}):
            yield Line(told)
        yield from self.told_by_class()
