"""What an export is calibrated and judged on: rows that a checkpoint has not learned from, wherever they come from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from subarch.errors import InputError
from subarch.jobs.splits import task_again, task_named
from subarch.learning.checkpoints import Fitted
from subarch.learning.purposes import Purpose
from subarch.options.running import ExportOptions
from subarch.running.parity import Outputs
from subarch.tasks.demos import DEMOS
from subarch.tasks.kinds.base import Kind
from subarch.tasks.labelled import read_table
from subarch.tasks.task import Task
from subarch.text.corpora import open_corpus
from subarch.text.examples import Example

_TEXTS = 200  # of documentation, where there are no data


@dataclass(frozen=True)
class Judging:
    """What a network is calibrated and judged on.

    Attributes:
        calibration: examples that were learned from, or are not judged.
        judged: others.
        score: of outputs for the judged ones; None where they have no labels.
        metric: its name.
        labels: the place of each judged one's class among the outputs; None where there are no classes.
        words: what they are.
    """

    calibration: Sequence[Example]
    judged: Sequence[Example]
    score: Callable[[Outputs], float] | None
    metric: str | None
    words: str
    labels: Sequence[int] | None = None


def judging(options: ExportOptions, folder: Path, fitted: Fitted | None) -> Judging:
    """The rows that an export is calibrated and judged on.

    Args:
        options: with data, maybe.
        folder: of the checkpoint.
        fitted: the same where it was made for a task.

    Raises:
        ValueError: for data that cannot judge it.
    """
    purpose = Purpose.read(folder)
    name = options.data_name
    if fitted is None:
        if name is not None:
            raise InputError(
                f"{folder} has no head for a task, so labelled data cannot judge it: leave --task and --data "
                "away, or export a fine-tuned checkpoint"
            )
        return _documentation(fitted)
    of_benchmark = options.task_data is not None and not (purpose.split and purpose.split.files)
    if name is None and (of_benchmark or purpose.task in DEMOS):
        name = purpose.task
    if name is None:
        file = purpose.file()
        if file is None or not Path(file.path).is_file() or not purpose.learned_from(Path(file.path)):
            return _documentation(fitted)
        name = file.path
    path = Path(name)
    if path.is_file() and not purpose.learned_from(path):
        return _of_table(path, options, fitted, purpose)
    if path.is_file():
        task = task_again(path, purpose, str(folder))
    else:
        task = task_named(name, purpose, task_data=options.task_data)
    order = fitted.order_for(task.name, task.kind, task.label_names)
    words = f"development data of {task.name}"
    if purpose.learned_development and (path.is_file() or purpose.task == name):
        words += ", which it has learned from"
    return _scored(task.train, task.development, task.kind, task.metrics, task.metric, order, words)


def judging_by(task: Task, order: list[int] | None) -> Judging:
    """Training rows of a task calibrate, its development rows judge.

    Args:
        task: in its splits.
        order: for each class of the task the network's output; None where there are no classes.
    """
    words = f"development data of {task.name}"
    return _scored(task.train, task.development, task.kind, task.metrics, task.metric, order, words)


def _of_table(path: Path, options: ExportOptions, fitted: Fitted, purpose: Purpose) -> Judging:
    """A file that the checkpoint has not seen: a fifth calibrates, the rest judges."""
    if not fitted.kind.of_tables:
        raise InputError(f"{path}: a network that chooses among candidates is judged on benchmark tasks: give --task")
    classes = () if fitted.is_nameless else fitted.label_names
    table = read_table(
        path,
        text_columns=options.text_columns or purpose.text_columns,
        label_column=options.label_column or purpose.label_column,
        kind=fitted.kind,
        classes=classes,
        quoting=options.quoting,
        missing_label=options.missing_label,
    )
    known = len(purpose.text_columns)
    if known and len(table.columns.texts) != known:
        raise InputError(
            f"{path}: the network reads {known} text(s), as it was fine-tuned, got the column(s) "
            f"{', '.join(table.columns.texts)}: give --text-columns, or other rows to judge by"
        )
    examples = list(table.examples)
    random.Random(0).shuffle(examples)
    count = min(options.calibration, len(examples) // 5)
    if not count:
        raise InputError(f"{path}: expected at least 5 labelled rows to judge by, got {len(examples)}")
    order = fitted.order_for(str(path), fitted.kind, table.label_names)
    metrics = fitted.kind.usual_metrics
    words = f"rows of {path}" + (", which it has learned from" if purpose.judged_by(path) else "")
    if purpose.learned_from(path, "test_data"):
        raise InputError(
            f"{path} is the test file of the fine-tuning: a form that is chosen by its rows could no longer be scored "
            "on them. Leave --data away (development rows judge then), or give other rows"
        )
    return _scored(examples[:count], examples[count:], fitted.kind, metrics, metrics[0], order, words)


def _scored(
    calibration: Sequence[Example],
    examples: Sequence[Example],
    kind: Kind,
    metrics: Sequence[str],
    metric: str,
    order: list[int] | None,
    words: str,
) -> Judging:
    def scored(outputs: Outputs) -> float:
        reordered = list(outputs) if order is None else [one[order] for one in outputs]
        return kind.score(metrics, examples, kind.decide(reordered))["score"]

    labels = None if order is None else [order[int(cast("float", one.label))] for one in examples]
    return Judging(calibration, examples, scored, metric, words, labels)


def _documentation(fitted: Fitted | None) -> Judging:
    """Texts without labels: pieces of the documentation that is installed."""
    found: list[Example] = []
    choice = fitted is not None and not fitted.kind.of_tables
    for document in open_corpus(None).documents():
        pieces = [piece for piece in document.split("\n\n") if len(piece) > 40][:8]
        found += [Example(piece, (piece, pieces[0]) if choice else ()) for piece in pieces]
        if len(found) >= 2 * _TEXTS:
            break
    return Judging(found[:_TEXTS], found[_TEXTS : 2 * _TEXTS], None, None, "installed documentation, without labels")
