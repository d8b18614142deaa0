"""What is open: a frontier asks for what exists, never twice, and stands where the certificate does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import World, draw

from subarch.extraction.boxes import Boxes
from subarch.extraction.certificate import derive
from subarch.extraction.frontier import Frontier
from subarch.extraction.listed import Listed
from subarch.extraction.problem import Claim, Problem

CLAIMS: tuple[Claim, ...] = ("w", "constrained", "front")


def opened(world: World, seed: int, boxed: bool, epsilon: float = 0.1) -> tuple[Problem, Frontier]:
    problem = world.problem(CLAIMS[seed % 3], epsilon)
    return problem, Boxes(problem) if boxed else Listed(problem)


@given(seed=st.integers(0, 10**6), boxed=st.booleans())
@settings(max_examples=60)
def test_what_is_asked_for_exists_and_is_new_until_nothing_is_open(seed: int, boxed: bool) -> None:
    world = draw(seed)
    problem, frontier = opened(world, seed, boxed)
    errors: dict[tuple[int, ...], float] = {}
    while (index := frontier.ask()) is not None:
        assert index not in errors
        errors[index] = world.evaluate(index)  # fails for what is no architecture of the world
        frontier.tell(index, errors[index])
        assert len(errors) <= len(world.rows)
    status = frontier.status()
    assert status.trained == len(errors)
    derived = derive(problem, errors) if errors else None
    if derived is not None and derived.achieved is not None:
        assert status.achieved is not None
        assert derived.achieved <= status.achieved + 1e-9 <= problem.epsilon + 2e-9
        assert (frontier.delta, status.best) == (derived.delta, derived.best)


@given(seed=st.integers(0, 10**6), boxed=st.booleans())
@settings(max_examples=40)
def test_what_is_pending_is_not_asked_for_again(seed: int, boxed: bool) -> None:
    world = draw(seed)
    _, frontier = opened(world, seed, boxed, 0.03)
    pending: list[tuple[int, ...]] = []
    while len(pending) < 6 and (index := frontier.ask(pending)) is not None:
        assert index not in pending
        assert world.position(index) >= 0
        pending.append(index)
    for index in pending:
        frontier.tell(index, world.evaluate(index))
    assert frontier.ask() not in pending


@pytest.mark.parametrize("boxed", [False, True])
def test_what_always_fails_is_left_out(boxed: bool) -> None:
    world = next(w for w in map(draw, range(100)) if len(w.rows) > 60)
    problem, frontier = opened(world, 0, boxed, 0.05)
    broken = {tuple(int(v) for v in row) for row in world.rows[::3]}
    errors: dict[tuple[int, ...], float] = {}
    asked: list[tuple[int, ...]] = []
    while (index := frontier.ask()) is not None:
        asked.append(index)
        error = math.inf if index in broken else world.evaluate(index)
        frontier.tell(index, error)
        if error < math.inf:
            errors[index] = error
    assert len(set(asked)) == len(asked)
    assert frontier.status().best not in broken
    derived = derive(problem, errors, failed=[index for index in asked if index in broken])
    assert derived.achieved is not None and derived.achieved <= 0.05 + 1e-9
