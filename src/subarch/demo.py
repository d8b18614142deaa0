"""The whole story on data that needs no download: ``subarch demo``.

A company has a large classifier, but only some of the labels it once learned from; the rest of its texts lie
around unlabelled. Here the classifier learns which of eight packages a piece of installed documentation belongs to. The
labelled rows are texts that it has not learned from, and the sealed rows that everything is scored on are neither's.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import cast

from subarch.errors import InputError
from subarch.learning.classifier import small_classifier
from subarch.learning.finetuning import finetune
from subarch.options.compression import CompressOptions
from subarch.options.search import DemoOptions
from subarch.options.tasks import FinetuneSettings
from subarch.pipeline import compress
from subarch.progress import Watch, silent
from subarch.results.bench import TimedResult
from subarch.results.compress import Later
from subarch.results.demo import AccuracyResult, DemoResult, LineResult
from subarch.small import SmallModel
from subarch.storage import read_json, write_json, write_text
from subarch.tasks.loading import load_task
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split
from subarch.text.tokenizers import train_tokenizer

TASK = "demo/packages"
VOCABULARY, LAYERS = 6000, 3
SOURCE_RECIPE = FinetuneSettings(learning_rates=(1e-3,), epochs=1, seeds=1, batch_size=16)
TABLES = ("labelled", "development", "sealed", "unlabelled")
_SHARES = (("labelled", 0.1), ("development", 0.15))  # of the documented objects, up to here; the rest is unlabelled
SETTINGS = (
    "task.development_data={development}",
    "task.test_data={sealed}",
    "extract.epsilon={epsilon}",
    "extract.held_out=512",
    'extract.steps="30"',
    "extract.batch_size=16",
    "finetune.max_length=64",
    "finetune.learning_rates=[8e-4]",
    "finetune.epochs=6",
    "agora.rounds=2",
    "pretrain.steps=0",
    "bench.memory=false",
    'bench.against="bert-large"',
    "bench.rounds=3",
)


def demo(options: DemoOptions, *, watch: Watch = silent, command: str = "") -> DemoResult:
    """Train a small source on installed documentation and compress it, with scarce labels; resumable.

    Raises:
        ValueError, OSError: as :func:`subarch.pipeline.compress`.
    """
    options.run.mkdir(parents=True, exist_ok=True)
    folder = options.run / "source"
    files = {name: options.run / "data" / f"{name}.csv" for name in TABLES}
    missing = [str(file) for file in files.values() if not file.is_file()]
    if folder.is_dir() and missing:
        raise InputError(
            f"{folder} was trained beside tables that are not there ({', '.join(missing)}): nobody knows any more what "
            "it has learned from; take another --run"
        )
    if not folder.is_dir():
        watch("reading the installed documentation")
        task = load_task(TASK)
        rows: dict[str, list[Example]] = {name: [] for name in TABLES}
        for example in task.train:
            rows[_table_of(example)].append(example)
        rows["sealed"] += task.sealed.open()
        _write_tables(files, task, rows)
        _train_source(replace(task, train=Split(rows["unlabelled"])), folder, watch)
    named = {name: json.dumps(str(file)) for name, file in files.items()}
    result = compress(
        CompressOptions(
            data=str(files["labelled"]),
            teacher=str(folder),
            run=options.run,
            speedup=options.speedup,
            max_drop=3.0,
            pool=files["unlabelled"],
            set=tuple(one.format(**named, epsilon=options.epsilon) for one in SETTINGS),
        ),
        watch=watch,
        command=command,
    )
    assert isinstance(result, SmallModel), "a dry run was not asked for"
    return DemoResult(
        **vars(result.extract),
        **{one.name: getattr(result, one.name) for one in fields(Later)},
        source_accuracy=AccuracyResult.from_json(read_json(folder / "accuracy.json") or {}),
        verification=result.verify,
        table=tuple(_table(result, str(folder))),
    )


def _table_of(example: Example) -> str:
    """Decided by the documented object, so that no object is in two tables."""
    drawn = hashlib.sha256(str(example.group).encode()).digest()[0] / 256
    return next((name for name, share in _SHARES if drawn < share), "unlabelled")


def _write_tables(files: Mapping[str, Path], task: Task, rows: Mapping[str, Sequence[Example]]) -> None:
    files["labelled"].parent.mkdir(exist_ok=True)
    for name, examples in rows.items():
        told = name != "unlabelled"
        table = [("text", "label") if told else ("text",)]
        table += [(one.first, task.label_names[int(cast("int", one.label or 0))])[: 1 + told] for one in examples]
        text = io.StringIO()
        csv.writer(text).writerows(table)
        write_text(files[name], text.getvalue())


def _train_source(task: Task, folder: Path, watch: Watch) -> None:
    watch("learning a vocabulary")
    learner = small_classifier(task, train_tokenizer(task.train.texts, VOCABULARY), num_hidden_layers=LAYERS)
    home = folder.with_name("source-training")
    home.mkdir(exist_ok=True)
    trained = finetune(task, learner, SOURCE_RECIPE, home, watch=watch)
    row = trained.row("plain")
    accuracy = AccuracyResult(development=row.development or 0.0, sealed=row.mean, steps=row.steps, task=TASK)
    write_json(trained.checkpoint / "accuracy.json", accuracy.to_json())
    trained.checkpoint.rename(folder)
    shutil.rmtree(home)


def _table(result: SmallModel, source: str) -> Iterator[LineResult]:
    """Four lines: the reference, the source, the small network as it is trained, and what is deployed."""
    plain = [row for row in result.bench.rows if (row.runtime, row.precision) == ("pytorch", "float32")]
    stock = {
        row.name: row for row in sorted(plain, key=lambda row: -row.ms)
    }  # each with the threads it is fastest with
    reference = next(row for name, row in stock.items() if name not in (source, result.run))

    def line(what: str, row: TimedResult, accuracy: float | None) -> LineResult:
        times = reference.ms / row.ms
        return LineResult(model=what, accuracy=accuracy, ms=row.ms, times_as_fast=times, bytes=row.size_bytes)

    yield line("BERT-large's shape", reference, None)
    yield line("the source", stock[source], result.sealed.teacher)
    yield line("the small network, plain", stock[result.run], result.finetune.row("plain").mean)
    kept = result.finetune.chosen
    as_deployed = f"the same, {kept.way if kept else 'plain'}, with all labels, as {result.export.chosen}"
    yield line(as_deployed, result.deployed["student"], result.sealed.exported)
