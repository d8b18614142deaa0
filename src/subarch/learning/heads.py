"""A stock model for a task: an encoder from wherever it comes, and a linear head that fits what is predicted.

Which stock class that is, its kind of task says; a candidate of a choice is a sequence of its own.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from subarch.errors import InputError
from subarch.learning.distances import Batch
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.layouts import tells_texts_apart
from subarch.networks.loading import loaded
from subarch.networks.positions import Positions, positions_of
from subarch.networks.sentences import ACTIVATION_KEYS
from subarch.progress import say_once
from subarch.results.base import Json
from subarch.tasks.kinds.base import Kind, Units
from subarch.text.encoding import Tokens, tokenize
from subarch.text.examples import Example, Label
from subarch.text.tokenizers import load_tokenizer

_LOG = logging.getLogger(__name__)

TOKENS_A_BATCH = 4096  # for evaluation: more is not faster on a CPU


@dataclass(frozen=True)
class Target:
    """What a head predicts.

    Args:
        kind: of the task.
        label_names: of the outputs, in their order; empty where they have none.
        mean: of the labels that were trained on; outputs of the network are in units of ``scale`` from there.
        scale: likewise.
    """

    kind: Kind
    label_names: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, kind: Kind, label_names: tuple[str, ...], labels: Sequence[Label]) -> Target:
        """The target of a task, in the units of its training labels."""
        return cls(kind, label_names, *kind.units(labels))

    @property
    def units(self) -> Units:
        """Of the outputs."""
        return Units(self.mean, self.scale)

    def settings(self, task: str) -> Json:
        """What the stock config of such a model says."""
        return {"finetuning_task": task, **self.kind.settings(self.label_names)}

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean loss of a batch."""
        return self.kind.loss(forward(model, batch).float(), batch, self.units)

    def loss_of_rows(self, model: nn.Module, batch: Batch) -> Tensor:
        """The same with label rows, which may be soft."""
        return self.kind.loss_of_rows(forward(model, batch).float(), batch, self.units)

    def loss_of(self, found: Sequence[NDArray[np.float32]], examples: Sequence[Example]) -> float:
        """The same mean loss, of outputs that are there already."""
        pairs = zip(found, examples, strict=True)
        return float(np.mean([self.kind.loss_of(np.asarray(one, np.float64), e, self.units) for one, e in pairs]))

    def in_units(self, model: PreTrainedModel) -> None:
        """Let a trained network answer in the units of the labels, as everybody expects of a checkpoint."""
        self.kind.put_in_units(model, self.units)


def forward(model: nn.Module, batch: Batch) -> Tensor:
    """Logits of every sequence of a batch.

    They are ``(sequences, classes)``, ``(sequences, 1)``, or ``(sequences, tokens, tags)``.
    """
    inputs = {n: batch[n] for n in ("input_ids", "attention_mask", "token_type_ids") if n in batch}
    if _is_choice(model):
        # One candidate a row: as many as there are, instead of a block padded to the example with the most.
        inputs = {name: values.unsqueeze(1) for name, values in inputs.items()}
    return cast("Any", model)(**inputs).logits


def _is_choice(model: nn.Module) -> bool:
    return type(model).__name__.endswith("ForMultipleChoice")


def _is_of_words(model: nn.Module) -> bool:
    return type(model).__name__.endswith("ForTokenClassification")


@dataclass(frozen=True)
class TaskNetwork:
    """A network for a task and the tokenizer that it reads with.

    Args:
        tokenizer: saved beside the weights, with ``length`` as its longest input.
        target: what the head predicts.
        length: tokens that a sequence is cut to.
        make: a network with its initial weights, the head drawn with the given seed; each call gives a new one.
    """

    tokenizer: PreTrainedTokenizerFast
    target: Target
    length: int
    make: Callable[[int], PreTrainedModel]

    def tokens(self, examples: Sequence[Example], model: PreTrainedModel) -> Tokens:
        """The examples as the network reads them."""
        return read(examples, self.tokenizer, model, self.length)


def read(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel, length: int
) -> Tokens:
    """Examples as token ids for ``model``."""
    types = tells_texts_apart(model.config)
    choice, words = _is_choice(model), _is_of_words(model)
    return tokenize(examples, tokenizer, length=length, choice=choice, types=types, words=words)


def from_checkpoint(given: Checkpoint | Path | str, target: Target, task: str, length: int) -> TaskNetwork:
    """The encoder of a checkpoint; its head too where it has the task's classes.

    Raises:
        ValueError: when the weights or the tokenizer cannot be read, or the two do not belong together.
    """
    checkpoint = open_checkpoint(given).encoder()
    tokenizer = load_tokenizer(checkpoint.folder)
    config = checkpoint.stock
    _make_for(config, target, task)
    keeps_head = bool(target.label_names) and checkpoint.label_names == target.label_names
    keeps_head = keeps_head and target.kind.head == checkpoint.head.kind
    fitting = fitting_length(length, tokenizer, config, checkpoint.positions)
    return TaskNetwork(tokenizer, target, fitting, _Checkpoint(checkpoint, config, target.kind, keeps_head))


def from_architecture(
    config: PretrainedConfig, tokenizer: PreTrainedTokenizerFast, target: Target, task: str, length: int
) -> TaskNetwork:
    """A network of random weights."""
    settings = copy.deepcopy(config)
    _make_for(settings, target, task)
    fitting = fitting_length(length, tokenizer, settings, positions_of(settings))
    return TaskNetwork(tokenizer, target, fitting, _RandomWeights(settings, target.kind))


def _make_for(config: PretrainedConfig, target: Target, task: str) -> None:
    """Let a config say what its network is for now."""
    for key in ACTIVATION_KEYS:  # what outputs of another head went through
        vars(config).pop(key, None)
    config.update(dict(target.settings(task)))


# Classes and not closures: a learner travels to other processes.


@dataclass(frozen=True)
class _Checkpoint:
    checkpoint: Checkpoint
    config: PretrainedConfig
    kind: Kind
    keeps_head: bool

    def __call__(self, seed: int) -> PreTrainedModel:
        with seeded(seed):
            model = loaded(
                self.kind.stock_class(),
                self.checkpoint,
                headless=True,
                config=self.config,
                ignore_mismatched_sizes=True,
            )
            if not self.keeps_head:
                redraw_head(model)
            return model


@dataclass(frozen=True)
class _RandomWeights:
    config: PretrainedConfig
    kind: Kind

    def __call__(self, seed: int) -> PreTrainedModel:
        with seeded(seed):
            return self.kind.stock_class().from_config(self.config, dtype=torch.float32).eval()


@dataclass(frozen=True)
class Copies:
    """Copies of one network, each with a head of its own."""

    network: PreTrainedModel

    def __call__(self, seed: int) -> PreTrainedModel:
        model = copy.deepcopy(self.network)
        with seeded(seed), torch.no_grad():
            redraw_head(model)
        return model.eval()


def redraw_head(model: PreTrainedModel) -> None:
    """Random weights for everything outside the encoder: a head of another task is no start for this one."""
    for name, module in model.named_children():
        if name != model.base_model_prefix:
            for part in module.modules():
                if isinstance(part, nn.Linear):
                    nn.init.normal_(part.weight, std=float(getattr(model.config, "initializer_range", 0.02)))
                    if cast("Any", part).bias is not None:
                        nn.init.zeros_(part.bias)


def fitting_length(
    length: int, tokenizer: PreTrainedTokenizerFast, config: PretrainedConfig, positions: Positions
) -> int:
    """The length asked for, or the longest that the network takes; what looks as if tokenizer and network did not
    belong together is said.

    Raises:
        ValueError: when the tokenizer has more tokens than the network.
    """
    vocabulary, skipped = int(cast("Any", config).vocab_size), config.pad_token_id
    if 2 * len(tokenizer) < vocabulary:
        say_once(
            _LOG, f"the tokenizer has {len(tokenizer)} tokens, the network {vocabulary}: is it the network's own one?"
        )
    if len(tokenizer) > vocabulary:
        raise InputError(
            f"the tokenizer has {len(tokenizer)} tokens, the network {vocabulary}: they do not belong together"
        )
    padding = cast("Any", tokenizer).pad_token_id
    if positions.first and padding not in (None, skipped):
        say_once(
            _LOG,
            f"the tokenizer pads with token {padding}, the network counts positions without token "
            f"{skipped}: texts are read as the stock library reads them, but do the two belong together?",
        )
    return length if positions.longest is None else min(length, positions.longest)


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """torch's random numbers from ``seed`` on, and as they were afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@torch.no_grad()
def outputs(
    model: PreTrainedModel, tokens: Tokens, *, tick: Callable[[int, int], None] | None = None
) -> list[NDArray[np.float32]]:
    """What the model says of every example, in their order, as :meth:`subarch.text.encoding.Tokens.said_of`.

    Args:
        model: put into evaluation mode.
        tokens: of any number of examples.
        tick: called with examples done and all examples.
    """
    model.eval()
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(tokens)
    done = 0
    for rows in tokens.by_length(TOKENS_A_BATCH):
        logits = forward(model, tokens.batch(rows)).float().numpy()
        sizes = [int(tokens.starts[row + 1] - tokens.starts[row]) for row in rows]
        parts = np.split(logits, np.cumsum(sizes)[:-1])
        for row, part in zip(rows, parts, strict=True):
            found[row] = tokens.said_of(row, part)
        done += len(rows)
        if tick is not None:
            tick(done, len(tokens))
    return found
