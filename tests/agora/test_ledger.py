"""The ledger of trainings: whole trials, known again in another process, and one folder a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from chessboard import learner, square
from sklearn.tree import DecisionTreeClassifier

from subarch.agora.data import Labelled
from subarch.agora.estimators import EstimatorLearner
from subarch.agora.ledger import TrainingLedger, points_digest, training_key

SETS: list[dict[str, Any]] = [{"widths": [4, 4], "bias": True}, {"widths": [8], "bias": 1, "rate": 0.1}]


def test_what_is_recorded_is_known_again(tmp_path: Path) -> None:
    said = np.array([[0.25, 0.75], [1.0, 0.0]])
    first = TrainingLedger(tmp_path / "folder", {"a": 1}, SETS)
    assert first.predictions("k") is None
    first.record("k", score=0.5, predictions=said, theta=SETS[1], details={"round": 3})
    for ledger in (first, TrainingLedger(tmp_path / "folder", {"a": 1}, SETS)):
        assert np.array_equal(ledger.predictions("k"), said)
        assert ledger.predictions("another") is None
    (trial,) = optuna.load_study(study_name="agora", storage=f"sqlite:///{tmp_path}/folder/study.db").trials
    assert trial.value == 0.5 and trial.user_attrs == {"key": "k", "round": 3}
    assert trial.params == {"widths": "[8]", "bias": 1, "rate": 0.1}


def test_predictions_without_a_trial_are_of_a_training_that_was_not_finished(tmp_path: Path) -> None:
    TrainingLedger(tmp_path, {}, SETS)
    np.save(tmp_path / "predictions" / "k.npy", np.ones((2, 2)))
    assert TrainingLedger(tmp_path, {}, SETS).predictions("k") is None


def test_another_question_in_the_same_folder_is_refused_by_what_differs(tmp_path: Path) -> None:
    TrainingLedger(tmp_path, {"data": "x", "seed": 0, "sets": [1]}, SETS)
    TrainingLedger(tmp_path, {"data": "x", "seed": 0, "sets": (1,)}, SETS)  # the same in JSON
    with pytest.raises(ValueError, match=r"begun with other values of seed, teacher: give those again"):
        TrainingLedger(tmp_path, {"data": "x", "seed": 1, "sets": [1], "teacher": "t"}, SETS)


def test_a_training_is_told_by_all_that_determines_it() -> None:
    data = square(5, 0)
    changed = Labelled(data.points, data.labels * 0.5 + 0.25)
    turned = Labelled(data.points[::-1], data.labels[::-1])
    key = training_key(learner(), data, {"max_depth": 4}, 0)
    assert key == training_key(learner(), Labelled(data.points, data.labels.copy()), {"max_depth": 4}, 0)
    others = {
        training_key(learner(), changed, {"max_depth": 4}, 0),
        training_key(learner(), turned, {"max_depth": 4}, 0),
        training_key(learner(), data, {"max_depth": 5}, 0),
        training_key(learner(), data, {"max_depth": 4}, 1),
        training_key(EstimatorLearner(DecisionTreeClassifier(criterion="entropy"), 2), data, {"max_depth": 4}, 0),
    }
    assert len(others | {key}) == 6
    assert points_digest(learner(), data) != points_digest(learner(), data + square(1, 9))
