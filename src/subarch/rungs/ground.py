"""What all rungs stand on: the task, its teacher, texts without labels, and what the teacher says of all these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.jobs.agora import labelled, width_of
from subarch.jobs.proposals import learnable
from subarch.jobs.splits import dealt_as_for, split_of
from subarch.learning.agora import TextGuard
from subarch.learning.checkpoints import Fitted, open_fitted
from subarch.learning.heads import outputs
from subarch.learning.purposes import Purpose
from subarch.networks.folders import find_checkpoint
from subarch.options.forms import Head
from subarch.options.ladder import LadderOptions
from subarch.progress import Watch, silent
from subarch.results.ladder import RungsAsked
from subarch.storage import written_whole
from subarch.tasks.kinds.base import Rows
from subarch.tasks.loading import opened_task
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split
from subarch.text.tokenizers import settings_of

Outputs = Sequence[NDArray[np.float32]]
TEACHER_SHARE = 0.5  # of the labels of training rows, where its answers are learned: as distilled students have it


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What rungs are made of.

    Attributes:
        options: of the command.
        task: the data in three splits.
        teacher: the fine-tuned checkpoint.
        order: for each class of the task the teacher's output; None where there are no classes.
        folder: of all rungs.
        pool: texts without labels, none of which belongs with a development or sealed row.
        layers: how many of the teacher's keep the time that is asked for; None: not known yet.
        watch: told what goes on.
    """

    options: LadderOptions
    task: Task
    teacher: Fitted
    order: Sequence[int] | None
    folder: Path
    pool: tuple[Example, ...] = ()
    layers: int | None = None
    watch: Watch = silent

    @property
    def asked(self) -> RungsAsked:
        """The targets."""
        options = self.options
        return RungsAsked(max_drop=options.max_drop, speedup=options.speedup, max_latency_ms=options.max_latency_ms)

    @property
    def head(self) -> Head:
        """What answers are, as an export says it."""
        return cast("Head", self.task.kind.head)

    @cached_property
    def width(self) -> int:
        """Columns of label rows."""
        return width_of(self.task)

    @cached_property
    def labels(self) -> Rows:
        """Of the training rows: ``(rows, width)``."""
        return labelled(self.task, self.task.train, self.width).labels

    @cached_property
    def read_with(self) -> str:
        """Digest of the teacher's tokenizer."""
        return hashlib.sha256(settings_of(self.teacher.tokenizer).encode()).hexdigest()

    @property
    def depends_on(self) -> list[object]:
        """What every rung depends on."""
        return [self.task.fingerprint, self.task.metrics, *self._asking]

    @property
    def _asking(self) -> list[object]:
        """What the teacher's answers depend on."""
        return [self.teacher.checkpoint.fingerprint, self.teacher.length, self.read_with]

    @cached_property
    def pool_digest(self) -> str:
        """Of the texts without labels."""
        return Split(self.pool).digest

    @cached_property
    def purpose(self) -> Purpose:
        """What a rung says it was made for."""
        task = self.task
        return Purpose(
            task=task.name,
            kind=task.kind,
            label_names=task.label_names,
            text_columns=task.text_columns,
            label_column=task.label_column,
            label_columns=task.label_columns or None,
            metric=self.options.where.metric,
            length=self.teacher.length,
            split=split_of(self.options.where, task),
        )

    def asked_teacher(self, examples: Sequence[Example], words: str) -> Outputs:
        """What the teacher says of examples, in the order of the task's classes; asked once, then read from disk.

        Args:
            examples: any; their labels are not looked at.
            words: what they are.
        """
        texts = [one.texts if one.words is None else (one.texts, one.words) for one in examples]
        key = hashlib.sha256(json.dumps([*self._asking, texts]).encode())
        file = self.folder / "teacher-said" / f"{key.hexdigest()[:24]}.npy"
        if not file.is_file():
            bare = [one.bare for one in examples]

            def tick(done: int, total: int) -> None:
                self.watch("asking the teacher", done=done, total=total, note=words)

            found = outputs(self.teacher.model, self.teacher.tokens(bare), tick=tick)
            file.parent.mkdir(parents=True, exist_ok=True)
            save_outputs(file, found, self.width)
        said = read_outputs(file)
        return said if self.order is None else [one[..., list(self.order)] for one in said]

    def taught(self) -> tuple[list[Example], Rows]:
        """Texts with the teacher's answers in their labels: half of a training row's, all of a pool text's."""
        kind, train = self.task.kind, list(self.task.train)
        own = kind.rows_said(self.asked_teacher(train, "training rows"), self.width)
        mixed = TEACHER_SHARE * own + (1 - TEACHER_SHARE) * self.labels
        points = [one.bare for one in train]
        if not self.pool:
            return points, mixed
        others = kind.rows_said(self.asked_teacher(self.pool, "the pool"), self.width)
        return [*points, *self.pool], np.concatenate([mixed, others])


def save_outputs(file: Path, found: Outputs, width: int = 0) -> None:
    """Keep what a network says, whole or not at all.

    Args:
        file: to write.
        found: of each example ``(outputs,)``, or ``(places, outputs)``.
        width: of the table where there are no examples.
    """
    most = max((len(one) for one in found), default=0)
    # Of fewer places than others there is no number behind the last.
    filled = [
        np.pad(one, ((0, most - len(one)), (0, 0)), constant_values=np.nan) if one.ndim > 1 else one for one in found
    ]
    with written_whole(file) as part, part.open("wb") as stream:
        np.save(stream, np.stack(filled) if found else np.empty((0, width), np.float32))


def read_outputs(file: Path) -> Outputs:
    """What :func:`save_outputs` kept."""
    said: NDArray[np.float32] = np.load(file, allow_pickle=False)
    return [one[~np.isnan(one).any(-1)] for one in said] if said.ndim > 2 else list(said)


def opened(options: LadderOptions, run: Path, teacher: Fitted | None = None, *, watch: Watch = silent) -> Ground:
    """Open data, teacher and pool.

    Args:
        options: of the command.
        run: directory of the run.
        teacher: where it is open already.
        watch: told what is opened.

    Raises:
        ValueError: for a teacher of another task, data that cannot be read, and tasks that choose among candidates.
    """
    watch("reading the data", note=options.where.name)
    task = opened_task(options.where)
    if not task.kind.of_tables:
        raise InputError(f"the ladder is of what rows of a table can say; {task.name} is {task.kind.words}")
    if teacher is None:
        watch("opening the teacher", note=options.teacher)
        teacher = open_fitted(options.teacher, task.kind)
    order = teacher.order_for(task.name, task.kind, task.label_names)
    task.kind.check_learnable("training", labelled(task, task.train, width_of(task)).labels)
    pool: tuple[Example, ...] = ()
    if options.pool is not None:
        watch("keeping copies of development and sealed texts out", note=str(options.pool))
        pool = tuple(learnable(options.pool, task, TextGuard.of(task), options.pool_texts))
    return Ground(
        options=options, task=task, teacher=teacher, order=order, folder=run / "ladder", pool=pool, watch=watch
    )


def dealt(options: LadderOptions) -> LadderOptions:
    """The same, with rows dealt out as for the teacher, which has learned from them."""
    return replace(options, where=dealt_as_for(options.where, find_checkpoint(options.teacher)))
