"""Which inputs of linear maps matter, measured on calibration data: the optimal brain surgeon's order.

A ranking removes, again and again, the units whose loss costs least once what remains has made up for it (B. Hassibi
and D. Stork, 1993). With C the covariance of a linear map's inputs and W its weights, dropping unit j costs
``|W_j|^2 / (C^-1)_jj``, as a fraction of the output's energy where several maps share their inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Mean ``(units,)`` and covariance ``(units, units)`` of a linear map's inputs, over ``rows`` tokens."""

    mean: Tensor
    covariance: Tensor
    rows: int


class Accumulator:
    """Streams the inputs of one linear map into their moments, in float64."""

    def __init__(self) -> None:
        self.rows = 0
        self.shift = self.total = self.product = torch.empty(0)

    def add(self, values: Tensor) -> None:  # (rows, units)
        # Shifting by the first mean keeps float32 products accurate where units have large constant parts.
        if not self.rows:
            self.shift = values.mean(0)
            self.total = torch.zeros_like(self.shift, dtype=torch.float64)
            self.product = torch.zeros(len(self.shift), len(self.shift), dtype=torch.float64)
        shifted = values - self.shift
        self.rows += len(values)
        self.total += shifted.sum(0, dtype=torch.float64)
        self.product += shifted.T @ shifted

    def moments(self) -> Moments:
        mean = self.total / self.rows
        covariance = self.product / self.rows - torch.outer(mean, mean)
        return Moments((mean + self.shift).float(), covariance.float(), self.rows)


def ridged(covariance: Tensor, ridge: float) -> Tensor:
    """``covariance`` with ``ridge`` times its mean variance on the diagonal, so that it can be inverted.

    Where nothing varies at all, it is the smallest number that still has a root and an inverse.
    """
    level = (ridge * covariance.diagonal().mean()).clamp_min(torch.finfo(torch.float32).tiny)
    return covariance + level * torch.eye(len(covariance), dtype=covariance.dtype)


def rank(weights: Sequence[Tensor], covariances: Sequence[Tensor], *, group: int = 1, ridge: float = 0.01) -> Tensor:
    """Order of the groups of inputs shared by several linear maps, the most important first.

    Args:
        weights: of each map, ``(outputs, units)``.
        covariances: of each map's inputs, ``(units, units)``.
        group: how many neighbouring units live and die together (the head size for attention heads).
        ridge: added to the diagonals, as a fraction of the mean variance.

    Returns:
        ``(units // group,)``: group numbers.
    """
    units = len(covariances[0])
    inverses = [torch.cholesky_inverse(torch.linalg.cholesky(ridged(c.double(), ridge))) for c in covariances]
    # Only W^T W matters: a triangular factor stands for maps with more outputs than inputs.
    factors = [torch.linalg.qr(w.double(), mode="r")[1] if len(w) > units else w.double().clone() for w in weights]
    energies = [((f @ c.double()) * f).sum().clamp_min(1e-300) for f, c in zip(factors, covariances, strict=True)]
    alive = torch.arange(units // group)
    removed: list[Tensor] = []
    while len(alive):
        cost = torch.zeros(len(alive), dtype=torch.float64)
        for factor, inverse, energy in zip(factors, inverses, energies, strict=True):
            cost += _removal_cost(factor, inverse, group) / energy
        # Whole batches go at once (a few dozen rounds in all) but fewer and fewer, as the rest matters more.
        batch = max(1, len(alive) // 12)
        order = torch.argsort(cost, stable=True)
        gone, stay = order[:batch], order[batch:].sort().values
        removed.extend(alive[gone])
        alive = alive[stay]
        for j, (factor, inverse) in enumerate(zip(factors, inverses, strict=True)):
            factors[j], inverses[j] = _without(factor, inverse, members(gone, group), members(stay, group))
    return torch.stack(removed).flip(0)


def members(groups: Tensor, size: int) -> Tensor:
    """Units of ``groups``, in their order: ``(groups * size,)``."""
    return (groups[:, None] * size + torch.arange(size)).reshape(-1)


def _removal_cost(factor: Tensor, inverse: Tensor, group: int) -> Tensor:
    """Energy lost at the output when one group goes and the others make up for it: ``(groups,)``."""
    if group == 1:
        return factor.square().sum(0) / inverse.diagonal()
    blocks = factor.T.reshape(-1, group, len(factor))  # (groups, size, outputs)
    corners = torch.stack([inverse[i : i + group, i : i + group] for i in range(0, len(inverse), group)])
    return (torch.linalg.solve(corners, blocks) * blocks).sum((1, 2))


def _without(factor: Tensor, inverse: Tensor, gone: Tensor, stay: Tensor) -> tuple[Tensor, Tensor]:
    """Weights and inverse covariance after ``gone`` was removed and compensated for."""
    crossed = torch.linalg.solve(inverse[gone][:, gone], inverse[gone][:, stay])  # (gone, stay)
    return factor[:, stay] - factor[:, gone] @ crossed, inverse[stay][:, stay] - inverse[stay][:, gone] @ crossed


class Ranking(Protocol):
    """Orders groups of inputs as :func:`rank` does, by whatever rule."""

    def __call__(
        self, weights: Sequence[Tensor], covariances: Sequence[Tensor], /, *, group: int = 1, ridge: float = 0.01
    ) -> Tensor: ...
