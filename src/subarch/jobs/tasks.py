"""Tasks from options to files: ``finetune``, ``evaluate``, ``predict``."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from subarch.jobs.starts import open_start
from subarch.learning.finetuning import Recipe
from subarch.learning.finetuning import finetune as finetune_task
from subarch.learning.heads import Fitted, open_fitted, outputs
from subarch.manifest import manifest
from subarch.networks.sources import find_checkpoint
from subarch.options.tasks import EvaluateOptions, FinetuneOptions, PredictOptions, TaskOptions
from subarch.progress import Watch, silent
from subarch.running.timing import pinned
from subarch.storage import claimed, made_directory, new_run_directory, write_json, write_text
from subarch.text.examples import Split, Task
from subarch.text.labelled import read_table
from subarch.text.metrics import decide, score
from subarch.text.official import official_examples
from subarch.text.suites import Part, find_task
from subarch.text.tasks import load_task

RESULT = "finetune.json"


def finetune(options: FinetuneOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Fine-tune and return what ``finetune.json`` holds.

    Raises:
        ValueError: for wrong input; nothing is written then.
        OSError: when the run directory cannot be written.
        RuntimeError: when every training diverged.
    """
    watch("reading the data", note=options.where.name)
    task = opened_task(options.where)
    with pinned(options.threads):
        watch("opening the network", note=options.model or str(options.run))
        start = open_start(options.model, options.run, task, options.max_length)
        recipe = Recipe(
            learning_rates=options.learning_rates,
            batch_size=options.batch_size,
            epochs=options.epochs,
            warmup=options.warmup,
            weight_decay=options.weight_decay,
            patience=options.patience,
            seeds=tuple(range(options.seeds)),
            precision=options.precision,
        )
        run = made_directory(options.run or new_run_directory("finetune", task.name))
        folder = made_directory(run / "finetune" / folder_of(task.name))
        with claimed(folder):
            data = {
                "task": task.name,
                "fingerprint": task.fingerprint,
                "sealed": task.sealed.digest,
                "examples": {
                    "train": len(task.train),
                    "development": len(task.development),
                    "sealed": len(task.sealed),
                },
            }
            document = manifest(
                command=command,
                source=start.words,
                options=_public(options),
                seeds=recipe.seeds,
                data=data,
            )
            write_json(folder / "manifest.json", document)
            tuned = finetune_task(task, start.learner, recipe, folder, identity=start.identity, watch=watch)
            result = {
                "task": task.name,
                "metric": task.metric,
                "rows": [tuned.row("plain")],
                "checkpoint": str(tuned.checkpoint),
                "run": str(run),
                "model": start.words,
                "kind": task.kind,
                "label_names": list(task.label_names),
                "trainings": tuned.trainings,
                "data": data,
                "splits": _split_settings(options.where),
            }
            write_json(folder / RESULT, result)
    return result


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
        task_data=where.task_data,
        development_file=where.development_data,
        sealed_file=where.test_data,
        limit=where.limit,
    )


def folder_of(task: str) -> Path:
    """Where a task's fine-tuning lies under ``finetune/``: its name, or a file's name without its suffixes."""
    name = Path(task).name.partition(".")[0] if Path(task).is_file() else task
    return Path(*(part for part in Path(name).parts if part not in ("/", "..")))


def _public(options: FinetuneOptions) -> dict[str, Any]:
    where = {name: getattr(options.where, name) for name in type(options.where).__slots__}
    given = {name: getattr(options, name) for name in type(options).__slots__ if name not in ("where", "json")}
    return {name: str(value) if isinstance(value, Path) else value for name, value in {**given, **where}.items()}


# --- evaluation -------------------------------------------------------------------------------------------------------


def evaluate(options: EvaluateOptions, *, watch: Watch = silent) -> dict[str, Any]:
    """Score a fine-tuned checkpoint on a labelled split.

    Raises:
        ValueError: for a model without a fitting head, a split that the task does not have, or labels that the model
            does not know.
    """
    watch("opening the model", note=options.model)
    folder = find_checkpoint(options.model)
    fitted = open_fitted(folder)
    watch("reading the data", note=options.where.name)
    if Path(options.where.name).is_file():
        name, metrics, split, examples, names = _own_examples(options, folder, fitted)
    else:
        name, metrics, split, examples, names = _known_examples(options)
    columns = _matched(fitted, names, name)
    with pinned(options.threads):
        found = _answers(fitted, examples, watch)
    reordered = [one[columns] for one in found] if columns is not None else found
    scores = score(fitted.kind, metrics, examples, decide(fitted.kind, reordered))
    return {"task": name, "split": split, "metrics": scores, "examples": len(examples), "model": options.model}


Scorable = tuple[str, Sequence[str], str, Split, tuple[str, ...]]  # name, metrics, split, examples, class names


def _own_examples(options: EvaluateOptions, folder: Path, fitted: Fitted) -> Scorable:
    task = _trained_on(folder, options.where)
    split = options.split or ("sealed" if task is not None else "all")
    if split == "test":
        raise ValueError("--split test is a benchmark's; a file has train, development, sealed, and all")
    if split != "all":
        task = task or opened_task(options.where)
        chosen = {"train": task.train, "development": task.development}
        return task.name, task.metrics, split, chosen.get(split) or task.sealed.open(), task.label_names
    if fitted.kind == "choice":
        raise ValueError(f"the model {options.model} chooses among candidates, which a file of texts does not hold")
    table = read_table(
        Path(options.where.name),
        text_columns=options.where.text_columns,
        label_column=options.where.label_column,
        kind=fitted.kind,
        classes=fitted.label_names,
    )
    metrics = ("pearson", "spearman") if fitted.kind == "regression" else ("accuracy",)
    return options.where.name, metrics, split, table.examples, table.label_names


def _split_settings(where: TaskOptions) -> dict[str, Any]:
    """What decides which of a file's examples are in which split."""
    files = [Path(where.name), where.development_data, where.test_data]
    return {"seed": where.split_seed, "sha256": [None if file is None else _sha256(file) for file in files]}


def _sha256(file: Path) -> str | None:
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _trained_on(folder: Path, where: TaskOptions) -> Task | None:
    """The task that the checkpoint was fine-tuned on, where it was on this very file, whatever it is called now."""
    try:
        kept: dict[str, Any] = json.loads((folder.parent / RESULT).read_text(encoding="utf-8"))["splits"]
        same = kept["sha256"][0] == _sha256(Path(where.name)) and kept["sha256"][1:] == [None, None]
        return opened_task(replace(where, split_seed=int(kept["seed"]))) if same else None
    except (OSError, KeyError, TypeError):
        return None


def _known_examples(options: EvaluateOptions) -> Scorable:
    where = options.where
    if where.name.startswith("demo/"):
        task = opened_task(where)
        split = options.split or "sealed"
        parts = {"train": task.train, "development": task.development}
        if split not in (*parts, "sealed"):
            raise ValueError(f"{task.name} has the splits train, development and sealed, got {split!r}")
        return task.name, task.metrics, split, parts.get(split) or task.sealed.open(), task.label_names
    benchmark = find_task(where.name)
    default = "development" if "dev" in benchmark.files else "test"
    split = options.split or default
    names: Mapping[str, Part] = {"train": "train", "development": "dev", "sealed": "dev", "test": "test"}
    if split not in names:
        raise ValueError(f"{benchmark.name} has the splits train, development and test, got {split!r}")
    examples = official_examples(benchmark, names[split], where.task_data)
    if any(example.label is None for example in examples):
        raise ValueError(
            f"the {split} part of {benchmark.name} has no labels, they are the portal's own: subarch submit writes "
            "what it takes"
        )
    return benchmark.name, benchmark.metrics, split, examples, benchmark.label_names


def _matched(fitted: Fitted, names: tuple[str, ...], task: str) -> NDArray[np.int64] | None:
    """For every class of the task the model's output; None where there are no classes.

    Raises:
        ValueError: when the model knows other classes.
    """
    if fitted.kind != "classification" or not names:
        return None
    own = fitted.label_names
    if set(own) == set(names):
        return np.array([own.index(name) for name in names])
    nameless = all(name == f"LABEL_{n}" for n, name in enumerate(own))
    if nameless and len(own) == len(names):
        return np.arange(len(names))  # a checkpoint of somebody who never named them: the order counts
    raise ValueError(
        f"{task} has the classes {list(names)}, the model {list(own)}: evaluate it on the task it was made for"
    )


def _answers(fitted: Fitted, examples: Sequence[Any], watch: Watch) -> list[NDArray[np.float32]]:
    tokens = fitted.tokens(examples)
    return outputs(fitted.model, tokens, tick=lambda done, total: watch("asking the network", done=done, total=total))


# --- predictions ------------------------------------------------------------------------------------------------------


def predict(options: PredictOptions, *, watch: Watch = silent) -> dict[str, Any]:
    """Write labels and probabilities of unlabelled rows, whole or not at all.

    Raises:
        ValueError: for a model without a head for texts or pairs, or an unusable file.
        OSError: when the output cannot be written.
    """
    watch("opening the model", note=options.model)
    fitted = open_fitted(find_checkpoint(options.model))
    if fitted.kind == "choice":
        raise ValueError(f"the model {options.model} chooses among candidates, which a file of texts does not hold")
    watch("reading the data", note=str(options.data))
    table = read_table(options.data, text_columns=options.text_columns, labelled=False)
    with pinned(options.threads):
        found = _answers(fitted, table.examples, watch)
    rows = [{"id": example.id, **_said(fitted, output)} for example, output in zip(table.examples, found, strict=True)]
    default = options.data.with_name(options.data.name.partition(".")[0] + ".predictions.jsonl")
    path = options.output or default
    write_text(path, _csv(rows) if path.suffix.lower() == ".csv" else "".join(json.dumps(row) + "\n" for row in rows))
    return {"path": str(path), "examples": len(rows), "model": options.model}


def _said(fitted: Fitted, output: NDArray[np.float32]) -> dict[str, Any]:
    if fitted.kind == "regression":
        return {"value": float(output[0])}
    shares = softmax(output.astype(np.float64))
    best = int(shares.argmax())
    probabilities = {name: round(float(share), 6) for name, share in zip(fitted.label_names, shares, strict=True)}
    return {
        "label": fitted.label_names[best],
        "probability": round(float(shares[best]), 6),
        "probabilities": probabilities,
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    flat = [
        {name: value for name, value in row.items() if name != "probabilities"}
        | {f"probability of {name}": value for name, value in row.get("probabilities", {}).items()}
        for row in rows
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()
