"""The network that a fine-tuning starts from: a checkpoint, a bare config, or what a run has extracted."""

from __future__ import annotations

import hashlib
import json
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transformers import PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.extraction.preparation import source_in
from subarch.learning.heads import Copies, Target, TaskNetwork, from_architecture, from_checkpoint
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.configs import read_config
from subarch.networks.inheritance import WORDS, Inheritance, by_states, compared
from subarch.networks.sources import open_source
from subarch.networks.stock import stock_config
from subarch.plugins import NAME
from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.tasks.task import Task
from subarch.text.examples import nameless
from subarch.text.tokenizers import load_tokenizer, train_tokenizer

_LOG = logging.getLogger(__name__)

SCRATCH_VOCABULARY = 8192  # of a tokenizer trained on the task; a few thousand texts know no rarer words
CALIBRATION_TEXTS = 64
CALIBRATION_TOKENS = 1024  # a batch


@dataclass(frozen=True)
class Start:
    """A network to fine-tune.

    Attributes:
        learner: the network with a head for the task.
        identity: digest of its initial weights and shape.
        words: what it is, for people.
    """

    learner: TaskNetwork
    identity: str
    words: str


def open_start(model: str | None, run: Path | None, task: Task, length: int) -> Start:
    """The network that the options name.

    Args:
        model: a checkpoint folder or name, or a ``config.json`` (random weights); it goes before the run.
        run: a run directory: its pre-trained student, or else the architecture that was extracted there.
        task: what the head is for.
        length: tokens of a sequence.

    Raises:
        ValueError: when there is no such network, or it cannot be built or loaded.
    """
    target = Target.of(task.kind, task.label_names, task.train.labels)
    if model is not None and Path(model).is_file():
        return _from_config(Path(model), None, target, task, length)
    if model is not None:
        return _from_checkpoint(open_checkpoint(model), target, task, length)
    if run is None:
        raise InputError("expected a model or a run directory with an extracted network, got neither")
    if (run / "pretrain" / "config.json").is_file():
        return _from_checkpoint(open_checkpoint(run / "pretrain"), target, task, length)
    if not (run / "architecture.json").is_file():
        raise InputError(
            f"{run} holds no architecture.json and no pretrain/: run subarch extract with this --run first, or give "
            "--model"
        )
    checkpoint, architecture = _extracted(run)
    return _part_of(checkpoint, architecture, run / "architecture.json", target, task, length)


def open_other(run: Path, architecture: Mapping[str, Any], config: Path, task: Task, length: int) -> Start:
    """Another network of a run than the one that was extracted there, as that one is before any pre-training.

    Args:
        run: its directory.
        architecture: of the other network.
        config: its file, as ``architecture.json`` is of the extracted one.
        task: what the head is for.
        length: tokens of a sequence.

    Raises:
        ValueError: when it cannot be built or loaded.
    """
    target = Target.of(task.kind, task.label_names, task.train.labels)
    return _part_of(_extracted(run)[0], architecture, config, target, task, length)


def _part_of(
    checkpoint: Checkpoint | None,
    architecture: Mapping[str, Any],
    config: Path,
    target: Target,
    task: Task,
    length: int,
) -> Start:
    """What fits of a source; where that has no weights, random ones."""
    if checkpoint is None:
        return _from_config(config, None, target, task, length)
    return _inherited(checkpoint, architecture, target, task, length)


def _from_checkpoint(checkpoint: Checkpoint, target: Target, task: Task, length: int) -> Start:
    _say_new_head(checkpoint, target)
    learner = from_checkpoint(checkpoint, target, task.name, length)
    return Start(learner, checkpoint.fingerprint, checkpoint.name)


def _say_new_head(checkpoint: Checkpoint, target: Target) -> None:
    """A head that was fine-tuned already and is drawn anew."""
    names = list(checkpoint.label_names)
    if names and not nameless(names) and tuple(names) != target.label_names:
        wanted = list(target.label_names) or "a number"
        _LOG.warning("%s has a head for %s, which is drawn anew for %s", checkpoint.name, names, wanted)
    elif not names and checkpoint.head.kind in KINDS and checkpoint.head.kind != target.kind.head:
        what = kind_of(checkpoint.head.kind).words
        _LOG.warning("%s has a head for %s, which is drawn anew for %s", checkpoint.name, what, target.kind)


def _from_config(
    path: Path, tokenizer: PreTrainedTokenizerFast | None, target: Target, task: Task, length: int
) -> Start:
    """Random weights, and a tokenizer trained on the task where none lies beside the config."""
    config = stock_config(read_config(path))
    if tokenizer is None and any((path.parent / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        tokenizer = load_tokenizer(path.parent)
    if tokenizer is None:
        size = min(int(cast("Any", config).vocab_size), SCRATCH_VOCABULARY)
        tokenizer = train_tokenizer([text for example in task.train for text in example.texts], size)
    cast("Any", config).pad_token_id = tokenizer.pad_token_id
    _LOG.warning("%s has no weights: the network starts from random ones", path)
    identity = hashlib.sha256(json.dumps([config.to_dict(), tokenizer.get_vocab()], default=str).encode()).hexdigest()
    return Start(from_architecture(config, tokenizer, target, task.name, length), identity, f"{path}, random weights")


def _extracted(run: Path) -> tuple[Checkpoint | None, Mapping[str, Any]]:
    """The checkpoint that the network of a run inherits from, where there is one, and its architecture."""
    try:
        options = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["options"]
        architecture = json.loads((run / "extract.json").read_text(encoding="utf-8"))["architecture"]
        name, start = str(options["source"]), options.get("start")
        name = source_in(run, name, options.get("vocabulary"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{run} does not say what was extracted ({error!r}): is the extraction finished?") from error
    if NAME.fullmatch(name):  # code that the run names is not run, and there are no weights in it either
        return None, architecture
    # With an error function of the user's the source's weights are still the best start there is.
    return (None if start == "scratch" else open_source(name).opened), architecture


def _inherited(
    checkpoint: Checkpoint, architecture: Mapping[str, Any], target: Target, task: Task, length: int
) -> Start:
    """The part of the source that fits the architecture, its units ranked on the task's own training texts."""
    if not task.kind.of_tables:
        raise InputError(
            f"{task.name} chooses among candidates, for which no head can be inherited: pre-train the extracted "
            "network first (subarch pretrain), or give --model"
        )
    source = from_checkpoint(checkpoint, target, task.name, length)
    teacher = source.make(0)
    some = random.Random(0).sample(task.train, min(CALIBRATION_TEXTS, len(task.train)))
    tokens = source.tokens(some, teacher)
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    calibration = [
        {name: values for name, values in tokens.batch(rows).items() if name in inputs}
        for rows in tokens.by_length(CALIBRATION_TOKENS)
    ]
    knows = bool(target.label_names) and checkpoint.label_names == target.label_names
    student = Inheritance(teacher, calibration, outputs=compared if knows else by_states).student(architecture)
    content = json.dumps([checkpoint.fingerprint, dict(architecture), task.fingerprint, WORDS], sort_keys=True)
    words = f"{' / '.join(map(str, architecture.values()))} inherited from {checkpoint.folder}"
    learner = TaskNetwork(source.tokenizer, target, source.length, Copies(student))
    return Start(learner, hashlib.sha256(content.encode()).hexdigest(), words)
