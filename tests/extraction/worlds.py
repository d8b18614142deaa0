"""Random worlds for the laws of the search: a space, costs and errors, all drawn from one seed, with the truth listed.

Nothing here uses the search or the certificate: the truth is brute force over every architecture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subarch.extraction.problem import Claim, Limit, Problem
from subarch.networks.space import Constraint, Index, Parameter, Space


@dataclass(frozen=True)
class World:
    """A space with listed truth: ``rows`` (n, k), ``costs`` (n, 2), ``errors`` (n,)."""

    space: Space
    rows: np.ndarray
    costs: np.ndarray
    errors: np.ndarray
    reference: tuple[float, float]

    def position(self, index: Index) -> int:
        return int(np.flatnonzero((self.rows == np.array(index)).all(axis=1))[0])

    def evaluate(self, index: Index) -> float:
        return float(self.errors[self.position(index)])

    def cost(self, indices: np.ndarray) -> np.ndarray:
        """Costs of any grid point, feasible or not: the bounds may look at corners that constraints remove."""
        return _costs(self.space, indices)

    def problem(self, claim: Claim, epsilon: float, *, share: float = 0.5, delta: float = 0.0) -> Problem:
        limits: tuple[Limit, ...] = ()
        if claim == "constrained":
            maximum = float(np.quantile(self.costs[:, 1], share))
            limits = (Limit(name="macs", maximum=maximum, values=lambda indices: self.cost(indices)[:, 1]),)
        return Problem(
            space=self.space,
            costs=self.cost,
            reference=self.reference,
            claim=claim,
            epsilon=epsilon,
            limits=limits,
            delta=delta,
        )

    # The truth, by brute force

    def w(self) -> np.ndarray:
        return np.prod(np.maximum(0, 1 - self.costs / np.array(self.reference)), axis=1) / self.errors

    def distance(self, problem: Problem, trained: dict[Index, float], best: Index | None) -> float:
        """How far the answer really is from the best: the true epsilon of the claim."""
        if problem.claim == "front":
            at = [self.position(index) for index in trained]
            factors = [
                np.maximum.reduce(
                    [
                        self.costs[z, 0] / self.costs[:, 0],
                        self.costs[z, 1] / self.costs[:, 1],
                        self.errors[z] / self.errors,
                    ]
                )
                for z in at
            ]
            return float(np.min(factors, axis=0).max() - 1)
        assert best is not None
        if problem.claim == "w":
            return float(1 - self.w()[self.position(best)] / self.w().max())
        within = problem.within(self.rows)
        assert within[self.position(best)]
        return float(1 - self.errors[within].min() / self.errors[self.position(best)])

    def true_delta(self) -> float:
        """The largest violation of monotony among all comparable pairs."""
        leq = self.space.leq(self.rows[:, None, :], self.rows[None, :, :])
        return float(np.where(leq, 1 - self.errors[:, None] / self.errors[None, :], 0.0).max())


def _costs(space: Space, indices: np.ndarray) -> np.ndarray:
    """Any two strictly monotone functions of the values; unordered values do not count."""
    ordered = [j for j, parameter in enumerate(space.parameters) if parameter.ordered]
    values = np.stack([np.asarray(space.parameters[j].choices, dtype=float)[indices[:, j]] for j in ordered], axis=1)
    p = 50 + values.sum(axis=1) + 0.1 * np.prod(values, axis=1)
    i = 20 + (values**2).sum(axis=1) + values[:, 0] * values[:, -1]
    return np.stack([p, i], axis=1)


def draw(seed: int, *, constraints: bool = True, breaks: float = 0.0) -> World:
    """A world of 2 to about 250 architectures: 1 to 4 parameters, some unordered, T inside or above the space.

    Errors fall along the order: a running minimum over everything smaller of random values, so plateaus and jumps of
    any size occur. With ``breaks`` each error is multiplied by a random factor of up to 1 +- breaks.
    """
    rng = np.random.default_rng(seed)
    while True:
        count = int(rng.integers(1, 5))
        parameters: list[Parameter] = []
        for j in range(count):
            size = int(rng.integers(1, 7 if count < 4 else 5))
            if j > 0 and rng.random() < 0.2:
                parameters.append(Parameter(name=f"x{j}", choices=tuple("abcdef"[:size]), ordered=False))
            else:
                values = np.sort(rng.choice(np.arange(1, 40), size=size, replace=False))
                parameters.append(Parameter(name=f"x{j}", choices=tuple(int(v) for v in values)))
        conditions: list[Constraint] = []
        names = [p.name for p in parameters if p.ordered]
        if constraints and len(names) > 1 and rng.random() < 0.4:
            a, b = rng.choice(names, size=2, replace=False)
            conditions.append(
                Constraint(
                    [f"({a} + {b}) % 3 != 0", f"{a} <= 2 * {b}", f"{a} % 2 == 0 or {b} > 5"][int(rng.integers(3))]
                )
            )
        space = Space(tuple(parameters), tuple(conditions))
        rows = space.listed()
        if 2 <= len(rows) <= 250:
            break
    costs = _costs(space, rows)
    raw = np.exp(rng.normal(size=len(rows)) * rng.choice([0.05, 0.5, 1.5])) * rng.choice([1e-3, 1.0, 50.0])
    leq = space.leq(rows[:, None, :], rows[None, :, :])
    errors = np.array([raw[leq[:, n]].min() for n in range(len(rows))])
    if breaks:
        errors = errors * (1 + breaks * rng.uniform(-1, 1, size=len(rows)))
    scale = float(rng.choice([1.0, 1.05, 3.0]))  # 1.0: T is the largest architecture itself
    top = costs.max(axis=0) * scale
    return World(space, rows, costs, errors, (float(top[0]), float(top[1])))
