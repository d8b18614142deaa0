"""The log and the checkpoints of a pre-training: whole or absent, whenever a process ends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from subarch.learning.distillation import Meter
from subarch.learning.journal import STAGE, Journal, synced


class Run:
    """A pre-training as its trainer tells of it."""

    def __init__(self, folder: Path, *, main: bool = True) -> None:
        folder.mkdir(exist_ok=True)
        self.told: list[tuple[str, int, int | None, str]] = []
        self.meter, self.folder = Meter(), folder
        self.journal = Journal(folder, folder / "writing", self.meter, self.watch, main=main)

    def watch(self, stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        self.told.append((stage, done, total, note))

    def step(self, number: int, *, most: int = 10, save: bool = False) -> Any:
        self.meter.add({"mlm": torch.tensor(2.0), "tokens": torch.tensor(100.0)})
        control = SimpleNamespace(should_save=save, should_log=False, should_evaluate=True)
        state = SimpleNamespace(global_step=number, max_steps=most)
        self.journal.on_step_end(None, state, control)
        return control

    def log(self, number: int, **logs: float) -> dict[str, Any]:
        self.journal.on_log(None, SimpleNamespace(global_step=number), None, logs=logs)
        return logs

    def save(self, number: int) -> None:
        part = self.folder / "writing" / f"checkpoint-{number}"
        part.mkdir(parents=True)
        (part / "model.bin").write_text(str(number))
        self.journal.on_save(None, SimpleNamespace(global_step=number), None)

    def checkpoints(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "checkpoints").glob("*"))


def test_steps_are_logged_as_means_with_what_they_took(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.journal.on_train_begin(None, None, None)
    for number in (1, 2, 3, 4):
        run.step(number)
    logs = run.log(4, loss=1.5, learning_rate=0.1, epoch=0.5)
    (record,) = run.journal.records()
    assert (record["step"], record["loss"], record["mlm"], record["tokens"]) == (4, 1.5, 2.0, 400)
    assert "epoch" not in record and record["seconds"] > 0
    assert logs["tokens_per_second"] == pytest.approx(400 / record["seconds"])
    run.log(4, eval_held_out_loss=2.5, eval_masked_accuracy=0.25)
    assert run.journal.records()[1] == {"step": 4, "held_out_loss": 2.5, "masked_accuracy": 0.25}
    run.step(5)
    assert run.told[-1][:3] == (STAGE, 5, 10) and "held-out loss 2.500, accuracy 25.0%" in run.told[-1][3]
    run.log(5, loss=1.0)
    tokens, seconds = run.journal.totals()
    assert tokens == 500 and seconds == pytest.approx(sum(one.get("seconds", 0) for one in run.journal.records()))


@pytest.mark.parametrize("logs", [{"loss": float("nan")}, {"loss": 1.0, "grad_norm": float("inf")}])
def test_a_run_that_diverges_is_stopped_before_it_is_logged(logs: dict[str, float], tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.step(1)
    with pytest.raises(FloatingPointError, match=r"is (nan|inf): a lower learning rate may help"):
        run.log(1, **logs)
    assert run.journal.records() == []


def test_what_is_saved_was_logged_before_and_at_the_end_the_job_evaluates(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.step(1).should_log is False
    assert run.step(2, save=True).should_log is True
    last = run.step(10)
    assert (last.should_log, last.should_evaluate) == (True, False)


def test_the_last_two_checkpoints_are_kept_and_nothing_half_written_is_one(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.journal.last_checkpoint() is None
    for number in (2, 9, 10):
        run.save(number)
    assert run.checkpoints() == ["step-000000009", "step-000000010"]  # by number, not by name
    assert (run.journal.last_checkpoint() or tmp_path).joinpath("model.bin").read_text() == "10"
    (tmp_path / "writing" / "checkpoint-11").mkdir()  # not finished
    assert run.journal.last_checkpoint() == tmp_path / "checkpoints" / "step-000000010"


def test_a_run_goes_on_from_its_last_checkpoint_and_forgets_what_came_after(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for number in (1, 2, 3):
        run.step(number)
        run.log(number, loss=float(number))
        if number == 2:
            run.save(2)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')  # the process was killed here
    (tmp_path / "writing" / "checkpoint-3").mkdir(parents=True)
    again = Run(tmp_path)
    assert [record["step"] for record in again.journal.records()] == [1, 2, 3]
    assert again.journal.reopen() == tmp_path / "checkpoints" / "step-000000002"
    assert [record["loss"] for record in again.journal.records()] == [1.0, 2.0]
    assert not (tmp_path / "writing").exists()
    again.step(3)
    again.log(3, loss=3.0)
    assert [record["tokens"] for record in again.journal.records()] == [100, 100, 100]


def test_a_process_that_is_not_the_main_one_writes_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, main=False)
    run.step(1)
    run.log(1, loss=1.0)
    run.save(1)
    run.journal.reopen()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["writing"]


def test_a_folder_is_synced_with_all_that_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_text("x")
    count: list[int] = []
    monkeypatch.setattr("os.fsync", count.append)
    synced(tmp_path)
    assert len(count) == 3  # the file, and both folders
