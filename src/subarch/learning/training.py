"""The one short-run loop: s optimiser steps of a small network on given batches.

Every candidate of a search goes through :func:`fit` with the same batches in the same order, so that differences
between candidates are differences between architectures. There is no hidden state: the result depends on the model,
the loss function, the batches and the hyperparameters alone, and repeats bit for bit on one machine with the same
number of threads.

Notation: s is the number of steps; one element of Theta is one :class:`Hyperparameters`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

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
        for name, holds in ranges.items():
            if not holds:
                raise ValueError(
                    f"{name} is out of range: got {getattr(self, name)!r}; rates, decays and clips are positive, "
                    "warmup and betas lie in [0, 1), schedules are 'constant', 'linear', 'cosine'"
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
class Run:
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


def fit(
    model: nn.Module,
    loss_function: Callable[[nn.Module, Batch], Tensor],
    batches: Iterable[Batch],
    hyperparameters: Hyperparameters,
    *,
    steps: int,
) -> Run:
    """Train ``model`` in place for ``steps`` steps, one batch a step. Dropout stays as the model's mode has it.

    Args:
        model: parameters that do not require gradients are left alone.
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
    parameters = [p for p in model.parameters() if p.requires_grad]
    losses: list[float] = []
    largest, failure = 0.0, None
    optimizer = _optimizer(parameters, hyperparameters) if steps else None
    for step, batch in enumerate(islice(batches, steps)):
        assert optimizer is not None
        optimizer.zero_grad(set_to_none=True)
        loss = loss_function(model, batch)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            failure = f"the loss was {losses[-1]} at step {step}"
            break
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(parameters, hyperparameters.clip_gradient or math.inf, foreach=True))
        largest = max(largest, norm)
        if not math.isfinite(norm):
            failure = f"the gradient's norm was {norm} at step {step}"
            break
        scale = min(1.0, math.sqrt(max(losses[-1], 0.0))) if hyperparameters.scale_by_loss else 1.0
        for group in optimizer.param_groups:
            group["lr"] = scale * hyperparameters.rate(step, steps)
        optimizer.step()
        _clip(parameters, hyperparameters.clip_weights)
    if failure is None and len(losses) < steps:
        raise ValueError(f"{steps} steps need {steps} batches, got {len(losses)}: give more data or fewer steps")
    weights = max((float(p.detach().abs().max()) for p in parameters if p.numel()), default=0.0)
    if failure is None and not math.isfinite(weights):
        failure = f"a weight was {weights} after the last step"
    return Run(tuple(losses), largest, weights, failure, time.perf_counter() - start)


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
