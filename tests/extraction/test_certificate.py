"""The certificate: against brute force over every architecture of random worlds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import World, draw

from subarch.extraction import certificate
from subarch.extraction.certificate import Derived, derive, epsilon_by_delta
from subarch.extraction.problem import Claim, Problem
from subarch.extraction.search import Outcome, search
from subarch.networks.space import Parameter, Space

CLAIMS: tuple[Claim, ...] = ("w", "constrained", "front")
TOLERANCE = 1e-9


def run(world: World, problem: Problem, **options: object) -> tuple[Outcome, Derived]:
    outcome = search(problem, world.evaluate, **options)  # type: ignore[arg-type]
    return outcome, derive(problem, outcome.errors)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=100)
def test_every_violation_among_trained_pairs_is_listed(seed: int) -> None:
    world = draw(seed, breaks=0.3)
    problem = world.problem(CLAIMS[seed % 3], 0.1)
    outcome, derived = run(world, problem)
    trained = list(outcome.errors)
    expected = {
        (x, y): 1 - outcome.errors[x] / outcome.errors[y]
        for x in trained
        for y in trained
        if x != y
        and all((a <= b) if p.ordered else a == b for a, b, p in zip(x, y, world.space.parameters, strict=True))
        and outcome.errors[x] < outcome.errors[y]
    }
    assert {(v.smaller, v.larger): v.size for v in derived.violations} == pytest.approx(expected)
    assert derived.delta >= max(expected.values(), default=0.0)


@pytest.mark.parametrize("error", [0.0, -1.0, float("nan"), float("inf")])
def test_nothing_is_derived_from_errors_that_are_not_positive_numbers(error: float) -> None:
    world = draw(3)
    index = tuple(int(v) for v in world.rows[0])
    with pytest.raises(ValueError, match="positive"):
        derive(world.problem("w", 0.1), {index: error})


def by_hand(world: World, problem: Problem, errors: dict[tuple[int, ...], float], delta: float) -> float | None:
    """The epsilon reached, from the definitions in the module's words, one architecture after the other."""
    lower = []
    for row, (p, i) in zip(world.rows.tolist(), world.costs, strict=True):
        index = tuple(row)
        above = [e for y, e in errors.items() if bool(world.space.leq(np.array(index), np.array(y)))]
        low = errors.get(index, (1 - delta) * max(above, default=0.0))
        lower.append((index, p, i, low))

    def g(p: float, i: float) -> float:
        return max(0.0, 1 - p / world.reference[0]) * max(0.0, 1 - i / world.reference[1])

    if problem.claim == "w":
        best = max(g(*world.costs[world.position(index)]) / e for index, e in errors.items())
        most = max(g(p, i) / low if low else (math.inf if g(p, i) else 0.0) for _, p, i, low in lower)
        return None if best == 0 else 1 - best / most
    if problem.claim == "constrained":
        inside = [index for index in errors if bool(problem.within(np.array([index]))[0])]
        if not inside:
            return None
        least = min(low for index, _, _, low in lower if bool(problem.within(np.array([index]))[0]))
        return 1 - least / min(errors[index] for index in inside)
    trained = [(*world.costs[world.position(index)], e) for index, e in errors.items()]
    covered = [
        min(max(zp / p, zi / i, ze / low if low else math.inf) for zp, zi, ze in trained) for _, p, i, low in lower
    ]
    return max(*covered, 1.0) - 1


@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 1.0), boxed=st.booleans())
@settings(max_examples=80)
def test_whatever_was_trained_what_follows_is_what_the_definitions_say(seed: int, share: float, boxed: bool) -> None:
    """Of any trained architectures, not those that a search would choose; boxes are never better than the list."""
    world = draw(seed, breaks=0.05 * (seed % 2))
    claim = CLAIMS[seed % 3]
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(world.rows), size=max(1, int(share * len(world.rows))), replace=False)
    errors = {tuple(int(v) for v in world.rows[n]): float(world.errors[n]) for n in chosen}
    problem = world.problem(claim, 0.1)
    with pytest.MonkeyPatch.context() as patch:
        if boxed:
            patch.setattr(certificate, "LISTING_LIMIT", 0)
        derived = derive(problem, errors)
    assert derived.listed != boxed and derived.evaluated == len(errors)
    assert derived.space_size == (world.space.num_points if boxed else len(world.rows))
    expected = by_hand(world, problem, errors, derived.delta)
    if expected is None or derived.achieved is None:
        assert expected is derived.achieved is None
    elif not boxed:
        assert derived.achieved == pytest.approx(expected, abs=1e-9)
    else:
        assert derived.achieved >= expected - TOLERANCE  # boxes are not cut further once epsilon is reached


def test_what_cannot_be_trained_is_left_out_and_bounded_by_what_is_larger() -> None:
    space = Space((Parameter(name="x", choices=(1, 2, 3)),))
    costs = np.array([[10.0, 10.0], [20.0, 20.0], [30.0, 30.0]])
    problem = Problem(space=space, costs=lambda rows: costs[rows[:, 0]], reference=(40.0, 40.0), epsilon=0.1)
    derived = derive(problem, {(2,): 0.2}, failed=[(1,)])
    (out,) = derived.excluded
    assert (out.index, out.error_at_least) == ((1,), 0.2)
    assert out.w_at_most == pytest.approx(0.5 * 0.5 / 0.2)
    # The smallest network could have an error of 0.2 too: (3/4)^2 / 0.2 against (1/4)^2 / 0.2 of the one trained.
    assert (derived.best, derived.bound_at) == ((2,), (0,))
    assert derived.achieved == pytest.approx(1 - 1 / 9)
    assert derive(problem, {(0,): 0.2}, failed=[(2,)]).excluded[0].w_at_most is None  # nothing larger was trained
    both = derive(problem, {(0,): 0.3, (2,): 0.2}, failed=[(1,)])
    assert both.achieved == 0 and both.bound_at is None


def test_an_error_below_the_assumed_floor_voids_it() -> None:
    world = draw(11)
    errors = {tuple(int(v) for v in world.rows[n]): float(world.errors[n]) for n in range(2)}
    least = min(errors.values())
    problem = world.problem("front", 0.1)
    for floor, void in ((0.5 * least, False), (2 * least, True)):
        given = Problem(
            space=problem.space,
            costs=problem.costs,
            reference=problem.reference,
            claim="front",
            error_floor=floor,
            e_min=0.1 * least,
        )
        derived = derive(given, errors)
        assert (derived.floor_void, derived.floor) == (void, 0.1 * least if void else floor)


@pytest.mark.parametrize("claim", ["w", "constrained", "front"])
@pytest.mark.parametrize("seed", range(12))
def test_what_larger_violations_leave_is_at_least_what_is_derived_with_them(claim: Claim, seed: int) -> None:
    world = draw(seed)
    problem = world.problem(claim, 0.1)
    errors = {
        index: world.evaluate(index) for row in world.rows[:: 1 + seed % 3] for index in [tuple(int(v) for v in row)]
    }
    derived = derive(problem, errors)
    (seen, reached), *larger = epsilon_by_delta(claim, derived)
    assert (seen, reached) == (derived.delta, derived.achieved)
    for delta, epsilon in larger:
        again = derive(replace(problem, delta=delta), errors)
        assert again.delta == delta and (again.achieved is None) == (epsilon is None)
        assert again.achieved is None or (epsilon is not None and again.achieved <= epsilon + 1e-9)
