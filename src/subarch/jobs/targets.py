"""Targets of ``compress``: whether a network can meet them, and the verdict, from times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from subarch.errors import InputError
from subarch.extraction.opening import read_reference, read_space
from subarch.extraction.timings import Timings
from subarch.jobs.benchmark import form_of
from subarch.jobs.plan import Plan
from subarch.networks.encoder import EncoderFamily
from subarch.networks.family import Family
from subarch.networks.sources import open_source
from subarch.options.compression import CompressOptions
from subarch.progress import Watch, silent
from subarch.results.bench import BenchResult, TimedResult
from subarch.results.compress import TargetResult, TargetsResult
from subarch.results.promise import DropResult
from subarch.running.artifacts import FORMS
from subarch.running.latency_table import LatencyTable
from subarch.running.stopwatch import smallest_of


def first_readings(plan: Plan, *, watch: Watch = silent) -> Timings | None:
    """Decide how networks are served, and refuse a target that the smallest one of the space misses, before anything is
    trained.

    Returns:
        The times of the run, yet to be written down; None where no time was asked for.

    Raises:
        ValueError: with what the smallest one takes.
    """
    options, asked = plan.options, plan.extraction()
    speed, most = options.speedup, options.max_latency_ms
    if speed is None and most is None:
        return None
    times = Timings(asked, _served_family(plan), plan.run, watch, kept=False)
    table = times.begun()
    least = float(table.predict(np.array([table.space.index(smallest_of(table.space))], dtype=np.int16))[0])
    whole = table.reference_ms
    limit = min(math.inf if most is None else most, math.inf if speed is None else whole / speed)
    if least > limit:
        named = (
            f"--speedup {speed:g}" if speed is not None and limit == whole / speed else f"--max-latency-ms {limit:g}"
        )
        raise InputError(
            f"{named} cannot be met: the smallest network of the space takes {least:.3g} ms here "
            f"({table.settings['runtime']}, {plan.length} tokens), {whole / least:.3g} times as fast as the teacher's "
            f"{whole:.3g} ms; relax the target, or give a space with smaller choices (--set extract.space=FILE)"
        )
    if asked.runtime == "served":
        _serve(plan, table, watch)
    return times


def _served_family(plan: Plan) -> Family:
    """The teacher's family with the head that fine-tuning gives it."""
    known = plan.settings["extract"]
    space, reference = read_space(known.get("space")), read_reference(known.get("reference"))
    family = cast("EncoderFamily", open_source(plan.opened, space=space, reference=reference).family)
    count = len(plan.task.label_names) or 1
    made = plan.task.kind.stock_class().__name__.removeprefix("AutoModel")
    head = {"architectures": [made], "id2label": {str(n): f"LABEL_{n}" for n in range(count)}}
    return replace(family, config={**family.config, **head})


def _serve(plan: Plan, table: LatencyTable, watch: Watch) -> None:
    """Export and bench with the threads that were decided on, where nobody said how many; the teacher with its own."""
    student, teacher = (int(table.settings[name]) for name in ("threads", "reference_threads"))
    watch("networks are served with", note=f"{table.settings['runtime']}, threads: {student}, decided by readings")
    plan.settings["export"].setdefault("threads", student)
    plan.settings["bench"].setdefault("threads", tuple(dict.fromkeys((student, teacher))))


def deployed(plan: Plan, chosen: str, bench: BenchResult) -> dict[str, TimedResult]:
    """The bench's rows of ``student``, in the chosen form with the threads that serve, and of ``teacher``, in its own
    best form of those that are exported: one text of the length to be judged at."""

    def least(name: str, *, of_chosen: bool) -> dict[str, TimedResult]:
        cells = [
            row for row in bench.rows if row.name == name and (row.batch_size, row.sequence_length) == (1, plan.length)
        ]
        if of_chosen:
            cells = [row for row in cells if form_of(row) == chosen and row.threads == bench.rows[0].threads]
        served = [row for row in cells if form_of(row) in FORMS]
        return {"student" if of_chosen else "teacher": min(served, key=lambda row: row.ms)} if served else {}

    return least(str(plan.run), of_chosen=True) | least(str(plan.teacher), of_chosen=False)


def verdicts(options: CompressOptions, deployed: Mapping[str, TimedResult], drop: DropResult) -> TargetsResult:
    """What was asked for and what came out; every figure is measured on what was exported.

    Args:
        options: with the targets.
        deployed: as of the function of that name.
        drop: what the exported form loses against the teacher on the sealed rows.
    """
    student, teacher = deployed.get("student"), deployed.get("teacher")
    found: list[TargetResult] = []
    if student is not None and options.max_latency_ms is not None:
        found.append(TargetResult(target="latency_ms", asked=options.max_latency_ms, got=student.ms))
    if student is not None and teacher is not None and options.speedup is not None:
        found.append(TargetResult(target="speedup", asked=options.speedup, got=teacher.ms / student.ms))
    return TargetsResult.of(found, options.max_drop, drop)
