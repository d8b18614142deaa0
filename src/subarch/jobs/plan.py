"""What ``compress`` is going to do: every stage's options, made and checked before the first of them runs."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from subarch.errors import InputError
from subarch.extraction.preparation import FOLDER
from subarch.jobs.finetuning import folder_of
from subarch.jobs.preconditions import (
    READ,
    require_apart,
    require_cells,
    require_forms,
    require_joinable,
    require_pretraining,
    require_search,
    require_texts,
    require_unsealed,
    require_vocabulary,
    same_data,
)
from subarch.jobs.proposals import read_pool, require_functions
from subarch.jobs.splits import dealt_as_for
from subarch.learning.checkpoints import Fitted, open_fitted
from subarch.learning.finetuning import CUT_WORTH_SAYING
from subarch.learning.heads import Target, from_checkpoint
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.layouts import tells_texts_apart
from subarch.networks.sources import PRESETS
from subarch.options.compression import CompressOptions
from subarch.options.forms import EXPORTED_TO, USUAL, ArtifactName, Precision
from subarch.options.ladder import LadderOptions
from subarch.options.pretraining import PretrainOptions
from subarch.options.recipes import Settings, read_recipe, written
from subarch.options.running import BenchOptions, ExportOptions
from subarch.options.search import DEALT, ExtractOptions
from subarch.options.tasks import AgoraOptions, FinetuneOptions, TaskOptions
from subarch.progress import Watch, silent
from subarch.running.artifacts import FORMS, is_installed
from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.tasks.loading import opened_task
from subarch.tasks.task import Task
from subarch.text.encoding import tokenize

_LOG = logging.getLogger(__name__)

_STEP = 8  # lengths are multiples of it
_LONGEST = 256  # tokens of a text that networks read, where nothing else is said: twice as many take twice the time
_COMMON = 95  # of 100 texts are no longer than what is timed
_COMPARED_SEEDS = 3  # where something is compared


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every stage's options.

    Attributes:
        run: directory.
        task: the data in three splits.
        where: they came from.
        opened: the teacher's checkpoint as it was given.
        teacher: the fine-tuned one: the same, or what the first stage makes.
        settings: of the recipe, with what was chosen here.
        length: tokens of the texts that are timed.
        forms: of exports that can be had here.
        chosen: the settings as they were given, before data and machine have filled them.
        pool_size: texts of the pool that stand in no split.
    """

    run: Path
    task: Task
    where: TaskOptions
    opened: Checkpoint
    teacher: Path
    settings: Settings
    length: int
    forms: Sequence[ArtifactName]
    options: CompressOptions
    chosen: str
    pool_size: int = 0

    @property
    def given(self) -> Path:
        """The folder of the teacher as it was given."""
        return self.opened.folder

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
    def spoken(self) -> tuple[Path, ...]:
        """What a smaller vocabulary is for, where there is to be one: the same, each text alone, a pair also as one."""
        return (self.run / "spoken.jsonl",) if self.cuts else ()

    @property
    def cuts(self) -> bool:
        """Whether the student has some of the teacher's pieces alone."""
        return self.settings["extract"].get("vocabulary") is not None

    @property
    def source(self) -> Path:
        """What the student is a part of: the teacher, or the same with fewer pieces."""
        return self.run / FOLDER if self.cuts else self.teacher

    @property
    def examples(self) -> Path:
        """What the search reads: the same, as the network gets them."""
        return self.run / "examples.jsonl"

    def teaching(self) -> FinetuneOptions:
        return FinetuneOptions(
            model=str(self.given), run=self.run / "teacher", where=self.where, **self.settings["teacher"]
        )

    def climbing(self) -> LadderOptions:
        """The rungs learn as the student does, and are exported as it is."""
        options, tuned, agora = self.options, self.settings["finetune"], self.settings["agora"]
        known: dict[str, Any] = {name: tuned[name] for name in ("epochs", "batch_size", "max_length") if name in tuned}
        if "learning_rates" in tuned:
            known["learning_rate"] = tuned["learning_rates"][0]
        known["artifacts"] = tuple(self.settings["export"].get("artifacts", ()))
        return LadderOptions(
            where=self.where,
            teacher=str(self.teacher),
            run=self.run,
            speedup=options.speedup,
            max_latency_ms=options.max_latency_ms,
            max_drop=options.max_drop,
            pool=agora.get("pool"),
            stop_when_met=options.stop_when_met,
            threads=tuned.get("threads"),
            **known | self.settings["ladder"],
        )

    def extraction(self) -> ExtractOptions:
        given = {"speedup": self.options.speedup, "max_latency_ms": self.options.max_latency_ms}
        targets = {name: value for name, value in given.items() if value is not None}
        targets |= {"forms": tuple(self.settings["export"].get("artifacts") or self.forms)}
        asked = self.settings["extract"]
        read: dict[str, Any] = {} if READ & set(asked) - {"texts"} else {"texts": self.examples}
        if "data" in asked and same_data(asked["data"], self.where):
            read |= {name: getattr(self.where, name) for name in (*DEALT, "rule") if name not in asked}
        known: dict[str, Any] = asked | read | targets
        if self.cuts:
            known["vocabulary_texts"] = (*asked.get("vocabulary_texts", ()), *self.spoken)
        return ExtractOptions(source=str(self.teacher), run=self.run, **known)

    def pretraining(self) -> PretrainOptions:
        asked = self.settings["pretrain"]
        known: dict[str, Any] = {"teacher": str(self.source), "corpus": self.texts}
        if asked.get("logits"):  # those of a language model: a fine-tuned teacher has no such head any more
            known["teacher"] = str(self.given)
        if (asked.get("logits") or "teacher" in asked) and asked.get("initialize") != "scratch":
            known["source"] = str(self.source)
        return PretrainOptions(run=self.run, **known | self.settings["pretrain"])

    def finetuning(self) -> FinetuneOptions:
        known: dict[str, Any] = {"teacher": str(self.teacher)}
        loop = AgoraOptions(agora=True, **known | self.settings["agora"])
        return FinetuneOptions(run=self.run, where=self.where, loop=loop, **self.settings["finetune"])

    def exporting(self) -> ExportOptions:
        known: dict[str, Any] = {"model": str(_checkpoint(self.run, self.task)), "task": self.where.name}
        known["kind"] = self.where.kind
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
    chosen = written(settings)
    _prefer(options, settings)
    watch("reading the data", note=options.data)
    where = _where(options, settings)
    task = opened_task(where)
    if not task.kind.of_tables:
        raise InputError(f"compress learns what rows of a table can say; {task.name} is {task.kind.words}")
    watch("opening the teacher", note=options.teacher)
    opened = _encoder(options.teacher)
    given = opened.folder
    require_apart(given, run)
    if (dealt := dealt_as_for(where, given)) != where:
        where, task = dealt, opened_task(dealt)
    if (classes := _classes_of(opened, task, where)) is not None:
        where = replace(where, kind="classification")
        _LOG.warning("the labels of %s are taken for classes: the teacher knows as many, %d", where.name, classes)
        task = opened_task(where)
    fitted = _knows(opened, task)
    forms: Sequence[ArtifactName] = [name for name in USUAL if is_installed(name)]
    more, pool = 0, settings["agora"].get("pool")
    if pool is not None:
        watch("reading the pool", note=str(pool))
        held = {example.texts for split in (task.development, task.sealed.unlabelled()) for example in split}
        more = len({example.texts for example in read_pool(pool, task)} - held - {one.texts for one in task.train})
    if not READ & set(settings["extract"]):
        require_texts(len(task.train) + more)
    length, positions = _lengths(opened, fitted, task, settings, of_table=where.data is not None)
    _fill(settings, options, forms, length, positions)
    plan = Plan(
        run=run,
        task=task,
        where=where,
        opened=opened,
        teacher=_checkpoint(run / "teacher", task) if fitted is None else given,
        settings=settings,
        length=length,
        forms=forms,
        options=options,
        chosen=chosen,
        pool_size=more,
    )
    require_unsealed(settings, task, where)
    for make in (plan.teaching, plan.climbing, plan.extraction, plan.exporting, plan.benching):
        make()  # whatever is out of range is refused here
    require_search(settings, opened)
    require_vocabulary(settings, opened)
    if plan.pretrains:
        require_pretraining(plan.pretraining(), plan.source, opened, reads_rows="corpus" not in settings["pretrain"])
    require_functions(plan.finetuning().loop, speaks=plan.pretrains)
    require_forms(settings)
    if options.cascade:
        require_joinable(settings, task)
    require_cells(settings, length, positions)
    return plan


def _encoder(name: str) -> Checkpoint:
    """The checkpoint of a teacher.

    Raises:
        ValueError: for whatever is no checkpoint of an encoder.
    """
    if not Path(name).is_dir() and (":" in name or name in PRESETS):
        raise InputError(f"--teacher {name}: expected the folder or hub name of an encoder such as BERT, with weights")
    try:
        return open_checkpoint(name, encoder=True)
    except ValueError as error:
        raise InputError(f"--teacher {str(error).partition('. For another')[0]}") from error


def _classes_of(teacher: Checkpoint, task: Task, where: TaskOptions) -> int | None:
    """How many classes a teacher knows where the labels are as many whole numbers, too many to be taken for classes."""
    if where.kind is not None or not task.kind.has_numbers:
        return None
    values = {label for split in (task.train, task.development) for label in split.labels}
    whole = all(float(cast("float", value)).is_integer() for value in values)
    return len(values) if whole and len(teacher.label_names) == len(values) else None


def _checkpoint(run: Path, task: Task) -> Path:
    """Where a fine-tuning on the task leaves its checkpoint."""
    return run / "finetune" / folder_of(task.name) / "checkpoint"


def _where(options: CompressOptions, settings: Settings) -> TaskOptions:
    path = Path(options.data)
    known = dict(settings["task"])
    if options.text_columns:
        known["text_columns"] = options.text_columns
    for name in ("label_column", "label_columns", "label_separator", "metric"):
        if (value := getattr(options, name)) is not None and value != ():
            known[name] = value
    if path.suffix and not path.is_file() and not options.data.startswith(("glue/", "superglue/", "race/", "demo/")):
        raise InputError(f"--data {path}: there is no such file")
    return TaskOptions(data=path, **known) if path.is_file() else TaskOptions(task=options.data, **known)


def _knows(teacher: Checkpoint, task: Task) -> Fitted | None:
    """A checkpoint that was fine-tuned for these labels; one made for others gets a new head, which is said."""
    if teacher.head.kind not in {kind.head for kind in (task.kind, *map(kind_of, KINDS)) if kind.of_tables}:
        return None
    fitted = open_fitted(teacher, task.kind)
    try:
        fitted.order_for(task.name, task.kind, task.label_names)
    except ValueError:
        theirs, ours = (list(one.label_names) or one.kind for one in (fitted, task))
        way_out = (
            "where these are the same classes, renamed labels keep its head: write the teacher's names into the table"
        )
        if fitted.kind != task.kind:
            theirs, ours = (f"{one.kind.words} ({one.kind})" for one in (fitted, task))
            way_out = f"where the rows mean what it says, --set task.kind={fitted.kind} keeps its head"
        _LOG.warning(
            "the teacher was made for %s, not for %s: it gets a new head, and is fine-tuned first (%s)",
            theirs,
            ours,
            way_out,
        )
        return None
    return fitted


def _lengths(
    teacher: Checkpoint, fitted: Fitted | None, task: Task, settings: Settings, *, of_table: bool
) -> tuple[int, int]:
    """Tokens that 95 in 100 of the training texts have at most, a multiple of eight; and the teacher's positions.

    Of a table with long texts networks read so many, where nothing else was said: a student that reads the beginning
    alone could not answer as its teacher does.
    """
    target = Target.of(task.kind, task.label_names, task.train.labels)
    read = settings["finetune"].get("max_length")
    learner = from_checkpoint(teacher, target, task.name, read or _LONGEST)
    positions = teacher.longest or sys.maxsize
    some, types = list(task.train)[:4096], tells_texts_apart(teacher.config)
    tokens = tokenize(some, learner.tokenizer, length=learner.length, types=types)
    common = _STEP * math.ceil(float(np.percentile(tokens.lengths, _COMMON)) / _STEP)
    most = min(common, learner.length, sys.maxsize if fitted is None else fitted.length)
    if read is None and of_table and most > task.length:
        read = most
        _LOG.warning(
            "texts are long: networks read %d tokens of each, which takes time; --set finetune.max_length=128 "
            "teacher.max_length=128 reads less, larger numbers more",
            read,
        )
        settings["finetune"]["max_length"] = read
        settings["teacher"].setdefault("max_length", read)
    read = min(learner.length, read or task.length)
    cut = tokens.cut_share if read == learner.length else float(np.mean(tokens.lengths > read))
    if cut > CUT_WORTH_SAYING:
        _LOG.warning(
            "%.0f %% of the training texts are longer than %d tokens, and their ends are not read", 100 * cut, read
        )
    return min(read, max(2 * _STEP, common)), positions


def _prefer(options: CompressOptions, settings: Settings) -> None:
    """What was given on the command line goes before what a recipe says."""
    if options.vocabulary is not None:
        settings["extract"]["vocabulary"] = options.vocabulary
    if options.threads is not None:
        for section in ("teacher", "extract", "pretrain", "finetune", "export"):
            settings[section]["threads"] = options.threads
        settings["bench"]["threads"] = (options.threads,)
    if options.pool is not None:
        settings["agora"]["pool"] = options.pool
    settings["finetune"].setdefault("seeds", _COMPARED_SEEDS if options.compare or options.confirm else 1)
    if options.compare:
        settings["agora"].pop("ways", None)
    else:
        pool = ("pool",) if settings["agora"].get("pool") else ()
        settings["agora"].setdefault("ways", ("plain", "distilled", *pool, "agora"))


def _fill(
    settings: Settings, options: CompressOptions, forms: Sequence[ArtifactName], length: int, positions: int
) -> None:
    """What recipes leave to the data and the machine."""
    if positions < 128:  # of the pre-training, whose default is that
        settings["pretrain"].setdefault("sequence_length", positions)
    settings["extract"].setdefault("sequence_length", length)
    settings["export"].setdefault("sequence_length", length)
    settings["bench"].setdefault("sequence_length", (length,))
    timed = options.speedup is not None or options.max_latency_ms is not None
    settings["extract"].setdefault("runtime", "served" if timed and forms else "pytorch")
    if forms:
        settings["export"].setdefault("artifacts", tuple(forms))
    exported = settings["export"].get("artifacts", ())
    runtimes = tuple(name for name in EXPORTED_TO if any(FORMS[one].runtime == name for one in exported))
    precisions = {"float32", *(FORMS[one].precision for one in exported)}
    settings["bench"].setdefault("runtime", ("pytorch", *runtimes))
    settings["bench"].setdefault("precision", tuple(p for p in get_args(Precision) if p in precisions))
    if "learning_rates" in settings["finetune"] and not settings["finetune"]["learning_rates"]:
        raise InputError("finetune.learning_rates needs at least one rate")
