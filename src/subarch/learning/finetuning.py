"""Plain fine-tuning, the BERT recipe: every hyperparameter set with every seed, chosen on development data.

Each training lives in a folder of its own, named by a digest of all that determines it. A record is written when it is
finished, its state after every epoch until then; so the same call goes on where it stopped, bit for bit, and one with
more seeds trains those alone. The sealed split is opened once, when the hyperparameter set is chosen and all of its
trainings are done.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from subarch.errors import InputError
from subarch.learning.batches import epoch
from subarch.learning.checkpoints import read_purpose, save_checkpoint
from subarch.learning.distances import Batch
from subarch.learning.heads import Learner, outputs, seeded
from subarch.learning.training import DivergenceError, Hyperparameters, Training
from subarch.progress import Watch, silent
from subarch.storage import read_json, write_json, written_whole
from subarch.tasks.task import Task
from subarch.text.dealing import related_to_others
from subarch.text.encoding import Tokens
from subarch.text.examples import Split
from subarch.text.metrics import interval
from subarch.text.tokenizers import settings_of

_LOG = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]

CUT_WORTH_SAYING = 0.02  # of the training sequences
SAVE_SECONDS = 300.0
"""Within an epoch the state is saved so often; it is always saved after one."""

TOKENS_A_PART = 16_384
"""Of a training batch: larger ones are taken in parts, whose gradients are added up."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is fine-tuned.

    Args:
        learning_rates: one hyperparameter set each.
        batch_size: examples a step.
        epochs: passes over the training split, at most.
        warmup: fraction of the steps over which the rate rises; then it falls linearly to zero.
        weight_decay: decoupled, on matrices only.
        patience: stop after so many epochs without a better development score, or an equal one with a smaller loss;
            None: never.
        seeds: of head, order and dropout.
        precision: of the large matrix products in training; weights and evaluation stay float32. ``bfloat16`` is half
            as fast again where the processor has it.

    Raises:
        ValueError: for a value outside its range.
    """

    learning_rates: tuple[float, ...] = (5e-5,)
    batch_size: int = 32
    epochs: int = 3
    warmup: float = 0.1
    weight_decay: float = 0.01
    patience: int | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        least = min(self.batch_size, self.epochs, self.patience or 1, len(self.seeds), len(self.learning_rates))
        if least < 1:
            raise InputError(
                f"expected at least one learning rate, seed, epoch, example a batch and epoch of patience, got {self}"
            )
        _ = self.hyperparameters

    @property
    def hyperparameters(self) -> tuple[Hyperparameters, ...]:
        """Theta."""
        return tuple(
            Hyperparameters(
                learning_rate=rate,
                schedule="linear",
                warmup=self.warmup,
                weight_decay=self.weight_decay,
                betas=(0.9, 0.999),
            )
            for rate in self.learning_rates
        )


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """What came out.

    Attributes:
        checkpoint: the stock checkpoint of the training that is best on development data.
        hyperparameters: the set that is best on development data, mean over the seeds.
        development: score of each seed with it, on development data: what the choice was made on.
        sealed: for each seed every metric by name, and their mean ``"score"``, on the sealed split.
        apart: for each seed the score on the sealed rows that belong with none of the others; None where all do.
        related: how many sealed rows belong with training or development rows: near copies, texts within texts.
        steps: optimiser steps of each seed.
        trainings: how many trainings were compared.
        length: tokens that sequences were cut to.
        cut: share of the training sequences that are as long as that.
    """

    checkpoint: Path
    hyperparameters: Hyperparameters
    development: tuple[float, ...]
    sealed: tuple[Mapping[str, float], ...]
    apart: tuple[float, ...] | None
    related: int
    steps: tuple[int, ...]
    trainings: int
    length: int
    cut: float

    def row(self, method: str) -> dict[str, Any]:
        """A row of the comparison: means over the seeds with 95 % intervals."""
        mean, half = interval([one["score"] for one in self.sealed])
        metrics = {name: statistics.fmean(one[name] for one in self.sealed) for name in self.sealed[0]}
        return {
            "method": method,
            "mean": mean,
            "ci95": half,
            "seeds": len(self.sealed),
            "steps": max(self.steps),
            "metrics": {name: value for name, value in metrics.items() if name != "score"},
            "scores": [one["score"] for one in self.sealed],
            "apart": None if self.apart is None else statistics.fmean(self.apart),
            "development": statistics.fmean(self.development),
            "learning_rate": self.hyperparameters.learning_rate,
        }


def finetune(
    task: Task,
    learner: Learner,
    recipe: Recipe,
    folder: Path,
    *,
    identity: str = "",
    purpose: Mapping[str, Any] | None = None,
    watch: Watch = silent,
) -> Finetuned:
    """Fine-tune with every hyperparameter set and seed; choose on development data, score on the sealed split.

    Args:
        task: examples in three splits.
        learner: network, head and tokenizer.
        recipe: how.
        folder: for trainings and the checkpoint; the same call goes on with what it holds.
        identity: of the initial weights: with others, trainings are made anew.
        purpose: what the checkpoint says it was made for, in its ``subarch.json``.
        watch: told about every training's steps.

    Raises:
        RuntimeError: when every training diverged.
        OSError: when the folder cannot be written.
    """
    return _Finetuning(task, learner, recipe, folder, identity, purpose or {}, watch).result()


class _Finetuning:
    """All trainings of one call."""

    def __init__(
        self,
        task: Task,
        learner: Learner,
        recipe: Recipe,
        folder: Path,
        identity: str,
        purpose: Mapping[str, Any],
        watch: Watch,
    ) -> None:
        self._task, self._learner, self._recipe, self._folder = task, learner, recipe, folder
        self._purpose = purpose
        self._watch = watch
        network = learner.make(recipe.seeds[0])
        self._train = learner.tokens(task.train, network)
        self._development = learner.tokens(task.development, network)
        self._common = {
            "task": task.fingerprint,
            "network": identity,
            "tokenizer": hashlib.sha256(settings_of(learner.tokenizer).encode()).hexdigest(),
            "config": json.loads(network.config.to_json_string(use_diff=False)),
            "length": learner.length,
            "batch_size": recipe.batch_size,
            "epochs": recipe.epochs,
            "patience": recipe.patience,
            "precision": recipe.precision,
        }
        say_what_is_cut(self._train)
        self._plan = [(theta, seed) for theta in recipe.hyperparameters for seed in recipe.seeds]

    def result(self) -> Finetuned:
        chosen: Hyperparameters | None = None
        best: list[dict[str, Any]] = []
        for theta in self._recipe.hyperparameters:
            records = [self._trained(theta, seed) for seed in self._recipe.seeds]
            finite = all(record["failure"] is None for record in records)
            if finite and (chosen is None or _mean(records) > _mean(best)):
                self._forget(best)
                chosen, best = theta, records
            else:
                self._forget(records)
        if chosen is None:
            failures = sorted({str(self._record(theta, seed)["failure"]) for theta, seed in self._plan})
            raise RuntimeError(f"a training of every learning rate diverged ({'; '.join(failures)}): lower them")
        sealed = self._sealed(chosen)
        apart = [one["apart"] for one in sealed]
        checkpoint = self._checkpoint(max(best, key=_rank))
        self._sweep()
        return Finetuned(
            checkpoint=checkpoint,
            hyperparameters=chosen,
            development=tuple(record["development"]["score"] for record in best),
            sealed=tuple({name: value for name, value in one.items() if name != "apart"} for one in sealed),
            apart=None if None in apart else tuple(apart),
            related=sum(self._related),
            steps=tuple(record["steps"] for record in best),
            trainings=len(self._plan),
            length=self._learner.length,
            cut=self._train.cut_share,
        )

    # One training

    def _home(self, theta: Hyperparameters, seed: int) -> Path:
        content = json.dumps({**self._common, "hyperparameters": theta.to_json(), "seed": seed}, sort_keys=True)
        return self._folder / "trainings" / hashlib.sha256(content.encode()).hexdigest()[:16]

    def _record(self, theta: Hyperparameters, seed: int) -> dict[str, Any]:
        return json.loads((self._home(theta, seed) / "record.json").read_text(encoding="utf-8"))

    def _trained(self, theta: Hyperparameters, seed: int) -> dict[str, Any]:
        """The record of one training, from disk where it is finished."""
        home = self._home(theta, seed)
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "record.json").is_file():
            began = time.monotonic()
            n = self._plan.index((theta, seed)) + 1
            which = f", training {n} of {len(self._plan)}" if len(self._plan) > 1 else ""
            stage = f"fine-tuning on {self._task.name}{which}"
            content = _OneTraining(self._task, self._learner, self._recipe, self._train, self._development).run(
                theta, seed, home, lambda done, total, note: self._watch(stage, done=done, total=total, note=note)
            )
            content = {**content, "home": home.name, "seconds": round(time.monotonic() - began, 3)}
            write_json(home / "record.json", content)
            (home / "unfinished.pt").unlink(missing_ok=True)
        return self._record(theta, seed)

    def _forget(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Weights that nothing needs any more; the records stay."""
        for record in records:
            (self._folder / "trainings" / record["home"] / "model.safetensors").unlink(missing_ok=True)

    def _sweep(self) -> None:
        """What no later call needs: weights, and the state of what is finished."""
        for home in (self._folder / "trainings").iterdir():
            if (home / "record.json").is_file():
                (home / "model.safetensors").unlink(missing_ok=True)
                (home / "unfinished.pt").unlink(missing_ok=True)

    # The end

    def _model(self, theta: Hyperparameters, seed: int) -> PreTrainedModel:
        home = self._home(theta, seed)
        if not (home / "model.safetensors").is_file():  # of an earlier call that chose otherwise
            (home / "record.json").unlink(missing_ok=True)
            self._trained(theta, seed)
        model = self._learner.make(seed)
        model.load_state_dict(load_file(home / "model.safetensors"))
        return model.eval()

    @cached_property
    def _related(self) -> list[bool]:
        return related_to_others(self._task)

    def _sealed(self, theta: Hyperparameters) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        split = self._task.sealed.open()
        tokens: Tokens | None = None
        for n, seed in enumerate(self._recipe.seeds):
            path = self._home(theta, seed) / "sealed.json"
            if "apart" not in (read_json(path) or {}):
                self._watch("scoring the sealed split", done=n, total=len(self._recipe.seeds))
                model = self._model(theta, seed)
                tokens = self._learner.tokens(split, model) if tokens is None else tokens
                task, said = self._task, self._task.kind.decide(outputs(model, tokens))
                apart = task.kind.score_apart(task.metrics, split, said, self._related)
                write_json(path, {**task.kind.score(task.metrics, split, said), "apart": apart})
            found.append(json.loads(path.read_text(encoding="utf-8")))
        return found

    def _checkpoint(self, record: Mapping[str, Any]) -> Path:
        folder = self._folder / "checkpoint"
        purpose = {**self._purpose, "training": record["home"]}
        if read_purpose(folder) != json.loads(json.dumps(purpose)):
            theta = next(one for one in self._recipe.hyperparameters if one.to_json() == record["hyperparameters"])
            save_checkpoint(self._model(theta, record["seed"]), self._learner, folder, purpose)
        return folder


@dataclass(frozen=True)
class _OneTraining:
    """One hyperparameter set with one seed."""

    task: Task
    learner: Learner
    recipe: Recipe
    train: Tokens
    development: Tokens

    def run(
        self, theta: Hyperparameters, seed: int, home: Path, tick: Callable[[int, int, str], None]
    ) -> dict[str, Any]:
        """Train; leave the best epoch's weights in ``home`` and return what the record says."""
        target, size = self.learner.target, self.recipe.batch_size
        model = self.learner.make(seed)
        steps = self.recipe.epochs * math.ceil(len(self.train) / size)
        training = Training(model, in_precision(target.loss, self.recipe.precision), theta, steps=steps)
        kept = _Kept(home / "unfinished.pt")
        failure: str | None = None
        with seeded(seed):
            kept.restore(training)
            try:
                while len(kept.history) < self.recipe.epochs and not is_stale(kept.history, self.recipe.patience):
                    note = f"best so far {kept.best['score']:.3f}" if kept.best else ""
                    self._epoch(training, model, seed, kept, lambda step, note=note: tick(step, steps, note))
                    kept.add(training, model, self._scores(model))
            except DivergenceError as error:
                failure = str(error)
        common = {"seed": seed, "hyperparameters": theta.to_json(), "history": kept.history, "steps": training.step}
        if failure is not None:
            return {**common, "failure": failure, "development": None}
        model.load_state_dict(kept.weights)
        target.in_units(model)
        with written_whole(home / "model.safetensors") as part:
            save_file({name: value.contiguous() for name, value in model.state_dict().items()}, part)
        return {**common, "failure": None, "development": kept.best}

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
        batches = epoch(self.train.lengths, self.recipe.batch_size, (seed, len(kept.history)))
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
        return {**scored(self.task, self.task.development, found), "loss": loss}


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


def say_what_is_cut(tokens: Tokens) -> None:
    """Warn where more than a few sequences are too long to be read whole."""
    if tokens.cut_share > CUT_WORTH_SAYING:
        _LOG.warning(
            "%.0f %% of the training sequences are longer than %d tokens and are cut: --max-length takes more",
            100 * tokens.cut_share,
            tokens.length,
        )


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


LossFunction = Callable[[nn.Module, Batch], Tensor]


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


def scored(task: Task, split: Split, found: Sequence[Any]) -> dict[str, float]:
    """Every metric of the task on a split, and their mean ``"score"``."""
    return task.kind.score(task.metrics, split, task.kind.decide(found))


def in_order(scores: Mapping[str, float]) -> tuple[float, float]:
    """Small development sets know few scores; among equal ones the loss decides."""
    return scores["score"], -scores["loss"]


def _rank(record: Mapping[str, Any]) -> tuple[float, float]:
    return in_order(record["development"])


def _mean(records: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    ranks = [_rank(record) for record in records]
    return statistics.fmean(rank[0] for rank in ranks), statistics.fmean(rank[1] for rank in ranks)
