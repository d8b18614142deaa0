"""What each claim makes of trained errors: three networks on a line, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from subarch.extraction.claims import RULES, ClaimRule, Trained, covering, parts, prefactor
from subarch.extraction.problem import Claim, Limit, Problem
from subarch.networks.space import Parameter, Space

COSTS = np.array([[10.0, 20.0], [20.0, 40.0], [30.0, 60.0]])
LIMIT = Limit(name="macs", maximum=40.0, values=lambda rows: COSTS[rows[:, 0], 1])


def trained(claim: Claim, errors: dict[int, float], **given: Any) -> tuple[Trained, ClaimRule]:
    """Networks 0, 1, 2 of growing costs; the reference is four times the first."""
    problem = Problem(
        space=Space((Parameter(name="x", choices=(1, 2, 3)),)),
        costs=lambda rows: COSTS[rows[:, 0]],
        reference=(40.0, 80.0),
        claim=claim,
        limits=(LIMIT,) if claim == "constrained" else (),
        **{"epsilon": 0.2, **given},
    )
    made = Trained(problem)
    for n, error in errors.items():
        made.add((n,), error)
    return made, RULES[claim](made)


WITHIN = np.array([True, True, False])


def test_the_prefactor_by_hand() -> None:
    assert prefactor(COSTS, (40.0, 80.0)).tolist() == [0.75**2, 0.5**2, 0.25**2]
    assert prefactor(COSTS, (25.0, 80.0)).tolist() == pytest.approx([0.6 * 0.75, 0.2 * 0.5, 0.0])


def test_the_largest_w() -> None:
    _, rule = trained("w", {2: 0.1, 1: 0.2})
    # W of the two: 0.0625 / 0.1 and 0.25 / 0.2.
    assert rule.threshold() == pytest.approx(1.25 / 0.8)
    assert rule.priority(COSTS, WITHIN, np.array([0.5, 0.5, 0.5])) == pytest.approx([1.125, 0.5, 0.125])
    assert rule.needed(COSTS, WITHIN)[0] == pytest.approx(0.5625 / rule.threshold())
    assert rule.needed(COSTS, WITHIN, 2.0)[0] == pytest.approx(0.5625 / 2)
    assert rule.merit(COSTS, WITHIN, np.array([0.5, 1.0, 1.0])) == pytest.approx([1.125, 0.25, 0.0625])
    status = rule.status(2.5)
    assert (status.trained, status.best, status.value, status.bound) == (2, (1,), 1.25, 2.5)
    assert status.achieved == pytest.approx(0.5)
    assert rule.status(1.0).achieved == 0


def test_the_lowest_error_within_limits() -> None:
    _, rule = trained("constrained", {2: 0.1, 1: 0.25})
    assert rule.priority(COSTS, WITHIN, np.array([0.5, 0.2, 0.1])) == pytest.approx([2.0, 5.0, 0.0])
    assert rule.threshold() == pytest.approx(1 / (0.8 * 0.25))
    assert rule.needed(COSTS, WITHIN).tolist() == pytest.approx([0.2, 0.2, 0.0])
    assert rule.needed(COSTS, WITHIN, 10.0).tolist() == pytest.approx([0.1, 0.1, 0.0])
    status = rule.status(5.0)  # something could have an error of 0.2
    assert (status.best, status.value, status.bound) == ((1,), 0.25, 0.2)
    assert status.achieved == pytest.approx(0.2)
    _, nothing = trained("constrained", {2: 0.1})
    assert nothing.status(5.0).best is None and nothing.status(5.0).achieved is None


def test_the_front_is_covered_by_the_best_factor() -> None:
    _, rule = trained("front", {1: 0.2})
    assert rule.threshold() == pytest.approx(1.2)
    # The trained one is twice as large as the first, it is the second, and the third could be better by 4/3.
    assert rule.priority(COSTS, WITHIN, np.array([0.2, 0.2, 0.15])) == pytest.approx([2.0, 1.0, 4 / 3])
    assert rule.needed(COSTS, WITHIN).tolist() == pytest.approx([math.inf, 0.2 / 1.2, 0.2 / 1.2])
    assert rule.status(2.0).achieved == pytest.approx(1.0) and rule.status(0.5).achieved == 0


@pytest.mark.parametrize("claim", RULES)
def test_before_anything_is_trained_nothing_is_reached(claim: Claim) -> None:
    _, rule = trained(claim, {})
    assert (rule.status(3.0).trained, rule.status(3.0).best, rule.status(3.0).achieved) == (0, None, None)


def test_a_smaller_network_that_is_better_is_a_violation_that_every_bound_allows_for() -> None:
    made, _ = trained("w", {2: 0.2})
    assert made.lower_bounds(np.array([0.2, 0.0])).tolist() == [0.2, 0.0]
    assert made.add((0,), 0.15)  # 1 - 0.15 / 0.2
    assert made.delta == pytest.approx(0.25)
    assert made.lower_bounds(np.array([0.2])) == pytest.approx([0.15])
    assert not made.add((1,), 0.16)  # violates by less


def test_a_floor_that_an_error_undercuts_is_void() -> None:
    made, _ = trained("w", {2: 0.2}, error_floor=0.15, e_min=0.01)
    assert made.lower_bounds(np.array([0.0, 0.2])).tolist() == [0.15, 0.2]
    assert made.add((1,), 0.12)
    assert made.floor == 0.01


def test_what_failed_is_settled_and_bounds_nothing() -> None:
    made, _ = trained("w", {2: 0.2})
    made.exclude((1,))
    assert [made.settled((n,)) for n in range(3)] == [False, True, True]
    assert len(made) == 1 and made.errors.tolist() == [0.2]


def test_a_copy_is_independent_and_there_is_room_for_many() -> None:
    made, _ = trained("w", {2: 0.2})
    copy = made.copy()
    copy.add((0,), 0.1)
    assert (len(made), made.delta, len(copy), copy.delta) == (1, 0.0, 2, 0.5)
    space = Space((Parameter(name="x", choices=tuple(range(300))),))
    many = Trained(Problem(space=space, costs=lambda rows: np.ones((len(rows), 2)), reference=(9.0, 9.0)))
    for n in range(300):
        many.add((n,), 2.0 - n / 300)
    assert many.rows[:, 0].tolist() == list(range(300)) and many.delta == 0
    assert many.errors[-1] == 2.0 - 299 / 300 and len(many.costs) == len(many.within) == 300


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (3, 5), (10, 1 << 19), (5, 1 << 22), (7, 0)])
def test_parts_cover_all_rows_once_and_are_small(rows: int, columns: int) -> None:
    found = [*parts(rows, columns)]
    assert [n for part in found for n in range(rows)[part]] == list(range(rows))
    assert all((part.stop - part.start) * columns <= 1 << 20 or part.stop - part.start == 1 for part in found)


def test_covering_is_the_least_of_the_largest_factors_by_loops() -> None:
    rng = np.random.default_rng(0)
    trained, errors, costs, lower = rng.random((4, 2)), rng.random(4), rng.random((6, 2)), rng.random(6)
    by_hand = [
        min(max(trained[z, 0] / p, trained[z, 1] / i, errors[z] / low) for z in range(4))
        for (p, i), low in zip(costs, lower, strict=True)
    ]
    assert covering(trained, errors, costs, lower) == pytest.approx(by_hand)
    assert covering(trained[:0], errors[:0], costs, lower).tolist() == [math.inf] * 6
