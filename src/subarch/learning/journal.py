"""What a pre-training leaves behind on its way: a log, and checkpoints that are whole or absent."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from subarch.learning.distillation import Meter
from subarch.progress import Watch
from subarch.storage import write_text

STAGE = "pre-training"
_KEPT = 2  # checkpoints


class Journal(TrainerCallback):
    """Writes ``log.jsonl``, publishes checkpoints, stops a run that diverges, and tells the watch.

    The trainer writes into a folder of its own; what it has written whole is moved to ``checkpoints/step-...``, and the
    last two of those are kept.

    Args:
        folder: of the job.
        writing: where the trainer writes.
        meter: of the trainer.
        watch: told of every step.
        main: whether this process writes.
    """

    def __init__(self, folder: Path, writing: Path, meter: Meter, watch: Watch, *, main: bool) -> None:
        self._file, self._checkpoints, self.writing = folder / "log.jsonl", folder / "checkpoints", writing
        self._meter, self._watch, self._main = meter, watch, main
        self._since, self._seconds, self._logged = time.perf_counter(), 0.0, 0
        self._notes: dict[str, str] = {}

    # ------------------------------------------------------------------ files

    def last_checkpoint(self) -> Path | None:
        """The newest one, ``step-`` and the number of its step."""
        return max(self._checkpoints.glob("step-*"), default=None)

    def reopen(self) -> Path | None:
        """Forget what was logged after the last checkpoint, which the run goes on from."""
        last = self.last_checkpoint()
        self._logged = 0 if last is None else int(last.name.removeprefix("step-"))
        if self._main:
            shutil.rmtree(self.writing, ignore_errors=True)  # a checkpoint that was not finished
            kept = [json.dumps(record) for record in self.records() if record["step"] <= self._logged]
            write_text(self._file, "".join(f"{line}\n" for line in kept))
        return last

    def records(self) -> list[dict[str, Any]]:
        """The log; a line that a killed process left unfinished is none of it."""
        lines = self._file.read_text(encoding="utf-8").split("\n")[:-1] if self._file.is_file() else []
        return [json.loads(line) for line in lines]

    def totals(self) -> tuple[int, float]:
        """Tokens and seconds of the whole run, without evaluations and checkpoints."""
        found = [record for record in self.records() if "tokens" in record]
        return sum(record["tokens"] for record in found), sum(record["seconds"] for record in found)

    # ------------------------------------------------------------------ events

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._since = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        now = time.perf_counter()
        self._seconds, self._since = self._seconds + now - self._since, now
        if control.should_save:
            control.should_log = True  # what is not a number must not be saved
        if state.global_step == state.max_steps:
            control.should_log, control.should_evaluate = True, False  # the job evaluates at the end
        note = ", ".join(f"{name} {value}" for name, value in self._notes.items())
        self._watch(STAGE, done=state.global_step, total=state.max_steps, note=note)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        logs: dict[str, Any] = kwargs["logs"]
        if "eval_held_out_loss" in logs:
            scores = {name: logs[f"eval_{name}"] for name in ("held_out_loss", "masked_accuracy")}
            self._write({"step": state.global_step, **scores})
            self._notes["held-out loss"] = f"{scores['held_out_loss']:.3f}"
            self._notes["accuracy"] = f"{scores['masked_accuracy']:.1%}"
        elif "loss" in logs:
            self._log_steps(int(state.global_step), logs)
        self._since = time.perf_counter()

    def _log_steps(self, step: int, logs: dict[str, Any]) -> None:
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0.0)):
                raise FloatingPointError(f"{name} is {logs[name]}: a lower learning rate may help")
        sums = self._meter.read()
        values = _over_processes(torch.stack([value.float() for value in sums.values()])).tolist()
        parts = {name: value / (step - self._logged) for name, value in zip(sums, values, strict=True)}
        tokens, seconds = round(parts.pop("tokens") * (step - self._logged) * _processes()), self._seconds
        logs |= parts | {"tokens_per_second": tokens / seconds}  # for the reports that come after this one
        record = {name: value for name, value in logs.items() if name != "epoch"}
        self._write({"step": step, **record, "tokens": tokens, "seconds": seconds})
        self._notes |= {"loss": f"{logs['loss']:.3f}", "tokens/s": f"{tokens / seconds:,.0f}"}
        self._seconds, self._logged = 0.0, step

    def _write(self, record: dict[str, Any]) -> None:
        if self._main:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if torch.distributed.is_initialized():
            torch.distributed.barrier()  # every process has its own part of the checkpoint to write
        if self._main:
            self._publish(int(state.global_step))
        self._since = time.perf_counter()

    def _publish(self, step: int) -> None:
        made = self.writing / f"checkpoint-{step}"
        synced(made)
        self._checkpoints.mkdir(exist_ok=True)
        made.rename(self._checkpoints / f"step-{step:09d}")
        for old in sorted(self._checkpoints.glob("step-*"))[:-_KEPT]:
            old.rename(self.writing / old.name)  # so that no half of it is ever found
            shutil.rmtree(self.writing / old.name)


def synced(folder: Path) -> None:
    """Wait until everything in a folder is on disk."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _processes() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def _over_processes(values: Tensor) -> Tensor:
    """Means over all processes."""
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
    return values / _processes()
