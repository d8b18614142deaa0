"""What is promised of an exported model: what it loses against its teacher on rows like the sealed, with confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from subarch.results.base import Record, rest

Shown = Literal["met", "not shown", "missed"]


@dataclass(frozen=True, kw_only=True)
class DropResult(Record):
    """What is lost against the teacher on the same rows, in points of 100.

    Attributes:
        drop: the estimate; negative where more is right than the teacher has.
        drop_ci95: its 95 % interval, from the rows that one of the two answers better.
        rows: how many were compared.
        verdict: ``met`` where the interval's upper end is within what may be lost, ``not shown`` where the estimate
            alone is, ``missed`` otherwise.
        rows_needed: where it is not shown, how many such rows would show it, were the estimate exact; None where
            none would.
    """

    drop: float
    drop_ci95: tuple[float, float]
    rows: int
    verdict: Shown
    rows_needed: int | None = None

    def in_words(self) -> str:
        """Estimate and interval."""
        return f"{self.drop:.1f} ({self.drop_ci95[0]:.1f} to {self.drop_ci95[1]:.1f})"


@dataclass(frozen=True, kw_only=True)
class ClassDrop(Record):
    """How much of one class's recall is lost, in points of 100; intervals hold for all classes at once.

    Attributes:
        name: of the class.
        examples: rows that have it.
        drop: of its recall.
        drop_ci95: its interval, wider the more classes are looked at.
    """

    name: str
    examples: int
    drop: float
    drop_ci95: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class PromiseResult(DropResult):
    """The same of what is deployed, on the sealed rows.

    Attributes:
        agreement: share of the rows on which teacher and model answer alike; None where answers are numbers.
        agreement_lower: what it is at least, with 95 % confidence.
        per_class: what each class loses; empty where there are none.
    """

    agreement: float | None = None
    agreement_lower: float | None = None
    per_class: tuple[ClassDrop, ...] = ()
    more: Mapping[str, Any] = rest()
