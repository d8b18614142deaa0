"""How each class fares, as several results tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from subarch.results.base import Line, Record, Rows, Told, absent
from subarch.results.wording import whole

_MOST = 20  # that are shown, of many


@dataclass(frozen=True)
class ClassScore(Record):
    """How one class fares.

    Attributes:
        name: of the class.
        examples: that have it.
        answered: how often it was the answer.
        right: how often rightly.
    """

    name: str
    examples: int
    answered: int
    right: int

    @property
    def recall(self) -> float | None:
        """Share of its examples that are answered rightly; None without examples."""
        return self.right / self.examples if self.examples else None

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where it neither is there nor was answered."""
        return 2 * self.right / (self.examples + self.answered) if self.examples or self.answered else 0.0

    @property
    def is_missed(self) -> bool:
        """Whether there are examples of it, and none of them is answered rightly."""
        return self.examples > 0 and self.right == 0

    def to_json(self) -> dict[str, Any]:
        """With what follows from the counts."""
        return {**super().to_json(), "recall": self.recall}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Without it."""
        return super().from_json({name: value for name, value in data.items() if name != "recall"})


@dataclass(frozen=True, kw_only=True)
class ByClass(Record):
    """What a score does not show; nothing where there are no classes.

    Attributes:
        classes: how each class fares.
        by_class: measures in which all classes count alike, by name.
        holds_above: where several labels may hold, the probability above which each does.
    """

    classes: tuple[ClassScore, ...] | None = absent()
    by_class: Mapping[str, float] | None = absent()
    holds_above: Mapping[str, float] | None = absent()

    def told_by_class(self) -> Iterator[Told]:
        """The worst first, and the measures; nothing where there are no classes."""
        there = sorted((one for one in self.classes or () if one.examples), key=lambda one: one.right / one.examples)
        if not there:
            return
        rows = [
            (
                *(one.name, whole(one.examples), whole(one.answered), f"{one.right}"),
                *(f"{one.right / one.examples:.3f}", f"{one.f1:.3f}"),
            )
            for one in there[:_MOST]
        ]
        yield Rows(("class", "examples", "answered", "rightly", "recall", "F1"), rows)
        if len(there) > _MOST:
            yield Line(f"and {len(there) - _MOST} classes with a recall of {rows[-1][-2]} or more")
        measures = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in (self.by_class or {}).items())
        yield Line(measures.replace(" f1", " F1"))
        yield from self.told_thresholds()

    def told_thresholds(self) -> Iterator[Line]:
        """Above which probability each label holds; nothing where one alone does."""
        if self.holds_above:
            each = ", ".join(f"{name} {at:g}" for name, at in self.holds_above.items())
            yield Line(f"a label holds above the probability that is best on development rows: {each}")


def points(value: float | None) -> str:
    """A fraction as points of 100; nothing where there is none."""
    return "" if value is None else f"{100 * value:.2f}"
