"""The certificate: what the trained errors prove, derived again from the ledger. Never imports the search.

Assumption M(delta): p and i grow along the order (checked exactly on the counts), and e(x) >= (1 - delta) e(y) whenever
x <= y (assumed; delta is at least the largest violation among trained comparable pairs). With

    L(x) = max(floor, (1 - delta) max{ e(y) : y trained, y >= x })   for x not trained,   L(x) = e(x) for x trained,

the claims and the epsilon reached are

    w            U(x) = g(x)/L(x);   1 - W_best / max U
    constrained  1 - min{ L(x) : x within the limits } / e_best
    front        max over x of min over trained z of max(p_z/p_x, i_z/i_x, e_z/L(x)), minus 1

The derivation lists spaces of up to a million grid points and bounds larger ones by halving boxes.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.extraction.problem import Claim, FloatArray, Problem
from subarch.networks.space import Box, Index, IndexArray

LISTING_LIMIT = 1_000_000
BOX_LIMIT = 400_000
HULL_LIMIT = 4096  # grid points of a box that are looked at for the feasible ones
_CELLS = 1 << 20  # of a matrix that is held at once


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A smaller network that was better than a larger one by more than nothing: ``size`` = 1 - e(smaller)/e(larger)."""

    smaller: Index
    larger: Index
    smaller_error: float
    larger_error: float
    size: float


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """An architecture whose every training failed: the claim is about all others.

    Args:
        index: which.
        error_at_least: no error of it lies below this, were its training to succeed; 0 where nothing bounds it.
        w_at_most: nor does its W lie above this; None where nothing bounds it.
    """

    index: Index
    error_at_least: float
    w_at_most: float | None


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What follows from the trained errors.

    Args:
        evaluated: architectures trained.
        space_size: feasible architectures; for spaces too large to list, grid points (see ``listed``).
        listed: whether every architecture was looked at singly.
        delta: the violation of monotony granted.
        floor: the lower bound on errors used; an assumed floor that a trained error undercuts is dropped.
        floor_void: whether that happened.
        violations: largest first.
        spread: largest minus smallest trained error.
        best: the pick of the claim (for ``front`` the largest W), None when nothing qualifies.
        value: its W (``w``, ``front``) or error (``constrained``).
        bound: no architecture has a larger W, a smaller error; for ``front`` the factor reached.
        bound_at: where that bound is, None when it is the pick itself.
        achieved: the epsilon reached, None when nothing qualifies.
        excluded: what the claim leaves out, as it cannot be trained.
    """

    evaluated: int
    space_size: int
    listed: bool
    delta: float
    floor: float
    floor_void: bool
    violations: tuple[Violation, ...]
    spread: float
    best: Index | None
    value: float
    bound: float
    bound_at: Index | None
    achieved: float | None
    excluded: tuple[Excluded, ...] = ()


def derive(problem: Problem, errors: Mapping[Index, float], failed: Sequence[Index] = ()) -> Derived:
    """Derive the claim from the trained errors alone.

    Args:
        problem: what was asked.
        errors: of what was trained.
        failed: architectures whose every training failed. They are left out of the claim, and say nothing about others.

    Raises:
        ValueError: for an error that is not a positive number: nothing can be derived from it.
    """
    ledger, violations = _proved(problem, errors, failed)
    values = ledger.errors
    listed = problem.space.listing(LISTING_LIMIT) is not None
    size, top, at = ledger.listed() if listed else ledger.boxed()
    best, value, bound, achieved = ledger.reached(top)
    return Derived(
        evaluated=len(errors),
        space_size=size,
        listed=listed,
        delta=max([problem.delta, *(violation.size for violation in violations)]),
        floor=ledger.floor,
        floor_void=_is_void(problem, values),
        violations=tuple(violations),
        spread=float(values.max() - values.min()) if len(values) else 0.0,
        best=best,
        value=value,
        bound=bound,
        bound_at=at if bound != value else None,
        achieved=achieved,
        excluded=tuple(ledger.excluded(index) for index in sorted(frozenset(failed))),
    )


def lower_bounds(problem: Problem, errors: Mapping[Index, float], points: Sequence[Index]) -> list[float]:
    """L(x) of architectures that were not trained, in their order.

    Args:
        problem: what was asked.
        errors: of what was trained.
        points: of which the bounds are wanted.
    """
    ledger, _ = _proved(problem, errors, ())
    rows = np.array(points, dtype=np.int16).reshape(len(points), len(problem.space.parameters))
    return ledger.lower(rows, ledger.rows, ledger.errors).tolist()


def _proved(
    problem: Problem, errors: Mapping[Index, float], failed: Sequence[Index]
) -> tuple[_Ledger, list[Violation]]:
    """The trained errors with the delta and the floor that they leave, and the violations among them."""
    for index, error in errors.items():
        if not 0 < error < math.inf:
            raise InputError(f"errors must be positive numbers, got {error} for {problem.space.architecture(index)}")
    rows = np.array(list(errors), dtype=np.int16).reshape(len(errors), len(problem.space.parameters))
    values = np.array(list(errors.values()), dtype=np.float64)
    violations = _violations(problem, rows, values)
    delta = max([problem.delta, *(violation.size for violation in violations)])
    floor = problem.e_min if _is_void(problem, values) else max(problem.e_min, problem.error_floor)
    return _Ledger(problem, rows, values, min(delta, 1.0), floor, frozenset(failed)), violations


def _is_void(problem: Problem, values: FloatArray) -> bool:
    """Whether a trained error lies below the assumed floor."""
    return bool(len(values)) and float(values.min()) < problem.error_floor


DELTAS = (0.02, 0.05, 0.1, 0.2)
"""Violations of monotony for which is told what would still be proved."""


def epsilon_by_delta(claim: Claim, derived: Derived) -> list[tuple[float, float | None]]:
    """What the same trainings would prove if larger networks could be worse by so much more than was seen.

    The violation that is seen among trained networks is no bound, since the search chooses which pairs it sees. Every
    lower bound L is proportional to 1 - delta, or the floor, so the bound on W, 1/e or the covering factor grows by
    (1 - delta) / (1 - larger) at most: nothing has to be derived again.

    Returns:
        Pairs of delta and the epsilon that is proved with it, from the delta that was seen; None where nothing is.
    """
    found = [(derived.delta, derived.achieved)]
    for delta in (one for one in DELTAS if one > derived.delta):
        grown = (1 - derived.delta) / (1 - delta)
        if derived.achieved is None:
            found.append((delta, None))
        elif claim == "front":
            found.append((delta, (1 + derived.achieved) * grown - 1))
        else:
            found.append((delta, 1 - (1 - derived.achieved) / grown))
    return found


def _violations(problem: Problem, rows: IndexArray, errors: FloatArray) -> list[Violation]:
    found: list[Violation] = []
    for n, row in enumerate(rows):
        for m in np.flatnonzero(problem.space.leq(row, rows) & (errors[n] < errors)):
            found.append(
                Violation(
                    smaller=tuple(int(v) for v in row),
                    larger=tuple(int(v) for v in rows[m]),
                    smaller_error=float(errors[n]),
                    larger_error=float(errors[m]),
                    size=float(1 - errors[n] / errors[m]),
                )
            )
    return sorted(found, key=lambda violation: (-violation.size, violation.smaller, violation.larger))


@dataclass(frozen=True)
class _Ledger:
    """Trained errors, and the open-ness ("potential") of everything else, scaled so that larger is more open."""

    problem: Problem
    rows: IndexArray
    errors: FloatArray
    delta: float
    floor: float
    failed: frozenset[Index] = frozenset()

    @cached_property
    def costs(self) -> FloatArray:
        """``(trained, 2)``: their p and i."""
        return self.problem.costs(self.rows)

    def excluded(self, index: Index) -> Excluded:
        """What is known of an architecture that cannot be trained."""
        row = np.array([index], dtype=np.int16)
        least = float(self.lower(row, self.rows, self.errors)[0])
        most = float(self.g(self.problem.costs(row))[0]) / least if least > 0 else None
        return Excluded(index=index, error_at_least=least, w_at_most=most)

    def g(self, costs: FloatArray) -> FloatArray:
        p_share, i_share = (costs[:, 0] / self.problem.reference[0], costs[:, 1] / self.problem.reference[1])
        return np.maximum(0.0, 1 - p_share) * np.maximum(0.0, 1 - i_share)

    def lower(self, points: IndexArray, rows: IndexArray, errors: FloatArray) -> FloatArray:
        """L of points that were not trained."""
        highest = np.zeros(len(points))
        if len(points) == 1:
            highest[0] = errors[self.problem.space.leq(points, rows)].max(initial=0.0)
            rows = rows[:0]
        for row, error in zip(rows, errors, strict=False):
            np.maximum(highest, np.where(self.problem.space.leq(points, row), error, 0.0), out=highest)
        return np.maximum(self.floor, (1 - self.delta) * highest)

    def potential(self, corners: IndexArray, lower: FloatArray) -> FloatArray:
        """U for ``w``, 1/L within the limits for ``constrained``, the covering factor for ``front``."""
        costs = self.problem.costs(corners)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.problem.claim == "w":
                g = self.g(costs)
                return np.where(g > 0, g / lower, 0.0)
            if self.problem.claim == "constrained":
                return np.where(self.problem.within(corners), 1 / lower, 0.0)
            factor = np.full(len(corners), np.inf)
            size = max(1, _CELLS // max(1, len(self.rows)))
            for begin in range(0, len(corners), size):
                some = slice(begin, begin + size)
                covered = np.maximum.reduce(
                    [
                        self.costs[:, 0] / costs[some, :1],
                        self.costs[:, 1] / costs[some, 1:],
                        self.errors / lower[some, None],
                    ]
                )
                factor[some] = covered.min(axis=1, initial=np.inf)
            return factor

    def listed(self) -> tuple[int, float, Index | None]:
        """Size of the space, largest potential of what was not trained, and where."""
        points = self.problem.space.listed(LISTING_LIMIT)
        trained = {*(tuple(row) for row in self.rows.tolist()), *self.failed}
        fresh = points[[tuple(row) not in trained for row in points.tolist()]] if trained else points
        if not len(fresh):
            return len(points), 0.0, None
        potential = self.potential(fresh, self.lower(fresh, self.rows, self.errors))
        top = int(np.argmax(potential))
        return len(points), float(potential[top]), tuple(int(v) for v in fresh[top])

    def boxed(self) -> tuple[int, float, Index | None]:
        """The same from above: cut the box with the largest potential until that is small enough, or a point's own."""
        enough = self._enough()
        trained = {*(tuple(row) for row in self.rows.tolist()), *self.failed}
        tie = itertools.count()
        heap: list[tuple[float, int, Box, NDArray[np.intp]]] = []

        def push(whole: Box, relevant: NDArray[np.intp]) -> None:
            box = self._hull(whole)
            if box is None or (box.lo == box.hi and box.lo in trained):
                return
            lo, hi = np.array([box.lo], dtype=np.int16), np.array([box.hi], dtype=np.int16)
            relevant = relevant[self.problem.space.leq(lo[0], self.rows[relevant])]
            lower = self.lower(hi, self.rows[relevant], self.errors[relevant])
            potential = float(self.potential(lo, lower)[0])
            if potential > 0:
                heapq.heappush(heap, (-potential, next(tie), box, relevant))

        for root in self.problem.space.roots():
            push(root, np.arange(len(self.rows)))
        while heap:
            potential, count, box, relevant = heap[0]
            if -potential <= enough or box.lo == box.hi or count > BOX_LIMIT:
                return self.problem.space.num_points, -potential, box.lo
            heapq.heappop(heap)
            for part in _cut(box, self._closing(box, relevant, enough)):
                push(part, relevant)
        return self.problem.space.num_points, 0.0, None

    def _hull(self, box: Box) -> Box | None:
        """Where a small box has architectures that meet the constraints; None where it has none."""
        if not self.problem.space.constraints or box.volume > HULL_LIMIT:
            return box
        points = self.problem.space.points(box)
        if not len(points):
            return None
        return Box(tuple(points.min(axis=0).tolist()), tuple(points.max(axis=0).tolist()))

    def _closing(self, box: Box, relevant: NDArray[np.intp], enough: float) -> Index | None:
        """Upper corner of the largest part [lo, y] of ``box`` that some trained y >= lo closes; None without one."""
        corner = np.array([box.lo], dtype=np.int16)
        lower = np.maximum(self.floor, (1 - self.delta) * self.errors[relevant])
        closing = relevant[self.potential(np.repeat(corner, len(relevant), axis=0), lower) <= enough]
        if not len(closing):
            return None
        reach = np.minimum(self.rows[closing], np.array(box.hi, dtype=np.int16))
        volume = np.log1p(reach - corner.astype(np.float64)).sum(axis=1)
        return tuple(int(v) for v in reach[int(np.argmax(volume))])

    def _enough(self) -> float:
        """The potential at which epsilon is reached: what lies below need not be looked at."""
        (_, value, _, _), epsilon = self.reached(0.0), self.problem.grade(self.delta)
        if self.problem.claim == "w":
            return value / (1 - epsilon)
        if self.problem.claim == "constrained":
            return 1 / ((1 - epsilon) * value)
        return 1 + epsilon

    def reached(self, top: float) -> tuple[Index | None, float, float, float | None]:
        """(pick, its value, bound, epsilon reached), given the largest potential of what was not trained."""
        if not len(self.rows):
            return None, math.inf if self.problem.claim == "constrained" else 0.0, math.inf, None
        w = self.g(self.problem.costs(self.rows)) / self.errors
        if self.problem.claim == "constrained":
            errors = np.where(self.problem.within(self.rows), self.errors, np.inf)
            n, value = int(np.argmin(errors)), float(errors.min())
            if value == math.inf:
                return None, value, 1 / top if top > 0 else math.inf, None
            bound = min(value, 1 / top if top > 0 else math.inf)
            return tuple(int(v) for v in self.rows[n]), value, bound, 1 - bound / value
        n, value = int(np.argmax(w)), float(w.max())
        pick = tuple(int(v) for v in self.rows[n])
        if self.problem.claim == "front":
            return (pick if value > 0 else None), value, max(top, 1.0), max(top, 1.0) - 1
        bound = max(value, top)
        return (pick, value, bound, 1 - value / bound) if value > 0 else (None, value, bound, None)


def _cut(box: Box, at: Index | None) -> list[Box]:
    """Parts that make up ``box``: [lo, at] and what lies above ``at`` along an axis; halves where that cuts nothing."""
    if at is None or at == box.hi:
        lengths = [high - low for low, high in zip(box.lo, box.hi, strict=True)]
        axis = int(np.argmax(lengths))
        middle = (box.lo[axis] + box.hi[axis]) // 2
        at = tuple(middle if j == axis else high for j, high in enumerate(box.hi))
    parts: list[Box] = []
    rest = list(box.hi)
    for axis, (position, low) in enumerate(zip(at, box.lo, strict=True)):
        if position < rest[axis]:
            parts.append(Box((*box.lo[:axis], position + 1, *box.lo[axis + 1 :]), tuple(rest)))
            rest[axis] = position
        assert low <= position
    return [*parts, Box(box.lo, tuple(rest))]
