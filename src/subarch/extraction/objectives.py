"""The error of a candidate: s training steps from a common start, then a distance on fixed held-out text.

Every candidate sees the same batches in the same order (common random numbers), with every hyperparameter set of
Theta and one or more seeds; e is the mean over the seeds on one held-out batch B, for the best set. Where a candidate
starts decides whether e means anything:

- ``inherit``: from the part of the source that fits it (:mod:`subarch.networks.inheritance`), by distillation. e is a
  distance to the source, zero for the source itself: the divergence of its class distributions or of its masked-token
  distributions where it has such a head, otherwise the distance of token-similarity matrices, which does not depend
  on the hidden size. With labelled data e is the error rate on the development split.
- ``scratch``: random weights and masked language modelling, as published. e is a cross-entropy.
- ``module.path:name``: a callable of the user's, ``(architecture, seed) -> float``.

``repeat`` > 0 draws other seeds, training batches, held-out text and calibration data: the spread over repeats is the
noise of e.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from subarch.learning.batches import Tokens, drawn, masked, tokenize
from subarch.learning.distances import (
    Batch,
    Classes,
    Labels,
    Language,
    MaskedTokens,
    Numbers,
    Objective,
    Relations,
)
from subarch.learning.training import Hyperparameters, Run, fit
from subarch.networks.encoder import EncoderFamily
from subarch.networks.inheritance import Inheritance
from subarch.networks.loading import loaded
from subarch.networks.sources import Source, weights_fingerprint
from subarch.networks.space import Value
from subarch.plugins import made
from subarch.running.timing import pinned
from subarch.text.corpora import Corpus, blocks, is_held_out, open_corpus
from subarch.text.examples import Example
from subarch.text.labelled import read_texts
from subarch.text.tasks import Task, load_task
from subarch.text.tokenizers import load_tokenizer, train_tokenizer

SCRATCH_VOCABULARY = 8192  # of a tokenizer trained for a preset; few steps learn nothing about rarer words
EVALUATION_BATCH = 32
LEAST_TEXTS = 16  # whole texts to judge by, and to learn from; so few are noisy, and the certificate says how much


@dataclass(frozen=True)
class Measurement:
    """The measured error of one architecture.

    Attributes:
        error: e, for the best hyperparameter set; infinite when every set diverged.
        standard_error: of the mean over the seeds; 0 for a single seed, whose scatter is not known.
        runs: one JSON record a training: seed, hyperparameters, error, losses, gradient_norm, failure.
        seconds: wall time.
    """

    error: float
    standard_error: float
    runs: list[dict[str, Any]]
    seconds: float


def rank_correlation(short: Sequence[float], long: Sequence[float]) -> float:
    """Spearman's rank correlation of the errors of the same architectures after few and after many steps.

    Raises:
        ValueError: for fewer than three pairs, or lists of different length.
    """
    if len(short) != len(long) or len(short) < 3:
        raise ValueError(f"rank correlation needs three or more pairs, got {len(short)} and {len(long)} errors")
    return float(cast("Any", spearmanr(short, long)).statistic)


# ---------------------------------------------------------------------- one candidate after another


class _Texts(NamedTuple):
    """Texts without labels; which of them judge is decided by each text alone."""

    name: str
    fingerprint: str
    train: Sequence[Example]
    held_out: Sequence[Example]


@dataclass
class _World:
    """Everything that candidates share within one repeat: held-out batches, students' builder, training batches."""

    held_out: list[Batch]
    student: Callable[[Mapping[str, Value], int], PreTrainedModel]
    training: dict[tuple[int, int], list[Batch]] = field(default_factory=dict[tuple[int, int], list[Batch]])


class CandidateError:
    """Measures e, the third objective. Picklable and cheap to pickle: weights and text are read when first needed.

    Args:
        source: where candidates come from.
        start: ``"inherit"`` (default where the source has weights), ``"scratch"``, or ``"module.path:name"`` of a
            callable ``(architecture, seed) -> float``; a class is instantiated first. It may also take ``steps``.
        steps: s, 0 or more; a default that fits the kind of error when not given.
        seeds: how many trainings are averaged.
        learning_rates: one hyperparameter set each; the best set counts.
        clip_weights: keep weights in [-clip, clip].
        corpus: as for :func:`subarch.text.corpora.open_corpus`; None for installed documentation.
        texts: instead of a corpus, texts as the network gets them (:func:`subarch.text.labelled.read_texts`), each
            a sequence of its own; only where a classifier or an encoder is distilled.
        data: labelled text, a file or a task's name; e is then the error rate.
        tokenizer: folder or name; the source's own when not given, trained on the corpus where there is none.
        threads: torch's threads while measuring; None leaves them.
        batch_size: sequences of a training batch.
        length: tokens of a sequence.
        held_out: sequences of the held-out batch B.
        calibration: sequences on which importance is measured.
        cache: folder for trained tokenizers.

    Raises:
        ValueError: for a start that the source does not allow, or options out of range.
    """

    def __init__(
        self,
        source: Source,
        *,
        start: str | None = None,
        steps: int | None = None,
        seeds: int = 1,
        learning_rates: Sequence[float] = (),
        clip_weights: float | None = None,
        corpus: str | Path | None = None,
        texts: Path | None = None,
        data: str | Path | None = None,
        tokenizer: str | Path | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        length: int | None = None,
        held_out: int | None = None,
        calibration: int = 64,
        cache: Path | None = None,
    ) -> None:
        self.source = source
        self.start = start or ("inherit" if source.checkpoint is not None else "scratch")
        self._numbers = {"seeds": seeds, "calibration": calibration, "batch_size": batch_size, "held_out": held_out}
        for name, value in {**self._numbers, "length": length and length - 2, "threads": threads}.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} is too small, got {value}: give at least {3 if name == 'length' else 1}")
        if steps is not None and steps < 0:
            raise ValueError(f"steps must be 0 or more, got {steps}")
        self.seeds, self.threads, self._calibration = seeds, threads, calibration
        self._corpus_path, self._texts_path, self._data_path = corpus, texts, data
        self._tokenizer_name, self._cache = tokenizer, cache
        self._clip, self._rates, self._steps = clip_weights, tuple(learning_rates), steps
        self._batch_size = batch_size
        self.length = length or (128 if data is not None or texts is not None else 64)
        self._forget()
        self._check_start()
        self._held_out = held_out or self._profile.held_out
        _ = self.hyperparameters

    # ------------------------------------------------------------------ what is asked

    @property
    def inherits(self) -> bool:
        """Whether candidates start from the source's weights, so that steps=0 has a meaning."""
        return self.start == "inherit"

    @property
    def custom(self) -> bool:
        """Whether the user's own callable measures the error."""
        return ":" in self.start

    @property
    def steps(self) -> int:
        """s."""
        if self._steps is not None:
            return self._steps
        return 0 if self.custom else self._profile.steps

    @cached_property
    def hyperparameters(self) -> tuple[Hyperparameters, ...]:
        """Theta."""
        profile = self._profile
        return tuple(
            Hyperparameters(learning_rate=rate, clip_weights=self._clip, scale_by_loss=profile.zero)
            for rate in self._rates or profile.learning_rates
        )

    @cached_property
    def definition(self) -> dict[str, Any]:
        """What e is, as JSON: two equal definitions measure the same thing."""
        common = {"start": self.start, "steps": self.steps, "seeds": list(range(self.seeds))}
        if self.source.checkpoint is not None:
            common["weights"] = weights_fingerprint(self.source.checkpoint)
        if self.custom:
            return common | {"loss": f"the value of {self.start}(architecture, seed)", "data": {}}
        given = self._texts_path is not None
        text: Task | Corpus | _Texts = self._task if self._task is not None else self._texts if given else self._corpus
        tokenizer = str(self._tokenizer_name or self.source.checkpoint or "trained on the corpus")
        return common | {
            "loss": self._profile.words,
            "hyperparameters": [one.to_json() for one in self.hyperparameters],
            "batch_size": self._batch_size or self._profile.batch_size,
            "length": self.length,
            "held_out": self._held_out,
            "calibration": self._calibration if self.inherits else 0,
            "tokenizer": Path(tokenizer).name,
            "data": {"name": str(text.name), "fingerprint": text.fingerprint},
        }

    def _check_start(self) -> None:
        if self.custom:
            _callable(self.start)  # found now rather than at the first training
        elif self.start not in ("inherit", "scratch"):
            raise ValueError(f"start must be 'inherit', 'scratch' or 'module.path:name', got {self.start!r}")
        elif not isinstance(self.source.family, EncoderFamily):
            raise ValueError(
                f"start {self.start!r} trains encoders on text, got a family {self.source.family.name!r}: give "
                "--start module.path:name, a function (architecture, seed) -> error of your own"
            )
        elif self.start == "inherit" and self.source.checkpoint is None:
            name = self.source.name
            raise ValueError(f"start 'inherit' needs a source with weights, {name!r} has none: use 'scratch'")
        elif self.start == "inherit":
            self._check_inheritance()
        if self._texts_path is not None:
            self._check_texts()

    def _check_texts(self) -> None:
        others = {"--corpus": self._corpus_path, "--data": self._data_path}
        for option, value in others.items():
            if value is not None:
                raise ValueError(f"--texts and {option} were both given: the error is measured on one of them")
        if self.start != "inherit" or self.source.kind == "masked-lm":
            raise ValueError(
                "--texts are what a classifier or an encoder is distilled on; masked tokens are learned from --corpus"
            )

    def _check_inheritance(self) -> None:
        """Refuse a space whose larger networks have nothing to inherit, before they are met hours into a search."""
        family = self._family
        for parameter in family.space.parameters:
            largest = parameter.choices[-1]
            if parameter.ordered and int(largest) > int(family.config[parameter.name]):
                raise ValueError(
                    f"the space has {parameter.name} up to {largest}, the source only {family.config[parameter.name]}: "
                    "candidates inherit what is there; leave larger choices out, or use --start scratch"
                )
        if "num_attention_heads" in family.space.names:
            columns = family.space.columns(family.space.sample(4096, 0))
            hidden = columns.get("hidden_size", np.array([int(family.config["hidden_size"])]))
            if np.any(columns["num_attention_heads"] * family.head_size != hidden):
                raise ValueError(
                    f"the source's attention heads have size {family.head_size} and are inherited whole: leave "
                    "num_attention_heads out of the space (it then follows hidden_size), add the constraint "
                    f'"hidden_size == {family.head_size} * num_attention_heads", or use --start scratch'
                )

    @cached_property
    def _profile(self) -> Objective:
        """The objective without its teacher: words and defaults."""
        missing = cast("Any", None)
        if self._data_path is not None:
            return Labels(missing, self._distils)
        if self.start != "inherit":
            return Language()
        classes = Classes if _num_labels(self._family.config) > 1 else Numbers
        kinds: dict[str | None, type[Any]] = {"classifier": classes, "masked-lm": MaskedTokens}
        return kinds.get(self.source.kind, Relations)(missing)

    # ------------------------------------------------------------------ measuring

    def measure(self, architecture: Mapping[str, Value], *, repeat: int = 0, steps: int | None = None) -> Measurement:
        """Train and measure one candidate.

        Args:
            architecture: by the names of the source's space.
            repeat: 0 for the error itself; 1, 2, ... for other seeds, batches, held-out text and calibration data.
            steps: instead of s.

        Raises:
            ValueError: when the candidate cannot inherit, or the text is too short.
        """
        start = time.perf_counter()
        steps = self.steps if steps is None else steps
        with pinned(self.threads):
            if self.custom:
                records = [self._call(architecture, seed + 1000 * repeat, steps) for seed in range(self.seeds)]
            else:
                records = list(self._trainings(architecture, repeat, steps))
        best = min(self._by_hyperparameters(records), key=statistics.fmean)
        spread = statistics.stdev(best) / math.sqrt(len(best)) if len(best) > 1 and math.isfinite(sum(best)) else 0.0
        return Measurement(statistics.fmean(best), spread, records, time.perf_counter() - start)

    @staticmethod
    def _by_hyperparameters(records: list[dict[str, Any]]) -> list[list[float]]:
        groups: dict[str, list[float]] = {}
        for record in records:
            error = math.inf if record["failure"] is not None else float(record["error"])
            groups.setdefault(str(record["hyperparameters"]), []).append(error)
        return list(groups.values())

    def _call(self, architecture: Mapping[str, Value], seed: int, steps: int) -> dict[str, Any]:
        function = _callable(self.start)
        takes = inspect.signature(function).parameters
        try:
            error = float(
                function(
                    dict(architecture),
                    seed,
                    **({"steps": steps} if "steps" in takes and (steps or self._steps is not None) else {}),
                )
            )
        except Exception as failed:  # the user's code: a failure of the work, whatever it raises
            raise RuntimeError(
                f"{self.start} failed on {dict(architecture)} with seed {seed}: {type(failed).__name__}: {failed}"
            ) from failed
        failure = None if 0 <= error < math.inf else f"{self.start} returned {error}"
        value = None if failure else error
        return {"seed": seed, "hyperparameters": {}, "error": value, "gradient_norm": None, "failure": failure}

    def _trainings(self, architecture: Mapping[str, Value], repeat: int, steps: int) -> Iterator[dict[str, Any]]:
        world = self._world(repeat)
        # Without steps the start alone counts, and an inherited one is the same for every seed and rate.
        alone = steps == 0 and self.inherits
        for seed in range(1 if alone else self.seeds):
            batches = self._training_batches(world, repeat, seed, steps)
            for hyperparameters in self.hyperparameters[: 1 if steps == 0 else None]:
                model = world.student(architecture, seed + 1000 * repeat)
                run = fit(model, self._loss, batches, hyperparameters, steps=steps)
                error = math.nan if run.failure else self._error(model, world.held_out)
                yield _record(seed, hyperparameters, run, error)

    def _loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return self._objective.losses(cast("PreTrainedModel", model), batch).mean()

    @torch.no_grad()
    def _error(self, model: PreTrainedModel, held_out: list[Batch]) -> float:
        values = [self._objective.errors(model.eval(), batch).double() for batch in held_out]
        return float(torch.cat(values).mean())

    # ------------------------------------------------------------------ what candidates share

    def __getstate__(self) -> dict[str, Any]:
        heavy = ("_worlds", "_lock", "_profile", "_task", "_texts", "_tokens", "_corpus", "_tokenizer", "_teacher")
        heavy += ("_objective",)
        return {name: value for name, value in self.__dict__.items() if name not in heavy}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._worlds: dict[int, _World] = {}
        self._lock = threading.RLock()

    @cached_property
    def _task(self) -> Task | None:
        task = None if self._data_path is None else load_task(self._data_path)
        if task is not None and task.kind != "classification":
            raise ValueError(
                f"the error of a candidate on labelled data is its error rate, but {task.name} is a {task.kind}: give "
                "data with classes, or leave --data away"
            )
        return task

    @cached_property
    def _texts(self) -> _Texts:
        assert self._texts_path is not None
        found = read_texts(self._texts_path)
        sides = [[one for one in found if is_held_out("\n".join(one.texts)) == side] for side in (False, True)]
        if min(map(len, sides)) < LEAST_TEXTS:
            raise ValueError(
                f"{self._texts_path}: expected at least {LEAST_TEXTS} texts to judge by (an eighth of all) and as many "
                f"to learn from, got {len(sides[1])} and {len(sides[0])}: give more of them"
            )
        lines = "\n\n".join("\n".join(one.texts) for one in found)
        return _Texts(self._texts_path.name, hashlib.sha256(lines.encode()).hexdigest(), sides[0], sides[1])

    @cached_property
    def _tokens(self) -> tuple[Tokens, Tokens]:
        """What is learned from and what is judged by, as token ids."""
        types = int(self._family.config.get("type_vocab_size") or 0) > 1
        if self._task is not None:
            train, held_out = self._task.train, self._task.development
        else:
            train, held_out = self._texts.train, self._texts.held_out
        train_tokens = tokenize(train, self._tokenizer, length=self.length, types=types)
        return train_tokens, tokenize(held_out, self._tokenizer, length=self.length, types=types)

    @cached_property
    def _corpus(self) -> Corpus:
        return open_corpus(self._corpus_path)

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerFast:
        vocabulary = int(self._family.config["vocab_size"])
        name = self._tokenizer_name or self.source.checkpoint
        if name is None:
            return train_tokenizer(self._corpus, min(vocabulary, SCRATCH_VOCABULARY), cache=self._cache)
        tokenizer = load_tokenizer(name)
        if len(tokenizer) > vocabulary:
            raise ValueError(
                f"the tokenizer {str(name)!r} has {len(tokenizer)} tokens, the network {vocabulary}: give its own one"
            )
        return tokenizer

    @property
    def _family(self) -> EncoderFamily:
        return cast("EncoderFamily", self.source.family)

    @property
    def _distils(self) -> bool:
        """Whether labelled data meet a source that already knows as many classes."""
        if self._task is None or not self.inherits or self.source.kind != "classifier":
            return False
        return _num_labels(self._family.config) == len(self._task.label_names)

    @cached_property
    def _teacher(self) -> PreTrainedModel:
        # A fresh head has random weights: the same ones for every candidate and every process.
        path, kind = str(self.source.checkpoint), self.source.kind
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if self._task is not None and not self._distils:
                classes: dict[str, Any] = {"num_labels": len(self._task.label_names), "ignore_mismatched_sizes": True}
                return loaded(AutoModelForSequenceClassification, path, fresh=("classifier", "pooler"), **classes)
            if kind == "classifier":
                return loaded(AutoModelForSequenceClassification, path)
            if kind == "masked-lm":
                return loaded(AutoModelForMaskedLM, path)
            return loaded(AutoModel, path, add_pooling_layer=False)

    @cached_property
    def _objective(self) -> Objective:
        if self._task is not None:
            names = list(self._task.label_names)
            teacher = self._teacher if self._distils else cast("Any", None)
            given = _class_outputs(teacher) if self._distils else {}
            # Where the source's names are the task's, they say which output is which; otherwise the order does.
            order = [given[name] for name in names] if set(given) == set(names) else list(range(len(names)))
            return Labels(teacher, self._distils, torch.tensor(order))
        if not self.inherits:
            return Language()
        return cast("Any", type(self._profile))(self._teacher)

    def _world(self, repeat: int) -> _World:
        with self._lock:
            if repeat not in self._worlds:
                # The error itself and one repeat at a time: calibrations of large sources are large.
                self._worlds = {kept: world for kept, world in self._worlds.items() if kept == 0}
                self._worlds[repeat] = _World(self._held_out_batches(repeat), self._builder(repeat))
            return self._worlds[repeat]

    def _builder(self, repeat: int) -> Callable[[Mapping[str, Value], int], PreTrainedModel]:
        if self.inherits:
            batches = self._batches(self._calibration, EVALUATION_BATCH, held_out=False, seed=_mixed(2, 0, repeat))
            inheritance = Inheritance(self._teacher, batches)
            return lambda architecture, _seed: inheritance.student(architecture)
        lock = self._lock

        def build(architecture: Mapping[str, Value], seed: int) -> PreTrainedModel:
            config = self._family.config_for(architecture)
            kind: Any = AutoModelForMaskedLM
            if self._task is not None:
                config.num_labels, kind = len(self._task.label_names), AutoModelForSequenceClassification
            with lock, torch.random.fork_rng(devices=[]):  # torch has one random state for all threads
                torch.manual_seed(seed)
                return kind.from_config(config, dtype=torch.float32).eval()

        return build

    def _held_out_batches(self, repeat: int) -> list[Batch]:
        batches = self._batches(self._held_out, EVALUATION_BATCH, held_out=True, seed=_mixed(1, 0, repeat))
        with torch.no_grad():
            return [self._objective.prepared(batch) for batch in batches]

    def _training_batches(self, world: _World, repeat: int, seed: int, steps: int) -> list[Batch]:
        with self._lock:
            if steps and (seed, steps) not in world.training:
                size = self._batch_size or self._profile.batch_size
                batches = self._batches(steps * size, size, held_out=False, seed=_mixed(0, seed, repeat))
                with torch.no_grad():
                    world.training[seed, steps] = [self._objective.prepared(batch) for batch in batches]
            return world.training.get((seed, steps), [])

    def _batches(self, count: int, size: int, *, held_out: bool, seed: int) -> list[Batch]:
        if self._task is not None or self._texts_path is not None:
            return drawn(self._tokens[held_out], count, size, held_out=held_out, seed=seed)
        rows = blocks(self._corpus, self._tokenizer, length=self.length, count=count, held_out=held_out, seed=seed)
        batches = [{"input_ids": part} for part in torch.from_numpy(rows).split(size)]
        if isinstance(self._profile, MaskedTokens | Language):
            return [masked(batch, self._tokenizer, seed + i) for i, batch in enumerate(batches)]
        return batches


def _mixed(purpose: int, seed: int, repeat: int) -> int:
    """A seed for each purpose, seed and repeat, far from one another."""
    return int(np.random.SeedSequence([purpose, seed, repeat]).generate_state(1)[0])


def _record(seed: int, hyperparameters: Hyperparameters, run: Run, error: float) -> dict[str, Any]:
    failure = run.failure or (None if math.isfinite(error) else f"the held-out error was {error}")
    return {
        "seed": seed,
        "hyperparameters": hyperparameters.to_json(),
        "error": error if failure is None else None,
        "first_loss": run.losses[0] if run.losses and math.isfinite(run.losses[0]) else None,
        "last_loss": run.losses[-1] if run.losses and math.isfinite(run.losses[-1]) else None,
        "gradient_norm": run.gradient_norm if run.losses and math.isfinite(run.gradient_norm) else None,
        "weight_norm": run.weight_norm if math.isfinite(run.weight_norm) else None,
        "failure": failure,
    }


def _class_outputs(model: PreTrainedModel) -> dict[str, int]:
    names: Mapping[int, str] = cast("Any", model.config).id2label
    return {str(name): int(output) for output, name in names.items()}


def _num_labels(config: Mapping[str, Any]) -> int:
    # Configs of classifiers name their classes; two is what the stock library writes out by leaving the names away.
    return len(config["id2label"]) if config.get("id2label") else int(config.get("num_labels") or 2)


def _callable(name: str) -> Callable[..., Any]:
    expected = "module.path:name of a callable"
    found = made(name, "start", expected, lambda one: one() if inspect.isclass(one) else one)
    if not callable(found):
        raise ValueError(f"start {name!r} must be a function (architecture, seed) -> float, got {type(found).__name__}")
    return cast("Callable[..., Any]", found)
