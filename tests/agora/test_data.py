"""Labelled points and what learns from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from chessboard import SETS, learner, square
from hypothesis import given
from hypothesis import strategies as st

from subarch.agora.data import Labelled, answers_of, diverged, key_of, neighbours, require_able
from subarch.tasks.kinds.table import kind_of

TWO = [np.array([0.0, 1.0]), np.array([2.0, 3.0])]


def test_classes_become_a_row_with_a_single_one_and_numbers_a_column() -> None:
    hard = Labelled.of(TWO, [2, 0], 3)
    assert hard.labels.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert hard.classes.tolist() == [2, 0]
    assert Labelled.of_numbers(TWO, [1.5, -2]).labels.tolist() == [[1.5], [-2]]


@given(share=st.floats(0, 1))
def test_a_share_of_the_teachers_labels_is_mixed_in(share: float) -> None:
    mixed = Labelled.of(TWO, [0, 1], 2).distilled(lambda points: np.full((len(points), 2), 0.5), share)
    assert mixed.labels == pytest.approx(np.array([[1 - share / 2, share / 2], [share / 2, 1 - share / 2]]))
    assert mixed.labels.sum(1) == pytest.approx(1)


def test_one_after_the_other_is_both_in_order() -> None:
    one, other = square(3, 0), square(2, 1)
    both = one + other
    assert len(both) == 5
    assert np.array_equal(np.stack(both.points), np.stack([*one.points, *other.points]))
    assert np.array_equal(both.labels, np.vstack([one.labels, other.labels]))


@pytest.mark.parametrize(
    ("points", "labels", "words"),
    [
        (TWO, np.ones((1, 2)), r"\(2, classes\), a row for every point, got \(1, 2\)"),
        (TWO, np.ones(2), r"got \(2,\)"),
        (TWO[:1], np.array([[np.nan, 1]]), "finite labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(points: list[Any], labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Labelled(tuple(points), labels)


class Failing:
    """A learner whose training diverges, or whose answers are not numbers."""

    kind = "classification"
    identity = "failing"

    def __init__(self, answer: float | None) -> None:
        self.answer = answer

    def fit(self, data: Any, theta: Any, seed: int) -> Any:
        if self.answer is None:
            raise ArithmeticError("the loss is not finite")
        return lambda points: np.full((len(points), 2), self.answer)


def test_a_student_that_diverged_has_no_answers() -> None:
    data = square(30, 0)
    for failing in (Failing(None), Failing(math.nan), Failing(math.inf)):
        assert answers_of(failing, data, {}, 0, data.points) is None  # type: ignore[arg-type]
    found = answers_of(learner(), data, SETS[0], 0, data.points)
    assert found is not None
    assert np.array_equal(found[1], found[0](data.points))
    assert "lower the learning rates" in str(diverged(SETS)) and "'max_depth': 12" in str(diverged(SETS))


def test_equal_points_have_equal_keys() -> None:
    made = learner()
    assert key_of(made, np.array([1.0, 2.0])) == key_of(made, np.array([1, 2]) * 1.0)
    assert key_of(made, np.array([1.0, 2.0])) != key_of(made, np.array([2.0, 1.0]))


@given(
    pool=st.lists(st.floats(-5, 5), min_size=1, max_size=12),
    points=st.lists(st.floats(-5, 5), min_size=1, max_size=4),
    count=st.integers(1, 15),
)
def test_neighbours_are_the_nearest_by_brute_force(pool: list[float], points: list[float], count: int) -> None:
    distances, rows = neighbours(np.array(pool)[:, None], np.array(points)[:, None], count)
    most = min(count, len(pool))
    assert rows.shape == distances.shape == (len(points), most)
    for n, point in enumerate(points):
        assert distances[n] == pytest.approx(sorted(abs(one - point) for one in pool)[:most])
        assert distances[n] == pytest.approx([abs(pool[row] - point) for row in rows[n]])


def test_a_teacher_must_be_able() -> None:
    numbers = Labelled.of_numbers([np.array([x]) for x in (0.0, 1.0, 2.0, 3.0)], [0, 1, 4, 9])
    kind = kind_of("regression")
    assert require_able(numbers.labels, numbers, kind) == pytest.approx(1)
    with pytest.raises(ValueError, match="in other units"):  # of a correlation it is worth as much as before
        require_able(10 * numbers.labels, numbers, kind)
    classes = square(60, 2)
    wrong = classes.labels[:, ::-1]
    with pytest.raises(ValueError, match=r"balanced accuracy on development data is 0\.000, expected above 0\.667"):
        require_able(wrong, classes, kind_of("classification"))
    assert require_able(wrong, classes, kind_of("classification"), override=True) == 0
    with pytest.raises(ValueError, match="answers with 3 outputs a point, the task has 2"):
        require_able(np.ones((60, 3)) / 3, classes, kind_of("classification"))
