"""Targets of ``compress``: whether a network can meet them, by how much one does, and the verdict, from times."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from subarch.errors import InputError
from subarch.extraction.opening import read_space
from subarch.jobs.benchmark import form_of
from subarch.jobs.plan import Plan
from subarch.networks.encoder import EncoderFamily
from subarch.networks.family import Family
from subarch.networks.sources import open_source
from subarch.networks.space import Value
from subarch.options.compression import CompressOptions
from subarch.options.forms import ArtifactName
from subarch.progress import Watch, silent
from subarch.running.conversion import builder
from subarch.running.timing import Builder, Pass, compare
from subarch.tasks.task import Task

_TRIES = 3  # of timing before a target is refused: a busy moment is no reason
_HEADROOM = 1.25
_SECONDS = 5.0  # of timing a ratio that the limit of the search is set by
_MOMENTS = 3  # at which it is timed
_PAUSE = 5.0  # seconds between them


def headroom(plan: Plan, *, watch: Watch = silent) -> float:
    """Refuse a target that the smallest network of the space misses, before anything is trained.

    Returns:
        By how much the search is to be faster than asked: what is exported runs on another runtime, with a head, and is
        timed at another moment. 1 where the smallest network has no such room.

    Raises:
        ValueError: with what the smallest one takes.
    """
    options, extract = plan.options, plan.settings["extract"]
    if options.speedup is None and options.max_latency_ms is None:
        return 1.0
    watch("timing the smallest network of the space")
    family = open_source(plan.opened, space=read_space(extract.get("space"))).family
    runtime, threads = extract["runtime"], extract.get("threads")
    build = None if runtime == "pytorch" else builder(runtime, threads)
    shapes = {"least": family.space.architecture(next(family.space.roots()).lo), "whole": family.reference}
    networks = {name: (family.network(shape), family.inputs(1, plan.length)) for name, shape in shapes.items()}
    least = whole = limit = math.inf
    speed, most = options.speedup, options.max_latency_ms
    for _ in range(_TRIES):
        found = compare(networks, threads=threads, build=build)
        least, whole = (found[name].p50_ms for name in ("least", "whole"))
        limit = min(math.inf if most is None else most, math.inf if speed is None else whole / speed)
        if least <= 1.1 * limit:
            return _HEADROOM if 1.1 * _HEADROOM * least <= limit else 1.0
    asked = f"--speedup {speed:g}" if speed is not None and limit == whole / speed else f"--max-latency-ms {limit:g}"
    raise InputError(
        f"{asked} cannot be met: the smallest network of the space takes {least:.3g} ms here ({runtime}, "
        f"{plan.length} tokens), {whole / least:.3g} times as fast as the teacher's {whole:.3g} ms; relax "
        "the target, or give a space with smaller choices (--set extract.space=FILE)"
    )


def room_as_deployed(plan: Plan, architecture: Mapping[str, Value], *, watch: Watch = silent) -> float:
    """How many times over a network meets the target in the form that it will run in: its fastest one, with a head.

    Weights are random, which changes no times. Where eight-bit integers win, small networks win less than large ones,
    and a head costs them more, so that a ratio of backbones in PyTorch promises too much.
    """
    options, threads = plan.options, plan.settings["extract"].get("threads")
    if options.speedup is None and options.max_latency_ms is None:
        return math.inf
    family = open_source(plan.opened, space=read_space(plan.settings["extract"].get("space"))).family
    inputs = family.inputs(1, plan.length)
    shapes = {"pick": architecture, "teacher": family.reference}
    networks = {name: (_with_head(family, shape, plan.task), inputs) for name, shape in shapes.items()}
    forms: list[ArtifactName | None] = [*(plan.settings["export"].get("artifacts") or plan.forms)] or [None]
    builders = [None if form is None else _once(builder(form, threads)) for form in forms]
    pick: dict[ArtifactName | None, float] = {}
    for form, build in zip(forms, builders, strict=True):
        watch("timing the pick as it will run", note=form or "pytorch")
        pick[form] = compare({"pick": networks["pick"]}, threads=threads, build=build)["pick"].p50_ms
    fastest = min(pick, key=pick.__getitem__)
    room = math.inf if options.max_latency_ms is None else options.max_latency_ms / pick[fastest]
    if options.speedup is not None:
        # A ratio is taken in turns, for longer, and the least of several counts: a busy moment slows large networks
        # more than small ones, and what is promised is to hold in a quiet one.
        for moment in range(_MOMENTS):
            watch("timing it beside the teacher", done=moment, total=_MOMENTS, note=fastest or "pytorch")
            time.sleep(_PAUSE if moment else 0)
            both = compare(networks, threads=threads, seconds=_SECONDS, build=builders[forms.index(fastest)])
            room = min(room, both["teacher"].p50_ms / both["pick"].p50_ms / options.speedup)
    return room


def _once(build: Builder) -> Builder:
    """Builds every network one time: writing a large one in eight bits takes a minute."""
    built: dict[int, Pass] = {}

    def known(network: nn.Module, inputs: Mapping[str, Tensor]) -> Pass:
        if id(network) not in built:
            built[id(network)] = build(network, inputs)
        return built[id(network)]

    return known


def _with_head(family: Family, architecture: Mapping[str, Value], task: Task) -> nn.Module:
    config = cast("EncoderFamily", family).config_for(architecture)
    config.num_labels = len(task.label_names) or 1
    return task.kind.stock_class().from_config(config, dtype=torch.float32).eval()


def deployed(plan: Plan, result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The bench's rows of ``student`` and ``teacher`` in the chosen form: one text of the length to be judged at."""
    chosen, threads = result["export"]["chosen"], result["bench"]["rows"][0]["threads"]
    names = {str(plan.run): "student", str(plan.teacher): "teacher"}
    cell = {"threads": threads, "batch_size": 1, "sequence_length": plan.length}
    return {
        names[row["name"]]: row
        for row in result["bench"]["rows"]
        if row["name"] in names and form_of(row) == chosen and all(row[key] == value for key, value in cell.items())
    }


def verdicts(options: CompressOptions, result: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for and what came out; every figure is measured on what was exported.

    Args:
        options: with the targets.
        result: of all stages.
    """
    rows = result["deployed"]
    found: list[dict[str, Any]] = []
    if "student" in rows and options.max_latency_ms is not None:
        got = float(rows["student"]["p50_ms"])
        asked = options.max_latency_ms
        found.append({"target": "latency_ms", "asked": asked, "got": got, "met": got <= asked})
    if "student" in rows and "teacher" in rows and options.speedup is not None:
        got = float(rows["teacher"]["p50_ms"]) / float(rows["student"]["p50_ms"])
        found.append({"target": "speedup", "asked": options.speedup, "got": got, "met": got >= options.speedup})
    drop = float(result["sealed"]["drop"])
    found.append({"target": "drop", "asked": options.max_drop, "got": drop, "met": drop <= options.max_drop})
    kept = [{name: value for name, value in one.items() if name != "met"} for one in found]
    met = [one["met"] for one in found]
    return {
        "met": [one for one, good in zip(kept, met, strict=True) if good],
        "missed": [one for one, good in zip(kept, met, strict=True) if not good],
    }
