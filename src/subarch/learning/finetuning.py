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
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from transformers import PreTrainedModel

from subarch.learning.checkpoints import save_checkpoint
from subarch.learning.epochs import Finished, OneTraining, in_order
from subarch.learning.heads import TaskNetwork, outputs
from subarch.learning.purposes import Purpose
from subarch.learning.training import Hyperparameters
from subarch.options.tasks import FinetuneSettings
from subarch.progress import Watch, silent
from subarch.results.finetune import MethodResult
from subarch.storage import read_json, write_json
from subarch.tasks.dealing import related_to_others
from subarch.tasks.metrics import interval
from subarch.tasks.task import Task
from subarch.text.encoding import Tokens
from subarch.text.tokenizers import settings_of

_LOG = logging.getLogger(__name__)


CUT_WORTH_SAYING = 0.02  # of the training sequences


def hyperparameters_of(settings: FinetuneSettings) -> tuple[Hyperparameters, ...]:
    """Theta: one set for each learning rate."""
    return tuple(
        Hyperparameters(
            learning_rate=rate,
            schedule="linear",
            warmup=settings.warmup,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.999),
        )
        for rate in settings.learning_rates
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

    def row(self, method: str) -> MethodResult:
        """A row of the comparison: means over the seeds with 95 % intervals."""
        mean, half = interval([one["score"] for one in self.sealed])
        metrics = {name: statistics.fmean(one[name] for one in self.sealed) for name in self.sealed[0]}
        return MethodResult(
            method=method,
            mean=mean,
            ci95=half,
            seeds=len(self.sealed),
            steps=max(self.steps),
            metrics={name: value for name, value in metrics.items() if name != "score"},
            scores=tuple(one["score"] for one in self.sealed),
            apart=None if self.apart is None else statistics.fmean(self.apart),
            development=statistics.fmean(self.development),
            learning_rate=self.hyperparameters.learning_rate,
        )


def finetune(
    task: Task,
    learner: TaskNetwork,
    settings: FinetuneSettings,
    folder: Path,
    *,
    identity: str = "",
    purpose: Purpose | None = None,
    watch: Watch = silent,
) -> Finetuned:
    """Fine-tune with every hyperparameter set and seed; choose on development data, score on the sealed split.

    Args:
        task: examples in three splits.
        learner: network, head and tokenizer.
        settings: how.
        folder: for trainings and the checkpoint; the same call goes on with what it holds.
        identity: of the initial weights: with others, trainings are made anew.
        purpose: what the checkpoint says it was made for, in its ``subarch.json``.
        watch: told about every training's steps.

    Raises:
        RuntimeError: when every training diverged.
        OSError: when the folder cannot be written.
    """
    return _Finetuning(task, learner, settings, folder, identity, purpose or Purpose(), watch).result()


class _Finetuning:
    """All trainings of one call."""

    def __init__(
        self,
        task: Task,
        learner: TaskNetwork,
        settings: FinetuneSettings,
        folder: Path,
        identity: str,
        purpose: Purpose,
        watch: Watch,
    ) -> None:
        self._task, self._learner, self._settings, self._folder = task, learner, settings, folder
        self._purpose = purpose
        self._watch = watch
        network = learner.make(0)
        self._train = learner.tokens(task.train, network)
        self._development = learner.tokens(task.development, network)
        self._common = {
            "task": task.fingerprint,
            "metrics": task.metrics,
            "network": identity,
            "tokenizer": hashlib.sha256(settings_of(learner.tokenizer).encode()).hexdigest(),
            "config": json.loads(network.config.to_json_string(use_diff=False)),
            "length": learner.length,
            "batch_size": settings.batch_size,
            "epochs": settings.epochs,
            "patience": settings.patience,
            "precision": settings.precision,
        }
        say_what_is_cut(self._train)
        self._plan = [(theta, seed) for theta in hyperparameters_of(settings) for seed in range(settings.seeds)]

    def result(self) -> Finetuned:
        chosen: Hyperparameters | None = None
        best: list[Finished] = []
        for theta in hyperparameters_of(self._settings):
            records = [self._trained(theta, seed) for seed in range(self._settings.seeds)]
            finite = all(record.failure is None for record in records)
            if finite and (chosen is None or _mean(records) > _mean(best)):
                self._forget(best)
                chosen, best = theta, records
            else:
                self._forget(records)
        if chosen is None:
            failures = sorted({str(self._record(theta, seed).failure) for theta, seed in self._plan})
            raise RuntimeError(f"a training of every learning rate diverged ({'; '.join(failures)}): lower them")
        sealed = self._sealed(chosen)
        apart = [one["apart"] for one in sealed]
        checkpoint = self._checkpoint(max(best, key=_rank))
        self._sweep()
        return Finetuned(
            checkpoint=checkpoint,
            hyperparameters=chosen,
            development=tuple(record.best["score"] for record in best),
            sealed=tuple({name: value for name, value in one.items() if name != "apart"} for one in sealed),
            apart=None if None in apart else tuple(apart),
            related=sum(self._related),
            steps=tuple(record.steps for record in best),
            trainings=len(self._plan),
            length=self._learner.length,
            cut=self._train.cut_share,
        )

    # One training

    def _home(self, theta: Hyperparameters, seed: int) -> Path:
        content = json.dumps({**self._common, "hyperparameters": theta.to_json(), "seed": seed}, sort_keys=True)
        return self._folder / "trainings" / hashlib.sha256(content.encode()).hexdigest()[:16]

    def _record(self, theta: Hyperparameters, seed: int) -> Finished:
        return Finished.from_json(json.loads((self._home(theta, seed) / "record.json").read_text(encoding="utf-8")))

    def _trained(self, theta: Hyperparameters, seed: int) -> Finished:
        """The record of one training, from disk where it is finished."""
        home = self._home(theta, seed)
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "record.json").is_file():
            began = time.monotonic()
            n = self._plan.index((theta, seed)) + 1
            which = f", training {n} of {len(self._plan)}" if len(self._plan) > 1 else ""
            stage = f"fine-tuning on {self._task.name}{which}"
            content = OneTraining(self._task, self._learner, self._settings, self._train, self._development).run(
                theta, seed, home, lambda done, total, note: self._watch(stage, done=done, total=total, note=note)
            )
            content = replace(content, home=home.name, seconds=round(time.monotonic() - began, 3))
            write_json(home / "record.json", content.to_json())
            (home / "unfinished.pt").unlink(missing_ok=True)
        return self._record(theta, seed)

    def _forget(self, records: Sequence[Finished]) -> None:
        """Weights that nothing needs any more; the records stay."""
        for record in records:
            (self._folder / "trainings" / record.home / "model.safetensors").unlink(missing_ok=True)

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
        for seed in range(self._settings.seeds):
            path = self._home(theta, seed) / "sealed.json"
            if "apart" not in (read_json(path) or {}):
                self._watch("scoring the sealed split", done=seed, total=self._settings.seeds)
                model = self._model(theta, seed)
                tokens = self._learner.tokens(split, model) if tokens is None else tokens
                task, thresholds = self._task, self._record(theta, seed).thresholds
                said = task.kind.decide(outputs(model, tokens), thresholds)
                apart = task.kind.score_apart(task.metrics, split, said, self._related)
                write_json(path, {**task.kind.score(task.metrics, split, said), "apart": apart})
            found.append(json.loads(path.read_text(encoding="utf-8")))
        return found

    def _checkpoint(self, record: Finished) -> Path:
        folder = self._folder / "checkpoint"
        purpose = replace(self._purpose, training=record.home, thresholds=record.thresholds or None)
        if Purpose.read(folder) != purpose:
            theta = next(one for one in hyperparameters_of(self._settings) if one.to_json() == record.hyperparameters)
            save_checkpoint(self._model(theta, record.seed), self._learner, folder, purpose)
        return folder


def say_what_is_cut(tokens: Tokens) -> None:
    """Warn where more than a few sequences are too long to be read whole."""
    if tokens.cut_share > CUT_WORTH_SAYING:
        _LOG.warning(
            "%.0f %% of the training sequences are longer than %d tokens and are cut: --max-length takes more",
            100 * tokens.cut_share,
            tokens.length,
        )


def _rank(record: Finished) -> tuple[float, float]:
    return in_order(record.best)


def _mean(records: Sequence[Finished]) -> tuple[float, float]:
    ranks = [_rank(record) for record in records]
    return statistics.fmean(rank[0] for rank in ranks), statistics.fmean(rank[1] for rank in ranks)
