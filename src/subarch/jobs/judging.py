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
from subarch.results.classes import ByClass
from subarch.running.parity import Outputs
from subarch.tasks.columns import LabelsAt
from subarch.tasks.demos import DEMOS
from subarch.tasks.kinds.base import Kind, Thresholds, in_order_of
from subarch.tasks.labelled import read_table
from subarch.tasks.metrics import Held
from subarch.tasks.task import Task
from subarch.text.corpora import open_corpus
from subarch.text.examples import Example, Label

_TEXTS = 200  # of documentation, where there are no data


@dataclass(frozen=True)
class Judging:
    """What a network is calibrated and judged on.

    Attributes:
        calibration: examples that were learned from, or are not judged.
        judged: others.
        score: of outputs for the judged ones; None where they have no labels.
        metric: its name.
        words: what they are.
        labels: the places of each judged one's labels among the outputs, one of a class; None where outputs have no
            names, or nobody knows the labels.
        decide: outputs to places of labels, with the network's thresholds; None likewise.
        told: what outputs make of each label, given the names of all outputs; None likewise.
    """

    calibration: Sequence[Example]
    judged: Sequence[Example]
    score: Callable[[Outputs], float] | None
    metric: str | None
    words: str
    labels: Held | None = None
    decide: Callable[[Outputs], Held] | None = None
    told: Callable[[Sequence[str], Outputs], ByClass] | None = None


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
    return _scored(task.train, task.development, task.kind, task.metrics, task.metric, order, words, fitted.thresholds)


def judging_by(task: Task, order: list[int] | None, thresholds: Thresholds = ()) -> Judging:
    """Training rows of a task calibrate, its development rows judge.

    Args:
        task: in its splits.
        order: for each class of the task the network's output; None where there are no classes.
        thresholds: of the network, where it has some.
    """
    words = f"development data of {task.name}"
    return _scored(task.train, task.development, task.kind, task.metrics, task.metric, order, words, thresholds)


def _of_table(path: Path, options: ExportOptions, fitted: Fitted, purpose: Purpose) -> Judging:
    """A file that the checkpoint has not seen: a fifth calibrates, the rest judges."""
    if not fitted.kind.of_tables:
        raise InputError(f"{path}: a network that chooses among candidates is judged on benchmark tasks: give --task")
    classes = () if fitted.is_nameless else fitted.label_names
    at = LabelsAt(options.label_column, options.label_columns, options.label_separator)
    table = read_table(
        path,
        text_columns=options.text_columns or purpose.text_columns,
        **purpose.labels_at(at)._asdict(),
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
    rows = examples[:count], examples[count:]
    return _scored(*rows, fitted.kind, metrics, metrics[0], order, words, fitted.thresholds)


def _scored(
    calibration: Sequence[Example],
    examples: Sequence[Example],
    kind: Kind,
    metrics: Sequence[str],
    metric: str,
    order: list[int] | None,
    words: str,
    thresholds: Thresholds,
) -> Judging:
    def decided(outputs: Outputs) -> Sequence[Label]:
        return kind.decide(*in_order_of(order, outputs, thresholds))

    def scored(outputs: Outputs) -> float:
        return kind.score(metrics, examples, decided(outputs))["score"]

    def places(labels: Sequence[Label | None]) -> Held:
        assert order is not None
        return [[order[n] if n >= 0 else n for n in kind.labels_in(cast("Label", one))] for one in labels]

    if order is None:
        return Judging(calibration, examples, scored, metric, words)

    def told(names: Sequence[str], outputs: Outputs) -> ByClass:
        own = [names[n] for n in order]
        return kind.told(own, examples, decided(outputs), whose="PyTorch on the judged rows")

    labels = places([one.label for one in examples])
    return Judging(calibration, examples, scored, metric, words, labels, lambda said: places(decided(said)), told)


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
