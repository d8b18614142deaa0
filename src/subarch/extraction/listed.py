"""What is open where every architecture can be listed: all of them are looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from subarch.errors import InputError
from subarch.extraction.claims import RULES, ClaimRule, Status, Trained, parts
from subarch.extraction.frontier import NEARLY
from subarch.extraction.prediction import ErrorProcess
from subarch.extraction.problem import FloatArray, Problem
from subarch.networks.space import Index

FORESEEN = 1 << 22
"""Pairs of architectures for which a forecast is made."""

PROMISING = 1.05
"""A network that is expected to be so much better than the pick is trained for its own sake."""


class Listed:
    """Every architecture has its own bound; the next training is the one expected to close most of what is open.

    Raises:
        ValueError: for a space without a single feasible architecture.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._trained = Trained(problem)
        self._rule: ClaimRule = RULES[problem.claim](self._trained)
        self._rows = problem.space.listed()
        if not len(self._rows):
            raise InputError("the space is empty: no architecture meets its constraints; relax them")
        self._position = {tuple(int(v) for v in row): n for n, row in enumerate(self._rows)}
        self._costs = problem.costs(self._rows)
        self._within = problem.within(self._rows)
        self._leq = problem.space.leq(self._rows[:, None, :], self._rows[None, :, :])  # [x, y]: x <= y
        self._highest = np.zeros(len(self._rows))
        self._lowest = np.full(len(self._rows), np.inf)
        self._done = np.zeros(len(self._rows), dtype=np.bool_)
        self._model = ErrorProcess(problem.space)

    def tell(self, index: Index, error: float) -> None:
        position = self._position[index]
        self._done[position] = True
        if error == math.inf:
            self._trained.exclude(index)
            return
        self._trained.add(index, error)
        self._highest = np.maximum(self._highest, np.where(self._leq[:, position], error, 0.0))
        self._lowest = np.minimum(self._lowest, np.where(self._leq[position], error, np.inf))

    def _open(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        lower = self._trained.lower_bounds(self._highest)
        priority = np.where(self._done, 0.0, self._rule.priority(self._costs, self._within, lower))
        return priority, priority > self._rule.threshold()

    def status(self) -> Status:
        return self._rule.status(float(self._open()[0].max()))

    def ask(self, pending: Sequence[Index] = ()) -> Index | None:
        _, is_open = self._open()
        waiting = np.array([self._position[index] for index in pending], dtype=np.intp)
        is_open[waiting] = False
        if not is_open.any():
            return None
        free = ~self._done
        free[waiting] = False
        candidates = np.flatnonzero(free)
        chosen = self._first(candidates) if not len(self._trained) else self._next(candidates, waiting)
        return tuple(int(v) for v in self._rows[chosen])

    @property
    def delta(self) -> float:
        return self._trained.delta

    def forecast(self) -> int | None:
        """How many trainings would close what is open, were all errors as predicted and the pick the best of them."""
        if len(self._trained) < 2:
            return None
        candidates = np.flatnonzero(~self._done)
        mean, _, threshold = self._expected(candidates)
        targets = self._still_open(threshold)
        if len(candidates) * len(targets) > FORESEEN:
            return None
        needed = self._rule.needed(self._costs[targets], self._within[targets], threshold)
        closes = self._leq[np.ix_(targets, candidates)].T
        closes &= ((1 - self._trained.delta) * np.exp(mean))[:, None] >= needed
        closes |= candidates[:, None] == targets
        left, count = closes.sum(axis=1), 0
        while len(targets) and left.max() > 0:
            taken = closes[int(np.argmax(left))].copy()
            left -= closes[:, taken].sum(axis=1)
            closes[:, taken] = False
            count += 1
        return count

    # Which architecture

    def _first(self, candidates: NDArray[np.intp]) -> int:
        """The largest architecture that may be the answer: it bounds all of those."""
        within = candidates[self._within[candidates]]
        some = within if len(within) else candidates
        return int(some[int(np.argmax(self._costs[some, 1]))])

    def _next(self, candidates: NDArray[np.intp], waiting: NDArray[np.intp]) -> int:
        """The architecture that promises to be a better pick, or else the one that closes most beside the hoped one."""
        mean, deviation, threshold = self._expected(candidates)
        hoped = self._rule.merit(self._costs[candidates], self._within[candidates], np.exp(mean))
        targets = self._still_open(threshold)
        targets = targets[~np.isin(targets, waiting)]
        if not len(targets) or threshold > PROMISING * self._rule.threshold():
            return int(candidates[int(np.argmax(hoped))])
        weight = np.ones(len(targets))
        if len(waiting):
            closes = self._closing(waiting, *self._model.predict(self._rows[waiting]), targets, threshold)
            weight = np.prod(1 - closes, axis=0)
        score = np.concatenate(
            [
                self._closing(candidates[part], mean[part], deviation[part], targets, threshold) @ weight
                for part in parts(len(candidates), len(targets))
            ]
        )
        some = candidates[score >= NEARLY * score.max()]
        return int(some[int(np.argmin(self._costs[some, 1]))])  # of equals, the one that is trained soonest

    def _expected(self, candidates: NDArray[np.intp]) -> tuple[FloatArray, FloatArray, float]:
        """Mean and deviation of log e of the candidates, and the threshold were the best of them as good as that."""
        if not len(candidates):
            return np.zeros(0), np.zeros(0), self._rule.threshold()
        self._model.fit(self._trained.rows, self._trained.errors)
        mean, deviation = self._model.predict(self._rows[candidates])
        hoped = self._rule.merit(self._costs[candidates], self._within[candidates], np.exp(mean)).max()
        return mean, deviation, max(self._rule.threshold(), float(hoped) / (1 - self._trained.epsilon))

    def _still_open(self, threshold: float) -> NDArray[np.intp]:
        """What would be open at a threshold."""
        return np.flatnonzero(self._open()[0] > threshold)

    def _closing(
        self,
        candidates: NDArray[np.intp],
        mean: FloatArray,
        deviation: FloatArray,
        targets: NDArray[np.intp],
        threshold: float,
    ) -> FloatArray:
        """``(candidates, targets)``: probability that training the candidate closes the target."""
        needed = self._rule.needed(self._costs[targets], self._within[targets], threshold)
        with np.errstate(divide="ignore"):
            log_needed = np.log(needed / (1 - self._trained.delta))
        chance = self._above(candidates, mean, deviation, log_needed)
        chance *= self._leq[np.ix_(targets, candidates)].T
        if self._problem.claim == "front":
            chance = np.maximum(chance, self._covering(candidates, mean, deviation, targets))
        chance[candidates[:, None] == targets[None, :]] = 1.0
        return chance

    def _above(
        self, candidates: NDArray[np.intp], mean: FloatArray, deviation: FloatArray, levels: FloatArray
    ) -> FloatArray:
        """``(candidates, levels)``: probability that the error lies above; between those of smaller and larger ones."""
        with np.errstate(divide="ignore"):
            low = np.log(self._trained.lower_bounds(self._highest)[candidates])
            high = np.log(self._lowest[candidates] / (1 - self._trained.delta))
        top, bottom = ndtr((high - mean) / deviation), ndtr((low - mean) / deviation)
        level = np.clip(levels[None, :], low[:, None], high[:, None])
        left = ndtr((level - mean[:, None]) / deviation[:, None])
        room = np.maximum(top - bottom, 1e-12)
        chance = np.clip((top[:, None] - left) / room[:, None], 0, 1)
        return np.where(levels[None, :] <= low[:, None], 1.0, np.where(levels[None, :] > high[:, None], 0.0, chance))

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
