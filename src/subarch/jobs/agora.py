"""Agora from options to files: ``finetune --agora``."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import AutoModelForMaskedLM

from subarch.agora.comparison import Comparison, compare
from subarch.agora.data import Labelled, Predict, require_able
from subarch.agora.loop import STOPPED, Gathered, Settings
from subarch.agora.proposals import Bounds, ProposalFunction, Space
from subarch.errors import InputError
from subarch.executors import open_executor
from subarch.jobs.starts import Start
from subarch.learning.agora import Stopping, TextGuard, TextLearner, teacher
from subarch.learning.checkpoints import Fitted, open_fitted, save_checkpoint
from subarch.learning.finetuning import Recipe, say_what_is_cut
from subarch.learning.proposals import mask_fill, mean_pooled, recombine, retrieve, swap
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.loading import loaded
from subarch.options.tasks import PROPOSALS, AgoraOptions, FinetuneOptions
from subarch.plugins import imported
from subarch.progress import Watch
from subarch.storage import sha256_of
from subarch.tasks.task import Task
from subarch.text.dealing import related_to_others
from subarch.text.examples import Example, Split
from subarch.text.labelled import read_texts
from subarch.text.tokenizers import load_tokenizer, settings_of

_SPEAK = ("AutoModelForMaskedLM", "AutoModelForPreTraining")
_SPEECHLESS = "--proposals mask_fill needs --language-model MODEL with a masked-language-model head"


def learn_from_mistakes(
    options: FinetuneOptions,
    task: Task,
    start: Start,
    recipe: Recipe,
    folder: Path,
    purpose: Mapping[str, Any],
    watch: Watch,
) -> dict[str, Any]:
    """Run Agora beside the other ways of training the same student; the part of the result that is its own.

    Every training has as many steps as plain fine-tuning on the training data would take; with patience it may stop
    before that.

    Raises:
        ValueError: for a teacher of another task or one that is too weak, a pool that cannot be read or is of no use,
            and functions that cannot be imported.
    """
    asked = options.loop
    watch("opening the teacher", note=str(asked.teacher))
    fitted, taught = _taught_by(str(asked.teacher), task)
    say_what_is_cut(start.learner.tokens(list(task.train)[:4096], start.learner.make(0)))
    steps = recipe.epochs * math.ceil(len(task.train) / recipe.batch_size)
    width = width_of(task)
    learner = TextLearner(
        learner=start.learner,
        network=start.identity,
        steps=steps,
        folder=folder / "students",
        batch_size=recipe.batch_size,
        precision=recipe.precision,
        stopping=None
        if recipe.patience is None
        else Stopping(
            patience=recipe.patience,
            every=math.ceil(len(task.train) / recipe.batch_size),
            metrics=task.metrics,
            development=task.development,
        ),
        threads=options.threads,
        watch=watch,
    )
    shared = {"warmup": recipe.warmup, "weight_decay": recipe.weight_decay}
    # The sealed texts go into the guard, which answers with yes or no alone; their labels stay sealed.
    guard = TextGuard.of(task)
    bounds = Bounds(
        per_mistake=asked.per_mistake,
        min_confidence=asked.min_confidence,
        soft=not asked.hard_labels,
        min_distance=asked.min_distance,
        max_distance=asked.max_distance,
        balance=None if asked.balance == "none" or not task.kind.is_balanced else Bounds.balance,
        balance_to="data" if asked.balance == "data" else "even",
    )
    space = _space(asked.space, start, fitted)
    related = related_to_others(task)
    with open_executor(asked.executor)[0] or nullcontext() as executor:
        found = compare(
            learner,
            taught,
            labelled(task, task.train, width),
            labelled(task, task.development, width),
            lambda: labelled(task, task.sealed.open(), width),
            [{"learning_rate": rate, **shared} for rate in recipe.learning_rates],
            functions=_functions(options, task, start, space),
            guard=guard,
            folder=folder / "agora",
            seeds=recipe.seeds,
            space=space if bounds.min_distance or bounds.max_distance is not None else None,
            settings=Settings(
                bounds=bounds,
                pruning=asked.pruning,
                max_rounds=asked.rounds,
                replays=asked.replays,
                budget=asked.budget,
                near=asked.near,
                distill=asked.distill,
                tolerance=asked.tolerance,
            ),
            score=partial(task.kind.score_rows, task.metrics),
            weak_teacher=asked.weak_teacher,
            refit=asked.refit,
            related=related,
            origin=_origin(options),
            executor=executor,
            watch=watch,
        )
    loops = dict(zip(recipe.seeds, found.gathered, strict=True))
    kept = found.best
    model = learner.student(kept.data, kept.theta, kept.seed)
    start.learner.target.in_units(model)
    said = {
        **purpose,
        "method": kept.method,
        "seed": kept.seed,
        "learned_development": kept.method.endswith(" on D and E"),
    }
    save_checkpoint(model, start.learner, folder / "checkpoint", said)
    table = [row | {"steps": 0 if row["method"] == "teacher" else steps} for row in found.rows()]
    return {
        "metric": task.kind.name_of_score(task.metric),
        "rows": table,
        "related": sum(related),
        "checkpoint": str(folder / "checkpoint"),
        "method": kept.method,
        "chosen": _choice(found),
        "max_length": start.learner.length,
        "trainings": sum(loop.trainings for loop in found.gathered),
        "teacher": {"model": asked.teacher, "quality": found.gathered[0].teacher_quality},
        "rounds": [_told(task, seed, loop) for seed, loop in loops.items()],
    }


def require_checkpoints(options: FinetuneOptions) -> None:
    """Refuse a teacher or a language model that cannot be opened, before anything is written.

    Raises:
        ValueError: naming what is wrong with it.
    """
    open_checkpoint(str(options.loop.teacher)).whole()
    _language_model(options)


def _choice(found: Comparison[Example]) -> dict[str, Any]:
    """Which way was kept, and why, for people and programs."""
    means = {way: statistics.fmean(scores) for way, scores in found.development.items()}
    best, *others = sorted(means, key=lambda way: (way != found.chosen, -means[way]))
    listed = ", ".join(f"{way} {100 * means[way]:.1f}" for way in others)
    words = f"Kept: {best}, which is best on the development rows ({100 * means[best]:.1f}; {listed})"
    if found.best.method != best:
        words += f", trained once more with them ({found.best.method})"
    return {"way": found.chosen, "development": means, "told": f"{words}."}


def require_able_teacher(name: str, task: Task, *, watch: Watch) -> float:
    """The quality of a fine-tuned teacher on development data, before anything is built on it.

    Raises:
        ValueError: for a teacher of another task, or one that is too weak to teach.
    """
    watch("asking the teacher", note="development data")
    _, taught = _taught_by(name, task)
    development = labelled(task, task.development, width_of(task))
    return require_able(taught(development.points), development, task.kind)


def _taught_by(name: str, task: Task) -> tuple[Fitted, Predict[Example]]:
    """A fine-tuned checkpoint, and what it says of the task's examples."""
    fitted = open_fitted(name, task.kind)
    order = fitted.order_for(task.name, task.kind, task.label_names)
    return fitted, teacher(fitted.model, fitted.tokenizer, fitted.length, task.kind, order, width=width_of(task))


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
    points = tuple(Example(one.first, one.seconds) for one in split)
    return Labelled(points, task.kind.rows(split, width))


def _space(name: str, start: Start, fitted: Fitted) -> Space[Example]:
    """Where texts lie.

    Raises:
        ValueError: for a function that cannot be imported.
    """
    if name == "teacher":
        return mean_pooled(fitted.model, fitted.tokenizer, fitted.length)
    if name == "student":
        return mean_pooled(start.learner.make(0), start.learner.tokenizer, start.learner.length)
    return imported(name, "space", "module.path:function from examples to an array, a row for each")


def _functions(
    options: FinetuneOptions, task: Task, start: Start, space: Space[Example]
) -> list[ProposalFunction[Example]]:
    """Those that were asked for, or what can be had."""
    asked = options.loop
    speaking = _language_model(options)
    names = asked.proposals or (("retrieve",) if asked.pool else ("mask_fill",) if speaking else ("swap",))
    pool = [] if asked.pool is None else read_pool(asked.pool, task)
    made: list[ProposalFunction[Example]] = []
    for name in names:
        if name == "retrieve":
            made.append(retrieve(pool, space))
        elif name == "recombine":
            made.append(recombine(pool))
        elif name == "swap":
            made.append(swap(start.learner.make(0), start.learner.tokenizer, common=task.common))
        elif name != "mask_fill":
            made.append(imported(name, "proposals", "module.path:function(examples, count, rng) that yields pairs"))
        elif speaking is None:
            raise InputError(_SPEECHLESS)
        else:
            model = loaded(AutoModelForMaskedLM, speaking)
            made.append(mask_fill(model, load_tokenizer(speaking.folder), length=start.learner.length))
    return made


def require_functions(asked: AgoraOptions, *, speaks: bool) -> None:
    """Refuse an executor, a space or proposal functions that cannot be had.

    Args:
        asked: of the loop.
        speaks: whether the student will have a masked-language-model head of its own.

    Raises:
        ValueError: naming what was asked for.
    """
    executor, _ = open_executor(asked.executor)
    if executor is not None:
        executor.shutdown()
    if asked.language_model is not None:
        _speaking(asked.language_model)
    elif "mask_fill" in asked.proposals and not speaks:
        raise InputError(_SPEECHLESS)
    for name in asked.proposals:
        if name not in PROPOSALS:
            imported(name, "proposals", "module.path:function(examples, count, rng) that yields pairs")
    if asked.space not in ("teacher", "student"):
        imported(asked.space, "space", "module.path:function from examples to an array, a row for each")


def depends_on(options: FinetuneOptions) -> list[Any]:
    """What lies outside of the task and the student: the teacher, and what proposals are made of."""
    teacher = open_checkpoint(str(options.loop.teacher))
    return [teacher.fingerprint, settings_of(load_tokenizer(teacher.folder)), _origin(options)]


def _origin(options: FinetuneOptions) -> str:
    """What proposals depend on: the pool's bytes and the language model's weights."""
    speaking = _language_model(options)
    pool = options.loop.pool
    digests = [None if pool is None else sha256_of(pool), speaking and speaking.fingerprint]
    return json.dumps([options.loop.proposals, options.loop.space, *digests])


def _speaking(name: str) -> Checkpoint:
    """A masked language model that was named.

    Raises:
        ValueError: when it has no such head.
    """
    checkpoint = open_checkpoint(name)
    if checkpoint.head.stock not in _SPEAK:
        raise InputError(
            f"--language-model {name} has no masked-language-model head, but {checkpoint.head.name}: {_SPEECHLESS}"
        )
    return checkpoint


def _language_model(options: FinetuneOptions) -> Checkpoint | None:
    """The checkpoint that was given for it, or the student where it has such a head."""
    if options.loop.language_model is not None:
        return _speaking(options.loop.language_model)
    pretrained = options.run and options.run / "pretrain"
    if options.model is not None:
        checkpoint = None if Path(options.model).is_file() else open_checkpoint(options.model)
    else:
        checkpoint = open_checkpoint(pretrained) if pretrained and (pretrained / "config.json").is_file() else None
    return checkpoint if checkpoint is not None and checkpoint.head.stock in _SPEAK else None


def read_pool(path: Path, task: Task) -> Sequence[Example]:
    """Unlabelled examples of a file.

    Raises:
        ValueError: for a file that cannot be read, or has another number of texts than the task.
    """
    if not task.kind.of_tables:
        raise InputError(
            f"{path}: {task.name} chooses among candidates, of which a table has none: leave --pool out, proposals are "
            "made by mask_fill or swap"
        )
    texts = 1 + len(task.train[0].seconds)
    if ".txt" in path.suffixes and texts > 1:
        raise InputError(f"{path}: lines of text are single texts, {task.name} has pairs: give a table")
    found = read_texts(path, text_columns=task.text_columns)
    if 1 + len(found[0].seconds) != texts:
        raise InputError(f"{path}: expected a pool of {texts} text(s) a row, as in {task.name}, got another")
    return found


def _told(task: Task, seed: int, loop: Gathered[Example]) -> dict[str, Any]:
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
    classes = task.kind.counts(loop.everything.labels, task.label_names)
    said = {"seed": seed, "told": told, "rounds": [one.to_json() for one in loop.rounds]}
    return said | {
        "samples": list(islice(_samples(task, loop), 20)),
        "classes": classes,
    }


def _samples(task: Task, loop: Gathered[Example]) -> Iterator[dict[str, Any]]:
    """Texts that were learned beside the mistake that each was made near, and what the teacher says of them."""
    at = loop.rounds[0].learned_from
    for one in loop.rounds:
        for place in one.kept:
            point, label = loop.everything.points[at], loop.everything.labels[at]
            words = task.kind.in_words(label, task.label_names, point)
            mistake = task.development[one.near[place]]
            yield {"round": one.number, "mistake": mistake.texts, "proposal": point.texts, "label": words}
            at += 1
