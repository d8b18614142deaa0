"""From options, or from what a checkpoint says of itself, to a task in its three splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from subarch.options.tasks import TaskOptions
from subarch.storage import sha256_of
from subarch.text.examples import Task
from subarch.text.tasks import load_task


def opened_task(where: TaskOptions) -> Task:
    """The task that the options name, in three splits.

    Raises:
        ValueError, OSError: as :func:`subarch.text.tasks.load_task`.
    """
    return load_task(
        where.name,
        seed=where.split_seed,
        text_columns=where.text_columns,
        label_column=where.label_column,
        kind=where.kind,
        quoting=where.quoting,
        missing_label=where.missing_label,
        task_data=where.task_data,
        development_data=where.development_data,
        test_data=where.test_data,
        limit=where.limit,
    )


def split_of(where: TaskOptions, task: Task) -> dict[str, Any]:
    """Everything that decides which examples of a table are in which split."""
    files = {"data": Path(where.name), "development_data": where.development_data, "test_data": where.test_data}
    return {
        "seed": where.split_seed,
        "limit": where.limit,
        "columns": {"texts": list(where.text_columns), "label": where.label_column},
        "reading": {"quoting": where.quoting, "missing_label": list(where.missing_label)},
        "sealed": task.sealed.digest,
        "files": {
            name: {"path": str(file.resolve()), "sha256": sha256_of(file)}
            for name, file in files.items()
            if file is not None and file.is_file()
        },
    }


def learned_from(path: Path, purpose: Mapping[str, Any], part: str = "data") -> bool:
    """Whether a file is the one that a checkpoint was fine-tuned on, or its ``part`` (``"development_data"``)."""
    known = purpose.get("split", {}).get("files", {}).get(part, {}).get("sha256")
    return known is not None and known == sha256_of(path)


def learned_development(path: Path, purpose: Mapping[str, Any]) -> bool:
    """Whether a file is the development file of a checkpoint that has learned from its development rows as well."""
    return bool(purpose.get("learned_development")) and learned_from(path, purpose, "development_data")


def task_again(path: Path, purpose: Mapping[str, Any], model: str) -> Task:
    """A file's task as it was split for the fine-tuning of a checkpoint.

    Args:
        path: of the file that it was fine-tuned on.
        purpose: what the checkpoint says of itself.
        model: name of the checkpoint, for messages.

    Raises:
        ValueError: when another file of the split has changed, or the split comes out otherwise.
    """
    others: dict[str, Path] = {}
    for name in ("development_data", "test_data"):
        if (file := purpose["split"]["files"].get(name)) is not None:
            others[name] = Path(file["path"])
            if not others[name].is_file() or sha256_of(others[name]) != file["sha256"]:
                raise ValueError(
                    f"{model} was fine-tuned with {others[name]} as --{name.replace('_', '-')}, which has changed or "
                    "is no longer there: put it back, or take --split all"
                )
    # As they were given: files of one split may call their columns by different names, which are found in each.
    columns = purpose["split"].get("columns", {"texts": purpose["text_columns"], "label": purpose["label_column"]})
    reading = purpose["split"].get("reading", {})
    task = load_task(
        path,
        quoting=reading.get("quoting"),
        missing_label=tuple(reading.get("missing_label", ())),
        seed=int(purpose["split"]["seed"]),
        text_columns=tuple(columns["texts"]),
        label_column=columns["label"],
        kind=purpose["kind"],
        development_data=others.get("development_data"),
        test_data=others.get("test_data"),
        limit=purpose["split"]["limit"],
    )
    if task.sealed.digest != purpose["split"]["sealed"]:
        raise ValueError(
            f"{path} is no longer split as it was for {model} (another version of subarch?): take --split all, and "
            "know that most of its rows were learned from"
        )
    return task
