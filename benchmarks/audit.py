"""What an audit finds, and whether its statement is true: worlds in which one width is worse than its size says.

Errors never grow along the order, but for one width (or, in every fourth world, none) whose networks are all worse, by
a share that is drawn. A search that trains such a network takes its error for a bound on all smaller ones. Its
certificate is false where the answer is farther from the best than epsilon. Ten untrained networks are then drawn as
`extract --audit 10` draws them and compared with their bounds.

    python benchmarks/audit.py [--worlds 2000]
"""

from __future__ import annotations

import argparse
import itertools
import math

import numpy as np

from minimum import EPSILON, SIZES, World, world
from resolution import distance
from results import Results
from subarch.extraction.audit import compared, drawn, untrained
from subarch.extraction.certificate import derive, lower_bounds
from subarch.extraction.conclusions import ROUNDING
from subarch.extraction.problem import Claim
from subarch.extraction.search import search
from subarch.networks.space import Index

AUDITS = 10
CLAIMS: tuple[Claim, ...] = ("w", "constrained", "front")


def with_a_bad_width(seed: int) -> World:
    """One width that is worse by 10 to 60 %, none in every fourth world."""
    one, rng = world(seed, SIZES["about 100"], rough=bool(seed % 2)), np.random.default_rng([seed, 7])
    bad = one.rows[:, 1] == rng.integers(SIZES["about 100"][1])
    worse = 1.0 if seed % 4 == 3 else float(rng.uniform(1.1, 1.6))
    return World(one.space, one.rows, one.costs, np.where(bad, one.errors * worse, one.errors))


def audited(seed: int, claim: Claim) -> dict[str, float | bool]:
    """One search and one audit of it, against what is true."""
    one = with_a_bad_width(seed)
    problem, place = one.problem(claim), {tuple(row): n for n, row in enumerate(one.rows.tolist())}

    def evaluate(index: Index) -> float:
        return float(one.errors[place[index]])

    errors = search(problem, evaluate).errors
    derived = derive(problem, errors)
    assert derived.best is not None and derived.achieved is not None
    rest = untrained(problem, errors)
    assert rest is not None
    points: list[Index] = [tuple(row) for row in rest.tolist()]
    bounds = lower_bounds(problem, errors, points)
    below = [evaluate(index) < least for index, least in zip(points, bounds, strict=True)]
    found = compared(
        problem,
        errors,
        {index: evaluate(index) for index in itertools.islice(drawn(problem, errors, f"{seed:032x}"), AUDITS)},
        len(points),
    )
    away = distance(one, problem, [place[index] for index in errors], place[derived.best])
    return {
        "certified": derived.achieved <= EPSILON + ROUNDING and derived.delta < EPSILON,
        "false": away > EPSILON + 1e-12,
        "found": found.contradictions > 0,
        "clean": found.contradictions == 0,
        "share": float(np.mean(below)) if below else 0.0,
        "told": math.nan if found.share_upper95 is None else found.share_upper95,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2000)
    given = parser.parse_args()
    results = Results("audit", str(__doc__).split("\n\n    ")[0])
    everything = {claim: [audited(seed, claim) for seed in range(n, given.worlds, 3)] for n, claim in enumerate(CLAIMS)}
    named = {**everything, "all": [one for found in everything.values() for one in found]}
    for claim, found in named.items():
        certified = [one for one in found if one["certified"]]
        false = [one for one in certified if one["false"]]
        results.row(
            f"false certificates in which an audit of {AUDITS} finds a contradiction (at least 60 % are asked for)",
            {
                "claim": claim,
                "worlds": len(found),
                "certified": len(certified),
                "of these false": len(false),
                "found": sum(one["found"] for one in false),
                "share": f"{np.mean([one['found'] for one in false]):.1%}" if false else "",
                "contradictions in certificates that are true": sum(
                    one["found"] and not one["false"] for one in certified
                ),
            },
        )
    for claim, found in named.items():
        said = [one for one in found if not math.isnan(one["told"])]
        broken = [one for one in said if one["share"] > 0]
        row = {"claim": claim, "worlds": len(said)}
        for name, some in (("true", said), ("true, where some contradict", broken)):
            row[name] = f"{np.mean([one['share'] <= one['told'] + 1e-12 for one in some]):.2%} of {len(some)}"
        results.row("statements that are true (at least 95 % are asked for)", row)
    results.write()


if __name__ == "__main__":
    main()
