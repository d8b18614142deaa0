"""A search played again: honest ones ask for what is there, and what was taken out is missed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import World, draw

from subarch.extraction.problem import Claim, Problem
from subarch.extraction.replay import AskedSearch, Replay, evidence, replay
from subarch.extraction.search import search
from subarch.extraction.study import Purpose, Trial
from subarch.manifest import surroundings
from subarch.networks.space import Index

CLAIMS: tuple[Claim, ...] = ("w", "constrained", "front")


def trial(world: World, number: int, index: Index, error: float, ask: str = "mine", executor: str = "serial") -> Trial:
    purpose: Purpose = "search" if error < math.inf else "failed"
    made = {"executor": executor, "with": surroundings()}
    return Trial(
        number=number,
        purpose=purpose,
        architecture=world.space.architecture(index),
        parameters=1.0,
        cost=1.0,
        error=error,
        details={"ask": ask, "made": made},
    )


def asked(world: World, problem: Problem) -> AskedSearch:
    smallest = world.space.architecture(world.rows[0])
    return AskedSearch(problem=problem, ask="mine", strategy="certified", interval=1, contrast=smallest)


def again(world: World, problem: Problem, trials: Sequence[Trial]) -> Replay:
    return replay(asked(world, problem), trials, counted_anew=False)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40)
def test_an_honest_search_asks_for_what_is_there(seed: int) -> None:
    """With some that fail, and after another question or not; stopped early or not."""
    world = draw(seed, breaks=0.1 * (seed % 2))
    problem, other = (world.problem(CLAIMS[(seed + n) % 3], 0.1) for n in (0, 1))
    fails = {tuple(row) for row in world.rows[:: 5 + seed % 7].tolist()} if seed % 3 == 0 else set()

    def evaluate(index: Index) -> float:
        return math.inf if index in fails else world.evaluate(index)

    before = search(other, evaluate) if seed % 5 == 0 else None
    known = {} if before is None else {**before.errors, **dict.fromkeys(before.failed, math.inf)}
    order: list[Index] = []

    def told(index: Index) -> float:
        order.append(index)
        return evaluate(index)

    search(problem, told, given=known)
    trials = [trial(world, n, index, error, "another") for n, (index, error) in enumerate(known.items())]
    trials += [trial(world, len(known) + n, index, evaluate(index)) for n, index in enumerate(order)]
    for end in (len(trials), len(trials) - len(order) // 2):
        found = again(world, problem, trials[:end])
        assert (found.fault, found.others, found.replayed) == (None, len(known), end - len(known))
        assert not found.excuses
        assert [one.trained for one in found.standing][-1:] == [
            sum(one.error < math.inf for one in trials[:end])
        ] * bool(found.standing)


def test_what_was_dropped_changed_or_added_is_missed() -> None:
    world = draw(12)
    problem = world.problem("w", 0.05)
    trials = [
        trial(world, n, index, error) for n, (index, error) in enumerate(search(problem, world.evaluate).errors.items())
    ]
    assert len(trials) > 4 and again(world, problem, trials).fault is None
    assert "where trial 2 is of" in str(again(world, problem, [*trials[:1], *trials[2:]]).fault)
    swapped = [trials[1], trials[0], *trials[2:]]
    assert "the search asks for {" in str(again(world, problem, swapped).fault)
    rest = next(row for row in world.rows.tolist() if tuple(row) not in search(problem, world.evaluate).errors)
    more = [*trials, trial(world, len(trials), tuple(rest), 1.0)]
    assert "the search asks for nothing more" in str(again(world, problem, more).fault)


@pytest.mark.parametrize(("executor", "between"), [("threads:2", False), ("serial", True)])
def test_where_the_order_may_be_another_it_is_said(executor: str, between: bool) -> None:
    world = draw(12)
    problem = world.problem("w", 0.05)
    trials = [
        trial(world, n, index, error, "another" if between and n == 2 else "mine", executor)
        for n, (index, error) in enumerate(search(problem, world.evaluate).errors.items())
    ]
    (excuse,) = again(world, problem, trials).excuses
    assert excuse == ("another question was asked in between" if between else "trainings ran side by side")


def test_evidence_is_by_who_asked_for_it() -> None:
    world = draw(12)
    problem = world.problem("w", 0.05)
    rows = [tuple(row) for row in world.rows[:3].tolist()]
    trials = [
        trial(world, n, row, error) for n, (row, error) in enumerate(zip(rows, (1.0, math.inf, 2.0), strict=True))
    ]
    trials[2].details["ask"] = "another"  # type: ignore[index]
    assert evidence(trials, "mine", problem) == ({rows[0]: 1.0, rows[1]: math.inf}, {rows[2]: 2.0})
