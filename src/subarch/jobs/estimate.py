"""The estimate of a dry run of ``compress``: each stage's time and the memory, from a few steps of the teacher here."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from subarch.agora.ways import LOOPING, WAYS
from subarch.extraction.objectives import TEXT_TOKENS
from subarch.jobs.plan import Plan
from subarch.learning.heads import Target, from_checkpoint
from subarch.networks.checkpoints import Checkpoint
from subarch.networks.layouts import sizes_in
from subarch.progress import Watch, silent
from subarch.results.compress import EstimateResult, MeasuredResult
from subarch.running.memory import peak_memory
from subarch.tasks.kinds.table import kind_of
from subarch.threads import pinned

_TRAININGS = (12, 60)  # of a search: what measured runs took on derived spaces


def estimate(plan: Plan, *, watch: Watch = silent) -> EstimateResult:
    """Seconds of every stage, from and to, and the memory of the hungriest step, from a few steps of the teacher."""
    watch("timing a few steps")
    batch = int(plan.settings["finetune"].get("batch_size", 32))
    with pinned(plan.options.threads):
        step, forward = _step_seconds(plan.opened, plan, batch)
    stages = dict(_stage_seconds(plan, batch, step, forward))
    memory = peak_memory(_one_step, plan.opened, batch, plan.length)
    low, high = (sum(pair[n] for pair in stages.values()) for n in (0, 1))
    return EstimateResult(
        stages={name: (round(low), round(high)) for name, (low, high) in stages.items()},
        seconds=(round(low), round(high)),
        peak_memory_bytes=memory,
        measured=MeasuredResult(teacher_step_seconds=step, teacher_pass_seconds=forward, batch_size=batch),
    )


def _stage_seconds(plan: Plan, batch: int, step: float, forward: float) -> Iterator[tuple[str, tuple[float, float]]]:
    teach, tune, extract = plan.settings["teacher"], plan.settings["finetune"], plan.settings["extract"]
    smaller = plan.options.speedup or 4.0
    steps = math.ceil(len(plan.task.train) / batch)
    if plan.teaches:
        sets = len(teach.get("learning_rates", (1,))) * int(teach.get("seeds", 3))
        once = sets * int(teach.get("epochs", 3)) * steps * step
        yield "teacher", (0.6 * once, 1.2 * once)
    rows = len(plan.task.train) + len(plan.task.development) + len(plan.task.sealed)
    climbing, layers = plan.climbing(), int(sizes_in(plan.opened.config)["num_hidden_layers"] or 1)
    cut = 2 * climbing.epochs * steps * step * ("first-layers" in climbing.rungs)  # in two ways
    asked = rows / batch * forward
    yield "ladder", (20 + asked + cut / layers, 120 + 3 * asked + cut)
    trained = int(first) if (first := str(extract.get("steps")).partition("-")[0]).isdigit() else 30
    judged = min(1.0, TEXT_TOKENS / plan.length)  # the times are those of whole texts
    candidate = judged * (trained * step / 2 + extract.get("held_out", 512) / batch * forward / 2)
    yield "extract", (30 + _TRAININGS[0] * candidate, 120 + _TRAININGS[1] * candidate)
    reading = _pretraining_seconds(plan, batch, step / smaller + forward)
    if plan.pretrains:
        yield "pretrain", reading
    seeds, rates = int(tune.get("seeds", 3)), len(tune.get("learning_rates", (1,)))
    once = int(tune.get("epochs", 3)) * steps * step / smaller
    least, most = _students(plan, rates)
    yield "finetune", (0.6 * seeds * least * once, 1.2 * seeds * most * once + 60)
    asking = (1 + len(plan.forms)) * len(plan.task.development) / batch * forward / smaller
    yield "export", (10.0 * len(plan.forms) + asking / 2, 60.0 + 60 * len(plan.forms) + asking)
    yield "bench", (20.0, 240.0)
    if rivals := plan.options.confirm:
        learning = seeds * rates * once
        yield "confirm", (rivals * (reading[0] + 0.6 * learning), rivals * (reading[1] + 1.2 * learning + 30))


def _students(plan: Plan, rates: int) -> tuple[float, float]:
    """At least and at most so many trainings of one seed, of as many steps as plain fine-tuning has."""
    agora, train = plan.settings["agora"], len(plan.task.train)
    rounds, refit = int(agora.get("rounds", 10)), bool(agora.get("refit"))
    ways = set(agora.get("ways", ())) or set(WAYS) - ({"pool"} if not plan.pool_size else set[str]())
    texts = min(plan.pool_size, int(agora.get("pool_texts", 20_000))) + train
    pool = rates * max(1.0, texts / train / int(plan.settings["finetune"].get("epochs", 3))) * ("pool" in ways)
    others = rates * len(ways - {"agora", "pool"}) + pool + (not agora.get("ways"))  # those, and plain on D and E
    loop = bool(ways & LOOPING)
    return others + refit + loop * (rates + 1), others + refit * max(1.0, pool / rates) + loop * rounds * rates


def _pretraining_seconds(plan: Plan, batch: int, each: float) -> tuple[float, float]:
    """Of one network, where a step with as many texts as a batch of the fine-tuning takes ``each``."""
    if not plan.pretrains:
        return 0.0, 0.0
    known = plan.settings["pretrain"]
    tokens = int(known.get("steps", 1000)) * int(known.get("batch_size", 32)) * int(known.get("sequence_length", 128))
    steps = tokens / (batch * plan.length)
    return 0.7 * steps * each, 1.5 * steps * each


def _step_seconds(teacher: Checkpoint, plan: Plan, batch: int) -> tuple[float, float]:
    """Medians of a training step and of a pass without gradients."""
    model, inputs, labels = _small_job(teacher, batch, plan.length)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    seconds: list[float] = []
    for _ in range(4):
        began = time.perf_counter()
        model(**inputs, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - began)
    passes: list[float] = []
    with torch.no_grad():
        for _ in range(3):
            began = time.perf_counter()
            model(**inputs)
            passes.append(time.perf_counter() - began)
    return float(np.median(seconds[1:])), float(np.median(passes))


def _one_step(teacher: Checkpoint, batch: int, length: int) -> None:
    model, inputs, labels = _small_job(teacher, batch, length)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    model(**inputs, labels=labels).loss.backward()
    optimizer.step()


def _small_job(teacher: Checkpoint, batch: int, length: int) -> tuple[Any, dict[str, Tensor], Tensor]:
    target = Target(kind_of("classification"), ("a", "b"))
    model: Any = from_checkpoint(teacher, target, "estimate", length).make(0).train()
    ids = torch.randint(10, int(model.config.vocab_size), (batch, length))
    return model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(batch, dtype=torch.long)
