"""Students of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from subarch.agora.data import Labelled
from subarch.agora.estimators import EstimatorLearner, probabilities

POINTS = [np.array([x]) for x in (-2.0, -1.0, 1.0, 2.0)]


def test_hard_labels_are_learned_as_the_library_learns_them() -> None:
    student = EstimatorLearner(LogisticRegression(), 2).fit(Labelled.of(POINTS, [0, 0, 1, 1], 2), {"C": 0.5}, 0)
    expected = LogisticRegression(C=0.5).fit(np.stack(POINTS), [0, 0, 1, 1]).predict_proba(np.stack(POINTS))
    assert student(POINTS) == pytest.approx(expected, abs=1e-4)


def test_soft_labels_are_weights() -> None:
    # Leaves of a tree say the shares of the labels that fell into them.
    labels = np.array([[0.75, 0.25], [0.25, 0.75], [1.0, 0.0], [0.0, 1.0]])
    student = EstimatorLearner(DecisionTreeClassifier(max_depth=1), 2).fit(Labelled(tuple(POINTS), labels), {}, 0)
    assert student(POINTS).sum(1) == pytest.approx(1)
    alone = EstimatorLearner(DecisionTreeClassifier(), 2).fit(Labelled(tuple(POINTS), labels), {}, 0)
    assert alone(POINTS) == pytest.approx(labels)


def test_where_nothing_has_weights_the_likeliest_class_is_learned() -> None:
    labels = np.array([[0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9]])
    student = EstimatorLearner(KNeighborsClassifier(1), 2).fit(Labelled(tuple(POINTS), labels), {}, 0)
    assert student(POINTS).tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]


def test_a_class_that_was_never_seen_has_probability_zero() -> None:
    said = probabilities(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 2]), 4)([np.array([0.0]), np.array([1.0])])
    assert said.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


def test_numbers() -> None:
    learner = EstimatorLearner(Ridge(alpha=1e-9), 1)
    assert not learner.kind.has_classes
    student = learner.fit(Labelled.of_numbers(POINTS, [-4, -2, 2, 4]), {}, 0)
    assert student([np.array([3.0])]) == pytest.approx(np.array([[6.0]]))


def test_who_learns_is_told_by_settings_and_classes() -> None:
    one = EstimatorLearner(DecisionTreeClassifier(max_depth=3), 2)
    assert one.identity == EstimatorLearner(DecisionTreeClassifier(max_depth=3), 2).identity
    others = [EstimatorLearner(DecisionTreeClassifier(), 2), EstimatorLearner(DecisionTreeClassifier(max_depth=3), 3)]
    assert len({one.identity, *(other.identity for other in others)}) == 3
    assert one.unpack(one.pack(np.array([0.1, -2.5]))).tolist() == [0.1, -2.5]


def test_the_seed_decides_and_the_estimator_that_was_given_is_not_fitted() -> None:
    given = DecisionTreeClassifier(splitter="random")
    data = Labelled.of([np.array([float(n)]) for n in range(40)], [n % 2 for n in range(40)], 2)
    new = [np.array([n + 0.37]) for n in range(40)]
    said = [EstimatorLearner(given, 2).fit(data, {"max_depth": 4}, seed)(new).tolist() for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]
    assert not hasattr(given, "tree_")
