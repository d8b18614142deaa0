"""Where proposals come from, and which are admitted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.agora.data import Labelled
from subarch.agora.proposals import Bounds, VectorGuard, admit, interpolate, jitter, retrieve
from subarch.tasks.kinds.table import kind_of
from subarch.testing import check_proposals

CORNERS = [np.array(p, dtype=float) for p in ((0, 0), (0, 1), (1, 0), (1, 1))]
POOL = [np.array([x / 7, y / 5]) for x in range(8) for y in range(6)]


@pytest.mark.parametrize("function", [jitter(0.5), interpolate(POOL), retrieve(POOL)])
def test_the_functions_conform(function: Any) -> None:
    check_proposals(function, CORNERS, lambda point: point.tolist())


def test_a_function_that_forgets_its_seed_does_not_conform() -> None:
    outside = np.random.default_rng()

    def forgetful(points: Any, count: int, rng: Any) -> Any:
        yield from ((n, point + outside.normal(size=2)) for n, point in enumerate(points))

    with pytest.raises(AssertionError, match="same random state"):
        check_proposals(forgetful, CORNERS, lambda point: point.tolist())

    def astray(points: Any, count: int, rng: Any) -> Any:
        yield len(points), points[0] + 1

    with pytest.raises(AssertionError, match="position"):
        check_proposals(astray, CORNERS, lambda point: point.tolist())


def test_jitter_fills_a_ball_evenly() -> None:
    new = np.stack([p for _, p in jitter(2.0)([np.zeros(3)], 20_000, np.random.default_rng(0))])
    radii = np.linalg.norm(new, axis=1)
    assert radii.max() <= 2
    # In three dimensions a ball of half the radius has an eighth of the volume.
    assert np.mean(radii < 1) == pytest.approx(1 / 8, abs=0.01)


def test_retrieve_finds_the_nearest() -> None:
    found = list(retrieve(POOL)(CORNERS, 3, np.random.default_rng(0)))
    assert Counter(n for n, _ in found) == {0: 3, 1: 3, 2: 3, 3: 3}
    for n, corner in enumerate(CORNERS):
        near = sorted(np.linalg.norm(p - corner) for p in POOL)[:3]
        assert [np.linalg.norm(p - corner) for m, p in found if m == n] == pytest.approx(near)


def test_interpolate_stays_between() -> None:
    for n, new in interpolate(POOL, nearest=2)(CORNERS, 5, np.random.default_rng(0)):
        assert np.linalg.norm(new - CORNERS[n]) <= 0.2 + 1e-9  # the nearest of the grid are 1/7 and 1/5 away


def admitted(bounds: Bounds, new: list[Any], *, teacher: Any = None, known: Any = None, guard: Any = None) -> Any:
    return admit(
        [np.zeros(2)],
        [lambda points, count, rng: [(0, np.asarray(p, dtype=float)) for p in new]],
        bounds=bounds,
        teacher=teacher or (lambda points: np.eye(2)[[int(p[0] > 0) for p in points]]),
        space=np.stack,
        guard=guard or VectorGuard([np.array([9.0, 9.0])]),
        known=known or Labelled.of([np.array([5.0, 5.0]), np.array([-5.0, 5.0])], [1, 0], 2),
        key=lambda point: repr(point.tolist()),
        kind=kind_of("classification"),
        rng=np.random.default_rng(0),
    )


def test_every_refusal_has_its_reason() -> None:
    guard = VectorGuard([np.array([1.0, 1.0])], nearest=0.1)
    new = [(1, 0), (1, 0), (5, 5), (1, 1), (1, 1.05), (0.01, 0), (3, 0), (-1, 0), (0, 1)]
    found = admitted(Bounds(min_distance=0.1, max_distance=2), new, guard=guard)
    assert found.made == 9
    assert found.refused == {
        "there already": 2,
        "copies of development or sealed points": 2,
        "too near to their mistake": 1,
        "too far from it": 1,
    }
    assert [p.tolist() for p in found.data.points] == [[1, 0], [-1, 0], [0, 1]]
    unsure = admitted(
        Bounds(min_confidence=0.7, balance=None),
        [(1, 0), (2, 0)],
        teacher=lambda points: np.array([[0.4, 0.6], [0.2, 0.8]]),
    )
    assert unsure.refused == {"the teacher was not sure": 1}
    assert unsure.data.labels.tolist() == [[0.2, 0.8]]
    hard = admitted(Bounds(soft=False, balance=None), [(2, 0)], teacher=lambda points: np.array([[0.2, 0.8]]))
    assert hard.data.labels.tolist() == [[0, 1]]
    few = admitted(Bounds(per_mistake=2, balance=None), [(n, 1) for n in range(1, 6)])
    assert few.refused == {"more than wanted": 3}


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(1, 3))
def test_the_classes_are_balanced_as_far_as_leaving_out_can(right: list[bool], ratio: float) -> None:
    new = [(1 + n if yes else -1 - n, 0) for n, yes in enumerate(right)]
    found = admitted(Bounds(per_mistake=100, balance=ratio), new)
    if len({*right}) == 1:  # there is nothing to balance it with
        assert len(found.data) == len(right) and found.unbalanced == [int(not right[0])]
        return
    counts = np.bincount(found.data.classes, minlength=2) + 1  # one of each is known
    assert counts.max() <= max(ratio * counts.min(), 1) and not found.unbalanced
    offered = np.bincount([int(p[0] > 0) for p in new], minlength=2) + 1
    assert counts.min() == offered.min()  # of the rarer class nothing is left out


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(1, 3))
def test_the_classes_keep_the_shares_that_they_had(right: list[bool], ratio: float) -> None:
    """Three to one among the points learned from first: so many times ``ratio`` at most, but for rounding."""
    known = Labelled.of([np.array([float(x), 5.0]) for x in (5, 6, 7, -5)], [1, 1, 1, 0], 2)
    new = [(1 + n if yes else -1 - n, 0) for n, yes in enumerate(right)]
    found = admitted(Bounds(per_mistake=100, balance=ratio, balance_to="data"), new, known=known)
    if len({*right}) == 1:
        assert len(found.data) == len(right) and found.unbalanced == [int(not right[0])]
        return
    counts = np.bincount(found.data.classes, minlength=2) + np.array([1, 3])
    assert counts[1] < 3 * ratio * (counts[0] + 1) and counts[0] < ratio * counts[1] / 3 + 1


def around(classes: int, per_class: dict[int, int]) -> tuple[list[Any], Any]:
    """New points, and a teacher that reads a point's class off its second coordinate."""
    points = [(10 + n, c) for c, count in per_class.items() for n in range(count)]
    return points, lambda new: np.eye(classes)[[int(p[1]) for p in new]]


@pytest.mark.parametrize(
    ("before", "proposed", "kept", "unbalanced"),
    [
        # Nothing of the rare class is proposed, or little: it holds nobody back, and all of it is taken.
        ([300, 300, 300, 300, 10], {0: 400, 1: 400, 2: 400, 3: 400}, [400, 400, 400, 400, 0], [4]),
        ([300, 300, 300, 300, 10], {0: 400, 1: 400, 2: 400, 3: 400, 4: 2}, [400, 400, 400, 400, 2], [4]),
        # The others are balanced among themselves: 350 is the least, 1.5 times that the most.
        ([300, 300, 10], {0: 50, 1: 400, 2: 1}, [50, 225, 1], [2]),
        # A class that can catch up does hold the others back: 1.5 times 90 is 135.
        ([100, 80], {0: 50, 1: 10}, [35, 10], []),
        ([300, 200], {0: 400}, [400, 0], [1]),
    ],
)
def test_a_class_that_cannot_be_balanced_holds_no_other_back(
    before: list[int], proposed: dict[int, int], kept: list[int], unbalanced: list[int]
) -> None:
    known_classes = [c for c, count in enumerate(before) for _ in range(count)]
    known = Labelled.of([np.array([-1.0 - n, c]) for n, c in enumerate(known_classes)], known_classes, len(before))
    new, says = around(len(before), proposed)
    found = admitted(Bounds(per_mistake=5000, made_per_kept=1, balance=1.5), new, teacher=says, known=known)
    assert np.bincount(found.data.classes, minlength=len(before)).tolist() == kept
    assert found.unbalanced == unbalanced


def test_every_round_brings_neighbours_that_are_not_known_yet() -> None:
    """A line of points: three around the origin a round, until there are no more."""
    pool = [np.array([float(x), 0.0]) for x in range(1, 11)]
    asked: list[int] = []

    def counting(points: Any, count: int, rng: Any) -> Any:
        asked.append(count)
        return retrieve(pool)(points, count, rng)

    known, taken = Labelled.of([np.array([-5.0, 0.0])], [0], 2), []
    for _ in range(5):
        found = admit(
            [np.zeros(2)],
            [counting],
            bounds=Bounds(per_mistake=3, made_per_kept=1, balance=None),
            teacher=lambda points: np.eye(2)[[1] * len(points)],
            space=None,
            guard=VectorGuard([np.array([2.0, 0.0])]),
            known=known,
            key=lambda point: repr(point.tolist()),
            kind=kind_of("classification"),
            rng=np.random.default_rng(0),
        )
        taken.append(sorted(int(p[0]) for p in found.data.points))
        known = known + found.data
    assert taken == [[1, 3], [4, 5, 6], [7, 8, 9], [10], []]
    assert max(asked) <= 3 * 2**3
