"""One training epoch by epoch: what it has reached is kept, and it goes on from there after a stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from subarch.learning.batches import epoch
from subarch.learning.distances import Batch
from subarch.learning.heads import TaskNetwork, outputs, seeded
from subarch.learning.training import DivergenceError, Hyperparameters, Training
from subarch.options.tasks import FinetuneSettings
from subarch.results.base import Record, rest
from subarch.storage import written_whole
from subarch.tasks.kinds.base import Thresholds
from subarch.tasks.task import Task
from subarch.text.encoding import Tokens

LossFunction = Callable[[nn.Module, Batch], Tensor]

Precision = Literal["float32", "bfloat16"]


SAVE_SECONDS = 300.0
"""Within an epoch the state is saved so often; it is always saved after one."""


TOKENS_A_PART = 16_384
"""Of a training batch: larger ones are taken in parts, whose gradients are added up."""


@dataclass(frozen=True, kw_only=True)
class Finished(Record):
    """What ``record.json`` says of one training.

    Attributes:
        seed: of head, order and dropout.
        hyperparameters: an element of Theta.
        history: scores on development data after every epoch.
        steps: of the optimiser.
        failure: why it diverged, if it did.
        development: scores of the best epoch; None where it failed.
        home: name of its folder.
        seconds: that it took.
        thresholds: above which each label holds, chosen on development data; none where there are none.
    """

    seed: int
    hyperparameters: Mapping[str, Any]
    history: tuple[Mapping[str, float], ...]
    steps: int
    failure: str | None
    development: Mapping[str, float] | None
    home: str = ""
    seconds: float = 0.0
    thresholds: tuple[float, ...] = ()
    more: Mapping[str, Any] = rest()

    @property
    def best(self) -> Mapping[str, float]:
        """The scores of one that did not fail."""
        assert self.development is not None, self.failure
        return self.development


@dataclass(frozen=True)
class OneTraining:
    """One hyperparameter set with one seed."""

    task: Task
    learner: TaskNetwork
    settings: FinetuneSettings
    train: Tokens
    development: Tokens

    def run(self, theta: Hyperparameters, seed: int, home: Path, tick: Callable[[int, int, str], None]) -> Finished:
        """Train; leave the best epoch's weights in ``home`` and return what the record says."""
        target, size = self.learner.target, self.settings.batch_size
        model = self.learner.make(seed)
        steps = self.settings.epochs * math.ceil(len(self.train) / size)
        training = Training(model, in_precision(target.loss, self.settings.precision), theta, steps=steps)
        kept = _Kept(home / "unfinished.pt")
        failure: str | None = None
        with seeded(seed):
            kept.restore(training)
            try:
                while len(kept.history) < self.settings.epochs and not is_stale(kept.history, self.settings.patience):
                    note = f"best so far {kept.best['score']:.3f}" if kept.best else ""
                    self._epoch(training, model, seed, kept, lambda step, note=note: tick(step, steps, note))
                    kept.add(training, model, self._scores(model))
            except DivergenceError as error:
                failure = str(error)
        done = Finished(
            seed=seed,
            hyperparameters=theta.to_json(),
            history=tuple(kept.history),
            steps=training.step,
            failure=failure,
            development=None if failure is not None else kept.best,
        )
        if failure is not None:
            return done
        model.load_state_dict(kept.weights)
        target.in_units(model)
        if target.kind.has_thresholds:
            chosen = thresholds_of(self.task, outputs(model, self.development))
            done = replace(done, thresholds=chosen)
        with written_whole(home / "model.safetensors") as part:
            save_file({name: value.contiguous() for name, value in model.state_dict().items()}, part)
        return done

    def _epoch(
        self,
        training: Training[dict[str, Tensor]],
        model: PreTrainedModel,
        seed: int,
        kept: _Kept,
        tick: Callable[[int], None],
    ) -> None:
        model.train()
        saved = time.monotonic()
        batches = epoch(self.train.lengths, self.settings.batch_size, (seed, len(kept.history)))
        for position, rows in enumerate(batches):
            if position < kept.position:
                continue
            advance(training, self.train, rows)
            if time.monotonic() - saved >= SAVE_SECONDS:
                kept.save(training, position + 1)
                saved = time.monotonic()
            tick(training.step)

    def _scores(self, model: PreTrainedModel) -> dict[str, float]:
        found = outputs(model, self.development)
        if not all(np.isfinite(one).all() for one in found):
            raise DivergenceError("the outputs for the development split are not finite")
        loss = self.learner.target.loss_of(found, self.task.development)
        return {**scored(self.task, found), "loss": loss}


def is_stale(history: Sequence[Mapping[str, float]], patience: int | None) -> bool:
    """Whether so many epochs have passed since the best one.

    Args:
        history: score and loss on development data after every epoch; of equal scores the smaller loss is better.
        patience: epochs; None: never.
    """
    if patience is None or not history:
        return False
    best = max(range(len(history)), key=lambda n: (in_order(history[n]), -n))
    return len(history) - 1 - best >= patience


def advance(training: Training[Batch], tokens: Tokens, rows: Sequence[int], **more: Tensor) -> None:
    """One step on these examples, in parts that fit into memory.

    Args:
        training: of a network that reads ``tokens``.
        tokens: of all examples.
        rows: those of the step.
        more: for every example a row of something else that the loss asks for; it takes the place of what
            :meth:`~subarch.learning.batches.Tokens.batch` gives under that name.
    """
    parts = list(tokens.by_length(TOKENS_A_PART, rows))
    batches = [tokens.batch(part) | {name: values[part] for name, values in more.items()} for part in parts]
    training.advance(*batches, shares=[len(part) / len(rows) for part in parts])


def in_precision(loss_function: LossFunction, precision: Precision) -> LossFunction:
    """The loss function with its large matrix products in ``precision``."""
    if precision == "float32":
        return loss_function

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        with torch.autocast(next(model.parameters()).device.type, dtype=torch.bfloat16):
            return loss_function(model, batch)

    return loss


class _Kept:
    """State on disk: of the network, of the epoch that it is in, and the weights of the best epoch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.history: list[dict[str, float]] = []
        self.best: dict[str, float] | None = None
        self.weights: dict[str, Tensor] = {}
        self.position = 0
        """Batches of the present epoch that are done."""

    def restore(self, training: Training[Any]) -> None:
        if not self._path.is_file():
            return
        state: dict[str, Any] = torch.load(self._path, weights_only=True)
        training.restore(state["training"])
        self.history, self.best, self.weights = state["history"], state["best"], state["weights"]
        self.position = state["position"]

    def add(self, training: Training[Any], model: PreTrainedModel, scores: dict[str, float]) -> None:
        """An epoch is done."""
        self.history.append(scores)
        if self.best is None or in_order(scores) > in_order(self.best):
            self.best = scores
            self.weights = {name: value.clone() for name, value in model.state_dict().items()}
        self.save(training, 0)

    def save(self, training: Training[Any], position: int) -> None:
        self.position = position
        state = {
            "training": training.state(),
            "history": self.history,
            "best": self.best,
            "weights": self.weights,
            "position": position,
        }
        with written_whole(self._path) as part:
            torch.save(state, part)


def thresholds_of(task: Task, found: Sequence[Any]) -> Thresholds:
    """Those with which outputs for the development split do best; none where there are none."""
    return task.kind.thresholds(found, task.development, task.metrics)


def scored(task: Task, found: Sequence[Any]) -> dict[str, float]:
    """Every metric of the task on the development split, and their mean ``"score"``, with the best thresholds."""
    said = task.kind.decide(found, thresholds_of(task, found))
    return task.kind.score(task.metrics, task.development, said)


def in_order(scores: Mapping[str, float]) -> tuple[float, float]:
    """Small development sets know few scores; among equal ones the loss decides."""
    return scores["score"], -scores["loss"]
