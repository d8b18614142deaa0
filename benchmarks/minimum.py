"""Trainings of the search against the fewest that can prove the same claim, found by an integer programme.

Worlds of about 100 and about 300 architectures whose errors are known and never grow along the order. Smooth ones fall
by a power of every parameter; in rough ones a running minimum of random values adds plateaus and jumps. Which set of
trainings is the smallest one that proves a claim within epsilon is a covering problem: every architecture must be
trained, or lie below one that is and whose error is high enough (for ``front``: beside one that is as small and as
good, too). No search can know that set beforehand; it is the limit that one can approach.

Time counts as well: where a training takes as long as its network has operations, the same searches are compared with
the same search blind to that.

    python benchmarks/minimum.py [--worlds 30]
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix, lil_matrix

from results import Results
from subarch.extraction.problem import Claim, Limit, Problem
from subarch.extraction.search import search
from subarch.networks.space import Parameter, Space

SIZES = {"about 100": (5, 5, 4), "about 300": (7, 7, 6)}
EPSILON = 0.1


@dataclass(frozen=True)
class World:
    space: Space
    rows: np.ndarray
    costs: np.ndarray
    errors: np.ndarray

    def problem(self, claim: Claim) -> Problem:
        limits: tuple[Limit, ...] = ()
        if claim == "constrained":
            maximum = float(np.quantile(self.costs[:, 1], 0.5))
            limits = (Limit(name="macs", maximum=maximum, values=lambda at: self.cost(at)[:, 1]),)
        top = self.costs.max(axis=0) * 1.05
        return Problem(
            space=self.space,
            costs=self.cost,
            reference=(float(top[0]), float(top[1])),
            claim=claim,
            epsilon=EPSILON,
            limits=limits,
        )

    def cost(self, at: np.ndarray) -> np.ndarray:
        return costs_of(
            np.stack([np.asarray(p.choices)[at[:, j]] for j, p in enumerate(self.space.parameters)], axis=1)
        )

    def evaluate(self, index: tuple[int, ...]) -> float:
        return float(self.errors[np.flatnonzero((self.rows == np.array(index)).all(axis=1))[0]])


def costs_of(values: np.ndarray) -> np.ndarray:
    """As of an encoder: layers, width, intermediate size."""
    layers, width, inner = values.T.astype(float)
    block = layers * (4 * width * width + 2 * width * inner)
    return np.stack([30000 * width + block, block + 1000 * width], axis=1)


def world(seed: int, sizes: tuple[int, ...], *, rough: bool) -> World:
    rng = np.random.default_rng(seed)
    choices = (
        tuple(range(2, 2 + 2 * sizes[0], 2)),
        tuple(range(128, 128 * (sizes[1] + 1), 128)),
        tuple(range(256, 256 * (sizes[2] + 1), 256)),
    )
    names = ("layers", "width", "inner")
    space = Space(tuple(Parameter(name=name, choices=one) for name, one in zip(names, choices, strict=True)))
    rows = space.listed()
    values = np.stack([np.asarray(one)[rows[:, j]] for j, one in enumerate(choices)], axis=1).astype(float)
    scaled = values / values.min(axis=0)
    powers, shares = rng.uniform(0.3, 1.5, 3), rng.dirichlet(np.ones(3))
    errors = rng.uniform(0.02, 0.3) + (shares * scaled**-powers).sum(axis=1)
    if rough:
        errors = errors * np.exp(rng.normal(0, 0.25, len(errors)))
        below = space.leq(rows[:, None, :], rows[None, :, :])
        errors = np.array([errors[below[:, n]].min() for n in range(len(rows))])
    return World(space, rows, costs_of(values), errors)


def fewest(world: World, problem: Problem) -> int:
    """Size of the smallest set of trainings that proves the claim."""
    if problem.claim == "front":
        return _fewest_of_front(world)
    leq = world.space.leq(world.rows[:, None, :], world.rows[None, :, :])
    if problem.claim == "w":
        g = np.prod(np.maximum(0, 1 - world.costs / np.array(problem.reference)), axis=1)
        value, qualifies = g / world.errors, np.ones(len(g), dtype=bool)
        matters = np.ones(len(g), dtype=bool)

        def needed(best: float) -> np.ndarray:
            return g * (1 - EPSILON) / best
    else:
        qualifies = matters = problem.within(world.rows)
        value = np.where(qualifies, 1 / world.errors, 0)

        def needed(best: float) -> np.ndarray:
            return np.full(len(value), (1 - EPSILON) / best)

    order = [int(n) for n in np.argsort(-value) if qualifies[n] and value[n] >= (1 - EPSILON) * value.max()]
    least = _cover(leq, world.errors, needed(value[order[0]]), matters, None)  # of any pick: the best closes most
    found = _cover(leq, world.errors, needed(value[order[0]]), matters, order[0])
    for pick in order[1:]:
        if found == least:
            break
        found = min(found, _cover(leq, world.errors, needed(value[pick]), matters, pick))
    return found


def _cover(leq: np.ndarray, errors: np.ndarray, needed: np.ndarray, matters: np.ndarray, pick: int | None) -> int:
    covers = leq & (errors[None, :] >= needed[:, None])
    np.fill_diagonal(covers, True)
    lowest = np.zeros(len(errors))
    if pick is not None:
        lowest[pick] = 1
    solved = milp(
        np.ones(len(errors)),
        integrality=np.ones(len(errors)),
        bounds=Bounds(lowest, 1),
        constraints=LinearConstraint(csr_matrix(covers[matters].astype(float)), 1, np.inf),
    )
    return round(solved.fun)


def _fewest_of_front(world: World) -> int:
    """Each architecture is trained, or at some level E bounded from below by E and covered up to (1 + epsilon) E."""
    n = len(world.errors)
    leq = world.space.leq(world.rows[:, None, :], world.rows[None, :, :])
    near = (world.costs[None, :, :] <= (1 + EPSILON) * world.costs[:, None, :]).all(axis=2)
    levels = [(x, level) for x in range(n) for level in np.unique(world.errors[leq[x]])]
    rows = n + 2 * len(levels)
    matrix = lil_matrix((rows, n + len(levels)))
    lower = np.zeros(rows)
    for x in range(n):
        matrix[x, x], lower[x] = 1, 1
    for k, (x, level) in enumerate(levels):
        matrix[x, n + k] = 1
        for row, kind in (
            (n + 2 * k, leq[x] & (world.errors >= level)),
            (n + 2 * k + 1, near[x] & (world.errors <= (1 + EPSILON) * level)),
        ):
            for z in np.flatnonzero(kind):
                matrix[row, z] = 1
            matrix[row, n + k] = -1
    cost = np.concatenate([np.ones(n), np.zeros(len(levels))])
    whole = np.concatenate([np.ones(n), np.zeros(len(levels))])
    solved = milp(
        cost,
        integrality=whole,
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(csr_matrix(matrix), lower, np.inf),
        options={"time_limit": 60},
    )
    return round(solved.fun) if solved.status == 0 else -1


def median(values: list[float]) -> float:
    return round(statistics.median(values), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=30)
    parser.add_argument("--claims", nargs="+", default=["w", "constrained", "front"])
    given = parser.parse_args()
    results = Results("minimum", str(__doc__).split("\n\n    ")[0])
    for size, sizes in SIZES.items():
        for rough in (False, True):
            for claim in given.claims:
                ratios: list[float] = []
                times: list[float] = []
                counts: list[float] = []
                for seed in range(given.worlds):
                    one = world(seed, sizes, rough=rough)
                    problem = one.problem(claim)
                    trained = search(problem, one.evaluate).errors
                    at = [int(np.flatnonzero((one.rows == np.array(index)).all(axis=1))[0]) for index in trained]
                    times.append(float(one.costs[at, 1].sum() / one.costs[:, 1].max()))
                    counts.append(len(trained))
                    least = fewest(one, problem)
                    if least > 0:
                        ratios.append(len(trained) / least)
                results.row(
                    "trainings",
                    {
                        "architectures": size,
                        "errors": "rough" if rough else "smooth",
                        "claim": claim,
                        "trained": median(counts),
                        "of the minimum": median(ratios),
                        "worst": round(max(ratios), 2),
                        "worlds": len(ratios),
                        "in trainings of the largest": median(times),
                    },
                )
    if given.worlds >= 30:
        results.write()


if __name__ == "__main__":
    main()
