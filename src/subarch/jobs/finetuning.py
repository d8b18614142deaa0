"""Fine-tuning from options to files: ``finetune``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from subarch import __version__
from subarch.errors import InputError
from subarch.jobs.agora import depends_on, learn_from_mistakes, require_checkpoints
from subarch.jobs.splits import dealt_as_for, require_one_seal, split_of
from subarch.jobs.starts import Start, open_start
from subarch.learning.checkpoints import open_fitted
from subarch.learning.finetuning import finetune as finetune_task
from subarch.learning.heads import outputs
from subarch.learning.purposes import Purpose
from subarch.manifest import Manifest, given
from subarch.networks.folders import find_checkpoint
from subarch.networks.weights import weights_fingerprint
from subarch.options.tasks import FinetuneOptions, TaskOptions
from subarch.progress import Watch, silent
from subarch.results.classes import ByClass
from subarch.results.finetune import DataResult, FinetuneResult, Learned, SizesResult
from subarch.storage import claimed, made_directory, new_run_directory, read_record, write_json, write_text
from subarch.tasks.loading import opened_task
from subarch.tasks.task import Task
from subarch.text.files import stem_of
from subarch.text.tokenizers import settings_of
from subarch.threads import pinned

RESULT = "finetune.json"


def finetune(options: FinetuneOptions, *, watch: Watch = silent, command: str = "") -> FinetuneResult:
    """Fine-tune and return what ``finetune.json`` holds.

    Raises:
        ValueError: for wrong input; nothing is written then.
        OSError: when the run directory cannot be written.
        RuntimeError: when every training diverged.
    """
    watch("reading the data", note=options.where.name)
    if options.loop.agora:
        require_checkpoints(options)
    options = replace(options, where=_dealt(options))
    task = opened_task(options.where)
    with pinned(options.threads):
        watch("opening the network", note=options.model or str(options.run))
        start = open_start(options.model, options.run, task, options.max_length or task.length)
        run = options.run or new_run_directory("finetune", task.name, watch)
        folder = run / "finetune" / folder_of(task.name)
        _require_same_task(folder, task.name)
        require_one_seal(run, options.where, task)
        made_directory(folder)
        with claimed(folder):
            return _finetuned(options, task, start, run, folder, watch, command)


def _dealt(options: FinetuneOptions) -> TaskOptions:
    """The data's options, dealt out as for the networks that have learned from them already."""
    where = options.where
    for name in (options.model, options.loop.teacher):
        if name is not None and not Path(name).is_file():
            where = dealt_as_for(where, find_checkpoint(name))
    return where


def _finetuned(
    options: FinetuneOptions,
    task: Task,
    start: Start,
    run: Path,
    folder: Path,
    watch: Watch,
    command: str,
) -> FinetuneResult:
    identity = _identity(options, task, start)
    if identity is not None and (known := _known(folder, identity)) is not None:
        return known
    data = DataResult(
        task=task.name,
        fingerprint=task.fingerprint,
        sealed=task.sealed.digest,
        examples=SizesResult(train=len(task.train), development=len(task.development), sealed=len(task.sealed)),
    )
    made_with = Manifest(
        command=command, source=start.words, options=_given(options), seeds=tuple(range(options.seeds)), data=data
    )
    purpose = Purpose(
        task=task.name,
        kind=task.kind,
        label_names=task.label_names,
        text_columns=task.text_columns,
        label_column=task.label_column,
        label_columns=task.label_columns or None,
        metric=options.where.metric,
        length=start.learner.length,
        split=split_of(options.where, task),
    )
    if options.loop.agora:
        with _refusable(folder / "manifest.json", made_with):
            learned = learn_from_mistakes(options, task, start, folder, purpose, watch)
    else:
        write_json(folder / "manifest.json", made_with.to_json())
        tuned = finetune_task(
            task, start.learner, options, folder, identity=start.identity, purpose=purpose, watch=watch
        )
        learned = Learned(
            metric=task.metric,
            rows=(tuned.row("plain"),),
            checkpoint=tuned.checkpoint,
            method="plain",
            max_length=tuned.length,
            cut=tuned.cut,
            related=tuned.related,
            trainings=tuned.trainings,
        )
    result = FinetuneResult(
        **vars(learned),
        task=task.name,
        run=str(run),
        model=start.words,
        kind=task.kind,
        label_names=task.label_names,
        text_columns=task.text_columns,
        label_column=task.label_column or ", ".join(task.label_columns) or None,
        data=data,
        **vars(_by_class(task, learned.checkpoint, watch)),
        identity=identity,
        weights=weights_fingerprint(learned.checkpoint),
    )
    write_json(folder / RESULT, result.to_json())
    return result


def _by_class(task: Task, checkpoint: Path, watch: Watch) -> ByClass:
    """How each class fares with the checkpoint that is kept, on the sealed split: all choices are made."""
    if not task.label_names:  # it has nothing of which each could be told
        return ByClass()
    watch("looking at each class")
    fitted, split = open_fitted(checkpoint, task.kind), task.sealed.open()
    predicted = fitted.decide(outputs(fitted.model, fitted.tokens(split)))
    told = task.kind.told(task.label_names, split, predicted, whose=f"{checkpoint} on the sealed rows")
    return replace(told, holds_above=dict(zip(task.label_names, fitted.thresholds, strict=False)) or None)


@contextmanager
def _refusable(path: Path, made_with: Manifest) -> Generator[None]:
    """The manifest is there while work goes on, and as it was before where that is refused."""
    before = path.read_bytes() if path.is_file() else None
    write_json(path, made_with.to_json())
    try:
        yield
    except ValueError:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, before.decode())
        raise


def _identity(options: FinetuneOptions, task: Task, start: Start) -> str | None:
    """Digest of all that a result depends on, so that finished work is answered at once; None where that is not known:
    functions of the user's may have changed."""
    loop = options.loop
    if loop.agora and any(":" in name for name in (*loop.proposals, loop.space)):
        return None
    read_with = settings_of(start.learner.tokenizer)
    depends = [__version__, _given(options), task.fingerprint, task.sealed.digest, start.identity, read_with]
    content = json.dumps([*depends, depends_on(options) if loop.agora else None], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _known(folder: Path, identity: str) -> FinetuneResult | None:
    """What an earlier call wrote about the very same work, if its checkpoint is still what it left."""
    known = read_record(FinetuneResult, folder / RESULT)
    if known is None or known.identity != identity:
        return None
    try:
        return known if weights_fingerprint(known.checkpoint) == known.weights else None
    except (OSError, ValueError):  # its weights are gone, too
        return None


def folder_of(task: str) -> Path:
    """Where a task's fine-tuning lies under ``finetune/``: its name, or a file's name without what tells its format."""
    path = Path(task)
    if not path.is_file():
        return Path(*(part for part in path.parts if part not in ("/", "..")))
    return Path(stem_of(path))


def _require_same_task(folder: Path, task: str) -> None:
    """Two files of one name are two tasks.

    Raises:
        ValueError: when the folder holds the fine-tuning on another file.
    """
    try:
        other = str(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["data"]["task"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if other != task and Path(other).resolve() != Path(task).resolve():
        raise InputError(f"{folder} holds a fine-tuning on {other}, not on {task}: give another --run")


def _given(options: FinetuneOptions) -> Mapping[str, Any]:
    return given(options, without=("json",) if options.loop.agora else ("json", "loop"))
