"""From options, or from what a checkpoint says of itself, to a task in its three splits."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from subarch.errors import InputError
from subarch.learning.purposes import Dealt, DealtColumns, DealtFile, DealtReading, Part, Purpose
from subarch.options.tasks import TaskOptions
from subarch.storage import made_directory, read_record, sha256_of, write_json
from subarch.tasks.loading import opened_task
from subarch.tasks.task import Task

_LOG = logging.getLogger(__name__)

_OTHERS: Sequence[Part] = ("development_data", "test_data")
_DRAWN = ("split_seed", "rule")  # what decides where chance does

SEALED = "sealed"
"""In a run directory: which rows of each table its stages have sealed, as digests, in files named after the table's."""


def split_of(where: TaskOptions, task: Task) -> Dealt:
    """How the examples of a table were dealt out."""
    files: Mapping[Part, Path | None] = {
        "data": Path(where.name),
        "development_data": where.development_data,
        "test_data": where.test_data,
    }
    return Dealt(
        seed=where.split_seed,
        rule=where.rule,
        limit=where.limit,
        columns=DealtColumns(texts=where.text_columns, label=where.label_column, labels=where.label_columns or None),
        reading=DealtReading(
            quoting=where.quoting, missing_label=where.missing_label, label_separator=where.label_separator
        ),
        sealed=task.sealed.digest,
        files={name: DealtFile.of(file) for name, file in files.items() if file is not None and file.is_file()},
    )


def task_again(path: Path, purpose: Purpose, model: str) -> Task:
    """A file's task as it was split for the fine-tuning of a checkpoint.

    Args:
        path: of the file that it was fine-tuned on.
        purpose: what the checkpoint says of itself.
        model: name of the checkpoint, for messages.

    Raises:
        ValueError: when another file of the split has changed, or the split comes out otherwise.
    """
    for name in _OTHERS:
        if (file := purpose.file(name)) is not None:
            other = Path(file.path)
            if not other.is_file() or sha256_of(other) != file.sha256:
                raise InputError(
                    f"{model} was fine-tuned with {other} as --{name.replace('_', '-')}, which has changed or "
                    "is no longer there: put it back, or take --split all"
                )
    dealt = _dealt(purpose)
    task = opened_task(dealt_out(path, purpose))
    if task.sealed.digest != dealt.sealed:
        raise InputError(
            f"{path} is no longer split as it was for {model}, which says: seed {dealt.seed}, rule "
            f"{dealt.rule!r} of what belongs together. This version of subarch reads or deals its rows in another "
            "way: fine-tune it again, or take --split all, and know that most of the rows were learned from"
        )
    return task


def task_named(name: str, purpose: Purpose, *, task_data: Path | None = None) -> Task:
    """A benchmark's task or a demo, dealt out as for a checkpoint where it was fine-tuned on it.

    Args:
        name: of the task.
        purpose: what the checkpoint says of itself.
        task_data: folder of a benchmark.

    Raises:
        ValueError, OSError: as :func:`subarch.tasks.loading.load_task`.
    """
    return opened_task(dealt_as_said(TaskOptions(task=name, task_data=task_data), purpose))


def _is_of(where: TaskOptions, purpose: Purpose) -> bool:
    """Whether a checkpoint was fine-tuned on the very data."""
    path = Path(where.name)
    if path.is_file():
        return purpose.learned_from(path)
    return purpose.split is not None and str(purpose.task).casefold() == where.name.casefold()


def _dealt(purpose: Purpose) -> Dealt:
    assert purpose.split is not None, "asked of a checkpoint that says it alone"
    return purpose.split


def dealt_as_said(where: TaskOptions, purpose: Purpose) -> TaskOptions:
    """A task's options, dealt out as a checkpoint says; as they are where it was fine-tuned on other data."""
    if not _is_of(where, purpose):
        return where
    path, dealt = Path(where.name), _dealt(purpose)
    if path.is_file():
        known = dealt_out(path, purpose)
        return replace(where, **{name: getattr(known, name) for name in ("development_data", "test_data", *_DRAWN)})
    return replace(where, split_seed=dealt.seed, rule=dealt.rule)


def dealt_out(path: Path, purpose: Purpose) -> TaskOptions:
    """How a file was read and dealt out for a checkpoint that was fine-tuned on it."""
    dealt = _dealt(purpose)
    others = {name: Path(file.path) for name, file in dealt.files.items() if name != "data"}
    columns = dealt.columns or DealtColumns(texts=purpose.text_columns, label=purpose.label_column)
    return TaskOptions(
        data=path,
        quoting=dealt.reading.quoting,
        missing_label=dealt.reading.missing_label,
        text_columns=columns.texts,
        label_column=columns.label,
        label_columns=columns.labels or (),
        label_separator=dealt.reading.label_separator,
        metric=purpose.metric,
        kind=purpose.kind,
        development_data=others.get("development_data"),
        test_data=others.get("test_data"),
        split_seed=dealt.seed,
        limit=dealt.limit,
        rule=dealt.rule,
    )


def dealt_as_for(where: TaskOptions, checkpoint: Path) -> TaskOptions:
    """A task's options, dealt out as a checkpoint that was fine-tuned on the same data has them.

    What it learned from would otherwise be sealed for its students, and they would learn what was sealed for it.

    Args:
        where: as they were given.
        checkpoint: a network that is learned from, or learns on.

    Raises:
        ValueError: when another seed or other files of the split were given.
    """
    known = dealt_as_said(where, Purpose.read(checkpoint))
    given = ("split_seed", "development_data", "test_data")
    differing = [name for name in given if (value := getattr(where, name)) and not _same(value, getattr(known, name))]
    if differing:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in differing)
        raise InputError(
            f"{checkpoint} was fine-tuned on {where.name}, dealt out with seed {known.split_seed}: with another "
            f"{flags} it has learned from rows that are sealed now. Leave that away, or fine-tune a network anew"
        )
    changed = [name for name in (*given, "rule") if not _same(getattr(known, name), getattr(where, name))]
    if not changed:
        return where
    told = ", ".join(f"{name.replace('_', ' ')} {getattr(known, name)}" for name in changed)
    _LOG.warning("%s is dealt out as for %s, which has learned from it: %s", where.name, checkpoint, told)
    return known


def same_file(one: Path, other: Path) -> bool:
    """Whether two files are the same, or hold the same."""
    return one.resolve() == other.resolve() or (
        one.is_file() and other.is_file() and sha256_of(one) == sha256_of(other)
    )


def _same(one: object, other: object) -> bool:
    return same_file(one, other) if isinstance(one, Path) and isinstance(other, Path) else one == other


def require_one_seal(run: Path, where: TaskOptions, task: Task) -> None:
    """Let all stages of a run seal the same rows of a table or task: the first one decides, and is remembered.

    Raises:
        ValueError: when another stage of the run has sealed other rows of it.
        OSError: when the run directory cannot be written.
    """
    path = Path(where.name)
    name = sha256_of(path) if path.is_file() else hashlib.sha256(task.name.encode()).hexdigest()
    file, now = run / SEALED / f"{name[:16]}.json", split_of(where, task)
    before = read_record(Dealt, file)
    if before is not None and before.sealed != now.sealed:
        raise InputError(
            f"another stage of {run} has sealed other rows of {where.name} (seed {before.seed}, rule "
            f"{before.rule!r}; here seed {now.seed}, rule {now.rule!r}), and this one would read them: give "
            "the same --split-seed, --text-columns, --development-data and --test-data, or another --run"
        )
    made_directory(file.parent)
    write_json(file, before.to_json() if before is not None else {**now.to_json(), "task": task.name})
