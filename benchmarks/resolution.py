"""How often noise makes a certificate false: random worlds with errors that never grow along the order, and noise.

A search sees each error once, with noise of q times epsilon (a share of the error, independent from training to
training: the worst case, since candidates that share batches share some of it). Repeats of the pick, the smallest
network and one in the middle say how loud it is; the verdict follows by the public rule. A certificate is false where
the pick (or the front) is farther from the best than epsilon, by the errors without noise.

    python benchmarks/resolution.py [--worlds 500]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from minimum import EPSILON, SIZES, World, world
from results import Results
from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import decisive, verdict
from subarch.extraction.noise import SEPARATING, relative_noise
from subarch.extraction.problem import Claim, Problem
from subarch.extraction.search import search
from subarch.extraction.study import Purpose, Trial
from subarch.networks.space import Index

LOUD = (0.05, 0.1, 0.2, 0.33, 0.5, 1.0, 2.0, 5.0)
REPEATS = 4


def distance(one: World, problem: Problem, trained: list[int], pick: int) -> float:
    """How far the answer is from the best, by the errors without noise."""
    errors, costs = one.errors, one.costs
    if problem.claim == "front":
        factors = [np.maximum((costs[z] / costs).max(axis=1), errors[z] / errors) for z in trained]
        return float(np.min(factors, axis=0).max() - 1)
    if problem.claim == "constrained":
        return float(1 - errors[problem.within(one.rows)].min() / errors[pick])
    w = np.prod(np.maximum(0, 1 - costs / np.array(problem.reference)), axis=1) / errors
    return float(1 - w[pick] / w.max())


def asked(
    one: World, claim: Claim, noise: float, rng: np.random.Generator, coarsest: float | None
) -> tuple[str, bool, float]:
    """The verdict of one search, whether the answer is within epsilon, and which epsilon that is."""
    problem = replace(one.problem(claim), coarsest=coarsest)
    place = {tuple(row): n for n, row in enumerate(one.rows.tolist())}

    def measured(index: Index) -> float:
        return float(one.errors[place[index]] * np.exp(noise * rng.normal()))

    errors = search(problem, measured).errors
    derived = derive(problem, errors)

    def trial(index: Index, error: float, purpose: Purpose, repeat: int = 0) -> Trial:
        p, i = one.costs[place[index]]
        architecture = one.space.architecture(index)
        return Trial(number=0, purpose=purpose, architecture=architecture, parameters=p, cost=i, error=error,
                     details={"repeat": repeat})  # fmt: skip

    trials = [trial(index, error, "search") for index, error in errors.items()]
    pick = decisive(problem, trials, derived)
    assert pick is not None and derived.best is not None
    order = np.argsort(one.costs[:, 1])
    places: list[Index] = [pick, *(tuple(one.rows[order[n]].tolist()) for n in (0, len(order) // 2))]
    trials += [
        trial(index, measured(index), "repeat", n) for index in dict.fromkeys(places) for n in range(1, REPEATS + 1)
    ]
    loud = relative_noise(trials, one.space, pick, 0.0)
    epsilon = problem.grade(derived.delta, SEPARATING * (loud or 0.0))
    name, _ = verdict(derived, claim=claim, epsilon=epsilon, noise=loud, counts_hold=True)
    away = distance(one, problem, [place[index] for index in errors], place[derived.best])
    return name, away <= epsilon + 1e-12, epsilon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=500, help="for each claim and loudness")
    parser.add_argument("--coarsest", type=float, help="a coarser epsilon counts up to this, where noise needs one")
    given = parser.parse_args()
    results = Results("resolution", str(__doc__).split("\n\n    ")[0])
    for claim in ("w", "constrained", "front"):
        for q in LOUD:
            found = []
            for seed in range(given.worlds):
                one = world(seed, SIZES["about 100"], rough=bool(seed % 2))
                rng = np.random.default_rng([seed, round(100 * q)])
                found.append(asked(one, claim, q * EPSILON, rng, given.coarsest))
            certified = [right for name, right, _ in found if name == "certified"]
            results.row(
                "verdicts",
                {
                    "claim": claim,
                    "noise / epsilon": q,
                    "worlds": len(found),
                    "certified": len(certified),
                    "of these false": certified.count(False),
                    "false, of all": f"{certified.count(False) / len(found):.2%}",
                    "unresolved": sum(name == "unresolved" for name, _, _ in found),
                    "epsilon of these": float(
                        np.median([e for name, _, e in found if name == "certified"] or [np.nan])
                    ),
                    "wrong answers": sum(not right for _, right, _ in found),
                },
            )
    results.note(f"Epsilon asked: {EPSILON:g}; the coarsest that counts: {given.coarsest or EPSILON:g}.")
    results.write()


if __name__ == "__main__":
    main()
