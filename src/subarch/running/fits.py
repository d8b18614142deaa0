"""Monotone functions of few readings: the nearest one at the readings themselves, and polynomials between them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls
from scipy.sparse import coo_array, hstack, identity, vstack

from subarch.networks.space import Space
from subarch.running.timing import FloatArray


def isotonic(space: Space, indices: NDArray[Any], values: FloatArray) -> FloatArray:
    """The monotone positive function nearest to ``values`` in the sum of absolute log ratios, at ``indices``.

    Absolute deviations, not squares or the largest one: a machine that was busy for a moment spoils a reading, and that
    reading must not lift everything above it. A linear programme in the logarithms.

    Args:
        space: whose order counts.
        indices: ``(architectures, parameters)``.
        values: ``(architectures,)``, positive.
    """
    count = len(values)
    if all((values[space.leq(index, indices)] >= value).all() for index, value in zip(indices, values, strict=True)):
        return values
    below, above = np.nonzero(space.leq(indices[:, None, :], indices[None, :, :]) & ~np.eye(count, dtype=np.bool_))
    level = np.log(values)
    # Variables: the fit f, and t >= |f - level|; minimise the sum of t with f[below] <= f[above].
    rows = np.arange(len(below))
    order = coo_array(
        (np.repeat([1.0, -1.0], len(below)), (np.tile(rows, 2), np.concatenate([below, above]))),
        shape=(len(below), 2 * count),
    )
    unit = identity(count, format="coo")
    over, under = hstack([unit, -unit]), hstack([-unit, -unit])
    found = linprog(
        np.repeat([0.0, 1.0], count),
        A_ub=vstack([order, over, under]).tocsr(),
        b_ub=np.concatenate([np.zeros(len(below)), level, -level]),
        bounds=(None, None),
    )
    assert found.success, found.message
    # Undo rounding of the solver: the largest value below a point is monotone exactly.
    fitted = np.exp(found.x[:count])
    return np.array([fitted[space.leq(indices, index)].max() for index in indices])


@dataclass(frozen=True)
class Features:
    """Monomials of the ordered parameters, each scaled to [0, 1], and plain terms for each unordered choice.

    Non-negative coefficients make every such function monotone along the order.
    """

    space: Space
    degree: int

    def __call__(self, indices: NDArray[Any]) -> FloatArray:
        """``(architectures, features)``; the first column is constant."""
        columns = self.space.columns(indices)
        scaled: list[FloatArray] = []
        switches: list[FloatArray] = []
        for parameter in self.space.parameters:
            values = columns[parameter.name]
            if parameter.ordered:
                low, high = (float(cast("float", c)) for c in (parameter.choices[0], parameter.choices[-1]))
                scaled.append((values.astype(np.float64) - low) / (high - low if high > low else 1.0))
            else:
                switches += [(values == choice).astype(np.float64) for choice in parameter.choices]
        one = np.ones(len(indices))
        powers = [
            cast("FloatArray", np.prod([one, *combination], axis=0))
            for degree in range(self.degree + 1)
            for combination in itertools.combinations_with_replacement(scaled, degree)
        ]
        return np.stack([*powers, *(switch * term for switch in switches for term in (one, *scaled))], axis=1)

    @classmethod
    def of(cls, space: Space, count: int) -> Features:
        """Those of which there are so many."""
        lowest = np.zeros((1, len(space.parameters)), dtype=np.int16)
        return next(one for one in (cls(space, n) for n in (3, 2, 1)) if one(lowest).shape[1] <= count)

    @classmethod
    def fitting(cls, space: Space, samples: int) -> Features:
        """The richest set, of total degree up to 3, with at most twice as many features as samples; at least linear.

        More than there are samples, as most coefficients of a fit without negative ones are zero.
        """
        return cls.of(
            space, max(2 * samples, cls(space, 1)(np.zeros((1, len(space.parameters)), dtype=np.int16)).shape[1])
        )


def least_relative_squares(features: FloatArray, values: FloatArray) -> FloatArray:
    """Coefficients from zero on, ``(features,)``, by the squares of relative errors."""
    # Rows divided by their value: relative errors count, a small network's as much as a large one's.
    coefficients, _ = nnls(features / values[:, None], np.ones(len(values)))
    return coefficients
