"""Agora on text: stock models as students and teachers, on disk as soon as they are trained."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.agora.data import Labelled, Labels, Predict
from subarch.agora.ledger import training_key
from subarch.agora.pruning import Theta
from subarch.errors import InputError
from subarch.learning.batches import epoch
from subarch.learning.epochs import Precision, advance, in_order, in_precision, is_stale
from subarch.learning.heads import TaskNetwork, outputs, read, seeded
from subarch.learning.training import DivergenceError, Hyperparameters, Training
from subarch.progress import Watch, silent
from subarch.storage import read_json, write_json, written_whole
from subarch.tasks.dealing import Kinship
from subarch.tasks.kinds.base import Kind, Thresholds
from subarch.tasks.relatives import NEAR
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split
from subarch.text.tokenizers import settings_of
from subarch.threads import pinned


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """When a training ends early, and which of its moments counts: judged by development examples after every epoch.

    Args:
        patience: epochs without a better score, or the same one with a smaller loss.
        every: steps of an epoch of the training data.
        metrics: of the score.
        development: examples with labels. What has learned from them cannot be judged by them: it makes all steps.
    """

    patience: int
    every: int
    metrics: tuple[str, ...]
    development: Split

    def judges(self, points: Sequence[Example]) -> bool:
        """Whether a training on these points may be judged."""
        return {one.texts for one in self.development}.isdisjoint(one.texts for one in points)


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """Rows on which thresholds are chosen.

    Attributes:
        metrics: that they are to serve.
        development: examples with labels.
        held: these and all others that a student may have learned from as well, in the end: thresholds are those of
            the like that has not.
    """

    metrics: tuple[str, ...]
    development: Split
    held: Sequence[Example] = ()

    def without(self, data: Labelled[Example]) -> Labelled[Example]:
        """Data without development rows."""
        out = {one.texts for one in (*self.development, *self.held)}
        kept = [n for n, one in enumerate(data.points) if one.texts not in out]
        return data if len(kept) == len(data) else Labelled(tuple(data.points[n] for n in kept), data.labels[kept])


@dataclass(frozen=True, kw_only=True)
class TextLearner:
    """A network with a head, trained for a number of steps that does not depend on the data, or fewer where it stops.

    Of a choice among candidates the position of the right one is what is learned: a label has a column for each
    position, and zeros where an example has fewer candidates.

    A hyperparameter set may say ``learning_rate`` (5e-5 otherwise), ``warmup`` (0.1) and ``weight_decay`` (0.01).

    Args:
        learner: network, head and tokenizer.
        network: identity of the initial weights.
        steps: of the optimiser, the same for every training: ways of training are compared at equal steps.
        batch_size: examples a step.
        folder: finished trainings are kept here by a digest of all that determines them, and never made again.
        precision: of the large matrix products in training.
        stopping: when a training ends before that; None: never.
        deciding: what thresholds are chosen on, where the kind has some; usual ones hold, when not given.
        threads: of torch, in whichever process it is trained; None leaves them as they are there.
        watch: told of the steps, in this process.
    """

    learner: TaskNetwork
    network: str
    steps: int
    folder: Path
    batch_size: int = 32
    precision: Precision = "float32"
    stopping: Stopping | None = None
    deciding: Deciding | None = None
    threads: int | None = None
    watch: Watch = silent

    def __getstate__(self) -> object:
        return {**self.__dict__, "watch": silent}  # whoever watches is not in the other process

    @property
    def kind(self) -> Kind:
        return self.learner.target.kind

    @property
    def identity(self) -> str:
        target = self.learner.target
        named = [target.kind, target.label_names, target.mean, target.scale, self.learner.length]
        read_with = hashlib.sha256(settings_of(self.learner.tokenizer).encode()).hexdigest()
        known = [self.network, named, read_with, self.steps, self.batch_size, self.precision]
        if (stop := self.stopping) is not None:
            known += [stop.patience, stop.every, stop.metrics, stop.development.digest]
        if self.deciding is not None and self.kind.has_thresholds:
            known += [self.deciding.metrics, self.deciding.development.digest]
        return json.dumps(known)

    def fit(self, data: Labelled[Example], theta: Theta, seed: int) -> Predict[Example]:
        """What the trained student answers, with its thresholds; its weights stay on disk until it is asked.

        Raises:
            ValueError, DivergenceError: as :meth:`student`.
        """
        self.student(data, theta, seed)
        target = self.learner.target

        def predict(points: Sequence[Example]) -> Labels:
            model = self.student(data, theta, seed)
            found = outputs(model, self.learner.tokens(points, model))
            moved = target.kind.moved(found, self.thresholds(data, theta, seed))
            return target.kind.rows_said(moved, data.labels.shape[1], target.units)

        return predict

    def student(self, data: Labelled[Example], theta: Theta, seed: int) -> PreTrainedModel:
        """The trained student, from disk where it is there; numbers come out in units of the labels' scale.

        Raises:
            ValueError: for a hyperparameter that is not known.
            DivergenceError: when the loss is not finite.
        """
        if unknown := set(theta) - {"learning_rate", "warmup", "weight_decay"}:
            raise InputError(f"expected learning_rate, warmup and weight_decay, got {', '.join(sorted(unknown))}")
        file = self.folder / f"{training_key(self, data, theta, seed)}.safetensors"
        model = self.learner.make(seed)
        if not file.is_file():
            with pinned(self.threads):
                self._train(model, data, theta, seed)
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(file) as part:
                save_file({name: value.contiguous() for name, value in model.state_dict().items()}, part)
        model.load_state_dict(load_file(file))
        return model.eval()

    def thresholds(self, data: Labelled[Example], theta: Theta, seed: int) -> Thresholds:
        """Those of a trained student, from disk where they are there; none where the usual ones hold.

        Raises:
            ValueError, DivergenceError: as :meth:`student`.
        """
        deciding = self.deciding
        if deciding is None or not self.kind.has_thresholds:
            return ()
        data = deciding.without(data)
        file = self.folder / f"{training_key(self, data, theta, seed)}.thresholds.json"
        if not file.is_file():
            model = self.student(data, theta, seed)
            found = outputs(model, self.learner.tokens(deciding.development, model))
            write_json(file, {"at": self.kind.thresholds(found, deciding.development, deciding.metrics)})
        return tuple((read_json(file) or {})["at"])

    def _train(self, model: PreTrainedModel, data: Labelled[Example], theta: Theta, seed: int) -> None:
        tokens = self.learner.tokens(data.points, model)
        labels = torch.from_numpy(data.labels).float()
        given: dict[str, Any] = {"learning_rate": 5e-5, "warmup": 0.1, "weight_decay": 0.01} | dict(theta)
        chosen = Hyperparameters(schedule="linear", betas=(0.9, 0.999), **given)
        training = Training(
            model, in_precision(self.learner.target.loss_of_rows, self.precision), chosen, steps=self.steps
        )
        judge = None
        if self.stopping is not None and self.stopping.judges(data.points):
            judge = _Judge(self.learner, self.stopping, model)
        model.train()
        with seeded(seed):
            for number in range(math.ceil(self.steps / math.ceil(len(data) / self.batch_size))):
                for rows in epoch(tokens.lengths, self.batch_size, (seed, number)):
                    if training.step == self.steps:
                        break
                    advance(training, tokens, rows, labels=labels)
                    self.watch("a student", done=training.step, total=self.steps)
                    if judge is not None and judge.has_seen_enough(training.step, self.steps):
                        break
                if judge is not None and judge.stale:
                    break
        if judge is not None:
            model.load_state_dict(judge.weights)

    def pack(self, point: Example) -> list[Any]:
        words = [] if point.words is None else [point.words]
        return [point.first, list(point.seconds), *words]

    def unpack(self, data: Any) -> Example:
        words = tuple((start, end) for start, end in data[2]) if len(data) > 2 else None
        return Example(data[0], tuple(data[1]), words=words)


class _Judge:
    """Looks at a network after every epoch, and keeps its weights when it was best."""

    def __init__(self, learner: TaskNetwork, stopping: Stopping, model: PreTrainedModel) -> None:
        self._learner, self._stopping, self._model = learner, stopping, model
        self._tokens = learner.tokens(stopping.development, model)
        self._history: list[dict[str, float]] = []
        self.weights: dict[str, Tensor] = {}

    @property
    def stale(self) -> bool:
        return is_stale(self._history, self._stopping.patience)

    def has_seen_enough(self, step: int, last: int) -> bool:
        """Judge the network where an epoch ends.

        Raises:
            DivergenceError: when its outputs are not finite.
        """
        if step % self._stopping.every and step != last:
            return False
        development, target = self._stopping.development, self._learner.target
        found = outputs(self._model, self._tokens)
        self._model.train()
        if not all(np.isfinite(one).all() for one in found):
            raise DivergenceError("the outputs for the development split are not finite")
        metrics, kind = self._stopping.metrics, target.kind
        said = kind.decide(found, kind.thresholds(found, development, metrics))
        value = kind.score(metrics, development, said)["score"]
        scores = {"score": value, "loss": target.loss_of(found, development)}
        if not self._history or in_order(scores) > max(map(in_order, self._history)):
            self.weights = {name: one.clone() for name, one in self._model.state_dict().items()}
        self._history.append(scores)
        return self.stale


def teacher(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    length: int,
    kind: Kind,
    order: Sequence[int] | None,
    *,
    width: int,
) -> Predict[Example]:
    """A fine-tuned checkpoint as a teacher.

    Args:
        model: with a head for the task.
        tokenizer: its own.
        length: tokens that a sequence is cut to.
        kind: of the task.
        order: for each class of the task the model's output; None where there are no classes.
        width: columns of the task's label rows.
    """

    def predict(points: Sequence[Example]) -> Labels:
        found = outputs(model, read(points, tokenizer, model, length))
        return kind.rows_said(found if order is None else [one[..., list(order)] for one in found], width)

    return predict


def answered(kind: Kind, rows: Labels, thresholds: Thresholds) -> Labels:
    """Label rows that a network teaches as those that it answers: with its thresholds at a half."""
    if not thresholds:
        return rows
    return kind.rows_said(kind.moved([kind.outputs_of(row) for row in rows], thresholds), rows.shape[1])


class TextGuard:
    """Refuses what belongs with given examples: all that :func:`subarch.tasks.dealing.deal` would keep beside them.

    That are examples with an equal text (of pairs one of four words or more), near copies, and texts that contain or
    lie in one of theirs.

    Args:
        forbidden: development and sealed examples.
        common: texts that keep nothing together, as the task has them.
        near: the similarity of near copies, in (0, 1]; 1 refuses equal texts alone.

    Raises:
        ValueError: for a similarity outside of its range.
    """

    def __init__(self, *forbidden: Sequence[Example], common: frozenset[str] = frozenset(), near: float = NEAR) -> None:
        if not 0 < near <= 1:
            raise InputError(f"near must lie in (0, 1], got {near}")
        self._kinship = Kinship([one for split in forbidden for one in split], common, near=near)

    @classmethod
    def of(cls, task: Task) -> TextGuard:
        """The guard of a task's development and sealed examples, of which it knows the texts alone."""
        return cls(task.development, task.sealed.unlabelled(), common=task.common)

    def forbids(self, points: Sequence[Example]) -> list[bool]:
        return self._kinship.of(points)
