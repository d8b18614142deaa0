"""The ladder of compress: it ends at its foot where that is asked for, and goes on where it is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from subarch.jobs.agora import JUDGED
from subarch.progress import silent
from subarch.rungs import beside
from subarch.rungs.climbing import Climb
from subarch.small import EnoughModel
from subarch.text.examples import Example


def test_a_rung_that_is_enough_comes_back_ready_to_answer(place: Any, tmp_path: Path) -> None:
    asked = {"rungs": ("constant", "tfidf"), "max_drop": 5.0}
    assert beside.foot(place.options(**asked), tmp_path, watch=silent) is None
    found = beside.foot(place.options(**asked, stop_when_met=True), tmp_path, watch=silent)
    assert isinstance(found, EnoughModel) and found.ladder.enough == "tfidf"
    assert found(["a good film"])[0]["label"] in ("praise", "blame")
    assert [one.target for _, one in found.targets.rows()] == ["drop"]
    assert not found.ladder.is_sealed  # the final statement is on the sealed rows
    assert (tmp_path / "ladder.json").is_file()


def test_times_that_were_asked_for_are_targets_of_the_rung(place: Any, tmp_path: Path) -> None:
    asked = {"rungs": ("constant", "tfidf"), "max_drop": 5.0, "stop_when_met": True}
    found = beside.foot(place.options(**asked, max_latency_ms=1000.0, speedup=1.0), tmp_path, watch=silent)
    assert found is not None
    assert {one.target for one in found.targets.met} >= {"latency_ms", "speedup"}
    assert beside.foot(place.options(**asked, max_latency_ms=1e-6), tmp_path, watch=silent) is None


def test_a_cascade_is_decided_by_what_was_said_before_the_development_rows_were_learned(
    place: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    climb = Climb(place.ground(artifacts=("onnx-int8",)))
    student: Any = climb.stand("tfidf")
    tuned: Any = SimpleNamespace(checkpoint=tmp_path / "finetune" / "checkpoint")
    assert beside._cascade(climb, student, tuned, tmp_path) is None and "there is no cascade" in caplog.text
    tuned.checkpoint.mkdir(parents=True)
    # Whatever it says of these rows now: then it was always wrong, and never sure.
    rows = climb.ground.task.development
    wrong = np.array([[0.1, 0.0] if example.label else [0.0, 0.1] for example in rows], np.float32)
    np.savez(tuned.checkpoint.parent / JUDGED, rows=np.arange(len(rows)), logits=wrong)
    found = beside._cascade(climb, student, tuned, tmp_path)
    assert found is not None and found.development_deferred == 1.0
    assert len(student.predictor.outputs([Example("good")])[0]) == 2
