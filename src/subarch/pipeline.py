"""The whole story as one function: ``compress``.

Stages meet in the files of the run directory, so that each goes on where it stopped, and can be repeated alone.
"""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from subarch.errors import InputError
from subarch.jobs.agora import read_pool, require_able_teacher
from subarch.jobs.benchmark import bench
from subarch.jobs.estimate import estimate
from subarch.jobs.export import export
from subarch.jobs.extraction import extract, verify_run
from subarch.jobs.finetuning import finetune
from subarch.jobs.plan import Plan, planned
from subarch.jobs.preconditions import require_unused
from subarch.jobs.pretraining import pretrain
from subarch.jobs.targets import deployed, headroom, room_as_deployed, verdicts
from subarch.learning.agora import TextGuard
from subarch.options.compression import CompressOptions
from subarch.options.recipes import written
from subarch.progress import Watch, silent
from subarch.running.predictor import Predictor
from subarch.storage import (
    made_directory,
    new_run_directory,
    read_json,
    sha256_of,
    tell_directory,
    write_json,
    write_text,
)
from subarch.telling.card import render_card
from subarch.telling.report import write_report
from subarch.text.dealing import related_to_others
from subarch.text.examples import Example
from subarch.text.labelled import PAIR_COLUMNS, TEXT_COLUMNS, read_texts
from subarch.threads import pinned

_LOG = logging.getLogger(__name__)

RESULT = "compress.json"
RECIPE = "recipe.toml"
ASKED = "asked.json"
_NAMED = ("data", "teacher", "speedup", "max_latency_ms")  # options that make a run what it is
# Sections of a recipe, in the order of their stages, and what these leave in a run.
_LEAVES: Sequence[tuple[tuple[str, ...], str]] = (
    (("teacher",), "teacher"),
    (("extract",), "study.db"),
    (("pretrain",), "pretrain"),
    (("finetune", "agora"), "finetune/**/manifest.json"),
    (("export",), "export"),
    (("bench",), "benchmark.json"),
)
ROOM = 1.05  # by which the pick must beat the target as deployed: what is exported is timed at another moment
ROOMY = 1.25  # more than that is better spent on a larger network
ASKED_AGAIN = 4  # times, at most


def compress(options: CompressOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """From labelled texts and a teacher to a small, fast, certified, exported model; or the next part of the way there.

    Returns:
        What ``compress.json`` holds: each stage's own result by its name, and ``targets`` with what was ``met`` and
        what was ``missed``, asked and got. For a dry run the plan alone.

    Raises:
        ValueError: for wrong input, or a target that the smallest network misses; before anything is trained.
        ImportError: for a form whose runtime is not installed.
        OSError: when the run directory cannot be written.
        RuntimeError: when the work of a stage fails.
    """
    run = options.run or new_run_directory("compress", Path(options.data).stem)
    plan = planned(options, run, watch=watch)
    recipe = written(plan.settings)
    if options.dry_run:
        headroom(plan, watch=watch)  # refuses what no network of the space can meet
        told = {"run": str(run), "settings": recipe, "teaches": plan.teaches, "sequence_length": plan.length}
        return {"plan": told | estimate(plan, watch=watch)}
    asked = _begun(run, plan)
    done = read_json(run / RESULT)
    if not plan.teaches:
        _require_able_teacher(plan, done, watch)
    plan = replace(plan, headroom=asked["headroom"] if "headroom" in asked else headroom(plan, watch=watch))
    made_directory(run)
    if options.run is None:
        tell_directory(run, watch)
    write_json(run / ASKED, {**asked, "headroom": plan.headroom})
    write_text(run / RECIPE, recipe)
    result: dict[str, Any] = {"run": str(run), "task": plan.task.name, "data": options.data}
    result["given_teacher"] = options.teacher
    stages: list[tuple[str, Callable[..., dict[str, Any]], Any]] = [
        *([("pretrain", pretrain, plan.pretraining())] if plan.pretrains else []),
        ("finetune", finetune, plan.finetuning()),
        ("export", export, plan.exporting()),
        ("bench", bench, plan.benching()),
    ]
    count = 1 + plan.teaches + len(stages)
    if plan.teaches:
        result["teacher"] = finetune(plan.teaching(), watch=_within(watch, f"1/{count} teacher"), command=command)
        _require_able_teacher(plan, done, watch)
    write_texts(plan, watch=watch)
    place = f"{1 + plan.teaches}/{count}"
    result["extract"] = _extracted(plan, run, _within(watch, f"{place} extract"), command)
    found = verify_run(run, watch=_within(watch, f"{place} verify"))
    if not found.accepted:
        raise RuntimeError(f"the certificate in {run} does not stand: {found.reason}; take another --run")
    result["verify"] = {"accepted": found.accepted, "reason": found.reason, "achieved": found.achieved}
    for number, (name, work, given) in enumerate(stages, start=2 + plan.teaches):
        result[name] = work(given, watch=_within(watch, f"{number}/{count} {name}"), command=command)
    result["sealed"] = _sealed(plan, result, done, watch)
    result["deployed"] = deployed(plan, result)
    result["targets"] = verdicts(options, result)
    write_json(run / RESULT, result)
    card = render_card(result, read_json(run / "manifest.json") or {})
    for folder in (run, Path(result["finetune"]["checkpoint"])):
        write_text(folder / "README.md", card)
    watch("writing the report")
    result["report"] = str(write_report(run))
    return result


def _extracted(plan: Plan, run: Path, watch: Watch, command: str) -> dict[str, Any]:
    """The search, asked again with another limit where its pick is too slow in the form that it will run in, or much
    faster than it need be.

    Trainings are shared, so that asking again is cheap. What was decided is kept: times differ from one call to the
    next, and later stages build on the pick.
    """
    asked = read_json(run / ASKED) or {}
    if asked.get("confirmed"):
        return read_json(run / "extract.json") or extract(plan.extraction(), watch=watch, command=command)
    try:
        found = extract(plan.extraction(), watch=watch, command=command)
    except ValueError:  # times differ from one moment to the next: what was asked for may be there without the room
        if plan.headroom <= 1:
            raise
        plan = replace(plan, headroom=1.0)
        found = extract(plan.extraction(), watch=watch, command=command)
    last, good = plan, None  # the loosest limit whose pick is fast enough
    too_loose = 0.0
    for _ in range(ASKED_AGAIN):
        room = room_as_deployed(last, found["architecture"], watch=watch)
        if room >= ROOM:
            good = last
        else:
            too_loose = max(too_loose, last.headroom)
        wanted = last.headroom * (ROOM + 0.05) / room
        if (good is last and room <= ROOMY) or wanted <= too_loose or (good and good.headroom <= wanted):
            break
        last = replace(plan, headroom=wanted)
        try:
            found = extract(last.extraction(), watch=watch, command=command)
        except ValueError:  # nothing in the space is that fast: the pick stays, and the target is told as missed
            last = plan
            found = extract(last.extraction(), watch=watch, command=command)
            break
    if good is not None and good is not last:
        last = good
        found = extract(last.extraction(), watch=watch, command=command)
    write_json(run / ASKED, {**asked, "headroom": last.headroom, "confirmed": True})
    return found


def _within(watch: Watch, place: str) -> Watch:
    def told(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        watch(f"{place}: {stage}", done=done, total=total, note=note)

    return told


def _asked(plan: Plan) -> dict[str, Any]:
    """What a run is of: its settings as they were given, and the data. The allowed drop changes the verdict alone."""
    pool = plan.settings["agora"].get("pool")
    return {
        **{name: getattr(plan.options, name) for name in _NAMED},
        "settings": plan.chosen,
        "threads": plan.settings["finetune"].get("threads"),
        "task": plan.task.fingerprint,
        "pool": None if pool is None else sha256_of(pool),
    }


def _begun(run: Path, plan: Plan) -> dict[str, Any]:
    """A directory holds one story: what is known of the one that was begun here, and is asked of it now.

    Settings may change as long as neither their stage nor a later one has left anything: what was refused late can be
    mended without doing the rest again.

    Raises:
        ValueError: when it was begun with other settings, or on other data, or by another command.
    """
    asked, known = _asked(plan), read_json(run / ASKED)
    if known is None:
        require_unused(run)
        return asked
    for name, what in (("task", f"the rows of {plan.options.data}"), ("pool", "the pool")):
        if known.get(name) != asked[name]:
            raise InputError(f"{run} was begun with other data: {what} changed since; take another --run")
    changed = [f"--{name.replace('_', '-')}" for name in (*_NAMED, "threads") if known.get(name) != asked[name]]
    theirs, ours = (tomllib.loads(str(one.get("settings", ""))) for one in (known, asked))
    own = (run / RECIPE).is_file() and ours == tomllib.loads((run / RECIPE).read_text(encoding="utf-8"))
    if own:  # the run's own recipe was given, which also says what was found here
        asked["settings"] = known["settings"]
    else:
        changed += [f"[{section}]" for section in _fixed(run) if theirs.get(section, {}) != ours.get(section, {})]
    if changed:
        raise InputError(
            f"{run} was begun with other settings ({', '.join(changed)}; see {run / RECIPE}): give those again, or "
            "another --run"
        )
    return known | asked


def _fixed(run: Path) -> Iterator[str]:
    """Sections of a recipe that may no longer change."""
    yield "task"
    for number, (sections, _) in enumerate(_LEAVES):
        if any(next(run.glob(left), None) is not None for _, left in _LEAVES[number:]):
            yield from sections


def _require_able_teacher(plan: Plan, done: Mapping[str, Any] | None, watch: Watch) -> None:
    """A teacher that is too weak is refused now, rather than when a student is there to be taught.

    Raises:
        ValueError: with what it knows, and what was expected.
    """
    if done is None and not plan.settings["agora"].get("weak_teacher"):
        with pinned(plan.options.threads):
            require_able_teacher(str(plan.teacher), plan.task, watch=watch)


def write_texts(plan: Plan, *, watch: Watch = silent) -> None:
    """What search and pre-training read: training texts, and the pool but for copies of development and sealed rows."""
    if plan.texts.is_file() and plan.examples.is_file():
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
    write_text(plan.examples, "".join(json.dumps(row(texts)) + "\n" for texts in read))
    write_text(plan.texts, "".join(json.dumps({"text": "\n".join(texts)}) + "\n" for texts in each))


def _sealed(plan: Plan, result: Mapping[str, Any], done: Mapping[str, Any] | None, watch: Watch) -> dict[str, Any]:
    """The exported form on the sealed rows, beside the teacher: the last thing that is measured."""
    identity = json.dumps([result["export"]["identity"], result["export"]["chosen"], plan.task.sealed.digest])
    if done is not None and done.get("sealed", {}).get("identity") == identity:
        return dict(done["sealed"])
    watch("asking the exported form", note="sealed rows")
    predictor = Predictor.from_pretrained(result["export"]["folder"], threads=plan.options.threads)
    task = plan.task
    examples = list(task.sealed.open())
    outputs = predictor.outputs([Example(one.first, one.seconds) for one in examples])
    if task.label_names:
        order = [predictor.label_names.index(name) for name in task.label_names]
        outputs = [one[order] for one in outputs]
    said, related = task.kind.decide(outputs), related_to_others(task)
    got = task.kind.score(task.metrics, examples, said)["score"]
    row = next(row for row in result["finetune"]["rows"] if row["method"] == "teacher")
    teacher = row["mean"]
    return {
        "metric": task.metric,
        "examples": len(examples),
        "exported": got,
        "teacher": teacher,
        "drop": 100 * (teacher - got),
        "related": sum(related),
        "apart": {
            "exported": task.kind.score_apart(task.metrics, examples, said, related),
            "teacher": row.get("apart"),
        },
        **task.kind.told(task.label_names, examples, said, whose="the exported form on the sealed rows"),
        "identity": identity,
    }
