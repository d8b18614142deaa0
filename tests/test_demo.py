"""The demo, whole: minutes of training, hence slow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subarch.cli import main
from subarch.tasks.loading import load_task

pytest.importorskip("onnxruntime")


def test_a_source_without_its_tables_is_not_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "source").mkdir()
    assert main(["demo", "--run", str(tmp_path)]) == 2
    assert "labelled.csv" in (said := capsys.readouterr().err) and "take another --run" in " ".join(said.split())
    assert [one.name for one in tmp_path.iterdir()] == ["source"]


@pytest.mark.slow
def test_the_demo_tells_the_whole_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verification"]["accepted"] and result["certificate"]["verdict"] == "certified"
    reference, source, plain, deployed = result["table"]
    assert reference["times_as_fast"] == 1 and reference["accuracy"] is None
    assert source["ms"] > plain["ms"] > deployed["ms"] and deployed["times_as_fast"] > 100
    assert deployed["accuracy"] > plain["accuracy"] > 1 / 8  # chance among eight packages
    assert Path(result["report"]).is_file()

    # Neither network has learned from what both are scored on, nor the source from what the student learns from.
    task = load_task("demo/packages")
    data = {
        name: (tmp_path / "runs/demo/data" / f"{name}.csv").read_text(encoding="utf-8")
        for name in ("labelled", "sealed")
    }
    assert data["sealed"].count("\n") >= len(task.sealed.unlabelled())
    first = task.sealed.unlabelled()[0].first.splitlines()[0][:30]
    assert first in data["sealed"] and first not in data["labelled"]

    assert main(["demo", "--json"]) == 0  # everything is there already
    again = json.loads(capsys.readouterr().out)
    assert again["table"] == result["table"] and again["certificate"] == result["certificate"]
