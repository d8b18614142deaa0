"""The trained architectures, and what each claim makes of them: what is open, what closes it, what is best.

Write L(x) for the proven lower bound on the error of x. Under assumption M(delta), e(x) >= (1 - delta) e(y) whenever
x <= y, so

    L(x) = max(floor, (1 - delta) * max{ e(y) : y trained, y >= x }).

A claim turns L into a *priority* (how good x could still be) and a *threshold* that depends on the best seen: x is open
while its priority exceeds the threshold, and the search is over when nothing is open.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from subarch.extraction.problem import Claim, FloatArray, Problem
from subarch.networks.space import Index, IndexArray


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where the search stands.

    Args:
        trained: architectures trained.
        best: the architecture picked so far; None before anything qualifies.
        value: its W (claim ``w``), its error (``constrained``); for ``front`` the size of the trained set.
        bound: no architecture has a larger W, or a smaller error; for ``front`` the worst factor 1 + epsilon.
        achieved: the epsilon reached, None where nothing qualifies yet.
    """

    trained: int
    best: Index | None
    value: float
    bound: float
    achieved: float | None


class Trained:
    """The trained architectures, their errors, and the violation delta among comparable pairs."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.delta = problem.delta
        self.floor = max(problem.error_floor, problem.e_min)
        self.known: dict[Index, float] = {}
        self.excluded: set[Index] = set()
        self._rows = np.zeros((64, len(problem.space.parameters)), dtype=np.int16)
        self._errors = np.zeros(64)
        self._costs = np.zeros((64, 2))
        self._within = np.zeros(64, dtype=np.bool_)

    def exclude(self, index: Index) -> None:
        """An architecture whose every training failed: it is no answer, and says nothing about others."""
        self.excluded.add(index)

    def settled(self, index: Index) -> bool:
        """Whether there is nothing left to train: its error is known, or never will be."""
        return index in self.known or index in self.excluded

    def __len__(self) -> int:
        return len(self.known)

    def copy(self) -> Trained:
        """An independent copy; delta and the errors of this one stay as they are."""
        return copy.deepcopy(self, {id(self.problem): self.problem})

    @property
    def epsilon(self) -> float:
        """That is still to be reached, given what violations let be shown."""
        return self.problem.grade(self.delta)

    @property
    def rows(self) -> IndexArray:
        return self._rows[: len(self)]

    @property
    def errors(self) -> FloatArray:
        return self._errors[: len(self)]

    @property
    def costs(self) -> FloatArray:
        return self._costs[: len(self)]

    @property
    def within(self) -> NDArray[np.bool_]:
        return self._within[: len(self)]

    def add(self, index: Index, error: float) -> bool:
        """Record; True when delta or the floor changed, so that older bounds must be computed again."""
        assert index not in self.known, index
        row = np.array([index], dtype=np.int16)
        above = self.errors[self.problem.space.leq(row, self.rows)]
        below = self.errors[self.problem.space.leq(self.rows, row)]
        worst = max(1 - error / above.max() if len(above) else 0.0, 1 - below.min() / error if len(below) else 0.0)
        if len(self) == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._errors = np.concatenate([self._errors, np.zeros_like(self._errors)])
            self._costs = np.concatenate([self._costs, np.zeros_like(self._costs)])
            self._within = np.concatenate([self._within, np.zeros_like(self._within)])
        position = len(self)
        self.known[index] = error
        self._rows[position], self._errors[position] = row[0], error
        self._costs[position] = self.problem.costs(row)[0]
        self._within[position] = self.problem.within(row)[0]
        changed = worst > self.delta
        self.delta = max(self.delta, worst)
        if error < self.problem.error_floor and self.floor > self.problem.e_min:
            self.floor, changed = self.problem.e_min, True  # the assumed floor is void
        return changed

    def lower_bounds(self, highest: FloatArray) -> FloatArray:
        """L from the highest error among trained larger architectures (0 for none)."""
        return np.maximum(self.floor, (1 - self.delta) * highest)


class ClaimRule(Protocol):
    """How a claim turns lower bounds into what is open. Arrays run over architectures or boxes."""

    def priority(self, costs: FloatArray, within: NDArray[np.bool_], lower: FloatArray) -> FloatArray:
        """How good each could still be; larger is more open, comparable with :meth:`threshold`."""
        ...

    def threshold(self) -> float:
        """Open means priority above this."""
        ...

    def needed(self, costs: FloatArray, within: NDArray[np.bool_], threshold: float | None = None) -> FloatArray:
        """The lower bound L that closes each, at the threshold of a better pick where one is given."""
        ...

    def merit(self, costs: FloatArray, within: NDArray[np.bool_], errors: FloatArray) -> FloatArray:
        """How good an architecture with these (predicted) errors would be as the pick; larger is better."""
        ...

    def status(self, top: float) -> Status:
        """The standing, given the largest priority among what was not trained."""
        ...


def prefactor(costs: FloatArray, reference: tuple[float, float]) -> FloatArray:
    """g(x) for rows (p, i)."""
    return np.prod(np.maximum(0.0, 1 - costs / np.asarray(reference)), axis=-1)


@dataclass(frozen=True)
class LargestW:
    """Claim ``w``: priority is U(x) = g(x)/L(x), the largest W that x could have."""

    trained: Trained

    def _best(self) -> tuple[int | None, float]:
        if not len(self.trained):
            return None, 0.0
        w = prefactor(self.trained.costs, self.trained.problem.reference) / self.trained.errors
        position = int(np.argmax(w))
        return position, float(w[position])

    def priority(self, costs: FloatArray, within: NDArray[np.bool_], lower: FloatArray) -> FloatArray:
        g = prefactor(costs, self.trained.problem.reference)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(g > 0, g / lower, 0.0)

    def threshold(self) -> float:
        return self._best()[1] / (1 - self.trained.epsilon)

    def needed(self, costs: FloatArray, within: NDArray[np.bool_], threshold: float | None = None) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            g = prefactor(costs, self.trained.problem.reference)
            return np.where(g > 0, g / (self.threshold() if threshold is None else threshold), 0.0)

    def merit(self, costs: FloatArray, within: NDArray[np.bool_], errors: FloatArray) -> FloatArray:
        return prefactor(costs, self.trained.problem.reference) / errors

    def status(self, top: float) -> Status:
        position, value = self._best()
        bound = max(top, value)
        best = tuple(int(v) for v in self.trained.rows[position]) if position is not None and value > 0 else None
        achieved = 1 - value / bound if best is not None else None
        return Status(trained=len(self.trained), best=best, value=value, bound=bound, achieved=achieved)


@dataclass(frozen=True)
class LowestError:
    """Claim ``constrained``: priority is 1/L(x) within the limits, nothing outside."""

    trained: Trained

    def _best(self) -> tuple[int | None, float]:
        if not self.trained.within.any():
            return None, math.inf
        position = int(np.argmin(np.where(self.trained.within, self.trained.errors, np.inf)))
        return position, float(self.trained.errors[position])

    def priority(self, costs: FloatArray, within: NDArray[np.bool_], lower: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.where(within, 1 / lower, 0.0)

    def threshold(self) -> float:
        return 1 / ((1 - self.trained.epsilon) * self._best()[1])

    def needed(self, costs: FloatArray, within: NDArray[np.bool_], threshold: float | None = None) -> FloatArray:
        threshold = self.threshold() if threshold is None else threshold
        return np.where(within, 1 / threshold if threshold > 0 else math.inf, 0.0)

    def merit(self, costs: FloatArray, within: NDArray[np.bool_], errors: FloatArray) -> FloatArray:
        return np.where(within, 1 / errors, 0.0)

    def status(self, top: float) -> Status:
        position, value = self._best()
        bound = min(value, 1 / top if top > 0 else math.inf)
        best = tuple(int(v) for v in self.trained.rows[position]) if position is not None else None
        achieved = 1 - bound / value if best is not None else None
        return Status(trained=len(self.trained), best=best, value=value, bound=bound, achieved=achieved)


_CELLS = 1 << 20
"""Of a matrix that is held at once."""


def parts(rows: int, columns: int) -> Iterator[slice]:
    """Slices of so many rows that a matrix of them with so many columns is small."""
    size = max(1, _CELLS // max(1, columns))
    return (slice(begin, begin + size) for begin in range(0, rows, size))


def covering(trained: FloatArray, errors: FloatArray, costs: FloatArray, lower: FloatArray) -> FloatArray:
    """The factor within which some trained architecture is as small, as quick and as good: ``(architectures,)``.

    Args:
        trained: ``(trained, 2)``, their p and i.
        errors: ``(trained,)``, likewise.
        costs: ``(architectures, 2)``, of what is to be covered.
        lower: ``(architectures,)``, the bounds on its errors.
    """
    factor = np.full(len(costs), np.inf)
    p, i = trained.T
    with np.errstate(divide="ignore"):
        for part in parts(len(costs), len(errors)):
            worst = np.maximum(p / costs[part, :1], i / costs[part, 1:])
            np.maximum(worst, errors / lower[part, None], out=worst)
            factor[part] = worst.min(axis=1, initial=np.inf)
    return factor


@dataclass(frozen=True)
class ParetoFront:
    """Claim ``front``: priority is the factor by which the trained set fails to cover x in p, i and e."""

    trained: Trained

    def priority(self, costs: FloatArray, within: NDArray[np.bool_], lower: FloatArray) -> FloatArray:
        return covering(self.trained.costs, self.trained.errors, costs, lower)

    def threshold(self) -> float:
        return 1 + self.trained.epsilon

    def needed(self, costs: FloatArray, within: NDArray[np.bool_], threshold: float | None = None) -> FloatArray:
        found = np.full(len(costs), np.inf)
        p, i = self.trained.costs.T
        for part in parts(len(costs), len(self.trained)):
            allowed = self.threshold() * costs[part]
            covers = (p <= allowed[:, :1]) & (i <= allowed[:, 1:])
            found[part] = np.where(covers, self.trained.errors, np.inf).min(axis=1, initial=np.inf)
        return found / self.threshold()

    def merit(self, costs: FloatArray, within: NDArray[np.bool_], errors: FloatArray) -> FloatArray:
        return np.zeros(len(costs))

    def status(self, top: float) -> Status:
        size = len(self.trained)
        reached = max(top, 1.0)
        best = None
        if size:
            w = prefactor(self.trained.costs, self.trained.problem.reference) / self.trained.errors
            best = tuple(int(v) for v in self.trained.rows[int(np.argmax(w))])
        return Status(trained=size, best=best, value=float(size), bound=reached, achieved=reached - 1 if size else None)


RULES: Mapping[Claim, Callable[[Trained], ClaimRule]] = {
    "w": LargestW,
    "constrained": LowestError,
    "front": ParetoFront,
}
