"""The whole story on data that needs no download: ``subarch demo``.

A company has a large classifier, but only a thousand of the labels it once learned from; the rest of its texts lie
around unlabelled. Here the classifier learns which of eight packages a piece of installed documentation belongs to. The
thousand rows are texts that it has not learned from, and the sealed rows that everything is scored on are neither's.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from subarch.learning.classifier import small_classifier
from subarch.learning.finetuning import Recipe, finetune
from subarch.options.compression import CompressOptions
from subarch.options.search import DemoOptions
from subarch.pipeline import compress
from subarch.progress import Watch, silent
from subarch.storage import write_json, write_text
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split
from subarch.text.tasks import load_task
from subarch.text.tokenizers import train_tokenizer

TASK = "demo/packages"
VOCABULARY = 6000
SOURCE_RECIPE = Recipe(learning_rates=(8e-4,), epochs=3, seeds=(0,))
LABELLED_SHARE = 6  # one object of documentation in this many is labelled for the student, the others for the source
SETTINGS = (
    "task.test_data={sealed}",
    "extract.epsilon={epsilon}",
    "extract.held_out=512",
    "finetune.max_length=64",
    "finetune.learning_rates=[8e-4]",
    "finetune.epochs=8",
    "finetune.seeds=2",  # every seed takes minutes, and this is to be a short story
    "pretrain.sequence_length=64",
    "pretrain.steps=200",
    'bench.against="bert-large"',
    "bench.rounds=3",
)


def demo(options: DemoOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Train a small source on installed documentation and compress it, with scarce labels; resumable.

    Returns:
        What ``extract.json`` holds, then ``source_accuracy``, ``verification``, the other stages as ``compress``
        returns them, and ``table``: what a newcomer wants to see.

    Raises:
        ValueError, OSError: as :func:`subarch.pipeline.compress`.
    """
    options.run.mkdir(parents=True, exist_ok=True)
    folder = options.run / "source"
    files = {name: options.run / "data" / f"{name}.csv" for name in ("labelled", "unlabelled", "sealed")}
    if not (folder.is_dir() and all(file.is_file() for file in files.values())):
        watch("reading the installed documentation")
        task = load_task(TASK)
        rows = {True: [], False: []}
        for example in task.train:
            rows[_is_labelled(example)].append(example)
        _write_tables(files, task, rows[True], rows[False])
        if not folder.is_dir():
            _train_source(replace(task, train=Split(rows[False])), folder, watch)
    result = compress(
        CompressOptions(
            data=str(files["labelled"]),
            teacher=str(folder),
            run=options.run,
            speedup=options.speedup,
            max_drop=3.0,
            pool=files["unlabelled"],
            set=tuple(one.format(sealed=json.dumps(str(files["sealed"])), epsilon=options.epsilon) for one in SETTINGS),
        ),
        watch=watch,
        command=command,
    )
    accuracy = json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
    later = {name: value for name, value in result.items() if name not in ("extract", "verify")}
    return {
        **result["extract"],
        "source_accuracy": accuracy,
        "verification": result["verify"],
        **later,
        "table": _table(result, str(folder)),
    }


def _is_labelled(example: Example) -> bool:
    """Decided by the documented object, so that no object is on both sides."""
    return hashlib.sha256(str(example.group).encode()).digest()[0] % LABELLED_SHARE == 0


def _write_tables(
    files: Mapping[str, Path], task: Task, labelled: Sequence[Example], unlabelled: Sequence[Example]
) -> None:
    def named(examples: Sequence[Example]) -> list[tuple[str, ...]]:
        return [("text", "label"), *((one.first, task.label_names[int(one.label or 0)]) for one in examples)]

    files["labelled"].parent.mkdir(exist_ok=True)
    tables = {
        "labelled": named(labelled),
        "unlabelled": [("text",), *((one.first,) for one in unlabelled)],
        "sealed": named(task.sealed.open()),
    }
    for name, rows in tables.items():
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        write_text(files[name], text.getvalue())


def _train_source(task: Task, folder: Path, watch: Watch) -> None:
    watch("learning a vocabulary")
    learner = small_classifier(task, train_tokenizer(task.train.texts, VOCABULARY))
    home = folder.with_name("source-training")
    home.mkdir(exist_ok=True)
    trained = finetune(task, learner, SOURCE_RECIPE, home, watch=watch)
    row = trained.row("plain")
    accuracy = {"development": row["development"], "sealed": row["mean"], "steps": row["steps"], "task": TASK}
    write_json(trained.checkpoint / "accuracy.json", accuracy)
    trained.checkpoint.rename(folder)
    shutil.rmtree(home)


def _table(result: Mapping[str, Any], source: str) -> list[dict[str, Any]]:
    """Four lines: the reference, the source, the small network as it is trained, and what is deployed."""
    bench, chosen = result["bench"]["rows"], str(result["export"]["chosen"])
    stock = {row["name"]: row for row in bench if row["runtime"] == "pytorch" and row["precision"] == "float32"}
    deployed = result["deployed"]["student"]
    reference = next(row for name, row in stock.items() if name not in (source, result["run"]))
    students = {row["method"]: row["mean"] for row in result["finetune"]["rows"]}

    def line(what: str, row: Mapping[str, Any], accuracy: float | None) -> dict[str, Any]:
        return {
            "model": what,
            "accuracy": accuracy,
            "ms": row["p50_ms"],
            "times_as_fast": reference["p50_ms"] / row["p50_ms"],
            "bytes": row.get("size_bytes"),
        }

    return [
        line("BERT-large's shape", reference, None),
        line("the source", stock[source], result["sealed"]["teacher"]),
        line("the small network, fine-tuned", stock[result["run"]], students["plain"]),
        line(f"the same with Agora and all labels, as {chosen}", deployed, result["sealed"]["exported"]),
    ]
