"""What is still open: bounds on every architecture that was not trained, and which one to train next.

Write x <= y for the order of the space and L(x) for the proven lower bound on the error of x. Under assumption
M(delta), e(x) >= (1 - delta) e(y) whenever x <= y, so

    L(x) = max(floor, (1 - delta) * max{ e(y) : y trained, y >= x }).

A claim turns L into a *priority* (how good x could still be, relative to the best seen) and a *threshold* (open means
priority > threshold); the search is over when nothing is open. :class:`Listed` holds one bound per architecture and
serves spaces of up to a few thousand; :class:`Boxes` partitions a space of any size into boxes [lo, hi], bounds each
by p, i at lo and errors at hi, and never lists it.

Which architecture is trained next is a heuristic and touches no guarantee: a regression of log e on the logarithms of
the parameters predicts what each training would close, and the one that closes most is taken.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from subarch.extraction.problem import FloatArray, Problem
from subarch.networks.space import Box, Index, IndexArray, Space

LISTED_LIMIT = 4096
"""Largest grid that gets one bound per architecture: the order then is a matrix of at most 16 MB."""


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


class Frontier(Protocol):
    """The open part of a space."""

    def tell(self, index: Index, error: float) -> None:
        """Take in the error of a trained architecture."""
        ...

    def ask(self, pending: Sequence[Index] = ()) -> Index | None:
        """The architecture to train next, none of ``pending``; None when nothing (else) is open."""
        ...

    def status(self) -> Status:
        """Best and bound so far."""
        ...


class Trained:
    """The trained architectures, their errors, and the violation delta among comparable pairs."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.delta = problem.delta
        self.floor = max(problem.error_floor, problem.e_min)
        self.known: dict[Index, float] = {}
        self._rows = np.zeros((64, len(problem.space.parameters)), dtype=np.int16)
        self._errors = np.zeros(64)
        self._costs = np.zeros((64, 2))
        self._within = np.zeros(64, dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.known)

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


# ---------------------------------------------------------------------------------------------------------- claims


class ClaimRule(Protocol):
    """How a claim turns lower bounds into what is open. Arrays run over architectures or boxes."""

    def priority(self, costs: FloatArray, within: NDArray[np.bool_], lower: FloatArray) -> FloatArray:
        """How good each could still be; larger is more open, comparable with :meth:`threshold`."""
        ...

    def threshold(self) -> float:
        """Open means priority above this."""
        ...

    def needed(self, costs: FloatArray, within: NDArray[np.bool_]) -> FloatArray:
        """The lower bound L that closes each."""
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
        return self._best()[1] / (1 - self.trained.problem.epsilon)

    def needed(self, costs: FloatArray, within: NDArray[np.bool_]) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            g = prefactor(costs, self.trained.problem.reference)
            return np.where(g > 0, g / self.threshold(), 0.0)

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
        return 1 / ((1 - self.trained.problem.epsilon) * self._best()[1])

    def needed(self, costs: FloatArray, within: NDArray[np.bool_]) -> FloatArray:
        return np.where(within, (1 - self.trained.problem.epsilon) * self._best()[1], 0.0)

    def merit(self, costs: FloatArray, within: NDArray[np.bool_], errors: FloatArray) -> FloatArray:
        return np.where(within, 1 / errors, 0.0)

    def status(self, top: float) -> Status:
        position, value = self._best()
        bound = min(value, 1 / top if top > 0 else math.inf)
        best = tuple(int(v) for v in self.trained.rows[position]) if position is not None else None
        achieved = 1 - bound / value if best is not None else None
        return Status(trained=len(self.trained), best=best, value=value, bound=bound, achieved=achieved)


@dataclass(frozen=True)
class ParetoFront:
    """Claim ``front``: priority is the factor by which the trained set fails to cover x in p, i and e."""

    trained: Trained

    def priority(self, costs: FloatArray, within: NDArray[np.bool_], lower: FloatArray) -> FloatArray:
        worst = np.full(len(costs), np.inf)
        with np.errstate(divide="ignore"):
            for (p, i), error in zip(self.trained.costs, self.trained.errors, strict=True):
                np.minimum(worst, np.maximum(np.maximum(p / costs[:, 0], i / costs[:, 1]), error / lower), out=worst)
        return worst

    def threshold(self) -> float:
        return 1 + self.trained.problem.epsilon

    def needed(self, costs: FloatArray, within: NDArray[np.bool_]) -> FloatArray:
        lowest = np.full(len(costs), np.inf)
        for (p, i), error in zip(self.trained.costs, self.trained.errors, strict=True):
            covers = (p <= self.threshold() * costs[:, 0]) & (i <= self.threshold() * costs[:, 1])
            np.minimum(lowest, np.where(covers, error, np.inf), out=lowest)
        return lowest / self.threshold()

    def merit(self, costs: FloatArray, within: NDArray[np.bool_], errors: FloatArray) -> FloatArray:
        return np.zeros(len(costs))

    def status(self, top: float) -> Status:
        size = len(self.trained)
        reached = max(top, 1.0)
        best = None
        if size:
            w = prefactor(self.trained.costs, self.trained.problem.reference) / self.trained.errors
            best = tuple(int(v) for v in self.trained.rows[int(np.argmax(w))])
        return Status(
            trained=size, best=best, value=float(size), bound=reached, achieved=reached - 1 if size else None
        )


_RULES = {"w": LargestW, "constrained": LowestError, "front": ParetoFront}


# ----------------------------------------------------------------------------------------------- predicting errors


class ErrorModel:
    """Bayesian regression of log e on a quadratic form in the log parameters (unordered ones: indicators).

    Only steers the search. Prior: errors fall gently along every ordered parameter.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._ordered = [j for j, p in enumerate(space.parameters) if p.ordered and len(p.choices) > 1]
        longest = max((len(space.parameters[j].choices) for j in self._ordered), default=1)
        self._table = np.zeros((len(self._ordered), longest))
        for row, j in enumerate(self._ordered):
            self._table[row, : len(space.parameters[j].choices)] = self._axis(j)
        self._unordered = [j for j in range(len(space.parameters)) if not space.ordered[j]]
        k = len(self._ordered)
        pairs = list(itertools.combinations(range(k), 2)) if k <= 16 else []
        self._left = np.array([a for a, _ in pairs], dtype=np.intp)
        self._right = np.array([b for _, b in pairs], dtype=np.intp)
        flags = sum(len(space.parameters[j].choices) for j in self._unordered)
        self._mean = np.concatenate([[0.0], np.full(k, -0.3), np.zeros(k + len(pairs) + flags)])
        self._deviation = np.concatenate(
            [[3.0], np.full(k, 1.0), np.full(k, 0.3), np.full(len(pairs), 0.3), np.full(flags, 0.1)]
        )
        self._weights = self._mean
        self._half = np.diag(self._deviation)
        self.noise = 0.3
        self._update_form()

    def _axis(self, j: int) -> FloatArray:
        values = np.array(self._space.parameters[j].choices, dtype=np.float64)
        scale = np.log(values) if values[0] > 0 else np.arange(len(values), dtype=np.float64)
        spread = scale[-1] - scale[0]
        return 2 * (scale - scale[0]) / (spread or 1.0) - 1

    def _scaled(self, indices: IndexArray) -> FloatArray:
        """``(architectures, ordered axes)``: log values in [-1, 1]."""
        return self._table[np.arange(len(self._ordered)), indices[:, self._ordered]]

    def _features(self, indices: IndexArray) -> FloatArray:
        z = self._scaled(indices)
        flags = [indices[:, j] == c for j in self._unordered for c in range(len(self._space.parameters[j].choices))]
        parts = [np.ones((len(z), 1)), z, z * z, z[:, self._left] * z[:, self._right]]
        return np.concatenate([*parts, *(flag[:, None].astype(np.float64) for flag in flags)], axis=1)

    def fit(self, indices: IndexArray, errors: FloatArray) -> None:
        """Posterior of the weights; the noise level is the most probable of a few."""
        features, target = self._features(indices), np.log(errors)
        scaled = features * self._deviation
        residual = target - features @ self._mean
        gram, moment, energy = scaled.T @ scaled, scaled.T @ residual, float(residual @ residual)
        best = -math.inf
        for noise in (0.003, 0.01, 0.03, 0.1, 0.3):
            precision = gram / noise**2 + np.eye(len(gram))
            lower = np.linalg.cholesky(precision)
            half = np.linalg.solve(lower, moment / noise**2)
            evidence = (
                -0.5 * (energy / noise**2 - float(half @ half))
                - float(np.log(np.diag(lower)).sum())
                - len(target) * math.log(noise)
            )
            if evidence > best:
                best, self.noise = evidence, noise
                self._weights = self._mean + self._deviation * np.linalg.solve(lower.T, half)
                self._half = np.linalg.solve(lower, np.diag(self._deviation))
        self._update_form()

    def _update_form(self) -> None:
        k = len(self._ordered)
        self._form = np.diag(self._weights[1 + k : 1 + 2 * k])
        self._form[self._left, self._right] = self._weights[1 + 2 * k : 1 + 2 * k + len(self._left)]

    def predict(self, indices: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of log e."""
        features = self._features(indices)
        spread = self._half @ features.T
        return features @ self._weights, np.sqrt((spread * spread).sum(axis=0) + self.noise**2)

    def mean(self, indices: IndexArray) -> FloatArray:
        """Mean of log e alone, as a quadratic form: the search asks for it thousands of times."""
        k = len(self._ordered)
        z = self._scaled(indices)
        result = self._weights[0] + z @ self._weights[1 : 1 + k] + ((z @ self._form) * z).sum(axis=1)
        at = 1 + 2 * k + len(self._left)
        for j in self._unordered:
            result += self._weights[at + indices[:, j]]
            at += len(self._space.parameters[j].choices)
        return result

    def grown(self, box: Box, target: float) -> Index:
        """The largest y of ``box`` found with predicted log e >= target, from lo upwards along the cheapest axes.

        Each move takes the axis that gains most volume for the error it costs; strides start at a quarter of the way
        and halve. Plain Python on purpose: a move costs microseconds, and boxed spaces make thousands.
        """
        k = len(self._ordered)
        linear, square = self._weights[1 : 1 + k].tolist(), np.diag(self._form).tolist()
        off = self._form - np.diag(np.diag(self._form))
        cross = (off + off.T).tolist()
        table = self._table.tolist()
        low, high = [box.lo[j] for j in self._ordered], [box.hi[j] for j in self._ordered]
        at, z = list(low), [table[a][low[a]] for a in range(k)]
        slope = [linear[a] + sum(c * v for c, v in zip(cross[a], z, strict=True)) for a in range(k)]
        mean = float(self.mean(np.array([box.lo], dtype=np.int16))[0])
        stride = [max(1, (high[a] - low[a]) // 4) for a in range(k)]
        while True:
            best, move, coarse = -1.0, None, False
            for a in range(k):
                if at[a] == high[a]:
                    continue
                coarse = coarse or stride[a] > 1
                to = min(at[a] + stride[a], high[a])
                step = table[a][to] - z[a]
                change = step * (slope[a] + square[a] * (table[a][to] + z[a]))
                if mean + change < target:
                    continue
                rate = math.log((to - low[a] + 1) / (at[a] - low[a] + 1)) / max(-change, 1e-9)
                if rate > best:
                    best, move = rate, (a, to, step, change)
            if move is None:
                if not coarse:
                    break
                stride = [max(1, s // 2) for s in stride]
                continue
            a, to, step, change = move
            at[a], z[a], mean = to, table[a][to], mean + change
            for other in range(k):
                slope[other] += cross[other][a] * step
        found = list(box.lo)
        for a, j in enumerate(self._ordered):
            found[j] = at[a]
        return tuple(found)


# ------------------------------------------------------------------------------------------------ one bound each


class Listed:
    """Every architecture has its own bound; the next training is the one expected to close most of what is open.

    Raises:
        ValueError: for a space without a single feasible architecture.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._trained = Trained(problem)
        self._rule: ClaimRule = _RULES[problem.claim](self._trained)
        self._rows = problem.space.listed()
        if not len(self._rows):
            raise ValueError("the space is empty: no architecture meets its constraints; relax them")
        self._position = {tuple(int(v) for v in row): n for n, row in enumerate(self._rows)}
        self._costs = problem.costs(self._rows)
        self._within = problem.within(self._rows)
        self._leq = problem.space.leq(self._rows[:, None, :], self._rows[None, :, :])  # [x, y]: x <= y
        self._highest = np.zeros(len(self._rows))
        self._done = np.zeros(len(self._rows), dtype=np.bool_)
        self._model = ErrorModel(problem.space)

    def tell(self, index: Index, error: float) -> None:
        position = self._position[index]
        self._trained.add(index, error)
        self._done[position] = True
        self._highest = np.maximum(self._highest, np.where(self._leq[:, position], error, 0.0))

    def _open(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        lower = self._trained.lower_bounds(self._highest)
        priority = np.where(self._done, 0.0, self._rule.priority(self._costs, self._within, lower))
        return priority, priority > self._rule.threshold()

    def status(self) -> Status:
        return self._rule.status(float(self._open()[0].max()))

    def ask(self, pending: Sequence[Index] = ()) -> Index | None:
        _, is_open = self._open()
        waiting = [self._position[index] for index in pending]
        is_open[waiting] = False
        if not is_open.any():
            return None
        chosen = self._corner(waiting) if len(self._trained) + len(waiting) < 2 else self._most_closing(is_open, waiting)
        return tuple(int(v) for v in self._rows[chosen])

    def _corner(self, waiting: list[int]) -> int:
        """First the largest architecture (it bounds all others), then the smallest (it spans the errors)."""
        size = np.where(self._done, np.nan, self._costs[:, 1])
        size[waiting] = np.nan
        first = not len(self._trained) and not waiting
        return int(np.nanargmax(size) if first else np.nanargmin(size))

    def _most_closing(self, is_open: NDArray[np.bool_], waiting: list[int]) -> int:
        """Expected number of open architectures that training y closes, y's own included; largest wins."""
        self._model.fit(self._trained.rows, self._trained.errors)
        candidates = np.flatnonzero(~self._done)
        candidates = candidates[~np.isin(candidates, waiting)]
        mean, deviation = self._model.predict(self._rows[candidates])
        targets = np.flatnonzero(is_open)
        weight = np.ones(len(targets))
        if waiting:
            waiting_mean, waiting_deviation = self._model.predict(self._rows[waiting])
            closes = self._closing(np.array(waiting), waiting_mean, waiting_deviation, targets)
            weight = np.prod(1 - closes, axis=0)
        chance = self._closing(candidates, mean, deviation, targets)
        score = chance @ weight + self._gain(candidates, mean, deviation, targets, weight)
        return int(candidates[int(np.argmax(score))])

    def _closing(
        self, candidates: NDArray[np.intp], mean: FloatArray, deviation: FloatArray, targets: NDArray[np.intp]
    ) -> FloatArray:
        """``(candidates, targets)``: probability that training the candidate closes the target."""
        needed = self._rule.needed(self._costs[targets], self._within[targets]) / (1 - self._trained.delta)
        with np.errstate(divide="ignore"):
            log_needed = np.log(needed)
        chance = ndtr((mean[:, None] - log_needed[None, :]) / deviation[:, None])
        chance *= self._leq[np.ix_(targets, candidates)].T
        if self._problem.claim == "front":
            chance = np.maximum(chance, self._covering(candidates, mean, deviation, targets))
        chance[candidates[:, None] == targets[None, :]] = 1.0
        return chance

    def _covering(
        self, candidates: NDArray[np.intp], mean: FloatArray, deviation: FloatArray, targets: NDArray[np.intp]
    ) -> FloatArray:
        """Probability that the candidate itself is as small, as quick and as good as the target could be."""
        factor = self._rule.threshold()
        p, i = self._costs[:, 0], self._costs[:, 1]
        near = (p[candidates][:, None] <= factor * p[targets]) & (i[candidates][:, None] <= factor * i[targets])
        lower = self._trained.lower_bounds(self._highest)[targets]
        with np.errstate(divide="ignore"):
            chance = ndtr((np.log(factor * lower)[None, :] - mean[:, None]) / deviation[:, None])
        larger = self._leq[np.ix_(targets, candidates)].T
        return np.where(near, np.where(larger, 1.0, chance), 0.0)

    def _gain(
        self,
        candidates: NDArray[np.intp],
        mean: FloatArray,
        deviation: FloatArray,
        targets: NDArray[np.intp],
        weight: FloatArray,
    ) -> FloatArray:
        """Open architectures that a better pick would close, were the candidate as good as half a deviation's luck."""
        if self._problem.claim == "front":
            return np.zeros(len(candidates))
        lower = self._trained.lower_bounds(self._highest)
        priority = self._rule.priority(self._costs[targets], self._within[targets], lower[targets])
        hoped = self._rule.merit(self._costs[candidates], self._within[candidates], np.exp(mean - 0.5 * deviation))
        threshold = np.maximum(self._rule.threshold(), hoped / (1 - self._problem.epsilon))
        return (priority[None, :] <= threshold[:, None]) @ weight


# ------------------------------------------------------------------------------------------------------ boxes


class Boxes:
    """Best-first branch and bound over boxes that always partition the space, which is never listed.

    The box with the largest priority is refreshed with the errors trained since it was last looked at; if it still
    leads, an architecture y above its smallest corner is trained, as large as the predicted error allows while closing
    that corner, and the box is cut at y into [lo, y] and the parts that lie above y along one axis.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._space = problem.space
        self._trained = Trained(problem)
        self._rule: ClaimRule = _RULES[problem.claim](self._trained)
        self._model = ErrorModel(problem.space)
        self._fitted = 0
        self._climbed = 0
        self._tie = itertools.count()
        self._heap: list[tuple[float, int, Box, float, int]] = []  # -priority, tie, box, highest error, errors seen
        for root in self._space.roots():
            self._push(root, 0.0, 0)

    # The heap

    def _push(self, box: Box, highest: float, seen: int) -> None:
        tight = self._shrunk(box)
        if tight is None:
            return
        if tight.volume == 1 and tight.lo in self._trained.known:
            return  # trained: its value is exact and counted with the best
        priority = self._priority(tight, highest)
        if priority > 0:
            heapq.heappush(self._heap, (-priority, next(self._tie), tight, highest, seen))

    def _shrunk(self, box: Box) -> Box | None:
        """The hull of the feasible part of a small box; None when nothing in it is feasible."""
        if not self._space.constraints or box.volume > LISTED_LIMIT:
            return box
        points = self._space.points(box)
        if not len(points):
            return None
        return Box(tuple(int(v) for v in points.min(axis=0)), tuple(int(v) for v in points.max(axis=0)))

    def _priority(self, box: Box, highest: float) -> float:
        corner = np.array([box.lo], dtype=np.int16)
        lower = self._trained.lower_bounds(np.array([highest]))
        return float(self._rule.priority(self._problem.costs(corner), self._problem.within(corner), lower)[0])

    def _refreshed(self, box: Box, highest: float, seen: int) -> float:
        news = slice(seen, len(self._trained))
        above = self._space.leq(np.array(box.hi, dtype=np.int16), self._trained.rows[news])
        return max(highest, float(self._trained.errors[news][above].max(initial=0.0)))

    def _settle(self) -> None:
        """Refresh the leading boxes until the leader's priority is up to date."""
        while self._heap:
            _, _, box, highest, seen = self._heap[0]
            if seen == len(self._trained):
                return
            fresh = self._refreshed(box, highest, seen)
            now = self._priority(box, fresh)
            done = box.volume == 1 and box.lo in self._trained.known
            if done or now <= 0:
                heapq.heappop(self._heap)
                continue
            heapq.heapreplace(self._heap, (-now, next(self._tie), box, fresh, len(self._trained)))

    def _rebuild(self) -> None:
        """All priorities again: delta has grown, or the floor fell."""
        entries, self._heap = self._heap, []
        for _, _, box, highest, seen in entries:
            self._push(box, highest, seen)

    # The protocol

    def tell(self, index: Index, error: float) -> None:
        if index in self._trained.known:
            return
        if self._trained.add(index, error):
            self._rebuild()

    def status(self) -> Status:
        self._settle()
        return self._rule.status(-self._heap[0][0] if self._heap else 0.0)

    def ask(self, pending: Sequence[Index] = ()) -> Index | None:
        busy = set(pending)
        aside: list[tuple[float, int, Box, float, int]] = []
        try:
            while True:
                self._settle()
                if not self._heap or -self._heap[0][0] <= self._rule.threshold():
                    return None
                if (climbed := self._climb(busy)) is not None:
                    return climbed
                entry = heapq.heappop(self._heap)
                chosen = self._choose(entry[2], entry[3])
                if chosen is not None and chosen in busy:
                    aside.append(entry)
                    continue
                self._cut(entry, chosen)
                if chosen is not None and chosen not in self._trained.known:
                    return chosen
        finally:
            for entry in aside:
                heapq.heappush(self._heap, entry)

    # Which architecture

    def _choose(self, box: Box, highest: float) -> Index | None:
        """The architecture to train for ``box``; None to cut it without training."""
        if highest == 0 and self._trained.floor == 0:
            return self._buildable(box.lo, box.hi)
        if len(self._trained) >= max(8, 1.3 * self._fitted):
            self._model.fit(self._trained.rows, self._trained.errors)
            self._fitted = len(self._trained)
        return self._buildable(box.lo, self._grown(box))

    def _grown(self, box: Box) -> Index:
        """From lo upwards while the predicted error still closes lo."""
        corner = np.array([box.lo], dtype=np.int16)
        needed = float(self._rule.needed(self._problem.costs(corner), self._problem.within(corner))[0])
        if needed == math.inf:
            return box.lo
        target = math.log(max(needed, 1e-300) / (1 - self._trained.delta)) + 0.3 * self._model.noise
        return self._model.grown(box, target)

    def _buildable(self, lo: Index, y: Index) -> Index | None:
        """y, or a feasible architecture in [lo, y] near it; None where none is easily found."""
        if not self._space.constraints:
            return y
        box = Box(lo, y)
        if box.volume <= LISTED_LIMIT:
            points = self._space.points(box)
            return tuple(int(v) for v in points[int(points.sum(axis=1).argmax())]) if len(points) else None
        return y if self._space.feasible(np.array([y], dtype=np.int16))[0] else None

    def _cut(self, entry: tuple[float, int, Box, float, int], y: Index | None) -> None:
        """Replace the box by [lo, y] and the parts above y, or by halves along the longest axis."""
        _, _, box, highest, seen = entry
        if y is None or y == box.hi:
            if y is not None and box.volume == 1 and y in self._trained.known:
                return
            if y is not None and y not in self._trained.known:
                self._push(box, highest, seen)
                return
            lengths = [h - low for low, h in zip(box.lo, box.hi, strict=True)]
            axis = int(np.argmax(lengths))
            if lengths[axis] == 0:
                return  # a single infeasible point
            at = (box.lo[axis] + box.hi[axis]) // 2
            cut = tuple(at if j == axis else h for j, h in enumerate(box.hi))
        else:
            cut = tuple(min(a, h) for a, h in zip(y, box.hi, strict=True))
        rest = list(box.hi)
        for axis in range(len(rest)):
            if cut[axis] < rest[axis]:
                lo = tuple(cut[axis] + 1 if j == axis else v for j, v in enumerate(box.lo))
                self._push(Box(lo, tuple(rest)), highest, seen)
                rest[axis] = cut[axis]
        self._push(Box(box.lo, tuple(rest)), highest, seen)

    def _climb(self, busy: set[Index]) -> Index | None:
        """Now and then (at doubling counts) the architecture that the model thinks best: a good pick closes boxes."""
        if len(self._trained) < 2 or len(self._trained) < 2 * self._climbed or self._problem.claim == "front":
            return None
        status = self._rule.status(0.0)
        self._model.fit(self._trained.rows, self._trained.errors)
        self._fitted = len(self._trained)
        point = np.array(status.best if status.best is not None else self._trained.rows[-1], dtype=np.int16)
        best = self._hoped(point[None, :])[0]
        tops = np.array([len(p.choices) - 1 for p in self._space.parameters])
        while True:
            moves = [
                np.where(np.arange(len(tops)) == j, np.clip(point + step, 0, tops), point).astype(np.int16)
                for j in range(len(tops))
                for step in (-4, -1, 1, 4)
            ]
            batch = np.array(moves)
            batch = batch[self._space.feasible(batch)]
            hoped = self._hoped(batch)
            if not len(batch) or hoped.max() <= best * (1 + 1e-9):
                break
            point, best = batch[int(np.argmax(hoped))], hoped.max()
        found = tuple(int(v) for v in point)
        if found in self._trained.known or found in busy:
            self._climbed = len(self._trained)
            return None
        return found

    def _hoped(self, rows: IndexArray) -> FloatArray:
        return self._rule.merit(self._problem.costs(rows), self._problem.within(rows), np.exp(self._model.mean(rows)))


def open_frontier(problem: Problem, *, listed_limit: int = LISTED_LIMIT) -> Frontier:
    """The frontier that fits the size of the space."""
    return Listed(problem) if problem.space.num_points <= listed_limit else Boxes(problem)


__all__ = ["Boxes", "Frontier", "Listed", "Status", "open_frontier", "prefactor"]
