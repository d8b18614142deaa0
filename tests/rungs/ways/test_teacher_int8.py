"""The teacher in 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subarch.errors import InputError
from subarch.rungs.ways.teacher_int8 import TeacherInt8, with_eight_bits
from subarch.running.artifacts import FORMS


def test_in_eight_bits_it_is_judged_on_development_rows_alone(place: Any, tmp_path: Path) -> None:
    ground, rung = place.ground(artifacts=("onnx", "onnx-int8")), TeacherInt8()
    rung.make(ground, tmp_path)
    predictor = rung.answer(ground, tmp_path)
    assert predictor.artifact == "onnx-int8" and "onnx-int8" in rung.told(tmp_path)
    assert rung.size_bytes(ground, tmp_path) == (tmp_path / "export" / FORMS["onnx-int8"].file).stat().st_size
    right = np.array(ground.task.development.labels)
    said = np.stack(predictor.outputs(ground.task.development.texts))[:, list(ground.order)]
    assert np.mean(said.argmax(1) == right) > 0.8


def test_forms_without_eight_bits_are_refused(place: Any) -> None:
    with pytest.raises(InputError, match="none of the forms asked for has 8-bit integers"):
        with_eight_bits(place.ground(artifacts=("onnx",)))
