"""The teacher as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subarch.rungs.ways.teacher import TeacherAsGiven


def test_as_it_is_it_says_what_its_checkpoint_says(place: Any, tmp_path: Path) -> None:
    ground = place.ground()
    TeacherAsGiven().make(ground, tmp_path / "teacher")
    said = TeacherAsGiven().answer(ground, tmp_path).outputs(ground.task.development.texts)
    known = replace(ground, folder=tmp_path).asked_teacher(ground.task.development, "development rows")
    assert np.stack(said)[:, list(ground.order)] == pytest.approx(np.stack(known), abs=1e-4)
    assert TeacherAsGiven().size_bytes(ground, tmp_path) == (place.teacher / "model.safetensors").stat().st_size
