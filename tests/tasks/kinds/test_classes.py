"""Scores of which the largest wins: shares, answers, and how good a teacher is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.tasks.kinds.table import kind_of

KIND = kind_of("classification")


@given(st.lists(st.lists(st.floats(-20, 20), min_size=1, max_size=4), min_size=1, max_size=5))
def test_shares_are_a_softmax_and_end_in_zeros(outputs: list[list[float]]) -> None:
    found = kind_of("choice").rows_said([np.array(one) for one in outputs], 3)
    assert found.shape == (len(outputs), max(3, *map(len, outputs)))
    assert found.sum(1) == pytest.approx(1)
    for row, one in zip(found, outputs, strict=True):
        powers = np.exp(np.array(one) - max(one))
        assert row[: len(one)] == pytest.approx(powers / powers.sum()) and not row[len(one) :].any()


def test_an_answer_and_its_cells_by_hand() -> None:
    answer = KIND.answer(np.log([0.2, 0.3, 0.5]), ("a", "b", "c"))
    assert answer == {"label": "c", "probability": 0.5, "probabilities": {"a": 0.2, "b": 0.3, "c": 0.5}}
    cells = KIND.cells(answer)
    assert cells == {
        "label": "c",
        "probability": 0.5,
        "probability of a": 0.2,
        "probability of b": 0.3,
        "probability of c": 0.5,
    }
    assert list(cells) == KIND.columns(("a", "b", "c"))
    nothing = KIND.answer(None, ("a", "b"))  # keeps its place
    assert set(nothing.values()) == {None} and KIND.cells(nothing) == {"label": None, "probability": None}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=20))
@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")
def test_a_teachers_ability_is_its_mean_recall_and_the_bar_a_third_above_chance(pairs: list[tuple[int, int]]) -> None:
    right, said = ([pair[side] for pair in pairs] for side in (0, 1))
    able = KIND.ability(np.eye(3)[right], np.eye(3)[said])
    recalls = [np.mean([b == label for a, b in pairs if a == label]) for label in set(right)]
    assert able.value == pytest.approx(np.mean(recalls))
    chance = 1 / len(set(right))
    assert able.bar == pytest.approx(chance + (1 - chance) / 3)
    assert KIND.agreement(np.eye(3)[right], np.eye(3)[said]) == pytest.approx(np.mean(np.equal(right, said)))


def test_two_balanced_classes_have_the_published_bar() -> None:
    assert KIND.ability(np.eye(2), np.eye(2)).bar == pytest.approx(2 / 3)


def test_a_single_class_cannot_be_learned() -> None:
    KIND.check_learnable("training", np.eye(2))
    with pytest.raises(ValueError, match="at least two classes among the training examples, got one"):
        KIND.check_learnable("training", np.array([[0.9, 0.1], [1, 0]]))
