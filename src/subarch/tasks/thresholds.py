"""From which probability on a label holds: chosen on development rows, where F1 is best.

One threshold for all labels comes first; a label with enough rows then gets its own where that is better still. Those
of rare labels would follow the few rows that there are, and keep the common one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Goal = Literal["micro_f1", "macro_f1", "exact_match"]
USUAL = 0.5
GRID = np.round(np.arange(0.05, 0.96, 0.05), 2)
"""Thresholds that are tried: coarse, since finer ones would follow the rows."""
LEAST = 20
"""Development rows that a label has to hold in, and to be absent from, to get a threshold of its own."""
_PASSES = 3
_GAIN = 1e-9


def thresholds_of(shares: NDArray[np.float64], held: NDArray[np.bool_], goal: Goal) -> tuple[float, ...]:
    """The thresholds with which development rows are answered best.

    Args:
        shares: probability of each label in each row: ``(rows, labels)``.
        held: whether it holds, likewise.
        goal: what is to be large.
    """
    nearest = np.argsort(np.abs(GRID - USUAL), kind="stable")  # of equal ones that nearest to the usual one
    if goal == "exact_match":
        values = np.array([((shares > one) == held).all(1).mean() for one in GRID])
        return (float(GRID[nearest[values[nearest].argmax()]]),) * shares.shape[1]
    right = np.stack([((shares > one) & held).sum(0) for one in GRID])
    counts = _Counts(right, np.stack([(shares > one).sum(0) for one in GRID]), held.sum(0))
    value: Callable[[NDArray[np.int64]], float] = counts.micro if goal == "micro_f1" else counts.macro
    values = np.array([value(np.full(shares.shape[1], n)) for n in range(len(GRID))])
    chosen = np.full(shares.shape[1], nearest[values[nearest].argmax()])
    enough = np.flatnonzero(np.minimum(held.sum(0), len(held) - held.sum(0)) >= LEAST)
    for _ in range(_PASSES):
        before = chosen.copy()
        for label in enough:
            _improve(chosen, int(label), value, nearest)
        if (before == chosen).all():
            break
    return tuple(float(GRID[n]) for n in chosen)


def _improve(
    chosen: NDArray[np.int64],
    label: int,
    value: Callable[[NDArray[np.int64]], float],
    order: NDArray[np.int64],
) -> None:
    """Another threshold for one label, where that is better."""
    best, kept = value(chosen), int(chosen[label])
    for n in order:
        chosen[label] = n
        if (now := value(chosen)) > best + _GAIN:
            best, kept = now, int(n)
    chosen[label] = kept


class _Counts:
    """How often each label is said rightly and said at all: ``(thresholds, labels)``; and how often it holds."""

    def __init__(self, right: NDArray[np.int64], said: NDArray[np.int64], held: NDArray[np.int64]) -> None:
        self._right, self._said, self._held, self._labels = right, said, held, np.arange(len(held))

    def micro(self, chosen: NDArray[np.int64]) -> float:
        """F1 of all labels together, each at a threshold's place."""
        both = self._said[chosen, self._labels].sum() + self._held.sum()
        return float(2 * self._right[chosen, self._labels].sum() / both) if both else 0.0

    def macro(self, chosen: NDArray[np.int64]) -> float:
        """Mean F1 of the labels that occur."""
        there = self._held > 0
        both = (self._said[chosen, self._labels] + self._held)[there]
        return float(np.mean(2 * self._right[chosen, self._labels][there] / both)) if there.any() else 0.0
