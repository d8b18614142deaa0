"""Boxes instead of a list: whatever is not bounded out is trained, and a vast space is none the slower."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import draw

from subarch.extraction.boxes import Boxes
from subarch.extraction.problem import Claim, Problem
from subarch.networks.space import Constraint, Parameter, Space

CLAIMS: tuple[Claim, ...] = ("w", "constrained", "front")


@given(seed=st.integers(0, 10**6), count=st.integers(0, 6))
@settings(max_examples=60)
def test_a_bound_of_boxes_is_never_below_the_truth(seed: int, count: int) -> None:
    """After any trainings: no architecture has a larger W or a smaller error than the bound, wherever the boxes are."""
    world = draw(seed)
    problem = world.problem(CLAIMS[seed % 2], 0.1)
    boxes = Boxes(problem)
    for _ in range(count):
        index = boxes.ask()
        if index is None:
            break
        boxes.tell(index, world.evaluate(index))
    status = boxes.status()
    if problem.claim == "w":
        assert status.bound >= world.w().max() * (1 - 1e-9)
    else:
        assert status.bound <= world.errors[problem.within(world.rows)].min() * (1 + 1e-9)


def test_what_was_told_from_elsewhere_counts_and_a_second_time_changes_nothing() -> None:
    world = next(w for w in map(draw, range(100)) if len(w.rows) > 60)
    boxes = Boxes(world.problem("w", 0.1))
    for row in world.rows[::2]:
        for _ in range(2):
            boxes.tell(tuple(int(v) for v in row), world.evaluate(tuple(int(v) for v in row)))
    assert boxes.status().trained == len(world.rows[::2])
    assert boxes.forecast() is None


def test_a_space_of_a_million_of_millions_is_asked_at_once() -> None:
    space = Space(tuple(Parameter(name=f"x{n}", choices=tuple(range(1, 33))) for n in range(8)))

    def costs(rows: np.ndarray) -> np.ndarray:
        size = 1.0 + rows.sum(axis=1)
        return np.stack([size, size], axis=1)

    boxes = Boxes(Problem(space=space, costs=costs, reference=(500.0, 500.0), epsilon=0.5))
    first = boxes.ask()
    assert first == (31,) * 8  # it bounds all others
    boxes.tell(first, 0.1)
    assert boxes.status().trained == 1 and boxes.ask() not in (None, first)


def test_where_no_architecture_is_left_nothing_is_asked_for() -> None:
    space = Space((Parameter(name="x", choices=(1, 2)),), (Constraint("x > 2"),))
    problem = Problem(space=space, costs=lambda rows: np.ones((len(rows), 2)), reference=(9.0, 9.0))
    boxes = Boxes(problem)
    assert boxes.ask() is None
    assert boxes.status().best is None and boxes.status().bound == pytest.approx(0.0)
