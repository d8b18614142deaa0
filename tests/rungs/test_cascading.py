"""The student where it is sure, the teacher in 8 bits where it is not: how sure, and what that is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subarch.errors import InputError
from subarch.rungs.cascading import cascade, enough
from subarch.rungs.climbing import Climb
from subarch.running.cascade import confidence
from subarch.running.predictor import Predictor
from subarch.text.examples import Example


def test_the_fewest_rows_are_passed_on_that_keep_the_other_ones_score(place: Any) -> None:
    task = place.ground().task
    rows, right = task.development, [int(example.label) for example in task.development]
    count = len(right)
    sure = np.linspace(0.5, 1.0, count)
    wrong_where_unsure = [1 - label if n < 5 else label for n, label in enumerate(right)]
    least, share = enough(task, rows, sure, wrong_where_unsure, right)
    assert sure[4] < least <= sure[5] + 1 / count and share == pytest.approx(5 / count, abs=1 / count)
    assert enough(task, rows, sure, right, right) == (0.0, 0.0)
    # One that is wrong where it is surest is trusted nowhere; a second that is worse is not asked at all.
    assert enough(task, rows, sure, [*right[:-1], 1 - right[-1]], right)[1] == 1.0
    assert enough(task, rows, sure, right, wrong_where_unsure)[1] == 0.0


def test_a_cascade_is_one_folder_that_answers_as_its_parts_do(place: Any, tmp_path: Path) -> None:
    ground = place.ground(artifacts=("onnx-int8",))
    climb = Climb(ground)
    student, second = climb.stand("tfidf"), climb.stand("teacher-int8")
    some = range(1, len(ground.task.development), 2)
    bare = [Example(one.first, one.seconds) for one in (ground.task.development[row] for row in some)]
    judged = dict(zip(some, student.predictor.outputs(bare), strict=True))
    found = cascade(ground, student, climb.teacher, second, judged, tmp_path)
    predictor = Predictor.from_pretrained(found.folder)
    rows = [Example(one.first, one.seconds) for one in ground.task.sealed.unlabelled()]
    mine, theirs = student.predictor.outputs(rows), second.predictor.outputs(rows)
    order = [second.predictor.label_names.index(name) for name in student.predictor.label_names]
    unsure = confidence(mine) < found.least
    for said, one, other, passed in zip(predictor.outputs(rows), mine, theirs, unsure, strict=True):
        assert said == pytest.approx(other[order] if passed else one, abs=1e-5)
    assert found.deferred == pytest.approx(unsure.mean()) and 0 <= found.development_deferred <= 1
    assert found.mean_ms > 0 and found.p95_ms > 0 and found.promise.rows == len(rows)
    assert "where it is sure" in found.in_words()


def test_numbers_have_no_confidence(place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = place.ground()
    monkeypatch.setattr(type(ground.task.kind), "has_classes", False)
    with pytest.raises(InputError, match="a cascade is of classes"):
        cascade(ground, None, None, None, {}, tmp_path)  # type: ignore[arg-type]
