"""Submissions from options to an archive: ``submit``."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from subarch.errors import InputError
from subarch.learning.checkpoints import Fitted, open_fitted
from subarch.learning.heads import outputs
from subarch.options.tasks import SubmitOptions
from subarch.progress import Watch, silent
from subarch.results.submit import SubmitResult
from subarch.storage import made_directory, write_json
from subarch.tasks.official import official_examples
from subarch.tasks.submissions import Answer, check_archive, write_archive
from subarch.tasks.suites import SUITES, BenchmarkTask, find_task
from subarch.text.examples import Example, Label, Split
from subarch.threads import pinned

_LOG = logging.getLogger(__name__)


def submit(options: SubmitOptions, *, watch: Watch = silent) -> SubmitResult:
    """Write and validate a suite's archive, or validate one that was made elsewhere.

    Raises:
        ValueError: for an archive that a portal would refuse, and for tasks without a model or without test data
            unless placeholders are allowed.
        OSError: when the archive cannot be read or written.
    """
    if options.check is not None:
        watch("checking", note=str(options.check))
        checked = check_archive(options.check, options.suite, _expected(options))
        if not checked.accepted:
            raise InputError(f"{options.check} would be refused: " + "\n  ".join(checked.problems))
        return SubmitResult(archive=checked.archive, files=tuple(checked.files), accepted=True)
    assert options.model is not None
    root = Path(options.model)
    path = options.output or (root if root.is_dir() else Path()) / "submissions" / f"{options.suite}.zip"
    watch("reading the test data", note=options.suite)
    models = _models(options.model, options.suite)
    # What is missing or does not fit is said before hours of work.
    questions = {task.name: _questions(task, models.get(task.name), options) for task in SUITES[options.suite]}
    made_directory(path.parent)
    with pinned(options.threads):
        answers = {  # a network is let go of with the last task that it answers
            name: _answers(find_task(name), models.pop(name, None), asked, path.parent / "answers", watch)
            for name, asked in questions.items()
        }
    written = write_archive(path, options.suite, answers)
    return SubmitResult(
        archive=written.archive, files=tuple(written.files), accepted=True, placeholders=tuple(written.placeholders)
    )


def _expected(options: SubmitOptions) -> dict[str, Sequence[Example]] | None:
    """The test examples that are at hand; without them official counts say what is complete."""
    if options.task_data is None:
        return None
    if not options.task_data.is_dir():
        raise InputError(
            f"--task-data {options.task_data}: expected a folder with the benchmark's files, got none there"
        )
    found: dict[str, Sequence[Example]] = {}
    for task in SUITES[options.suite]:
        try:
            found[task.name] = official_examples(task, "test", options.task_data)
        except ValueError as error:
            _LOG.warning("%s: only the number of rows is checked (%s)", task.name, error)
    return found


def _models(model: str, suite: str) -> dict[str, Fitted]:
    """The checkpoint for every task of the suite that has one; tasks of one checkpoint share it, opened once."""
    root = Path(model)
    if not root.is_dir() or (root / "config.json").is_file():
        fitted = open_fitted(model)
        if (made_for := fitted.task) is None:
            raise InputError(f"{model} does not say which task it was fine-tuned on: give a run directory instead")
        known = find_task(made_for).name
        return {task.name: fitted for task in SUITES[suite] if known in (task.name, task.trained_on)}
    found: dict[str, Path] = {}
    for task in SUITES[suite]:
        for name in filter(None, (task.name, task.trained_on)):
            folder = root / "finetune" / name / "checkpoint"
            if (folder / "config.json").is_file():
                found.setdefault(task.name, folder)
    if not found:
        raise InputError(
            f"{model} holds no fine-tuned checkpoint of {suite}: expected finetune/{SUITES[suite][0].name}/checkpoint "
            "and so on; run subarch finetune with this --run first"
        )
    opened = {folder: open_fitted(folder) for folder in dict.fromkeys(found.values())}
    return {name: opened[folder] for name, folder in found.items()}


def _questions(task: BenchmarkTask, fitted: Fitted | None, options: SubmitOptions) -> Sequence[Example] | None:
    """The official test examples; None where there are none at hand and a placeholder will do.

    Raises:
        ValueError: for a task without a model or without test data unless placeholders are allowed, for test data
            that are not whole, and for a model that predicts something else.
    """
    if fitted is None and not options.placeholders:
        raise InputError(
            f"there is no model for {task.name}: run subarch finetune --task {task.trained_on or task.name}, or "
            "allow a file with one answer everywhere with --placeholders"
        )
    if fitted is not None:
        _order(task, fitted)
    try:
        examples = official_examples(task, "test", options.task_data)
    except ValueError as error:
        if not options.placeholders:
            raise InputError(f"{error}. --placeholders writes a file with one answer everywhere instead") from error
        _LOG.warning("%s: %s; its file is a placeholder", task.name, error)
        return None
    official = task.submission.examples or task.submission.rows
    if len(examples) != official:
        raise InputError(
            f"{task.name}: expected the {official:,} examples of the official test part, got {len(examples):,}: the "
            "portal wants all of them"
        )
    return examples


def _order(task: BenchmarkTask, fitted: Fitted) -> list[int] | None:
    try:
        return fitted.order_for(task.name, task.kind, task.label_names)
    except ValueError as error:
        raise InputError(f"{fitted.checkpoint.folder}: {error}") from error


def _answers(
    task: BenchmarkTask, fitted: Fitted | None, examples: Sequence[Example] | None, kept: Path, watch: Watch
) -> Sequence[Answer] | None:
    if examples is None:
        return None
    if fitted is None:
        _LOG.warning("%s: no model; its file is a placeholder", task.name)
        return [(example, None) for example in examples]
    # A task takes up to hours, and what is answered is not asked again.
    identity = f"{fitted.checkpoint.fingerprint} {Split(examples).digest}"
    path = kept / f"{task.name.replace('/', '-')}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"
    if not path.is_file():
        made_directory(kept)
        write_json(path, _decisions(task, fitted, examples, watch))
    return list(zip(examples, json.loads(path.read_text(encoding="utf-8")), strict=True))


def _decisions(task: BenchmarkTask, fitted: Fitted, examples: Sequence[Example], watch: Watch) -> Sequence[Label]:
    order = _order(task, fitted)
    found = outputs(
        fitted.model,
        fitted.tokens(examples),
        tick=lambda done, total: watch(f"answering {task.name}", done=done, total=total),
    )
    return task.kind.decide(found if order is None else [one[..., order] for one in found])
