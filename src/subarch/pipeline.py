"""The whole story as one function: ``demo``. Stages meet in files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from subarch.jobs.extraction import extract, verify_run
from subarch.learning.classifier import small_classifier
from subarch.learning.finetuning import Recipe, finetune
from subarch.options.search import DemoOptions, ExtractOptions
from subarch.progress import Watch, silent
from subarch.storage import write_json, write_text
from subarch.text.examples import Task
from subarch.text.tasks import load_task
from subarch.text.tokenizers import train_tokenizer

DEMO_TASK = "demo/packages"
DEMO_VOCABULARY = 6000
DEMO_RECIPE = Recipe(learning_rates=(8e-4,), epochs=3, seeds=(0,))


def demo(options: DemoOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Train a small source on installed documentation, extract from it, verify the certificate, write the report.

    Returns:
        What ``extract.json`` holds, with ``source_accuracy`` and ``verification``.

    Raises:
        ValueError, OSError: as :func:`extract`.
    """
    options.run.mkdir(parents=True, exist_ok=True)
    folder = options.run / "source"
    texts = options.run / "texts.jsonl"
    if not (folder.is_dir() and texts.is_file()):
        watch("reading the installed documentation")
        task = load_task(DEMO_TASK)
        if not folder.is_dir():
            _train_demo_source(task, folder, watch)
        write_text(texts, "".join(json.dumps({"text": text}) + "\n" for text in task.train.texts))
    result = extract(
        ExtractOptions(
            source=str(folder),
            run=options.run,
            corpus=texts,
            speedup=options.speedup,
            epsilon=options.epsilon,
            batch_size=32,
            held_out=512,
        ),
        watch=watch,
        command=command,
    )
    found = verify_run(options.run, watch=watch)
    accuracy = json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
    return {
        **result,
        "source_accuracy": accuracy,
        "verification": {"accepted": found.accepted, "reason": found.reason, "achieved": found.achieved},
    }


def _train_demo_source(task: Task, folder: Path, watch: Watch) -> None:
    watch("learning a vocabulary")
    learner = small_classifier(task, train_tokenizer(task.train.texts, DEMO_VOCABULARY))
    home = folder.with_name("source-training")
    home.mkdir(exist_ok=True)
    trained = finetune(task, learner, DEMO_RECIPE, home, watch=watch)
    row = trained.row("plain")
    accuracy = {"development": row["development"], "sealed": row["mean"], "steps": row["steps"], "task": DEMO_TASK}
    write_json(trained.checkpoint / "accuracy.json", accuracy)
    trained.checkpoint.rename(folder)
    shutil.rmtree(home)
