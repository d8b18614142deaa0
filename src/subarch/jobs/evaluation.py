"""What a fine-tuned network is worth and what it says: ``evaluate`` and ``predict``."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.jobs.answering import Answering, opened
from subarch.jobs.splits import task_again, task_named
from subarch.learning.purposes import DealtReading, Purpose
from subarch.options.tasks import EvaluateOptions, PredictOptions
from subarch.progress import Watch, silent
from subarch.results.evaluate import EvaluateResult
from subarch.results.predict import PredictResult
from subarch.storage import require_output, written_whole
from subarch.tasks.columns import LabelsAt
from subarch.tasks.dealing import related_to_others
from subarch.tasks.demos import DEMOS
from subarch.tasks.kinds.base import Kind, in_order_of
from subarch.tasks.labelled import Table, read_table
from subarch.tasks.loading import benchmark_task
from subarch.tasks.official import official_examples
from subarch.tasks.suites import Part
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split
from subarch.text.files import stem_of

_LOG = logging.getLogger(__name__)

_PARTS: Mapping[str, Part] = {"train": "train", "development": "dev", "sealed": "dev", "test": "test"}


@dataclass(frozen=True)
class _Asked:
    """Labelled examples of one split, and how they are scored."""

    task: str
    kind: Kind
    label_names: tuple[str, ...]
    metrics: Sequence[str]
    split: str
    examples: Split
    related: Sequence[bool] | None = None
    """Of sealed rows: which of them are relatives of others."""


def evaluate(options: EvaluateOptions, *, watch: Watch = silent) -> EvaluateResult:
    """Score a fine-tuned checkpoint, or an export of one, on a labelled split.

    Raises:
        ValueError: for a model that predicts something else, a split that the task does not have, or labels that the
            model does not know.
        ImportError: when an export's runtime is not installed, naming the extra.
    """
    watch("opening the model", note=options.model)
    model = opened(options.model, artifact=options.artifact, threads=options.threads, kind=options.kind)
    watch("reading the data", note=options.name)
    if Path(options.name).is_file():
        asked = _of_table(options, model)
    else:
        asked = _of_demo(options, model.purpose) if options.name in DEMOS else _of_benchmark(options)
    if _has_learned(asked, options.name, model.purpose):
        _LOG.warning("%s has learned from these rows: the sealed ones alone say what it is worth", model.folder)
    order = model.order_for(asked.task, asked.kind, asked.label_names)
    found = _answers(model, asked.examples, watch)
    predicted = asked.kind.decide(*in_order_of(order, found, model.thresholds))
    kind, related = asked.kind, asked.related
    return EvaluateResult(
        task=asked.task,
        split=asked.split,
        metrics=kind.score(asked.metrics, asked.examples, predicted),
        **vars(kind.told(asked.label_names, asked.examples, predicted)),
        examples=len(asked.examples),
        related=None if related is None else sum(related),
        apart=None if related is None else kind.score_apart(asked.metrics, asked.examples, predicted, related),
        model=options.model,
        artifact=model.artifact,
    )


def _has_learned(asked: _Asked, name: str, purpose: Purpose) -> bool:
    """Whether a checkpoint that has learned from its development rows is asked about those."""
    path = Path(name)
    if path.is_file() and purpose.judged_by(path):
        return True
    own = path.is_file() or (name in DEMOS and purpose.task == name)
    return own and asked.split == "development" and bool(purpose.learned_development)


def _of_table(options: EvaluateOptions, model: Answering) -> _Asked:
    """All rows of a file; of the one that the checkpoint was fine-tuned on, the rows that were sealed then."""
    path, purpose = Path(options.name), model.purpose
    known = purpose.learned_from(path)
    split = options.split or ("sealed" if known else "all")
    if split == "test":
        raise InputError("--split test is a benchmark's; a file has train, development, sealed, and all")
    if split != "all" and not known:
        raise InputError(
            f"--split {split} is a part of the file that a checkpoint was fine-tuned on, and {options.model} does not "
            f"say that it was on {path}: leave --split away to score all rows"
        )
    file = purpose.file()
    if split == "all" and (known or (file is not None and file.path == str(path.resolve()))):
        rows = (
            "it has learned from most of its rows" if known else "which has changed: it may have learned from its rows"
        )
        _LOG.warning("%s was fine-tuned on %s, %s", options.model, path, rows)
    if split != "all":
        return _part_of(_task_again(path, options, purpose), options.name, split)
    table = _table(path, options, model)
    return _Asked(options.name, model.kind, table.label_names, model.kind.usual_metrics, split, table.examples)


def _task_again(path: Path, options: EvaluateOptions, purpose: Purpose) -> Task:
    """The task as it was split for the fine-tuning.

    Raises:
        ValueError: when columns are asked for that were not learned from, and as :func:`task_again`.
    """
    columns, dealt = purpose.text_columns, purpose.split
    given = {"--text-columns": options.text_columns or columns, "--label-column": options.label_column}
    kept = {"--text-columns": columns, "--label-column": options.label_column and purpose.label_column}
    given |= {"--label-columns": options.label_columns, "--label-separator": options.label_separator}
    kept |= {"--label-columns": options.label_columns and (purpose.label_columns or ())}
    reading = DealtReading() if dealt is None else dealt.reading
    given |= {"--quoting": options.quoting, "--missing-label": list(options.missing_label)}
    kept |= {
        "--label-separator": options.label_separator and reading.label_separator,
        "--quoting": options.quoting and reading.quoting,
        "--missing-label": list(options.missing_label and reading.missing_label),
    }
    if differing := [flag for flag in given if given[flag] != kept[flag]]:
        raise InputError(
            f"{options.model} was fine-tuned on the columns {', '.join(columns)} and {purpose.label_column} of "
            f"{path}, read as its fine-tuning said: leave {' and '.join(differing)} away, or take --split all"
        )
    return task_again(path, purpose, options.model)


def _table(path: Path, options: EvaluateOptions | PredictOptions, model: Answering) -> Table:
    """A file read as the model reads: in the columns that it learned from, unless others are given.

    Raises:
        ValueError: as :func:`subarch.tasks.labelled.read_table`, and for a choice among candidates.
    """
    purpose = model.purpose
    if not model.kind.of_tables:
        raise InputError(f"the model {options.model} chooses among candidates, which a file of texts does not hold")
    columns = options.text_columns or purpose.text_columns
    if isinstance(options, PredictOptions):
        whole = model.kind.has_words  # what was taught on words answers whole texts as well, in columns of any name
        table = read_table(
            path,
            text_columns=options.text_columns if whole else columns,
            kind=model.kind if whole else None,
            labelled=False,
            quoting=options.quoting,
            without_text="keep",
        )
    else:
        at = LabelsAt(options.label_column, options.label_columns, options.label_separator)
        classes = () if model.is_nameless else model.label_names
        table = read_table(
            path,
            text_columns=columns,
            **purpose.labels_at(at)._asdict(),
            kind=model.kind,
            classes=classes,
            quoting=options.quoting,
            missing_label=options.missing_label,
        )
    known = model.texts
    if known and len(table.columns.texts) != known:
        raise InputError(
            f"{path}: the model {options.model} reads {known} text(s), got the column(s) "
            f"{', '.join(table.columns.texts)}: give --text-columns"
        )
    return table


def _part_of(task: Task, name: str, split: str) -> _Asked:
    """Training, development or sealed examples."""
    parts = {"train": task.train, "development": task.development}
    related = None if split in parts else related_to_others(task)
    examples = parts.get(split) or task.sealed.open()
    return _Asked(name, task.kind, task.label_names, task.metrics, split, examples, related)


def _of_demo(options: EvaluateOptions, purpose: Purpose) -> _Asked:
    task = task_named(options.name, purpose)
    _require_no_table(options, task.name)
    split = options.split or "sealed"
    if split not in ("train", "development", "sealed"):
        raise InputError(f"{task.name} has the splits train, development and sealed, got {split!r}")
    return _part_of(task, task.name, split)


def _require_no_table(options: EvaluateOptions, name: str) -> None:
    """Refuse what only a file of the user's has a use for."""
    of_tables = ("text_columns", "label_column", "label_columns", "label_separator", "quoting", "missing_label")
    if given := ["--" + option.replace("_", "-") for option in of_tables if getattr(options, option)]:
        raise InputError(f"{name} has columns of its own: leave {' and '.join(given)} away")


def _of_benchmark(options: EvaluateOptions) -> _Asked:
    benchmark = benchmark_task(options.name)
    split = options.split or ("development" if "dev" in benchmark.files else "test")
    if split not in _PARTS:
        raise InputError(f"{benchmark.name} has the splits train, development and test, got {split!r}")
    _require_no_table(options, benchmark.name)
    examples = official_examples(benchmark, _PARTS[split], options.task_data)
    if any(example.label is None for example in examples):
        raise InputError(
            f"the {split} part of {benchmark.name} has no labels, they are the portal's own: subarch submit writes "
            "what it takes"
        )
    return _Asked(benchmark.name, benchmark.kind, benchmark.label_names, benchmark.metrics, split, examples)


def _answers(model: Answering, examples: Sequence[Example], watch: Watch) -> Sequence[NDArray[np.float32]]:
    return model.ask(examples, lambda done, total: watch("asking the network", done=done, total=total))


# --- predictions ------------------------------------------------------------------------------------------------------


def predict(options: PredictOptions, *, watch: Watch = silent) -> PredictResult:
    """Write labels and probabilities of unlabelled rows, whole or not at all.

    Raises:
        ValueError: for a model without a head for texts or pairs, or an unusable file.
        ImportError: when an export's runtime is not installed, naming the extra.
        OSError: when the output cannot be written.
    """
    path = options.output or options.data.parent / f"{stem_of(options.data)}.predictions.jsonl"
    if path.resolve() == options.data.resolve():
        raise InputError(f"--output {path} is the file with the texts: give another name")
    if options.data.exists():  # otherwise so much is said when it is read
        require_output(path, "--output")
    watch("opening the model", note=options.model)
    model = opened(options.model, artifact=options.artifact, threads=options.threads, kind=options.kind)
    watch("reading the data", note=str(options.data))
    table = _table(options.data, options, model)
    without = frozenset(table.without_text)
    asked = [example for place, example in enumerate(table.examples) if place not in without]
    found = _answers(model, asked, watch)
    model.kind.decide(found)  # refuses outputs that are no numbers
    answers = iter(zip(found, model.spans(asked), strict=True))
    rows = (
        {"id": example.id, **_answered(model, example, None if place in without else next(answers))}
        for place, example in enumerate(table.examples)
    )
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        _write(rows, model, stream, as_csv=path.suffix.lower() == ".csv")
    return PredictResult(
        path=path,
        examples=len(table.examples),
        model=options.model,
        artifact=model.artifact,
        text_columns=table.columns.texts,
    )


def _answered(
    model: Answering, example: Example, found: tuple[NDArray[np.float32], NDArray[np.int64]] | None
) -> Mapping[str, Any]:
    if found is None:
        return model.kind.answer(None, model.label_names, model.thresholds)
    output, spans = found
    return model.kind.answer_in(example, spans, output, model.label_names, model.thresholds)


def _write(rows: Iterator[Mapping[str, Any]], model: Answering, stream: TextIO, *, as_csv: bool) -> None:
    if not as_csv:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
        return
    writer = csv.DictWriter(stream, ["id", *model.kind.columns(model.label_names)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"id": row["id"], **model.kind.cells(row)} for row in rows)
