"""What Agora makes its proposals of, from options: the pool, a language model, a space of distances."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerFast

from subarch.agora.proposals import Guard, ProposalFunction, Space
from subarch.errors import InputError
from subarch.executors.base import Resources
from subarch.executors.opening import check_executor
from subarch.jobs.starts import Start
from subarch.learning.checkpoints import Fitted
from subarch.learning.places import mean_pooled
from subarch.learning.proposing import Ingredients, way
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.loading import loaded
from subarch.options.tasks import PROPOSALS, AgoraOptions, FinetuneOptions
from subarch.plugins import imported
from subarch.storage import sha256_of
from subarch.tasks.labelled import read_texts
from subarch.tasks.task import Task
from subarch.text.examples import Example, words_in
from subarch.text.tokenizers import load_tokenizer

_LOG = logging.getLogger(__name__)
_SPEECHLESS = "--proposals mask_fill needs --language-model MODEL with a masked-language-model head"


def require_functions(asked: AgoraOptions, *, speaks: bool) -> None:
    """Refuse an executor, a space or proposal functions that cannot be had.

    Args:
        asked: of the loop.
        speaks: whether the student will have a masked-language-model head of its own.

    Raises:
        ValueError: naming what was asked for.
    """
    check_executor(asked.executor, Resources.parse(asked.resources))
    if asked.language_model is not None:
        _speaking(asked.language_model)
    require_needed(asked.proposals, asked, speaks=speaks or asked.language_model is not None)
    if asked.space not in ("teacher", "student"):
        imported(asked.space, "space", "module.path:function from examples to an array, a row for each")


def functions(
    options: FinetuneOptions, task: Task, start: Start, space: Space[Example]
) -> list[ProposalFunction[Example]]:
    """Those that were asked for, or what can be had."""
    asked, learner = options.loop, start.learner
    speaking = language_model(options)
    ingredients = Ingredients(
        student=partial(learner.make, 0),
        tokenizer=learner.tokenizer,
        length=learner.length,
        space=space,
        pool=[] if asked.pool is None else read_pool(asked.pool, task),
        language_model=None if speaking is None else partial(_spoken, speaking),
        common=task.common,
    )
    names = asked.proposals or (("retrieve",) if asked.pool else ("mask_fill",) if speaking else ("swap",))
    require_needed(names, asked, speaks=speaking is not None)
    return [way(name).make(ingredients) if name in PROPOSALS else _own(name) for name in names]


def _spoken(checkpoint: Checkpoint) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    return loaded(AutoModelForMaskedLM, checkpoint), load_tokenizer(checkpoint.folder)


def _own(name: str) -> ProposalFunction[Example]:
    return imported(name, "proposals", "module.path:function(examples, count, rng) that yields pairs")


def require_needed(names: Sequence[str], asked: AgoraOptions, *, speaks: bool) -> None:
    """Refuse ways of making proposals that lack what they need.

    Raises:
        ValueError: naming the option that gives it.
    """
    for name in names:
        if name not in PROPOSALS:
            _own(name)
            continue
        needs = way(name).NEEDS
        if "pool" in needs and asked.pool is None:
            raise InputError(f"--proposals {name} takes its texts from --pool FILE, which is missing")
        if "language model" in needs and not speaks:
            raise InputError(_SPEECHLESS)


def space_of(name: str, start: Start, fitted: Fitted) -> Space[Example]:
    """Where texts lie.

    Raises:
        ValueError: for a function that cannot be imported.
    """
    if name == "teacher":
        return mean_pooled(fitted.model, fitted.tokenizer, fitted.length)
    if name == "student":
        return mean_pooled(start.learner.make(0), start.learner.tokenizer, start.learner.length)
    return imported(name, "space", "module.path:function from examples to an array, a row for each")


def origin(options: FinetuneOptions) -> str:
    """What proposals depend on: the pool's bytes and the language model's weights."""
    speaking = language_model(options)
    pool = options.loop.pool
    digests = [None if pool is None else sha256_of(pool), speaking and speaking.fingerprint]
    return json.dumps([options.loop.proposals, options.loop.space, *digests])


def language_model(options: FinetuneOptions) -> Checkpoint | None:
    """The checkpoint that was given for it, or the student where it has such a head."""
    if options.loop.language_model is not None:
        return _speaking(options.loop.language_model)
    pretrained = options.run and options.run / "pretrain"
    if options.model is not None:
        checkpoint = None if Path(options.model).is_file() else open_checkpoint(options.model)
    else:
        checkpoint = open_checkpoint(pretrained) if pretrained and (pretrained / "config.json").is_file() else None
    return checkpoint if checkpoint is not None and checkpoint.speaks else None


def _speaking(name: str) -> Checkpoint:
    """A masked language model that was named.

    Raises:
        ValueError: when it has no such head.
    """
    checkpoint = open_checkpoint(name)
    if not checkpoint.speaks:
        raise InputError(
            f"--language-model {name} has no masked-language-model head, but {checkpoint.head.name}: {_SPEECHLESS}"
        )
    return checkpoint


def learnable(path: Path, task: Task, guard: Guard[Example], most: int) -> list[Example]:
    """Texts of a pool, each once, that are neither training rows nor copies of forbidden ones.

    Args:
        path: of the pool.
        task: whose training rows are left out.
        guard: against copies.
        most: so many at most, drawn at random.

    Raises:
        ValueError: as :func:`read_pool`.
    """
    known = {one.texts for one in task.train}
    each = {one.texts: one.bare for one in read_pool(path, task)}
    found = [one for texts, one in each.items() if texts not in known]
    if len(found) > most:
        _LOG.info("%d of the %d texts of %s are learned from, drawn at random (--pool-texts)", most, len(found), path)
        found = [found[n] for n in sorted(np.random.default_rng(0).permutation(len(found))[:most].tolist())]
    return [one for one, copy in zip(found, guard.forbids(found), strict=True) if not copy]


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
    if task.kind.has_words:
        found = [one if one.words is not None else one._replace(words=words_in(one.first)) for one in found]
    if 1 + len(found[0].seconds) != texts:
        raise InputError(f"{path}: expected a pool of {texts} text(s) a row, as in {task.name}, got another")
    return found
