"""What training starts from, and the ranges of its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chessboard import SETS, learner, square, teacher

from subarch.agora.course import Course, Settings
from subarch.agora.proposals import Bounds


def test_settings_have_ranges() -> None:
    for wrong in ({"max_rounds": 0}, {"pruning": "x"}, {"budget": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Settings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_distance"):
        Bounds(min_distance=2, max_distance=1)


def test_a_score_is_the_agreement_unless_another_is_given(tmp_path: Path) -> None:
    data = square(40, 0)
    given = {"data": data, "development": data, "hyperparameters": SETS, "functions": (), "folder": tmp_path}
    course = Course(learner=learner(), teacher=teacher, guard=None, **given)  # type: ignore[arg-type]
    said = data.labels.copy()
    said[:10] = said[:10, ::-1]
    assert course.scored(data.labels, said) == pytest.approx(0.75)
    other = Course(
        learner=learner(),
        teacher=teacher,
        guard=None,  # type: ignore[arg-type]
        score=lambda labels, said: float(np.abs(labels - said).sum()),
        **given,  # type: ignore[arg-type]
    )
    assert other.scored(data.labels, said) == 20


def test_what_a_teacher_answers_is_told_apart_from_what_it_teaches(tmp_path: Path) -> None:
    data = square(10, 0)
    given = {"data": data, "development": data, "hyperparameters": SETS, "functions": (), "folder": tmp_path}
    plain = Course(learner=learner(), teacher=teacher, guard=None, **given)  # type: ignore[arg-type]
    assert plain.answers is teacher and plain.labelling is teacher
    for soft in (True, False):
        course = replace(plain, answering=lambda rows: rows + 1, settings=Settings(bounds=Bounds(soft=soft)))
        assert np.array_equal(course.answers(data.points), teacher(data.points) + 1)
        taught = course.labelling(data.points)
        assert np.array_equal(taught, teacher(data.points) if soft else teacher(data.points) + 1)
