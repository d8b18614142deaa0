"""Predicted errors, which steer the search and touch no guarantee."""

from __future__ import annotations

import itertools
import math

import numpy as np

from subarch.extraction.problem import FloatArray
from subarch.networks.space import Box, Index, IndexArray, Space


def _axes(space: Space) -> tuple[list[int], FloatArray]:
    """Which parameters are ordered and vary, and log values of each in [-1, 1], a row a parameter."""
    ordered = [j for j, p in enumerate(space.parameters) if p.ordered and len(p.choices) > 1]
    table = np.zeros((len(ordered), max((len(space.parameters[j].choices) for j in ordered), default=1)))
    for row, j in enumerate(ordered):
        values = np.array(space.parameters[j].choices, dtype=np.float64)
        scale = np.log(values) if values[0] > 0 else np.arange(len(values), dtype=np.float64)
        table[row, : len(values)] = 2 * (scale - scale[0]) / ((scale[-1] - scale[0]) or 1.0) - 1
    return ordered, table


class ErrorProcess:
    """A Gaussian process of log e: gentle falls along every ordered parameter, and a smooth rest.

    How rough the rest is, over what distance, and how loud the noise, is what explains the trained errors best.

    Source: C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5.
    """

    SLOPE, ITS_DEVIATION = -0.2, 0.2  # of log e, over half of a parameter's range
    LEVEL, UNORDERED = 3.0, 0.1  # deviations of the mean, and of what a word adds to it
    ROUGH, DISTANCE, NOISE = (0.02, 0.06, 0.15, 0.3), (0.5, 1.2), (0.003, 0.03)

    def __init__(self, space: Space) -> None:
        self._ordered, self._table = _axes(space)
        self._words = [j for j in range(len(space.parameters)) if not space.ordered[j]]
        self._rough, self._distance, self._noise = self.ROUGH[1], self.DISTANCE[1], self.NOISE[0]
        self._rows: IndexArray = np.zeros((0, len(space.parameters)), dtype=np.int16)
        self._lower, self._half = np.zeros((0, 0)), np.zeros(0)

    def fit(self, indices: IndexArray, errors: FloatArray) -> None:
        """Take in trained architectures, at least one."""
        residual = np.log(errors) - self._trend(indices)
        steady, apart = self._steady(indices, indices), self._apart(indices, indices)
        best = -math.inf
        for rough, distance in itertools.product(self.ROUGH, self.DISTANCE):
            smooth = steady + rough**2 * np.exp(-0.5 * apart / distance**2)
            for noise in self.NOISE:
                lower = np.linalg.cholesky(smooth + noise**2 * np.eye(len(residual)))
                half = np.linalg.solve(lower, residual)
                evidence = -0.5 * float(half @ half) - float(np.log(np.diag(lower)).sum())
                evidence -= 0.5 * math.log(rough / self.ROUGH[1]) ** 2  # of few errors, which fit anything
                if evidence > best:
                    best, self._lower, self._half = evidence, lower, half
                    self._rough, self._distance, self._noise = rough, distance, noise
        self._rows = indices.copy()

    def predict(self, indices: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of log e."""
        shared = self._steady(indices, self._rows)
        shared += self._rough**2 * np.exp(-0.5 * self._apart(indices, self._rows) / self._distance**2)
        explained = np.linalg.solve(self._lower, shared.T)
        z = self._scaled(indices)
        prior = self.LEVEL**2 + self.ITS_DEVIATION**2 * (z * z).sum(axis=1) + self._rough**2
        prior += len(self._words) * self.UNORDERED**2
        spread = np.maximum(prior - (explained * explained).sum(axis=0), 0.0) + self._noise**2
        return self._trend(indices) + explained.T @ self._half, np.sqrt(spread)

    def _scaled(self, indices: IndexArray) -> FloatArray:
        return self._table[np.arange(len(self._ordered)), indices[:, self._ordered]]

    def _trend(self, indices: IndexArray) -> FloatArray:
        return self.SLOPE * self._scaled(indices).sum(axis=1)

    def _steady(self, one: IndexArray, other: IndexArray) -> FloatArray:
        """Covariances of level, slopes and words."""
        found = self.LEVEL**2 + self.ITS_DEVIATION**2 * (self._scaled(one) @ self._scaled(other).T)
        for j in self._words:
            found += self.UNORDERED**2 * (one[:, j][:, None] == other[:, j])
        return found

    def _apart(self, one: IndexArray, other: IndexArray) -> FloatArray:
        """Squared distances."""
        a, b = self._scaled(one), self._scaled(other)
        return np.maximum((a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T, 0.0)


class ErrorModel:
    """Bayesian regression of log e on a quadratic form in the log parameters (unordered ones: indicators).

    Only steers the search. Prior: errors fall gently along every ordered parameter.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._ordered, self._table = _axes(space)
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
