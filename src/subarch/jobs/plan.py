"""What ``compress`` is going to do: every stage's options, made and checked before the first of them runs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig

from subarch.extraction.material import LEAST_TEXTS
from subarch.extraction.opening import read_space
from subarch.jobs.agora import read_pool
from subarch.jobs.benchmark import ARTIFACTS
from subarch.jobs.finetuning import folder_of
from subarch.jobs.splits import opened_task
from subarch.learning.checkpoints import open_fitted
from subarch.learning.heads import Target, from_checkpoint
from subarch.networks.sources import find_checkpoint, open_source
from subarch.networks.space import Value
from subarch.options.compression import CompressOptions
from subarch.options.pretraining import PretrainOptions
from subarch.options.recipes import Settings, read_recipe, written
from subarch.options.running import ArtifactName, BenchOptions, ExportOptions
from subarch.options.search import ExtractOptions
from subarch.options.tasks import AgoraOptions, FinetuneOptions, TaskOptions
from subarch.progress import Watch, silent
from subarch.running.artifacts import FORMS, builder
from subarch.running.benchmark import peak_memory
from subarch.running.timing import compare, pinned
from subarch.text.corpora import HELD_OUT_SHARE
from subarch.text.examples import Task

_LOG = logging.getLogger(__name__)

_STEP = 8  # lengths are multiples of it
_READ = {"texts", "corpus", "data"}  # what a search may measure the error on
_TRIES = 3  # of timing before a target is refused: a busy moment is no reason
_HEADROOM = 1.25
_SECONDS = 5.0  # of timing a ratio that the limit of the search is set by
_MOMENTS = 3  # at which it is timed
_COMMON = 95  # of 100 texts are no longer than what is timed
_TRAININGS = (12, 60)  # of a search: what measured runs took on derived spaces
_FORMS: Sequence[ArtifactName] = ("onnx", "onnx-int8", "openvino", "openvino-int8")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every stage's options.

    Attributes:
        run: directory.
        task: the data in three splits.
        where: they came from.
        given: the teacher's checkpoint as it was given.
        teacher: the fine-tuned one: the same, or what the first stage makes.
        settings: of the recipe, with what was chosen here.
        length: tokens of the texts that are timed.
        forms: of exports that can be had here.
        chosen: the settings as they were given, before data and machine have filled them.
        headroom: by how much the search is to be faster than asked.
    """

    run: Path
    task: Task
    where: TaskOptions
    given: Path
    teacher: Path
    settings: Settings
    length: int
    forms: Sequence[ArtifactName]
    options: CompressOptions
    chosen: str
    headroom: float = 1.0

    @property
    def teaches(self) -> bool:
        """Whether the teacher has to be fine-tuned first."""
        return self.teacher != self.given

    @property
    def pretrains(self) -> bool:
        return self.settings["pretrain"].get("steps") != 0

    @property
    def texts(self) -> Path:
        """What the pre-training reads: texts of the training split and of the pool, a pair as one text."""
        return self.run / "texts.jsonl"

    @property
    def examples(self) -> Path:
        """What the search reads: the same, as the network gets them."""
        return self.run / "examples.jsonl"

    def teaching(self) -> FinetuneOptions:
        return FinetuneOptions(
            model=str(self.given), run=self.run / "teacher", where=self.where, **self.settings["teacher"]
        )

    def extraction(self) -> ExtractOptions:
        targets: dict[str, float] = {}
        if self.options.speedup is not None:
            targets["speedup"] = self.options.speedup * self.headroom
        if self.options.max_latency_ms is not None:
            targets["max_latency_ms"] = self.options.max_latency_ms / self.headroom
        read = {} if _READ & set(self.settings["extract"]) else {"texts": self.examples}
        known: dict[str, Any] = read | self.settings["extract"] | targets
        return ExtractOptions(source=str(self.teacher), run=self.run, **known)

    def pretraining(self) -> PretrainOptions:
        known: dict[str, Any] = {"teacher": str(self.teacher), "corpus": self.texts}
        return PretrainOptions(run=self.run, **known | self.settings["pretrain"])

    def finetuning(self) -> FinetuneOptions:
        known: dict[str, Any] = {"teacher": str(self.teacher)}
        loop = AgoraOptions(agora=True, **known | self.settings["agora"])
        return FinetuneOptions(run=self.run, where=self.where, loop=loop, **self.settings["finetune"])

    def exporting(self) -> ExportOptions:
        known: dict[str, Any] = {"model": str(_checkpoint(self.run, self.task)), "task": self.where.name}
        return ExportOptions(run=self.run, task_data=self.where.task_data, **known | self.settings["export"])

    def benching(self) -> BenchOptions:
        known: dict[str, Any] = {"against": str(self.teacher)}
        return BenchOptions(names=(str(self.run), str(self.teacher)), run=self.run, **known | self.settings["bench"])


def planned(options: CompressOptions, run: Path, *, watch: Watch = silent) -> Plan:
    """Open data, teacher, pool and recipe, and make every stage's options; nothing is written.

    Args:
        options: of the command.
        run: directory of the run.
        watch: told what is opened.

    Raises:
        ValueError, OSError, ImportError: for whatever is wrong with any of them.
    """
    settings = read_recipe(options.recipe, options.set)
    watch("reading the data", note=options.data)
    where = _where(options, settings)
    task = opened_task(where)
    if task.kind == "choice":
        raise ValueError(f"compress learns classes and numbers; {task.name} chooses among candidates")
    watch("opening the teacher", note=options.teacher)
    given = find_checkpoint(options.teacher)
    open_source(str(given))  # refuses what is no encoder
    teacher = given if _knows(given, task) else _checkpoint(run / "teacher", task)
    forms: Sequence[ArtifactName] = [name for name in _FORMS if _is_there(name)]
    length, more = _length(given, task, settings), 0
    pool = settings["agora"].get("pool", options.pool)
    if pool is not None:
        watch("reading the pool", note=str(pool))
        more = len(read_pool(pool, task))
    if not _READ & set(settings["extract"]):
        _require_texts(len(task.train) + more)
    chosen = written(settings)
    _fill(settings, options, forms, length)
    _require_forms(settings)
    plan = Plan(
        run=run,
        task=task,
        where=where,
        given=given,
        teacher=teacher,
        settings=settings,
        length=length,
        forms=forms,
        options=options,
        chosen=chosen,
    )
    for make in (plan.teaching, plan.extraction, plan.finetuning, plan.exporting, plan.benching):
        make()  # whatever is out of range is refused here
    if plan.pretrains:
        plan.pretraining()
    return plan


def _checkpoint(run: Path, task: Task) -> Path:
    """Where a fine-tuning on the task leaves its checkpoint."""
    return run / "finetune" / folder_of(task.name) / "checkpoint"


def _require_forms(settings: Settings) -> None:
    """Refuse what could not be exported or timed in the end.

    Raises:
        ImportError: for a form whose runtime is not installed, or when none is.
        ValueError: for a form that is not timed.
    """
    asked: Sequence[ArtifactName] = settings["export"].get("artifacts", ())
    if not asked:
        raise ImportError("there is nothing to export to: pip install 'subarch[onnx]' or 'subarch[openvino]'")
    bench = settings["bench"]
    timed = {
        name
        for (runtime, precision), name in ARTIFACTS.items()
        if runtime in bench["runtime"] and precision in bench["precision"]
    }
    for name in asked:
        FORMS[name].require()
        if name not in timed:
            raise ValueError(
                f"export.artifacts has {name}, which may be chosen and would not be timed: leave it out, or see that "
                f"bench.runtime and bench.precision have it (bench times {', '.join(ARTIFACTS.values())})"
            )


def _where(options: CompressOptions, settings: Settings) -> TaskOptions:
    path = Path(options.data)
    known = dict(settings["task"])
    if options.text_columns:
        known["text_columns"] = options.text_columns
    if options.label_column:
        known["label_column"] = options.label_column
    if path.suffix and not path.is_file() and not options.data.startswith(("glue/", "superglue/", "race/", "demo/")):
        raise ValueError(f"--data {path}: there is no such file")
    return TaskOptions(data=path, **known) if path.is_file() else TaskOptions(task=options.data, **known)


def _knows(folder: Path, task: Task) -> bool:
    """Whether a checkpoint was fine-tuned for these labels; one made for others gets a new head, which is said."""
    config: Any = AutoConfig.from_pretrained(str(folder))
    if "ForSequenceClassification" not in " ".join(config.architectures or ()):
        return False
    fitted = open_fitted(folder)
    try:
        fitted.order_for(task.name, task.kind, task.label_names)
    except ValueError:
        theirs, ours = (list(one.label_names) or one.kind for one in (fitted, task))
        _LOG.warning(
            "the teacher was made for %s, not for %s: it gets a new head, and is fine-tuned first", theirs, ours
        )
        return False
    return True


def _is_there(name: ArtifactName) -> bool:
    try:
        FORMS[name].require()
    except ImportError:
        return False
    return True


def _length(folder: Path, task: Task, settings: Settings) -> int:
    """Tokens that 95 in 100 of the training texts have at most, a multiple of eight."""
    given = settings["finetune"].get("max_length") or task.length
    target = Target.of(task.kind, task.label_names, task.train.labels)
    learner = from_checkpoint(folder, target, task.name, given)
    counts = learner.tokens(list(task.train)[:4096], learner.make(0)).lengths
    common = _STEP * math.ceil(float(np.percentile(counts, _COMMON)) / _STEP)
    return min(learner.length, max(2 * _STEP, common))


def _require_texts(count: int) -> None:
    """Raises:
    ValueError: when an eighth of the texts is too few to judge candidates by; sharing out is by chance, hence the half.
    """
    least = int(LEAST_TEXTS * HELD_OUT_SHARE * 1.5)
    if count < least:
        raise ValueError(
            f"expected at least {least:,} training texts for the search, got {count:,}: give more of them (--pool FILE "
            "needs no labels), or other text of the same kind (--set extract.texts=PATH, or extract.corpus=PATH)"
        )


def _fill(settings: Settings, options: CompressOptions, forms: Sequence[ArtifactName], length: int) -> None:
    """What recipes leave to the data and the machine."""
    asked: dict[str, Any] = {"threads": options.threads} if options.threads else {}
    for section in ("teacher", "extract", "pretrain", "finetune", "export"):
        settings[section] = asked | settings[section]
    if options.threads:
        settings["bench"] = {"threads": (options.threads,)} | settings["bench"]
    settings["extract"].setdefault("sequence_length", length)
    settings["export"].setdefault("sequence_length", length)
    settings["bench"].setdefault("sequence_length", (length,))
    # A time in milliseconds is that of what runs in the end; a ratio hardly depends on it.
    runs = "onnx-int8" if "onnx-int8" in forms and options.max_latency_ms is not None else "pytorch"
    settings["extract"].setdefault("runtime", runs)
    if forms:
        settings["export"].setdefault("artifacts", tuple(forms))
    exported = settings["export"].get("artifacts", ())
    runtimes = tuple(
        name for name in ("onnxruntime", "openvino") if any(FORMS[one].runtime == name for one in exported)
    )
    precisions = {"float32", *(FORMS[one].precision for one in exported)}
    settings["bench"].setdefault("runtime", ("pytorch", *runtimes))
    settings["bench"].setdefault("precision", tuple(p for p in ("float32", "bfloat16", "int8") if p in precisions))
    if options.pool is not None:
        settings["agora"].setdefault("pool", options.pool)
    if "learning_rates" in settings["finetune"] and not settings["finetune"]["learning_rates"]:
        raise ValueError("finetune.learning_rates needs at least one rate")


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
    family = open_source(str(plan.given), space=read_space(extract.get("space"))).family
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
    raise ValueError(
        f"{asked} cannot be met: the smallest network of the space takes {least:.3g} ms here ({runtime}, "
        f"{plan.length} tokens), {whole / least:.3g} times as fast as the teacher's {whole:.3g} ms; relax "
        "the target, or give a space with smaller choices (--set extract.space=FILE)"
    )


def room_as_deployed(plan: Plan, architecture: Mapping[str, Value], *, watch: Watch = silent) -> float:
    """How many times over a network meets the target in the form that it will run in: its fastest one.

    Weights are random, and the head is missing: neither changes times by much. Where eight-bit integers win, small
    networks win less than large ones, so that a ratio in PyTorch promises too much.
    """
    options, threads = plan.options, plan.settings["extract"].get("threads")
    if options.speedup is None and options.max_latency_ms is None:
        return math.inf
    family = open_source(str(plan.given), space=read_space(plan.settings["extract"].get("space"))).family
    inputs = family.inputs(1, plan.length)
    forms: Sequence[ArtifactName | None] = plan.settings["export"].get("artifacts") or plan.forms or [None]

    def times(form: ArtifactName | None, *, seconds: float = 0.0, **shapes: Mapping[str, Value]) -> dict[str, float]:
        watch("timing the pick as it will run", note=form or "pytorch")
        build = None if form is None else builder(form, threads)
        networks = {name: (family.network(shape), inputs) for name, shape in shapes.items()}
        found = compare(networks, threads=threads, seconds=seconds, build=build)
        return {name: one.p50_ms for name, one in found.items()}

    best, form = min((times(form, pick=architecture)["pick"], n) for n, form in enumerate(forms))
    room = math.inf if options.max_latency_ms is None else options.max_latency_ms / best
    if options.speedup is not None:
        # A ratio is taken in turns, for longer, and the least of several counts: a busy moment slows large networks
        # more than small ones, and what is promised is to hold in a quiet one.
        for _ in range(_MOMENTS):
            both = times(forms[form], seconds=_SECONDS, pick=architecture, teacher=family.reference)
            room = min(room, both["teacher"] / both["pick"] / options.speedup)
    return room


# --- the estimate of a dry run ----------------------------------------------------------------------------------------


def estimate(plan: Plan, *, watch: Watch = silent) -> dict[str, Any]:
    """Seconds of every stage, from and to, and the memory of the hungriest step, from a few steps of the teacher."""
    watch("timing a few steps")
    teach, tune, extract = plan.settings["teacher"], plan.settings["finetune"], plan.settings["extract"]
    batch = int(tune.get("batch_size", 32))
    with pinned(plan.options.threads):
        step, forward = _step_seconds(str(plan.given), plan, batch)
    smaller = plan.options.speedup or 4.0
    rows = len(plan.task.train)
    stages = dict(_stage_seconds(plan, step, forward, smaller, batch, rows, teach, tune, extract))
    memory = peak_memory(_one_step, str(plan.given), batch, plan.length)
    low, high = (sum(pair[n] for pair in stages.values()) for n in (0, 1))
    return {
        "stages": {name: [round(low), round(high)] for name, (low, high) in stages.items()},
        "seconds": [round(low), round(high)],
        "peak_memory_bytes": memory,
        "measured": {"teacher_step_seconds": step, "teacher_pass_seconds": forward, "batch_size": batch},
    }


def _stage_seconds(
    plan: Plan, step: float, forward: float, smaller: float, batch: int, rows: int, teach: Any, tune: Any, extract: Any
) -> Iterator[tuple[str, tuple[float, float]]]:
    steps = math.ceil(rows / batch)
    if plan.teaches:
        sets = len(teach.get("learning_rates", (1,))) * int(teach.get("seeds", 3))
        once = sets * int(teach.get("epochs", 3)) * steps * step
        yield "teacher", (0.6 * once, 1.2 * once)
    trained = int(extract["steps"]) if str(extract.get("steps")).isdigit() else 30
    candidate = trained * step / 2 + extract.get("held_out", 512) / batch * forward / 2
    yield "extract", (30 + _TRAININGS[0] * candidate, 300 + _TRAININGS[1] * candidate)
    if plan.pretrains:
        known = plan.settings["pretrain"]
        tokens = (
            int(known.get("steps", 1000)) * int(known.get("batch_size", 32)) * int(known.get("sequence_length", 128))
        )
        each = tokens / (batch * plan.length)
        yield "pretrain", (0.7 * each * (step / smaller + forward), 1.5 * each * (step / smaller + forward))
    seeds, rates = int(tune.get("seeds", 3)), len(tune.get("learning_rates", (1,)))
    once = int(tune.get("epochs", 3)) * steps * step / smaller
    rounds = int(plan.settings["agora"].get("rounds", 10))
    fixed = 1 + bool(plan.settings["agora"].get("refit"))
    low, high = seeds * (3 * rates + 1 + fixed) * once, seeds * ((3 + rounds) * rates + fixed) * once
    yield "finetune", (0.6 * low, 1.2 * high + 60)
    yield "export", (20.0 * len(plan.forms) * step, 60.0 + 60 * len(plan.forms))
    yield "bench", (20.0, 240.0)


def _step_seconds(folder: str, plan: Plan, batch: int) -> tuple[float, float]:
    """Medians of a training step and of a pass without gradients."""
    model, inputs, labels = _small_job(folder, batch, plan.length)
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


def _one_step(folder: str, batch: int, length: int) -> None:
    model, inputs, labels = _small_job(folder, batch, length)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    model(**inputs, labels=labels).loss.backward()
    optimizer.step()


def _small_job(folder: str, batch: int, length: int) -> tuple[Any, dict[str, Any], Any]:
    target = Target("classification", ("a", "b"))
    model: Any = from_checkpoint(Path(folder), target, "estimate", length).make(0).train()
    ids = torch.randint(10, int(model.config.vocab_size), (batch, length))
    return model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(batch, dtype=torch.long)
