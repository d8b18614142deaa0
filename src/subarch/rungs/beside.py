"""The ladder of ``compress``: its foot before the search, and everything beside each other at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from subarch.jobs.agora import JUDGED
from subarch.jobs.splits import require_one_seal
from subarch.learning.checkpoints import Fitted
from subarch.options.ladder import LadderOptions
from subarch.progress import Watch
from subarch.results.cascade import CascadeResult
from subarch.results.compress import TargetResult, TargetsResult
from subarch.results.export import ExportResult
from subarch.results.finetune import FinetuneResult
from subarch.results.ladder import LadderResult, RungResult
from subarch.results.promise import PromiseResult
from subarch.results.report import Page
from subarch.rungs.cascading import cascade
from subarch.rungs.climbing import Climb, identity_of
from subarch.rungs.exporting import size_of_chosen
from subarch.rungs.ground import opened
from subarch.rungs.standing import Standing
from subarch.running.predictor import Predictor
from subarch.small import EnoughModel
from subarch.storage import write_json
from subarch.telling.report import write_report
from subarch.threads import pinned

_LOG = logging.getLogger(__name__)
RESULT = "ladder.json"


def foot(options: LadderOptions, run: Path, teacher: Fitted | None = None, *, watch: Watch) -> EnoughModel | None:
    """The cheap rungs, before anything is searched.

    Args:
        options: with the targets.
        run: directory of the run.
        teacher: where it is open already.
        watch: told what goes on.

    Returns:
        The rung that is enough, where the options say that it ends there; the sealed rows are open then.

    Raises:
        ValueError, OSError, RuntimeError: as :func:`subarch.rungs.climbing.ladder`.
    """
    with pinned(options.threads):
        ground = opened(options, run, teacher, watch=watch)
        require_one_seal(run, options.where, ground.task)
        climb = Climb(ground)
        found = climb.foot()
        if found.enough is None or not options.stop_when_met:
            return None
        head = climb.head((), identity=identity_of(ground, True), late=False)
        whole = replace(head, enough=found.enough, run=str(run))
    write_json(run / RESULT, whole.to_json())
    watch("writing the report")
    rung = whole.rung(found.enough)
    assert rung is not None and rung.folder is not None
    return EnoughModel(
        run=str(run),
        task=whole.task,
        ladder=whole,
        targets=_targets(whole, rung),
        folder=rung.folder,
        report=Page(write_report(run)),
    )


def _targets(whole: LadderResult, rung: RungResult) -> TargetsResult:
    """What was asked, and what the rung keeps of it, on the sealed rows."""
    asked, drop = whole.asked, rung.drop
    assert drop is not None and rung.ms_per_text is not None
    fastest = min(one.ms_per_text for one in whole.rungs if one.name.startswith("teacher") and one.ms_per_text)
    found: list[TargetResult] = []
    if asked.max_latency_ms is not None:
        found.append(TargetResult(target="latency_ms", asked=asked.max_latency_ms, got=rung.ms_per_text))
    if asked.speedup is not None:
        found.append(TargetResult(target="speedup", asked=asked.speedup, got=fastest / rung.ms_per_text))
    return TargetsResult.of(found, asked.max_drop, drop)


class Beside(NamedTuple):
    """What all of it comes to."""

    ladder: LadderResult
    promise: PromiseResult
    cascade: CascadeResult | None


def head(
    options: LadderOptions,
    run: Path,
    tuned: FinetuneResult,
    exported: ExportResult,
    known: Beside | None,
    *,
    cascaded: bool,
    watch: Watch,
) -> Beside:
    """Everything beside each other, on the sealed rows: rungs, ways of training, forms; and what is promised.

    Args:
        options: with the targets.
        run: directory of the run.
        tuned: every way of training the student.
        exported: its forms.
        known: what an earlier call came to.
        cascaded: whether to join the student and the teacher in 8 bits.
        watch: told what goes on.
    """
    with pinned(options.threads):
        ground = opened(options, run, watch=watch)
        identity = identity_of(ground, exported.identity, *(["cascade"] if cascaded else []))
        if known is not None and known.ladder.identity == identity:
            return known
        climb = Climb(ground)
        climb.foot()
        forms = [_form(climb, exported, name, options.threads) for name in _passing(exported)]
        whole = climb.head(forms, identity=identity)
        promise = climb.promise(forms[0])
        joined = _cascade(climb, forms[0], tuned, run) if cascaded else None
    deployed = whole.rung(exported.chosen)
    ways = tuple(_ways(tuned, deployed))
    plain = [one for one in whole.rungs if one.what == "rung"]
    rungs = (*plain, *ways, *(one for one in whole.rungs if one.what == "form"))
    return Beside(replace(whole, rungs=rungs, run=str(run)), promise, joined)


def _cascade(climb: Climb, student: Standing, tuned: FinetuneResult, run: Path) -> CascadeResult | None:
    """None, which is said, where it cannot be made."""
    try:
        with np.load(tuned.checkpoint.parent / JUDGED, allow_pickle=False) as kept:
            judged = dict(zip(kept["rows"].tolist(), kept["logits"], strict=True))
        return cascade(climb.ground, student, climb.teacher, climb.stand("teacher-int8"), judged, run)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        _LOG.warning("there is no cascade: %s", error)
        return None


def _passing(exported: ExportResult) -> Iterator[str]:
    """Forms that may take the network's place, the one that is deployed first."""
    yield exported.chosen
    yield from (one.artifact for one in exported.parity if one.passed and one.artifact != exported.chosen)


def _form(climb: Climb, exported: ExportResult, name: str, threads: int | None) -> Standing:
    predictor = Predictor.from_pretrained(exported.folder, artifact=name, threads=threads, passes=1)
    return Standing(
        ground=climb.ground,
        name=name,
        what="form",
        words=f"this model as {name}" + (", which is deployed" if name == exported.chosen else ""),
        served=exported.folder,
        predictor=predictor,
        answers=None,
        size_bytes=size_of_chosen(predictor, exported.folder),
    )


def _ways(tuned: FinetuneResult, deployed: RungResult | None) -> Iterator[RungResult]:
    """Ways of training the same student, as PyTorch answers: one shape, so one time, which is that of what is
    deployed."""
    for row in tuned.rows:
        if row.method == "teacher":
            continue
        kept = row.method == tuned.method
        yield RungResult(
            name=row.method,
            what="way",
            quality=row.mean,
            ci95=row.ci95,
            development=row.development,
            ms_per_text=None if deployed is None else deployed.ms_per_text,
            texts_per_second=None if deployed is None else deployed.texts_per_second,
            folder=str(tuned.checkpoint) if kept else None,
            words=f"this model's shape, trained in the way {row.method}",
        )
