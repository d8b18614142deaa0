"""The one training loop: optimiser steps of a network on given batches.

Every candidate of a search goes through :func:`fit` with the same batches in the same order, so that differences
between candidates are differences between architectures; fine-tuning drives a :class:`Training` itself, to evaluate and
to save its state on the way. There is no hidden state: the result depends on the model,
the loss function, the batches and the hyperparameters alone, and repeats bit for bit on one machine with the same
number of threads.

Notation: s is the number of steps; one element of Theta is one :class:`Hyperparameters`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from subarch.errors import InputError, require_ranges

Batch = TypeVar("Batch")
Schedule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One way of training: an element of the set Theta.

    Args:
        learning_rate: the peak, reached after warm-up.
        schedule: how the rate falls from the peak to zero at the last step (``"constant"``: not at all). A rate that
            ends at zero leaves less of the last batches' noise in the weights.
        warmup: fraction of the steps over which the rate rises linearly, in [0, 1).
        weight_decay: decoupled, on matrices only.
        betas: AdamW's decay rates; short runs need a short memory of squared gradients.
        clip_gradient: largest global norm of a gradient, or None.
        clip_weights: every weight is kept in [-clip, clip] after each step, or None. This is the compactness that the
            theory of the published algorithm asks for.
        scale_by_loss: multiply each step's rate by min(1, sqrt(loss)). For losses whose minimum is zero: AdamW's steps
            have the size of the rate however small the gradient, which would drive a student that is right already
            away from its teacher.

    Raises:
        ValueError: for a value outside its range.
    """

    learning_rate: float
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.98)
    clip_gradient: float | None = 1.0
    clip_weights: float | None = None
    scale_by_loss: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        ranges = {
            "learning_rate": 0 < self.learning_rate < math.inf,
            "schedule": self.schedule in ("constant", "linear", "cosine"),
            "warmup": 0 <= self.warmup < 1,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "betas": len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
            "clip_gradient": self.clip_gradient is None or self.clip_gradient > 0,
            "clip_weights": self.clip_weights is None or self.clip_weights > 0,
        }
        require_ranges(
            self,
            ranges,
            "rates, decays and clips are positive, warmup and betas lie in [0, 1), schedules are 'constant',"
            " 'linear', 'cosine'",
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"betas": list(self.betas)}

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of ``step`` (from 0) in a run of ``steps``; always above zero."""
        warm = math.ceil(self.warmup * steps)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        # Measured from half a step in: the first full step has nearly the peak, the last one is still of use.
        progress = (step - warm + 0.5) / (steps - warm)
        fall = {"constant": 1.0, "linear": 1 - progress, "cosine": 0.5 * (1 + math.cos(math.pi * progress))}
        return self.learning_rate * fall[self.schedule]


@dataclass(frozen=True)
class TrainingRun:
    """What happened in one short run.

    Attributes:
        losses: of every step, before its update.
        gradient_norm: largest global norm of a gradient before clipping; 0 without steps.
        weight_norm: largest absolute weight at the end.
        failure: None, or why the run ended early (the loss, a gradient or a weight was not finite).
        seconds: wall time.
    """

    losses: tuple[float, ...]
    gradient_norm: float
    weight_norm: float
    failure: str | None
    seconds: float


class DivergenceError(ArithmeticError):
    """The loss, a gradient or a weight was not finite: the model is of no use any more."""


class Training(Generic[Batch]):
    """A model on its way: one optimiser step at a time, and everything that is needed to go on later.

    Args:
        model: trained in place; parameters that do not require gradients are left alone. Dropout stays as the model's
            mode has it.
        loss_function: model and batch to a scalar.
        hyperparameters: one element of Theta.
        steps: of the whole run: the schedule ends there.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_function: Callable[[nn.Module, Batch], Tensor],
        hyperparameters: Hyperparameters,
        *,
        steps: int,
    ) -> None:
        self._model, self._loss_function = model, loss_function
        self._hyperparameters, self._steps = hyperparameters, steps
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = _optimizer(self._parameters, hyperparameters)
        self.step = 0
        """Optimiser steps done."""
        self.losses: list[float] = []
        """Of the steps done here, before their updates."""
        self.gradient_norm = 0.0
        """Largest global norm of a gradient before clipping."""

    def advance(self, *parts: Batch, shares: Sequence[float] = (1.0,)) -> float:
        """One step; returns the loss before it.

        Args:
            parts: the batch, or pieces of it that fit into memory one after another.
            shares: each piece's part of the batch; together 1.

        Raises:
            DivergenceError: when the loss or the gradient is not finite.
        """
        self._optimizer.zero_grad(set_to_none=True)
        value = 0.0
        for part, share in zip(parts, shares, strict=True):
            loss = self._loss_function(self._model, part)
            value += share * float(loss.detach())
            if not math.isfinite(value):
                self.losses.append(value)
                raise DivergenceError(f"the loss was {value} at step {self.step}")
            (loss if share == 1.0 else share * loss).backward()
        self.losses.append(value)
        chosen = self._hyperparameters
        norm = float(nn.utils.clip_grad_norm_(self._parameters, chosen.clip_gradient or math.inf, foreach=True))
        self.gradient_norm = max(self.gradient_norm, norm)
        if not math.isfinite(norm):
            raise DivergenceError(f"the gradient's norm was {norm} at step {self.step}")
        scale = min(1.0, math.sqrt(max(value, 0.0))) if chosen.scale_by_loss else 1.0
        for group in self._optimizer.param_groups:
            group["lr"] = scale * chosen.rate(self.step, self._steps)
        self._optimizer.step()
        _clip(self._parameters, chosen.clip_weights)
        self.step += 1
        return value

    @property
    def weight_norm(self) -> float:
        """Largest absolute weight."""
        return max((float(p.detach().abs().max()) for p in self._parameters if p.numel()), default=0.0)

    def state(self) -> Mapping[str, Any]:
        """Weights, optimiser, step and torch's random state: with it and the same batches a run goes on bit for bit."""
        return {
            "step": self.step,
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.step = int(state["step"])
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])


def fit(
    model: nn.Module,
    loss_function: Callable[[nn.Module, Batch], Tensor],
    batches: Iterable[Batch],
    hyperparameters: Hyperparameters,
    *,
    steps: int,
) -> TrainingRun:
    """Train ``model`` in place for ``steps`` steps, one batch a step.

    Args:
        model: as for :class:`Training`.
        loss_function: model and batch to a scalar.
        batches: at least ``steps`` of them.
        hyperparameters: one element of Theta.
        steps: 0 or more.

    Returns:
        The run's record. A divergence is a failure in it, not an exception; the model is then of no use.

    Raises:
        ValueError: for too few batches.
    """
    start = time.perf_counter()
    training = Training(model, loss_function, hyperparameters, steps=steps)
    failure = None
    try:
        for batch in islice(batches, steps):
            training.advance(batch)
    except DivergenceError as error:
        failure = str(error)
    if failure is None and training.step < steps:
        raise InputError(f"{steps} steps need {steps} batches, got {training.step}: give more data or fewer steps")
    weights = training.weight_norm
    if failure is None and not math.isfinite(weights):
        failure = f"a weight was {weights} after the last step"
    return TrainingRun(tuple(training.losses), training.gradient_norm, weights, failure, time.perf_counter() - start)


def _optimizer(parameters: list[nn.Parameter], hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    matrices = [p for p in parameters if p.dim() > 1]
    vectors = [p for p in parameters if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": hyperparameters.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=hyperparameters.learning_rate,
        betas=hyperparameters.betas,
        fused=True,  # one pass over memory: embeddings of 30,000 words would otherwise dominate a step
    )


@torch.no_grad()
def _clip(parameters: list[nn.Parameter], limit: float | None) -> None:
    if limit is not None:
        for parameter in parameters:
            parameter.clamp_(-limit, limit)
