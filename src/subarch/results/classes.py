"""How each class fares, as several results tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from subarch.results.base import Line, Rows, Told
from subarch.results.wording import whole

_MOST = 20  # that are shown, of many


def told_by_class(classes: Sequence[Mapping[str, Any]] | None, by_class: Mapping[str, float] | None) -> Iterator[Told]:
    """The worst first, and measures in which all count alike; nothing where there are no classes.

    Args:
        classes: of each ``name, examples, answered, right, recall``.
        by_class: measures by name.
    """
    if not classes:
        return
    there = sorted((one for one in classes if one["examples"]), key=lambda one: one["recall"])
    rows = [
        (one["name"], whole(one["examples"]), whole(one["answered"]), f"{one['right']}", f"{one['recall']:.3f}")
        for one in there[:_MOST]
    ]
    yield Rows(("class", "examples", "answered", "rightly", "recall"), rows)
    if len(there) > _MOST:
        yield Line(f"and {len(there) - _MOST} classes with a recall of {rows[-1][-1]} or more")
    measures = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in (by_class or {}).items())
    yield Line(measures.replace("macro f1", "macro F1"))


def points(value: float | None) -> str:
    """A fraction as points of 100; nothing where there is none."""
    return "" if value is None else f"{100 * value:.2f}"
