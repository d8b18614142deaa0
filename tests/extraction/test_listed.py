"""A bound for every architecture: what is trained first, and what is foreseen."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import World, draw

from subarch.extraction.listed import Listed
from subarch.extraction.problem import Problem
from subarch.networks.space import Constraint, Parameter, Space


@pytest.fixture
def world() -> World:
    return next(w for w in map(draw, range(100)) if len(w.rows) > 60)


def test_the_largest_that_may_be_the_answer_is_trained_first(world: World) -> None:
    for claim in ("w", "front"):
        first = Listed(world.problem(claim, 0.1)).ask()
        assert first is not None and world.costs[world.position(first), 1] == world.costs[:, 1].max()
    problem = world.problem("constrained", 0.1)
    first = Listed(problem).ask()
    assert first is not None
    within = world.costs[problem.within(world.rows), 1]
    assert world.costs[world.position(first), 1] == within.max()


def test_a_forecast_is_a_number_of_trainings_and_changes_nothing(world: World) -> None:
    frontier = Listed(world.problem("w", 0.1))
    assert frontier.forecast() is None  # nothing is known yet
    for _ in range(2):
        index = frontier.ask()
        assert index is not None
        frontier.tell(index, world.evaluate(index))
    before = frontier.ask()
    told = frontier.forecast()
    assert told is not None and 0 <= told <= len(world.rows)
    assert frontier.ask() == before and frontier.status().trained == 2


def test_where_nothing_is_open_nothing_is_foreseen(world: World) -> None:
    frontier = Listed(world.problem("front", 0.1))
    for row in world.rows:
        frontier.tell(tuple(int(v) for v in row), world.evaluate(tuple(int(v) for v in row)))
    assert frontier.ask() is None and frontier.forecast() == 0 and frontier.status().achieved == 0


def test_an_empty_space_is_refused() -> None:
    space = Space((Parameter(name="x", choices=(1, 2)),), (Constraint("x > 2"),))
    problem = Problem(space=space, costs=lambda rows: np.ones((len(rows), 2)), reference=(9.0, 9.0))
    with pytest.raises(ValueError, match="no architecture meets its constraints; relax them"):
        Listed(problem)
