"""Laws of the search, against brute force on random worlds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import World, draw

from subarch.extraction.certificate import Derived, derive
from subarch.extraction.problem import Claim, Problem
from subarch.extraction.search import Budget, Outcome, search
from subarch.networks.space import Parameter, Space

CLAIMS: tuple[Claim, ...] = ("w", "constrained", "front")
EPSILONS = (0.3, 0.1, 0.03)
TOLERANCE = 1e-9


def run(world: World, problem: Problem, **options: object) -> tuple[Outcome, Derived]:
    outcome = search(problem, world.evaluate, **options)  # type: ignore[arg-type]
    return outcome, derive(problem, outcome.errors)


def nothing_to_choose(world: World, problem: Problem) -> bool:
    return problem.claim == "w" and float(world.w().max()) == 0.0


@pytest.mark.parametrize("block", range(10))
def test_the_claim_holds_on_a_thousand_monotone_worlds(block: int) -> None:
    """Every claim, every epsilon, listed and boxed: within epsilon of the truth, and never a false certificate."""
    for seed in range(100 * block, 100 * (block + 1)):
        world = draw(seed)
        assert world.true_delta() == 0
        claim = CLAIMS[seed % 3]
        for epsilon in EPSILONS:
            problem = world.problem(claim, epsilon, share=0.2 + 0.6 * (seed % 7) / 7)
            for limit in (4096, 0):
                outcome, derived = run(world, problem, listed_limit=limit)
                if nothing_to_choose(world, problem):
                    assert derived.achieved is None
                    continue
                assert outcome.finished
                assert derived.delta == 0
                assert derived.achieved is not None, (seed, claim, epsilon, limit)
                assert derived.achieved <= epsilon + TOLERANCE, (seed, claim, epsilon, limit)
                true = world.distance(problem, outcome.errors, derived.best)
                assert true <= derived.achieved + TOLERANCE, (seed, claim, epsilon, limit)
                assert len(outcome.errors) <= len(world.rows)


@pytest.mark.parametrize("limit", [4096, 0])
def test_the_search_and_the_certificate_agree(limit: int) -> None:
    """Two derivations that share no code: the search's own standing is never tighter than the certificate's."""
    for seed in range(60):
        world = draw(5000 + seed)
        problem = world.problem(CLAIMS[seed % 3], 0.1)
        outcome, derived = run(world, problem, listed_limit=limit)
        if derived.achieved is None:
            assert nothing_to_choose(world, problem)
            continue
        assert outcome.status.achieved is not None
        assert derived.achieved <= outcome.status.achieved + TOLERANCE
        if limit:
            assert derived.achieved == pytest.approx(outcome.status.achieved, abs=1e-12)


@given(seed=st.integers(0, 10**6), trainings=st.integers(1, 12), boxed=st.booleans())
@settings(max_examples=150)
def test_stopped_early_the_epsilon_reached_is_honest(seed: int, trainings: int, boxed: bool) -> None:
    """A budget may end the search anywhere; what is claimed then is never better than the truth."""
    world = draw(seed)
    problem = world.problem(CLAIMS[seed % 3], 0.03)
    outcome, derived = run(world, problem, budget=Budget(trainings=trainings), listed_limit=0 if boxed else 4096)
    assert len(outcome.errors) <= trainings
    if derived.achieved is not None:
        assert world.distance(problem, outcome.errors, derived.best) <= derived.achieved + TOLERANCE


@given(seed=st.integers(0, 10**6), boxed=st.booleans())
@settings(max_examples=150)
def test_with_the_true_delta_given_the_claim_holds_on_errors_that_break_monotony(seed: int, boxed: bool) -> None:
    world = draw(seed, breaks=0.04)
    true_delta = world.true_delta()
    problem = world.problem(CLAIMS[seed % 3], 0.2, delta=true_delta)
    outcome, derived = run(world, problem, listed_limit=0 if boxed else 4096)
    if derived.achieved is None:
        assert nothing_to_choose(world, problem)
        return
    assert derived.delta == pytest.approx(true_delta)
    assert derived.achieved <= 0.2 + TOLERANCE
    assert world.distance(problem, outcome.errors, derived.best) <= derived.achieved + TOLERANCE


def test_an_assumed_floor_spares_trainings_and_a_wrong_one_is_dropped() -> None:
    world = next(w for w in (draw(seed, constraints=False) for seed in range(100)) if len(w.rows) > 100)
    problem = world.problem("w", 0.1)
    floor = float(world.errors.min())
    true = Problem(space=world.space, costs=world.cost, reference=world.reference, epsilon=0.1, error_floor=floor)
    wrong = Problem(space=world.space, costs=world.cost, reference=world.reference, epsilon=0.1, error_floor=50 * floor)
    _, plain = run(world, problem)
    _, helped = run(world, true)
    outcome, voided = run(world, wrong)
    assert helped.achieved is not None
    assert helped.achieved <= 0.1
    assert not helped.floor_void
    assert helped.evaluated <= plain.evaluated
    assert voided.floor_void or min(outcome.errors.values()) >= 50 * floor
    if voided.floor_void:
        assert world.distance(problem, outcome.errors, voided.best) <= 0.1 + TOLERANCE


def test_interval_one_is_exhaustive_and_needs_no_assumption() -> None:
    world = draw(11, breaks=0.5)
    problem = world.problem("w", 0.1)
    every, derived = run(world, problem, strategy="exhaustive")
    assert len(every.errors) == len(world.rows)
    assert derived.achieved == 0
    assert derived.best is not None
    assert world.position(derived.best) == int(np.argmax(world.w()))
    third, _ = run(world, problem, strategy="interval", interval=3)
    assert len(third.errors) == -(-len(world.rows) // 3)
    by_size = [world.costs[world.position(index), 0] for index in third.errors]
    assert by_size == sorted(by_size)


@pytest.mark.parametrize("limit", [4096, 0])
@pytest.mark.parametrize("claim", CLAIMS)
def test_several_trainings_at_once_reach_the_same_claim(claim: Claim, limit: int) -> None:
    for seed in range(12):
        world = draw(900 + seed)
        problem = world.problem(claim, 0.1)
        with ThreadPoolExecutor(4) as executor:
            outcome, derived = run(world, problem, executor=executor, workers=4, listed_limit=limit)
        if derived.achieved is None:
            assert nothing_to_choose(world, problem)
            continue
        assert outcome.finished
        assert derived.achieved <= 0.1 + TOLERANCE
        assert world.distance(problem, outcome.errors, derived.best) <= 0.1 + TOLERANCE


@pytest.mark.parametrize("limit", [4096, 0])
def test_replaying_a_part_of_a_search_continues_it_exactly(limit: int) -> None:
    world = next(w for w in (draw(seed) for seed in range(3000, 3100)) if len(w.rows) > 120)
    problem = world.problem("w", 0.03)
    whole, _ = run(world, problem, listed_limit=limit)
    asked: list[tuple[int, ...]] = []
    half = dict(list(whole.errors.items())[: len(whole.errors) // 2])
    assert half

    def evaluate(index: tuple[int, ...]) -> float:
        asked.append(index)
        return world.evaluate(index)

    again = search(problem, evaluate, known=half, listed_limit=limit)
    assert list(again.errors) == list(whole.errors)
    assert not set(asked) & set(half)


def test_errors_given_from_elsewhere_are_used_and_not_trained_again() -> None:
    world = next(w for w in (draw(seed) for seed in range(4000, 4100)) if len(w.rows) > 120)
    first, _ = run(world, world.problem("w", 0.1))

    def evaluate(index: tuple[int, ...]) -> float:
        assert index not in first.errors
        return world.evaluate(index)

    problem = world.problem("w", 0.03)
    outcome = search(problem, evaluate, given=first.errors)
    derived = derive(problem, outcome.errors)
    assert derived.achieved is not None
    assert derived.achieved <= 0.03 + TOLERANCE


def widths(layers: int, choices: int, step: int = 32) -> tuple[Problem, object]:
    """The MLP of the announcement's kind with analytic errors; costs from the layers' own formula."""
    values = np.arange(step, step * choices + 1, step)
    space = Space(tuple(Parameter(name=f"width_{j + 1}", choices=tuple(values.tolist())) for j in range(layers)))

    def costs(indices: np.ndarray) -> np.ndarray:
        w = values[indices].astype(float)
        p = 785 * w[:, 0] + sum((w[:, j] + 1) * w[:, j + 1] for j in range(layers - 1)) + 10 * (w[:, -1] + 1)
        return np.stack([p, p], axis=1)

    top = float(costs(np.full((1, layers), choices - 1))[0, 0]) * 1.05

    def error(index: tuple[int, ...]) -> float:
        return 0.02 + 3 * float(np.mean(1 / values[list(index)]))

    return Problem(space=space, costs=costs, reference=(top, top), epsilon=0.2), error


def test_four_billion_architectures_are_searched_and_certified_without_listing_them() -> None:
    problem, error = widths(8, 16)
    outcome = search(problem, error)  # type: ignore[arg-type]
    derived = derive(problem, outcome.errors)
    assert problem.space.num_points == 16**8
    assert not derived.listed
    assert derived.achieved is not None
    assert derived.achieved <= 0.2
    assert derived.violations == ()
    assert len(outcome.errors) < 3000


def test_on_a_small_part_of_it_the_boxes_agree_with_brute_force() -> None:
    problem, error = widths(4, 6)
    outcome = search(problem, error, listed_limit=0)  # type: ignore[arg-type]
    rows = problem.space.listed()
    costs = problem.costs(rows)
    errors = np.array([error(tuple(row)) for row in rows.tolist()])  # type: ignore[operator]
    w = np.prod(1 - costs / np.array(problem.reference), axis=1) / errors
    derived = derive(problem, outcome.errors)
    assert derived.value >= (1 - 0.2) * w.max()


@pytest.mark.parametrize("text", ["0", "-3", "abc", "0s", "-1s", "infs", "nans", "1.5", ""])
def test_budgets_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--budget is a number of trainings"):
        Budget.parse(text)


def test_budgets() -> None:
    assert Budget.parse("40") == Budget(trainings=40)
    assert Budget.parse("600s") == Budget(seconds=600.0)
    assert Budget.parse(None) == Budget()


def test_a_search_that_ran_side_by_side_is_resumed_with_all_that_was_finished() -> None:
    """The order of asking differs from the replay's: nothing finished may be left unused or trained again."""
    for seed in range(3000, 3006):
        world = draw(seed)
        problem = world.problem("w", 0.03)
        with ThreadPoolExecutor(4) as executor:
            part, _ = run(world, problem, executor=executor, workers=4, budget=Budget(trainings=14))
        asked: list[tuple[int, ...]] = []

        def evaluate(index: tuple[int, ...], world: World = world, asked: list[tuple[int, ...]] = asked) -> float:
            asked.append(index)
            return world.evaluate(index)

        again = search(problem, evaluate, known=part.errors)
        assert set(part.errors) <= set(again.errors)
        assert not set(asked) & set(part.errors)


def test_what_is_finished_beside_a_failure_is_recorded() -> None:
    world = next(w for w in (draw(seed) for seed in range(3000, 3100)) if len(w.rows) > 120)
    recorded: list[tuple[int, ...]] = []
    barrier = threading.Barrier(3)

    def evaluate(index: tuple[int, ...]) -> float:
        first = barrier.wait(timeout=20) == 0
        if first:
            raise RuntimeError("one of them fails")
        return world.evaluate(index)

    def record(index: tuple[int, ...], error: float) -> float:
        recorded.append(index)
        return error

    with ThreadPoolExecutor(3) as executor, pytest.raises((RuntimeError, threading.BrokenBarrierError)):
        search(world.problem("front", 0.03), evaluate, record=record, executor=executor, workers=3)
    assert recorded
