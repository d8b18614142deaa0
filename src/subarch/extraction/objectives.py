"""The error of a candidate: s training steps from a common start, then a distance on fixed held-out examples.

Every candidate sees the same batches in the same order (common random numbers), with every hyperparameter set of
Theta and one or more seeds; e is the mean over the seeds on one held-out batch B, for the best set. Where a candidate
starts decides whether e means anything:

- ``inherit``: from the part of the source that fits it (:mod:`subarch.networks.inheritance`), by distillation. e is a
  distance to the source, zero for the source itself: the divergence of its class distributions or of its masked-token
  distributions where it has such a head, otherwise the distance of token-similarity matrices, which does not depend
  on the hidden size. With labelled data e is the error rate on the development split. A family of the user's own that
  has weights and examples says which of these its outputs are compared by.
- ``scratch``: random weights and masked language modelling, as published. e is a cross-entropy.
- ``module.path:name``: a callable of the user's, ``(architecture, seed) -> float``.

``repeat`` > 0 draws other seeds, training batches, held-out text and calibration data: the spread over repeats is the
noise of e.
"""

from __future__ import annotations

import inspect
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from subarch.errors import InputError
from subarch.extraction.families import FamilyMaterial
from subarch.extraction.material import Material
from subarch.extraction.preparation import trimmed_from
from subarch.extraction.textual import TextMaterial, require_inheritable
from subarch.learning.distances import Batch
from subarch.learning.training import Hyperparameters, TrainingRun, fit
from subarch.networks.encoder import EncoderFamily
from subarch.networks.inheritance import WORDS
from subarch.networks.sources import Source
from subarch.networks.space import Value
from subarch.networks.stock import positions
from subarch.options.tasks import TaskOptions
from subarch.plugins import made
from subarch.results.base import Json, Record
from subarch.threads import pinned

TEXT_TOKENS = 128  # of a text that candidates are judged by
BLOCK_TOKENS = 64  # of a block of packed prose
CALIBRATION_SEQUENCES = 64


@dataclass(frozen=True, kw_only=True)
class CandidateRun(Record):
    """One training of a candidate.

    Attributes:
        seed: of batches and new weights.
        hyperparameters: an element of Theta; nothing where the user's own callable measures.
        error: on held-out text; None where it failed.
        failure: why it failed, if it did.
        first_loss, last_loss: of its steps, where these are numbers.
        gradient_norm, weight_norm: the largest ones, likewise.
    """

    seed: int
    hyperparameters: Json
    error: float | None
    failure: str | None
    first_loss: float | None = None
    last_loss: float | None = None
    gradient_norm: float | None = None
    weight_norm: float | None = None


@dataclass(frozen=True)
class Measurement:
    """The measured error of one architecture.

    Attributes:
        error: e, for the best hyperparameter set; infinite when every set diverged.
        standard_error: of the mean over the seeds; 0 for a single seed, whose scatter is not known.
        runs: every training.
        seconds: wall time.
    """

    error: float
    standard_error: float
    runs: Sequence[CandidateRun]
    seconds: float


def averaged(runs: Sequence[CandidateRun]) -> tuple[float, float]:
    """The error of the best hyperparameter set, mean over its seeds, and the standard error of that."""
    groups: dict[str, list[float]] = {}
    for run in runs:
        error = math.inf if run.failure is not None or run.error is None else run.error
        groups.setdefault(str(run.hyperparameters), []).append(error)
    best = min(groups.values(), key=statistics.fmean)
    spread = statistics.stdev(best) / math.sqrt(len(best)) if len(best) > 1 and math.isfinite(sum(best)) else 0.0
    return statistics.fmean(best), spread


def rank_correlation(short: Sequence[float], long: Sequence[float]) -> float:
    """Spearman's rank correlation of the errors of the same architectures after few and after many steps.

    Raises:
        ValueError: for fewer than three pairs, or lists of different length.
    """
    if len(short) != len(long) or len(short) < 3:
        raise InputError(f"rank correlation needs three or more pairs, got {len(short)} and {len(long)} errors")
    return float(cast("Any", spearmanr(short, long)).statistic)


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
        texts: instead of a corpus, texts as the network gets them (:func:`subarch.tasks.labelled.read_texts`), each
            a sequence of its own; only where a classifier or an encoder is distilled.
        data: labelled text, a file or a task's name, or options that also say how it is dealt out; e is then the error
            rate.
        tokenizer: folder or name; the source's own when not given, trained on the corpus where there is none.
        threads: torch's threads while measuring; None leaves them.
        batch_size: sequences of a training batch.
        length: tokens of a sequence.
        held_out: sequences, or examples of a family, of the held-out batch B.
        calibration: sequences, or examples of a family, on which importance is measured.
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
        data: str | Path | TaskOptions | None = None,
        tokenizer: str | Path | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        length: int | None = None,
        held_out: int | None = None,
        calibration: int | None = None,
        cache: Path | None = None,
    ) -> None:
        self.source = source
        self.start = start or ("inherit" if source.has_weights else "scratch")
        numbers = {"seeds": seeds, "calibration": calibration, "batch_size": batch_size, "held_out": held_out}
        for name, value in {**numbers, "length": length and length - 2, "threads": threads}.items():
            if value is not None and value < 1:
                raise InputError(f"{name} is too small, got {value}: give at least {3 if name == 'length' else 1}")
        if steps is not None and steps < 0:
            raise InputError(f"steps must be 0 or more, got {steps}")
        self.seeds, self.threads = seeds, threads
        self._clip, self._rates, self._steps = clip_weights, tuple(learning_rates), steps
        self._check_start()
        if self.inherits and source.family.has_weights:
            texts_alone = {"corpus": corpus, "texts": texts, "data": data, "tokenizer": tokenizer}
            _refuse(source, {**texts_alone, "length": length, "batch_size": batch_size})
            self.material: Material = FamilyMaterial(
                family=source.family, inherits=True, held_out=held_out, calibration=calibration
            )
        else:
            whole = data is not None or texts is not None
            self.material = TextMaterial(
                source=source,
                inherits=self.inherits,
                corpus=corpus,
                texts=texts,
                data=data,
                tokenizer=tokenizer,
                batch_size=batch_size,
                length=self._positions(length or (TEXT_TOKENS if whole else BLOCK_TOKENS)),
                held_out=held_out,
                calibration=calibration or CALIBRATION_SEQUENCES,
                cache=cache,
            )
        _ = self.hyperparameters

    def _positions(self, length: int) -> int:
        """So many tokens, or as many as the networks have positions for."""
        family = self.source.family
        longest = positions(family.config) if isinstance(family, EncoderFamily) else None
        return length if longest is None else min(length, longest)

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
        return 0 if self.custom else self.material.profile.steps

    @cached_property
    def hyperparameters(self) -> tuple[Hyperparameters, ...]:
        """Theta."""
        profile = self.material.profile
        return tuple(
            Hyperparameters(learning_rate=rate, clip_weights=self._clip, scale_by_loss=profile.zero)
            for rate in self._rates or profile.learning_rates
        )

    @cached_property
    def definition(self) -> Json:
        """What e is, as JSON: two equal definitions measure the same thing."""
        common: dict[str, Any] = {"start": self.start, "steps": self.steps, "seeds": list(range(self.seeds))}
        if self.source.opened is not None:
            common["weights"] = self.source.opened.fingerprint
            if (trimmed := trimmed_from(self.source.opened)) is not None:
                common["vocabulary"] = trimmed.to_json()
        if self.start == "inherit":
            common["inherits"] = WORDS
        if self.custom:
            return common | {"loss": f"the value of {self.start}(architecture, seed)", "data": {}}
        return common | {
            "loss": self.material.profile.words,
            "hyperparameters": [one.to_json() for one in self.hyperparameters],
            **self.material.described,
        }

    def _check_start(self) -> None:
        if self.custom:
            _callable(self.start)  # found now rather than at the first training
        elif self.start not in ("inherit", "scratch"):
            raise InputError(f"start must be 'inherit', 'scratch' or 'module.path:name', got {self.start!r}")
        elif self.inherits and self.source.family.has_weights:
            return
        elif not isinstance(self.source.family, EncoderFamily):
            raise InputError(
                f"start {self.start!r} trains encoders on text, got a family {self.source.family.name!r}"
                f"{'' if self.source.family.has_weights else ' without weights'}: give --start module.path:name, a "
                "function (architecture, seed) -> error of your own"
                f"{'' if self.source.family.has_weights else ', or the family trained() and examples()'}"
            )
        elif self.start == "inherit" and self.source.checkpoint is None:
            name = self.source.name
            raise InputError(f"start 'inherit' needs a source with weights, {name!r} has none: use 'scratch'")
        elif self.start == "inherit":
            require_inheritable(self.source.family)

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
                records = [record for _, record in self._trained(architecture, repeat, steps)]
        return Measurement(*averaged(records), records, time.perf_counter() - start)

    def network(self, architecture: Mapping[str, Value]) -> tuple[nn.Module, float]:
        """A candidate, trained as :meth:`measure` trains it, and its error; of several trainings the best.

        Raises:
            RuntimeError: when none succeeds.
        """
        best: tuple[nn.Module, float] | None = None
        with pinned(self.threads):
            for model, record in self._trained(architecture, 0, self.steps):
                if record.error is not None and (best is None or record.error < best[1]):
                    best = (model, record.error)
        if best is None:
            raise RuntimeError(f"every training of {dict(architecture)} failed, though one has succeeded before")
        return best

    def _call(self, architecture: Mapping[str, Value], seed: int, steps: int) -> CandidateRun:
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
        return CandidateRun(seed=seed, hyperparameters={}, error=None if failure else error, failure=failure)

    def _trained(
        self, architecture: Mapping[str, Value], repeat: int, steps: int
    ) -> Iterator[tuple[nn.Module, CandidateRun]]:
        world = self.material.world(repeat)
        # Without steps the start alone counts, and an inherited one is the same for every seed and rate.
        alone = steps == 0 and self.inherits
        for seed in range(1 if alone else self.seeds):
            batches = self.material.training(repeat, seed, steps)
            for hyperparameters in self.hyperparameters[: 1 if steps == 0 else None]:
                model = world.build(architecture, seed + 1000 * repeat)
                run = fit(model, self._loss, batches, hyperparameters, steps=steps)
                error = math.nan if run.failure else self._error(model, world.held_out)
                yield model, _record(seed, hyperparameters, run, error)

    def _loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return self.material.objective.losses(model, batch).mean()

    @torch.no_grad()
    def _error(self, model: nn.Module, held_out: list[Batch]) -> float:
        values = [self.material.objective.errors(model.eval(), batch).double() for batch in held_out]
        return float(torch.cat(values).mean())


def _record(seed: int, hyperparameters: Hyperparameters, run: TrainingRun, error: float) -> CandidateRun:
    failure = run.failure or (None if math.isfinite(error) else f"the held-out error was {error}")
    return CandidateRun(
        seed=seed,
        hyperparameters=hyperparameters.to_json(),
        error=error if failure is None else None,
        failure=failure,
        first_loss=_finite(run.losses[0]) if run.losses else None,
        last_loss=_finite(run.losses[-1]) if run.losses else None,
        gradient_norm=_finite(run.gradient_norm) if run.losses else None,
        weight_norm=_finite(run.weight_norm),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _callable(name: str) -> Callable[..., Any]:
    expected = "module.path:name of a callable"
    found = made(name, "start", expected, lambda one: one() if inspect.isclass(one) else one)
    if not callable(found):
        raise InputError(f"start {name!r} must be a function (architecture, seed) -> float, got {type(found).__name__}")
    return cast("Callable[..., Any]", found)


def _refuse(source: Source, given: Mapping[str, object]) -> None:
    """Refuse what is about texts, where a family has examples of its own."""
    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"--{name.replace('_', '-')} is about texts, but {source.name} gives examples of its own: its "
                "examples() decide what a batch is. Leave the option away"
            )
