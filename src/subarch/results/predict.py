"""What ``predict`` returns: where the predictions are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Result, Told, absent, rest


@dataclass(frozen=True, kw_only=True)
class PredictResult(Result):
    """Predictions that were written.

    Attributes:
        path: the file, JSONL or CSV.
        examples: rows that it answers.
        model: as it was given.
        artifact: of an export, the form that answered.
        text_columns: that were read.
    """

    path: Path
    examples: int
    model: str
    text_columns: tuple[str, ...]
    artifact: str | None = absent()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(f"wrote {self.path}")
