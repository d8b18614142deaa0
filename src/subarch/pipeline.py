"""The whole story as one function: ``compress``.

Stages meet in the files of the run directory, so that each goes on where it stopped, and can be repeated alone.
"""

from __future__ import annotations

import itertools
import json
import logging
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from subarch.clock import Clock
from subarch.errors import InputError
from subarch.jobs.agora import require_able_teacher
from subarch.jobs.benchmark import bench
from subarch.jobs.confirmation import confirm
from subarch.jobs.estimate import estimate
from subarch.jobs.export import export
from subarch.jobs.extraction import extract
from subarch.jobs.finetuning import finetune
from subarch.jobs.plan import Plan, planned
from subarch.jobs.preconditions import require_unused
from subarch.jobs.pretraining import pretrain
from subarch.jobs.proposals import read_pool
from subarch.jobs.targets import deployed, first_readings, verdicts
from subarch.jobs.verification import verify_run
from subarch.learning.agora import TextGuard
from subarch.learning.checkpoints import Fitted, open_fitted
from subarch.options.compression import CompressOptions
from subarch.options.recipes import written
from subarch.progress import Watch, silent
from subarch.results.base import Record, rest
from subarch.results.compress import ApartResult, Planned, PlanResult, SealedResult
from subarch.results.export import ExportResult
from subarch.results.finetune import FinetuneResult
from subarch.results.report import Page
from subarch.rungs import beside
from subarch.running.predictor import Predictor
from subarch.small import EnoughModel, SmallModel
from subarch.storage import (
    made_directory,
    new_run_directory,
    read_record,
    sha256_of,
    tell_directory,
    write_json,
    write_text,
)
from subarch.tasks.columns import PAIR_COLUMNS, TEXT_COLUMNS
from subarch.tasks.dealing import related_to_others
from subarch.tasks.kinds.base import in_order_of
from subarch.tasks.labelled import read_texts
from subarch.telling.card import render_card
from subarch.telling.report import write_report
from subarch.threads import pinned

_LOG = logging.getLogger(__name__)

RESULT = "compress.json"
RECIPE = "recipe.toml"
ASKED = "asked.json"
_NAMED = ("data", "teacher", "speedup", "max_latency_ms", "vocabulary")  # options that make a run what it is
# Sections of a recipe, in the order of their stages, and what these leave in a run.
_LEAVES: Sequence[tuple[tuple[str, ...], str]] = (
    (("teacher",), "teacher"),
    (("extract",), "study.db"),
    (("pretrain",), "pretrain"),
    (("finetune", "agora"), "finetune/**/manifest.json"),
    (("export",), "export"),
    (("bench",), "benchmark.json"),
)


@dataclass(frozen=True, kw_only=True)
class Asked(Record):
    """What a run is of: its settings as they were given, and the data. The allowed drop changes the verdict alone.

    Attributes:
        data, teacher, speedup, max_latency_ms, vocabulary: options as they were given.
        settings: a recipe, likewise.
        threads: that networks are trained with.
        task: fingerprint of the data.
        pool: digest of the pool, where there is one.
    """

    data: str
    teacher: str = ""
    speedup: float | None = None
    max_latency_ms: float | None = None
    vocabulary: str | None = None
    settings: str = ""
    threads: int | None = None
    task: str | None = None
    pool: str | None = None
    more: Mapping[str, Any] = rest()


def compress(
    options: CompressOptions, *, watch: Watch = silent, command: str = ""
) -> SmallModel | EnoughModel | PlanResult:
    """From labelled texts and a teacher to a small, fast, certified, exported model; or the next part of the way there.

    Returns:
        What ``compress.json`` holds, ready to answer. For a dry run the plan; where it was to end with a rung of the
        ladder that is enough, that rung.

    Raises:
        ValueError: for wrong input, or a target that the smallest network misses; before anything is trained.
        ImportError: for a form whose runtime is not installed.
        OSError: when the run directory cannot be written.
        RuntimeError: when the work of a stage fails.
    """
    run = options.run or new_run_directory("compress", Path(options.data).stem)
    plan = planned(options, run, watch=watch)
    if options.dry_run:
        first_readings(plan, watch=watch)  # refuses what no network of the space can meet
        told = vars(estimate(plan, watch=watch))
        recipe = written(plan.settings)
        return PlanResult(
            plan=Planned(run=str(run), settings=recipe, teaches=plan.teaches, sequence_length=plan.length, **told)
        )
    asked = _begun(run, plan)
    done = read_record(SmallModel, run / RESULT)
    fitted = None if plan.teaches else _able_teacher(plan, done, watch)
    times = first_readings(plan, watch=watch)
    made_directory(run)
    if options.run is None:
        tell_directory(run, watch)
    write_json(run / ASKED, asked.to_json())
    if times is not None:
        times.keep()
    write_text(run / RECIPE, written(plan.settings))
    return _compressed(plan, run, done, fitted, watch, command)


def _compressed(
    plan: Plan, run: Path, done: SmallModel | None, fitted: Fitted | None, watch: Watch, command: str
) -> SmallModel | EnoughModel:
    """Stage after stage."""
    count = plan.teaches + 1 + plan.pretrains + 5 + bool(plan.options.confirm)
    numbers, clock = itertools.count(1), Clock(run)

    def beginning(name: str, number: int | None = None) -> Watch:
        clock.begin(name)
        return _within(watch, f"{number or next(numbers)}/{count} {name}")

    teacher = pretrained = None
    if plan.teaches:
        teacher = finetune(plan.teaching(), watch=beginning("teacher"), command=command)
        fitted = _able_teacher(plan, done, watch)
    assert fitted is not None
    if (enough := beside.foot(plan.climbing(), run, fitted, watch=beginning("ladder"))) is not None:
        return enough
    del fitted  # the next to read the teacher are processes and stages of their own
    write_texts(plan, watch=watch)
    number = next(numbers)
    extracted = extract(plan.extraction(), watch=beginning("extract", number), command=command)
    verified = verify_run(run, watch=beginning("verify", number))
    if not verified.accepted:
        raise RuntimeError(f"the certificate in {run} does not stand: {verified.reason}; take another --run")
    if plan.pretrains:
        pretrained = pretrain(plan.pretraining(), watch=beginning("pretrain"), command=command)
    tuned = finetune(plan.finetuning(), watch=beginning("finetune"), command=command)
    exported = export(plan.exporting(), watch=beginning("export"), command=command)
    timed = bench(plan.benching(), watch=beginning("bench"), command=command)
    confirming = beginning("confirm") if plan.options.confirm else silent
    confirmed = confirm(plan, extracted, tuned, watch=confirming, command=command)
    sealed, rows = _sealed(plan, tuned, exported, done, watch), deployed(plan, exported.chosen, timed)
    known = None
    if done is not None and done.ladder is not None and done.promise is not None:
        known = beside.Beside(done.ladder, done.promise, done.cascade)
    # What was found stays told, whoever asks.
    cascaded = plan.options.cascade or (done is not None and done.cascade is not None)
    watching = beginning("ladder")
    found = beside.head(plan.climbing(), run, tuned, exported, known, cascaded=cascaded, watch=watching)
    clock.begin("")
    result = SmallModel(
        run=str(run),
        task=plan.task.name,
        data=plan.options.data,
        given_teacher=plan.options.teacher,
        teacher=teacher,
        extract=extracted,
        verify=verified,
        pretrain=pretrained,
        finetune=tuned,
        export=exported,
        bench=timed,
        sealed=sealed,
        confirm=confirmed,
        deployed=rows,
        targets=verdicts(plan.options, rows, found.promise),
        ladder=found.ladder,
        promise=found.promise,
        cascade=found.cascade,
        report=Page(run / "report.html"),
        seconds=extracted.seconds,
        stages=clock.seconds,
    )
    write_json(run / RESULT, result.to_json())
    card = render_card(result, command)
    for folder in (run, tuned.checkpoint):
        write_text(folder / "README.md", card)
    watch("writing the report")
    write_report(run)
    return result


def _within(watch: Watch, place: str) -> Watch:
    def told(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        watch(f"{place}: {stage}", done=done, total=total, note=note)

    return told


def _asked(plan: Plan) -> Asked:
    pool = plan.settings["agora"].get("pool")
    return Asked(
        **{name: getattr(plan.options, name) for name in _NAMED},
        settings=plan.chosen,
        threads=plan.settings["finetune"].get("threads"),
        task=plan.task.fingerprint,
        pool=None if pool is None else sha256_of(pool),
    )


def _begun(run: Path, plan: Plan) -> Asked:
    """A directory holds one story: what is known of the one that was begun here, and is asked of it now.

    Settings may change as long as neither their stage nor a later one has left anything: what was refused late can be
    mended without doing the rest again.

    Raises:
        ValueError: when it was begun with other settings, or on other data, or by another command.
    """
    asked, known = _asked(plan), read_record(Asked, run / ASKED)
    if known is None:
        require_unused(run)
        return asked
    for before, now, what in (
        (known.task, asked.task, f"the rows of {plan.options.data}"),
        (known.pool, asked.pool, "the pool"),
    ):
        if before != now:
            raise InputError(f"{run} was begun with other data: {what} changed since; take another --run")
    changed = [
        f"--{name.replace('_', '-')}" for name in (*_NAMED, "threads") if getattr(known, name) != getattr(asked, name)
    ]
    theirs, ours = (tomllib.loads(one.settings) for one in (known, asked))
    own = (run / RECIPE).is_file() and ours == tomllib.loads((run / RECIPE).read_text(encoding="utf-8"))
    if not own:
        changed += [f"[{section}]" for section in _fixed(run) if theirs.get(section, {}) != ours.get(section, {})]
    if changed:
        raise InputError(
            f"{run} was begun with other settings ({', '.join(changed)}; see {run / RECIPE}): give those again, or "
            "another --run"
        )
    # The run's own recipe may be given, which also says what was found here.
    settings = known.settings if own else asked.settings
    return replace(asked, settings=settings)


def _fixed(run: Path) -> Iterator[str]:
    """Sections of a recipe that may no longer change."""
    yield "task"
    for number, (sections, _) in enumerate(_LEAVES):
        if any(next(run.glob(left), None) is not None for _, left in _LEAVES[number:]):
            yield from sections


def _able_teacher(plan: Plan, done: SmallModel | None, watch: Watch) -> Fitted:
    """The teacher; one that is too weak is refused now, rather than when a student is there to be taught.

    Raises:
        ValueError: with what it knows, and what was expected.
    """
    watch("opening the teacher", note=str(plan.teacher))
    fitted = open_fitted(str(plan.teacher), plan.task.kind)
    if done is None and not plan.settings["agora"].get("weak_teacher"):
        with pinned(plan.options.threads):
            require_able_teacher(fitted, plan.task, watch=watch)
    return fitted


def write_texts(plan: Plan, *, watch: Watch = silent) -> None:
    """What search and pre-training read: training texts, and the pool but for copies of development and sealed rows."""
    if all(path.is_file() for path in (plan.texts, plan.examples, *plan.spoken)):
        return
    task, pool = plan.task, plan.settings["agora"].get("pool")
    each = dict.fromkeys(example.texts for example in task.train)
    if pool is not None:
        watch("keeping copies of development and sealed texts out", note=str(pool))
        found = list({example.texts: example for example in read_pool(pool, task)}.values())
        copies = TextGuard.of(task).forbids(found)
        each |= dict.fromkeys(example.texts for example, copy in zip(found, copies, strict=True) if not copy)

    def row(texts: Sequence[str]) -> dict[str, str]:
        return dict(zip(PAIR_COLUMNS[0] if len(texts) > 1 else TEXT_COLUMNS, texts, strict=False))

    read = each
    if (own := plan.settings["extract"].get("texts")) is not None:
        watch("keeping copies of development and sealed texts out", note=str(own))
        given = read_texts(Path(own))
        copies = TextGuard.of(task).forbids(given)
        if any(copies):
            _LOG.warning(
                "%s: %d of %d texts belong with development or sealed rows: they are not read",
                own,
                sum(copies),
                len(copies),
            )
        read = dict.fromkeys(one.texts for one, copy in zip(given, copies, strict=True) if not copy)
    alone = [text for texts in each for text in dict.fromkeys((*texts, "\n".join(texts)))]
    for path in plan.spoken:
        write_text(path, "".join(json.dumps({"text": text}) + "\n" for text in alone))
    write_text(plan.examples, "".join(json.dumps(row(texts)) + "\n" for texts in read))
    write_text(plan.texts, "".join(json.dumps({"text": "\n".join(texts)}) + "\n" for texts in each))


def _sealed(
    plan: Plan, tuned: FinetuneResult, exported: ExportResult, done: SmallModel | None, watch: Watch
) -> SealedResult:
    """The exported form on the sealed rows, beside the teacher: the last thing that is measured."""
    identity = json.dumps([exported.identity, exported.chosen, plan.task.sealed.digest])
    if done is not None and done.sealed.identity == identity:
        return done.sealed
    watch("asking the exported form", note="sealed rows")
    predictor = Predictor.from_pretrained(exported.folder, threads=plan.options.threads)
    task = plan.task
    examples = list(task.sealed.open())
    outputs = predictor.outputs([one.bare for one in examples])
    order = [predictor.label_names.index(name) for name in task.label_names] or None
    said, related = task.kind.decide(*in_order_of(order, outputs, predictor.thresholds)), related_to_others(task)
    got, teacher = task.kind.score(task.metrics, examples, said)["score"], tuned.row("teacher")
    return SealedResult(
        metric=task.metric,
        examples=len(examples),
        exported=got,
        teacher=teacher.mean,
        drop=100 * (teacher.mean - got),
        related=sum(related),
        apart=ApartResult(exported=task.kind.score_apart(task.metrics, examples, said, related), teacher=teacher.apart),
        **vars(task.kind.told(task.label_names, examples, said, whose="the exported form on the sealed rows")),
        identity=identity,
    )
