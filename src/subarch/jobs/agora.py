"""Agora from options to files: ``finetune --agora``."""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from subarch.agora.comparison import Comparison, compare
from subarch.agora.course import Course, Settings, Unlabelled
from subarch.agora.data import Labelled, Predict, remembered, require_able
from subarch.agora.proposals import Bounds
from subarch.agora.pruning import Theta
from subarch.agora.rounds import STOPPED, Gathered
from subarch.agora.ways import LOOPING
from subarch.errors import InputError
from subarch.executors.base import Resources
from subarch.executors.opening import open_executor
from subarch.jobs.proposals import functions, language_model, learnable, origin, require_needed, space_of
from subarch.jobs.starts import Start
from subarch.learning.agora import Deciding, Stopping, TextGuard, TextLearner, answered, teacher
from subarch.learning.checkpoints import Fitted, open_fitted, save_checkpoint
from subarch.learning.finetuning import say_what_is_cut
from subarch.learning.purposes import Purpose
from subarch.networks.checkpoints import open_checkpoint
from subarch.options.tasks import AgoraOptions, FinetuneOptions
from subarch.progress import Watch
from subarch.results.finetune import ChosenResult, Learned, LoopResult, SampleResult, TeacherResult
from subarch.storage import written_whole
from subarch.tasks.dealing import deal, related_to_others
from subarch.tasks.kinds.base import Rows, in_order_of
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split
from subarch.text.tokenizers import load_tokenizer, settings_of

JUDGED = "judged.npz"
"""What the student that is kept says of development rows that it has not learned from, and no round has read: their
``rows``, and ``logits`` ``(rows, classes)``."""
_LOG = logging.getLogger(__name__)
_LEAST = 1e-12  # of a probability


def learn_from_mistakes(
    options: FinetuneOptions,
    task: Task,
    start: Start,
    folder: Path,
    purpose: Purpose,
    watch: Watch,
) -> Learned:
    """Run Agora beside the other ways of training the same student.

    Every training has as many steps as plain fine-tuning on the training data would take, but for that on a pool, which
    comes to each of its texts; with patience it may stop before that.

    Raises:
        ValueError: for a teacher of another task or one that is too weak, a pool that cannot be read or is of no use,
            and functions that cannot be imported.
    """
    asked = options.loop
    watch("opening the teacher", note=str(asked.teacher))
    fitted, taught = taught_by(str(asked.teacher), task)
    say_what_is_cut(start.learner.tokens(list(task.train)[:4096], start.learner.make(0)))
    parts = divided(task)
    learner = students(options, parts.read, start, folder / "students", watch, task.development)
    related = related_to_others(task)
    found = _compared(options, task, parts, start, folder / "agora", learner, fitted, taught, related, watch)
    kept = found.best
    made_by = cast("TextLearner", kept.learner)
    model = made_by.student(kept.data, kept.theta, kept.seed)
    thresholds = made_by.thresholds(kept.data, kept.theta, kept.seed)
    start.learner.target.in_units(model)
    learned_development = kept.method.endswith(" on D and E")
    said = replace(
        purpose,
        method=kept.method,
        seed=kept.seed,
        learned_development=learned_development,
        thresholds=thresholds or None,
    )
    save_checkpoint(model, start.learner, folder / "checkpoint", said)
    if task.kind.has_classes:
        some = [task.development[row] for row in parts.choice]
        shares = kept.judged([one.bare for one in some])
        with written_whole(folder / JUDGED) as part, part.open("wb") as stream:
            logits = np.log(np.maximum(shares, _LEAST)).astype(np.float32)
            np.savez(stream, rows=np.array(parts.choice), logits=logits)
    steps = {way: cast("TextLearner", learner).steps for way, learner in found.learners.items()}
    return Learned(
        metric=task.kind.name_of_score(task.metric),
        rows=tuple(replace(row, steps=steps.get(row.method, 0)) for row in found.rows()),
        related=sum(related),
        checkpoint=folder / "checkpoint",
        method=kept.method,
        chosen=_choice(found, len(parts.choice), apart=parts.read is not task),
        max_length=start.learner.length,
        trainings=sum(loop.trainings for loop in found.gathered),
        teacher=TeacherResult(model=asked.teacher, quality=found.quality),
        rounds=tuple(_told(parts.read, seed, loop) for seed, loop in enumerate(found.gathered)),
    )


class Divided(NamedTuple):
    """The development rows of a task: some that rounds read, and others that ways are compared on.

    Attributes:
        read: the task with the former alone.
        choice: numbers of the latter.
    """

    read: Task
    choice: Sequence[int]


def divided(task: Task) -> Divided:
    """Half and half, without parting what belongs together.

    Agora learns from texts near its mistakes on development rows, and keeps the round that is best there: beside ways
    that have never seen them it would look better than it is.
    """
    rows, strata = task.development, task.kind.strata(task.development, task.label_names)
    try:
        dealt = deal(task.name, rows, (0.5, 0.5), seed=0, strata=strata, common=task.common)
    except InputError:
        _LOG.warning(
            "%s has too few development rows to compare ways on others than those near which Agora learns: it will "
            "look better there than it is",
            task.name,
        )
        return Divided(task, range(len(rows)))
    places = {id(one): n for n, one in enumerate(rows)}
    return Divided(replace(task, development=dealt[0]), [places[id(one)] for one in dealt[1]])


def students(
    options: FinetuneOptions, task: Task, start: Start, folder: Path, watch: Watch, held: Sequence[Example] = ()
) -> TextLearner:
    """Who learns: with as many steps, or until so many epochs' worth of them have brought nothing.

    Args:
        options: how.
        task: that is learned.
        start: the network that each training begins with.
        folder: where finished trainings are kept.
        watch: told of the steps.
        held: all development rows, where the task has a part of them.
    """
    epoch = math.ceil(len(task.train) / options.batch_size)
    return TextLearner(
        learner=start.learner,
        network=start.identity,
        steps=options.epochs * epoch,
        folder=folder,
        deciding=Deciding(metrics=task.metrics, development=task.development, held=held),
        batch_size=options.batch_size,
        precision=options.precision,
        stopping=None
        if options.patience is None
        else Stopping(patience=options.patience, every=epoch, metrics=task.metrics, development=task.development),
        threads=options.threads,
        watch=watch,
    )


def thetas(options: FinetuneOptions) -> list[Theta]:
    """The hyperparameter sets: one for each learning rate."""
    shared = {"warmup": options.warmup, "weight_decay": options.weight_decay}
    return [{"learning_rate": rate, **shared} for rate in options.learning_rates]


def _settings(asked: AgoraOptions, task: Task) -> Settings:
    bounds = Bounds(
        per_mistake=asked.per_mistake,
        min_confidence=asked.min_confidence,
        soft=not asked.hard_labels,
        min_distance=asked.min_distance,
        max_distance=asked.max_distance,
        balance=None if asked.balance == "none" or not task.kind.is_balanced else Bounds.balance,
        balance_to="data" if asked.balance == "data" else "even",
    )
    return Settings(
        bounds=bounds,
        pruning=asked.pruning,
        max_rounds=asked.rounds,
        replays=asked.replays,
        budget=asked.budget,
        near=asked.near,
        distill=asked.distill,
        tolerance=asked.tolerance,
    )


def _compared(
    options: FinetuneOptions,
    task: Task,
    parts: Divided,
    start: Start,
    folder: Path,
    learner: TextLearner,
    fitted: Fitted,
    taught: Predict[Example],
    related: Sequence[bool],
    watch: Watch,
) -> Comparison[Example]:
    asked, width = options.loop, width_of(task)
    settings, space = _settings(asked, task), space_of(asked.space, start, fitted)
    measures = settings.bounds.min_distance or settings.bounds.max_distance is not None
    guard = TextGuard.of(task)  # the sealed texts go in; it answers with yes or no alone, and their labels stay sealed
    with open_executor(asked.executor, Resources.parse(asked.resources)).executor or nullcontext() as executor:
        course = Course(
            learner=learner,
            teacher=remembered(taught, learner),
            data=labelled(task, task.train, width),
            development=labelled(task, parts.read.development, width),
            choice=None
            if parts.read is task
            else labelled(task, Split(task.development[row] for row in parts.choice), width),
            hyperparameters=thetas(options),
            functions=functions(options, task, start, space) if _loops(asked) else (),
            guard=guard,
            folder=folder,
            space=space if measures else None,
            settings=settings,
            score=partial(task.kind.score_rows, task.metrics, names=task.label_names),
            weak_teacher=asked.weak_teacher,
            origin=origin(options),
            answering=answering_of(fitted, task),
            pool=_pool(asked, task, learner, guard) if "pool" in asked.ways or not asked.ways else None,
            executor=executor,
            watch=watch,
        )
        return compare(
            course,
            lambda: labelled(task, task.sealed.open(), width),
            seeds=tuple(range(options.seeds)),
            ways=asked.ways,
            refit=asked.refit,
            related=related,
        )


def _loops(asked: AgoraOptions) -> bool:
    """Whether anything is proposed at all."""
    return not asked.ways or bool(LOOPING & set(asked.ways))


def _pool(asked: AgoraOptions, task: Task, learner: TextLearner, guard: TextGuard) -> Unlabelled[Example] | None:
    """Texts of the pool that may be learned from, as many as were asked for, and a learner that comes to each."""
    if asked.pool is None:
        return None
    texts = learnable(asked.pool, task, guard, asked.pool_texts)
    steps = max(learner.steps, math.ceil((len(task.train) + len(texts)) / learner.batch_size))
    return Unlabelled(texts, replace(learner, steps=steps))


def require_checkpoints(options: FinetuneOptions) -> None:
    """Refuse a teacher or a language model that cannot be opened, and proposals that cannot be made without one, before
    anything is written.

    Raises:
        ValueError: naming what is wrong with it.
    """
    open_checkpoint(str(options.loop.teacher)).whole()
    speaking = language_model(options)
    require_needed(options.loop.proposals, options.loop, speaks=speaking is not None)


def _choice(found: Comparison[Example], rows: int, *, apart: bool) -> ChosenResult:
    """Which way was kept, and why, for people and programs."""
    means = {way: statistics.fmean(scores) for way, scores in found.development.items()}
    best, *others = sorted(means, key=lambda way: (way != found.chosen, -means[way]))
    listed = ", ".join(f"{way} {100 * means[way]:.1f}" for way in others)
    which = f"{rows} development rows that no round has read" if apart else "development rows"
    words = f"Kept: {best}, which is best on the {which} ({100 * means[best]:.1f}; {listed})"
    if found.best.method != best:
        words += f", trained once more with all development rows ({found.best.method})"
    return ChosenResult(way=found.chosen, development=means, told=f"{words}.")


def require_able_teacher(fitted: Fitted, task: Task, *, watch: Watch) -> float:
    """The quality of a fine-tuned teacher on development data, before anything is built on it.

    Raises:
        ValueError: for a teacher of another task, or one that is too weak to teach.
    """
    watch("asking the teacher", note="development data")
    taught = _answers_of(fitted, task)
    development = labelled(task, task.development, width_of(task))
    return require_able(taught(development.points), development, task.kind)


def taught_by(name: str, task: Task) -> tuple[Fitted, Predict[Example]]:
    """A fine-tuned checkpoint, and what it says of the task's examples."""
    fitted = open_fitted(name, task.kind)
    return fitted, _answers_of(fitted, task)


def _answers_of(fitted: Fitted, task: Task) -> Predict[Example]:
    order = fitted.order_for(task.name, task.kind, task.label_names)
    return teacher(fitted.model, fitted.tokenizer, fitted.length, task.kind, order, width=width_of(task))


def answering_of(fitted: Fitted, task: Task) -> Callable[[Rows], Rows] | None:
    """A teacher's labels as its answers, where it has thresholds of its own."""
    order = fitted.order_for(task.name, task.kind, task.label_names)
    thresholds = in_order_of(order, [], fitted.thresholds)[1]
    return (lambda rows: answered(task.kind, rows, thresholds)) if thresholds else None


def width_of(task: Task) -> int:
    """Columns of the task's label rows."""
    splits = (task.train, task.development, task.sealed.unlabelled())
    return task.kind.width(task.label_names, [example for split in splits for example in split])


def labelled(task: Task, split: Split, width: int) -> Labelled[Example]:
    """A split as Agora has it: texts apart from labels.

    Args:
        task: whose split it is.
        split: with labels.
        width: as :func:`width_of` says.
    """
    points = tuple(one.bare for one in split)
    return Labelled(points, task.kind.rows(split, width))


def depends_on(options: FinetuneOptions) -> list[Any]:
    """What lies outside of the task and the student: the teacher, and what proposals are made of."""
    teacher = open_checkpoint(str(options.loop.teacher))
    return [teacher.fingerprint, settings_of(load_tokenizer(teacher.folder)), origin(options)]


def _told(task: Task, seed: int, loop: Gathered[Example]) -> LoopResult:
    """One loop for people and programs."""
    best = loop.rounds[loop.round - 1]
    gained = len(loop.everything) - loop.rounds[0].learned_from
    told = (
        f"seed {seed}: {len(loop.rounds)} rounds, {gained} texts learned near {len(loop.rounds[0].near)} of "
        f"{len(loop.rounds[0].mistakes)} first mistakes, best in round {best.number}; ended because "
        f"{STOPPED[loop.stopped]}"
    )
    if task.label_names and (apart := sorted({c for one in loop.rounds for c in one.unbalanced})):
        told += f"; too little was proposed to balance {', '.join(task.label_names[c] for c in apart)} with the others"
    return LoopResult(
        seed=seed,
        told=told,
        rounds=tuple(one.to_json() for one in loop.rounds),
        samples=tuple(islice(_samples(task, loop), 20)),
        classes=task.kind.counts(loop.everything.labels, task.label_names),
    )


def _samples(task: Task, loop: Gathered[Example]) -> Iterator[SampleResult]:
    """Texts that were learned beside the mistake that each was made near, and what the teacher says of them."""
    at = loop.rounds[0].learned_from
    for one in loop.rounds:
        for place in one.kept:
            point, label = loop.everything.points[at], loop.everything.labels[at]
            words = task.kind.in_words(label, task.label_names, point)
            mistake = task.development[one.near[place]]
            yield SampleResult(round=one.number, mistake=mistake.texts, proposal=point.texts, label=words)
            at += 1
