"""The command: what it leaves, what it says, and that it goes on where it stopped."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from subarch.cli import main
from subarch.errors import InputError
from subarch.results.ladder import LadderResult
from subarch.rungs.climbing import Climb, ladder


def test_every_rung_stands_with_quality_interval_time_size_and_folder(climbed: LadderResult, place: Any) -> None:
    assert [one.name for one in climbed.rungs] == ["constant", "tfidf", "static", "first-layers", "teacher"]
    rows = len(place.ground().task.sealed)
    for one in climbed.rungs:
        assert one.quality is not None and one.development is not None and one.ci95 is not None
        assert one.drop is not None and one.drop.rows == rows == climbed.sealed_rows
        low, high = one.drop.drop_ci95
        assert low <= one.drop.drop <= high
        assert one.ms_per_text and one.texts_per_second and one.size_bytes and one.folder
        assert Path(one.folder).is_dir()
    teacher, constant = climbed.rung("teacher"), climbed.rung("constant")
    assert teacher is not None and constant is not None and constant.drop is not None
    assert constant.drop.drop == pytest.approx(100 * (teacher.quality - constant.quality))
    assert constant.verdict == "missed" and teacher.verdict == "missed"  # it is not faster than itself


def test_the_folder_holds_result_report_and_manifest(climbed: LadderResult, place: Any) -> None:
    run = place.root / "run"
    assert LadderResult.from_json(json.loads((run / "ladder.json").read_text(encoding="utf-8"))) == climbed
    page = (run / "report.html").read_text(encoding="utf-8")
    assert 'id="ladder-quality-time"' in page and "TF-IDF" in page
    assert json.loads((run / "ladder-manifest.json").read_text(encoding="utf-8"))["command"] == "subarch ladder ..."


def test_the_same_command_again_does_nothing_twice(climbed: LadderResult, place: Any) -> None:
    run = place.root / "run"
    made = {
        file: file.stat().st_mtime_ns for file in run.glob("ladder/**/*") if file.suffix in (".json", ".npy", ".npz")
    }
    assert ladder(place.options(speedup=1.5)) == climbed
    assert {file: file.stat().st_mtime_ns for file in made} == made


def test_after_a_stop_finished_rungs_are_not_made_again(climbed: LadderResult, place: Any) -> None:
    run = place.root / "run"
    (run / "ladder.json").unlink()
    made = {file: file.stat().st_mtime_ns for file in run.glob("ladder/*/rung.json")}
    found = ladder(place.options(speedup=1.5))
    assert {file: file.stat().st_mtime_ns for file in run.glob("ladder/*/rung.json")} == made
    assert [one.quality for one in found.rungs] == [one.quality for one in climbed.rungs]
    assert found.identity == climbed.identity


def test_rungs_are_told_as_soon_as_they_are_there(
    climbed: LadderResult, place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="subarch.rungs"):
        foot = Climb(place.ground(rungs=("constant", "tfidf", "teacher-int8"))).foot()
    told = [record.message for record in caplog.records]
    assert any(one.startswith("TF-IDF of words and characters") and "the teacher" in one for one in told)
    assert any("the rung teacher-int8 is left out: none of the forms" in one for one in told)
    assert foot.is_sealed and "8-bit" in foot.left_out["teacher-int8"]


def test_it_ends_with_what_is_enough_where_that_is_asked_for(place: Any, tmp_path: Path) -> None:
    asked = {"rungs": ("constant", "tfidf", "first-layers"), "max_drop": 5.0, "stop_when_met": True}
    found = ladder(place.options(run=tmp_path, **asked))
    assert found.enough == "tfidf"  # the commonest class loses more than that
    assert [one.name for one in found.rungs] == ["constant", "tfidf", "teacher"]  # no layers were tried
    assert found.sentence().lead == "enough"


def test_the_folder_of_a_rung_is_served_by_other_commands(
    climbed: LadderResult, place: Any, subarch: Any, tmp_path: Path
) -> None:
    row = climbed.rung("tfidf")
    assert row is not None and row.folder is not None and row.quality is not None
    scored = subarch("evaluate", row.folder, "--data", place.data, "--json").json
    assert (scored["split"], scored["artifact"]) == ("sealed", "tfidf")
    assert scored["metrics"]["accuracy"] == pytest.approx(row.quality)
    assert subarch("predict", row.folder, "--data", place.data, "--output", tmp_path / "said.csv").status == 0


def test_what_is_wrong_is_refused_before_anything_is_written(place: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fine-tune it first"):
        ladder(place.options(teacher=str(place.root / "encoder"), run=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert main(["ladder", "--data", str(place.data), "--teacher", str(place.teacher), "--max-drop", "200"]) == 2
