"""What every stage of ``compress`` needs, looked at before the first begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from compressing import given

from commands import Command, refused
from subarch.jobs.preconditions import require_apart, require_cells, require_texts, require_unused

pytest.importorskip("onnxruntime")


def test_what_could_not_be_exported_or_timed_is_refused_at_once(
    inputs: Path, tmp_path: Path, subarch: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = given(inputs, tmp_path / "run")
    refused(subarch(*line, 'export.artifacts=["onnx-int8-static"]'), "onnx-int8-static", "would not be timed")
    refused(subarch(*line, 'bench.runtime=["pytorch"]'), "onnx, which may be chosen")
    monkeypatch.setattr("subarch.jobs.plan.is_installed", lambda _: False)
    free = [one for one in line if not one.startswith("export.artifacts")]
    refused(subarch(*free), "pip install 'subarch[onnx]'")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pretrain.corpus=none.txt", "none.txt"),
        ("pretrain.mlm=1", "no loss learns from it"),
        ("pretrain.logits=0.5", "masked-language-model head"),
        ("pretrain.sequence_length=4096", "positions"),
        ("pretrain.tokenizer=nowhere", "nowhere"),
        ("agora.executor=process:4", "process:4"),
        ('agora.proposals=["mine:function"]', "mine:function"),
        ("agora.space=mine:space", "mine:space"),
        ("agora.language_model=nowhere", "nowhere"),
        ("bench.sequence_length=[8]", "which targets are judged at"),
        ("bench.batch_size=[32]", "which targets are judged at"),
        ("extract.start=scratch", "extract.corpus"),
        ("extract.corpus=none.txt", "none.txt"),
    ],
)
def test_settings_of_late_stages_are_refused_before_the_first(
    change: str, said: str, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    line = given(inputs, tmp_path / "run")
    refused(subarch(*line, change, "--dry-run"), said)
    refused(subarch(*line, change), said)
    assert not (tmp_path / "run").exists()


def test_a_teacher_may_not_lie_where_stages_write(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for inside in (run, run / "finetune" / "x" / "checkpoint", run / "teacher", run / "other" / ".." / "export"):
        with pytest.raises(ValueError, match="which would overwrite it: take another --run"):
            require_apart(inside, run)
    require_apart(tmp_path / "teacher", run)
    require_apart(run / "mine", run)
    require_apart(tmp_path / "run-finetune", run)


def test_a_run_of_another_command_is_not_mixed_with(tmp_path: Path) -> None:
    require_unused(tmp_path / "not there")
    (tmp_path / "notes.txt").write_text("mine")
    require_unused(tmp_path)
    (tmp_path / "study.db").write_bytes(b"")
    (tmp_path / "export").mkdir()
    with pytest.raises(ValueError, match=r"holds export, study\.db of another command"):
        require_unused(tmp_path)


def test_a_bench_must_time_what_targets_are_judged_by() -> None:
    def refusal(longest: int = 64, **bench: tuple[int, ...]) -> str:
        with pytest.raises(ValueError) as found:
            require_cells({"bench": {"sequence_length": (16, 32)} | bench}, 16, longest)
        return str(found.value)

    require_cells({"bench": {"sequence_length": (16, 32)}}, 16, 32)
    require_cells({"bench": {"sequence_length": (16,), "batch_size": (8, 1)}}, 16, 32)
    assert "must have 16" in refusal(sequence_length=(8, 32))
    assert "bench.batch_size must have 1" in refusal(batch_size=(8,))
    assert "has 32, the teacher has positions for 24" in refusal(longest=24)


def test_a_search_needs_enough_texts_to_judge_by() -> None:
    with pytest.raises(ValueError, match=r"expected at least ([\d,]+) training texts for the search, got 3: give more"):
        require_texts(3)
    require_texts(100_000)
