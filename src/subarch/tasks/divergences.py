"""How far one distribution is from another, both as logits."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def kullback_leibler(teacher: Tensor, student: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student's distributions from the teacher's, in nats.

    Args:
        teacher: logits ``(..., classes)``.
        student: likewise.

    Returns:
        ``(...)``, 0 or more.
    """
    return functional.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), reduction="none", log_target=True).sum(
        -1
    )


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two distributions, in bits: logits ``(..., classes)`` to ``(...)`` in [0, 1]."""
    first, second = one.double().log_softmax(-1), other.double().log_softmax(-1)  # small differences of large sums
    middle = torch.logaddexp(first, second) - math.log(2)
    pieces = first.exp() * (first - middle) + second.exp() * (second - middle)
    return (0.5 * pieces.sum(-1) / math.log(2)).clamp_min(0.0)


def bernoulli(logits: Tensor) -> Tensor:
    """Log odds of yes against no as logits of both: ``(..., 2)``."""
    return torch.stack([logits, torch.zeros_like(logits)], -1)
