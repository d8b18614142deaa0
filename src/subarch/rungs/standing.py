"""A rung that is there: what it says of development and sealed rows, kept on disk, and what that is worth."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subarch.results.base import Record, rest
from subarch.results.ladder import RungResult, RungsAsked, What
from subarch.results.promise import ClassDrop, DropResult, PromiseResult, Shown
from subarch.rungs.base import Rung
from subarch.rungs.ground import Ground, Outputs, read_outputs, save_outputs
from subarch.rungs.timing import Times
from subarch.running.predictor import Predictor
from subarch.storage import made_directory, read_record, write_json
from subarch.tasks import intervals
from subarch.tasks.kinds.base import in_order_of
from subarch.tasks.metrics import Predicted
from subarch.text.examples import Label, Split

_LOG = logging.getLogger(__name__)
_FORMAT = 1  # of what a rung leaves: what was made in another is made anew
_MADE = "rung.json"
_ANSWERS = "answers"
_NO_MORE = 1e-9  # points: what rounding alone adds
Part = Literal["development", "sealed"]


@dataclass(frozen=True, kw_only=True)
class MadeRecord(Record):
    """That a rung is finished.

    Attributes:
        identity: of everything that it depends on.
        seconds: that it took.
    """

    identity: str
    seconds: float
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True)
class Standing:
    """What answers.

    Attributes:
        ground: of its rows.
        name: of the rung, or of a form.
        what: which of the two.
        words: what it is, for people.
        served: its folder.
        predictor: opened.
        answers: folder of what it has said; None: that is not kept.
        size_bytes: of what answers.
        seconds: that it took to make, where that is known.
    """

    ground: Ground
    name: str
    what: What
    words: str
    served: Path
    predictor: Predictor
    answers: Path | None
    size_bytes: int | None
    seconds: float | None = None

    @cached_property
    def development(self) -> Predicted:
        """What it says of the development rows."""
        return self._said("development", self.ground.task.development)

    @cached_property
    def sealed(self) -> Predicted:
        """What it says of the sealed rows: whoever asks has made all choices."""
        return self._said("sealed", self.ground.task.sealed.open())

    def _said(self, part: Part, examples: Split) -> Predicted:
        thresholds = in_order_of(self._order, [], self.predictor.thresholds)[1]
        return self.ground.task.kind.decide(self._outputs(part, examples), thresholds)

    @property
    def _order(self) -> Sequence[int] | None:
        """For each name of the task its output."""
        task, names = self.ground.task, self.predictor.label_names
        if names == self.ground.teacher.label_names:
            return self.ground.order
        return task.kind.places(task.name, task.label_names, of=task.kind, among=names)

    def _outputs(self, part: Part, examples: Split) -> Outputs:
        file = None if self.answers is None else self.answers / f"{part}.npy"
        if file is not None and file.is_file():
            return read_outputs(file)
        self.ground.watch("asking a rung", note=f"{self.name}, {part} rows")
        found, order = self.predictor.outputs([one.bare for one in examples]), self._order
        said: Outputs = found if order is None else [one[..., list(order)] for one in found]
        if file is not None:
            made_directory(file.parent)
            save_outputs(file, said)
        return said


def made(ground: Ground, rung: Rung) -> Standing:
    """A rung, made where it is not there yet.

    Raises:
        ValueError, RuntimeError, ImportError: as :meth:`subarch.rungs.base.Rung.make`.
    """
    folder = ground.folder / rung.name
    identity = json.dumps([_FORMAT, *ground.depends_on, rung.name, *rung.depends_on(ground)])
    known = read_record(MadeRecord, folder / _MADE)
    if known is None or known.identity != identity or not rung.served(ground, folder).is_dir():
        shutil.rmtree(folder / _ANSWERS, ignore_errors=True)
        (folder / _MADE).unlink(missing_ok=True)
        began = time.monotonic()
        rung.make(ground, made_directory(folder))
        known = MadeRecord(identity=identity, seconds=round(time.monotonic() - began, 3))
        write_json(folder / _MADE, known.to_json())
    return Standing(
        ground=ground,
        name=rung.name,
        what="rung",
        words=rung.told(folder),
        served=rung.served(ground, folder),
        predictor=rung.answer(ground, folder),
        answers=folder / _ANSWERS,
        size_bytes=rung.size_bytes(ground, folder),
        seconds=known.seconds,
    )


# --- what it is worth -------------------------------------------------------------------------------------------------


def quality(ground: Ground, part: Part, predicted: Predicted) -> float:
    """The task's score on one of its parts."""
    task = ground.task
    return task.kind.score(task.metrics, _rows(ground, part), predicted)["score"]


def _rows(ground: Ground, part: Part) -> Split:
    return ground.task.development if part == "development" else ground.task.sealed.open()


def dropped(ground: Ground, part: Part, teacher: Predicted, said: Predicted) -> DropResult:
    """What is lost against the teacher, with its verdict."""
    found = intervals.drop(ground.task.kind, ground.task.metrics, _rows(ground, part), teacher, said)
    return drop_result(found, ground.options.max_drop)


def drop_result(found: intervals.Drop, most: float) -> DropResult:
    """In points, beside how many may be lost."""
    low, high = (100 * one for one in found.interval)
    verdict: Shown = "missed" if 100 * found.value > most + _NO_MORE else "not shown"
    if high <= most + _NO_MORE:
        verdict = "met"
    needed = intervals.rows_needed(found, most / 100) if verdict == "not shown" else None
    return DropResult(
        drop=100 * found.value, drop_ci95=(low, high), rows=found.rows, verdict=verdict, rows_needed=needed
    )


def verdict(asked: RungsAsked, times: Times | None, teacher_ms: float | None, drop: DropResult) -> Shown | None:
    """Of all targets together: a time is kept or not, and what is lost is shown, or seems to be little, or is too much.

    Args:
        asked: the targets.
        times: from text to answer; None where nobody has taken them.
        teacher_ms: of the teacher in its fastest form.
        drop: against the teacher.
    """
    if asked.max_latency_ms is None and asked.speedup is None:
        return drop.verdict
    if times is None:
        return None
    if asked.max_latency_ms is not None and times.ms_per_text > asked.max_latency_ms:
        return "missed"
    if asked.speedup is not None and (teacher_ms is None or teacher_ms / times.ms_per_text < asked.speedup):
        return "missed"
    return drop.verdict


def result_of(
    one: Standing, teacher: Standing, times: Times | None, teacher_ms: float | None, *, is_open: bool
) -> RungResult:
    """All that is known of a rung.

    Args:
        one: the rung.
        teacher: that it is compared with.
        times: from text to answer.
        teacher_ms: of the teacher in its fastest form.
        is_open: whether the sealed rows may be read: all choices are made.
    """
    ground = one.ground

    def lost_on(part: Part, theirs: Predicted, ours: Predicted) -> DropResult:
        if one is not teacher:
            return dropped(ground, part, theirs, ours)
        # It loses nothing against itself, on these rows and on all others.
        return DropResult(drop=0.0, drop_ci95=(0.0, 0.0), rows=len(ours), verdict="met")

    lost = lost_on("development", teacher.development, one.development)
    sealed = lost_on("sealed", teacher.sealed, one.sealed) if is_open else None
    return RungResult(
        name=one.name,
        what=one.what,
        quality=quality(ground, "sealed", one.sealed) if is_open else None,
        ci95=_half(ground, one.sealed) if is_open else None,
        development=quality(ground, "development", one.development),
        drop=sealed,
        development_drop=lost,
        verdict=verdict(ground.asked, times, teacher_ms, sealed or lost),
        ms_per_text=None if times is None else times.ms_per_text,
        texts_per_second=None if times is None else times.texts_per_second,
        size_bytes=one.size_bytes,
        seconds_to_make=one.seconds,
        folder=str(one.served),
        words=one.words,
    )


def _half(ground: Ground, predicted: Predicted) -> float | None:
    """Half of the 95 % interval of the score on the sealed rows."""
    task, rows = ground.task, ground.task.sealed.open()
    if task.metrics == ("accuracy",):
        right = round(quality(ground, "sealed", predicted) * len(rows))
        found = intervals.share(right, len(rows))
    elif len(rows) < 2:
        return None
    else:

        def scored(chosen: NDArray[np.int64]) -> float:
            some = [rows[row] for row in chosen]
            return task.kind.score(task.metrics, some, [predicted[row] for row in chosen])["score"]

        found = intervals.bootstrap(scored, len(rows))
    return (found.high - found.low) / 2


def promised(one: Standing, teacher: Standing) -> PromiseResult:
    """What is promised of a model that is deployed, from the sealed rows."""
    ground, rows = one.ground, one.ground.task.sealed.open()
    lost = dropped(ground, "sealed", teacher.sealed, one.sealed)
    share = lower = None
    if ground.task.label_names:
        alike, among = intervals.agreement(teacher.sealed, one.sealed)
        share, lower = alike / among, intervals.lower_share(alike, among)
    return PromiseResult(
        **vars(lost), agreement=share, agreement_lower=lower, per_class=tuple(_by_class(one, teacher, rows))
    )


def _by_class(one: Standing, teacher: Standing, rows: Split) -> list[ClassDrop]:
    """Recall of each class, with the correction for looking at all of them."""
    task, found = one.ground.task, list[ClassDrop]()
    if not task.label_names:
        return found

    groups = task.kind.groups(task.label_names)

    def held(said: Sequence[Label]) -> list[set[str]]:
        return [{groups[n] for n in task.kind.labels_in(label) if n >= 0} for label in said]

    labels, theirs, ours = held(rows.labels), held(teacher.sealed), held(one.sealed)
    there = [name for name in dict.fromkeys(groups) if any(name in label for label in labels)]
    level = 1 - (1 - intervals.LEVEL) / max(1, len(there))
    for n in there:
        mine = [row for row, label in enumerate(labels) if n in label]
        lost = sum(n in theirs[row] and n not in ours[row] for row in mine)
        won = sum(n in ours[row] and n not in theirs[row] for row in mine)
        low, high = (100 * value for value in intervals.paired(lost, won, len(mine), level=level))
        found.append(
            ClassDrop(
                name=n,
                examples=len(mine),
                drop=100 * (lost - won) / len(mine),
                drop_ci95=(low, high),
            )
        )
    return found
