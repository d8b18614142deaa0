"""How alike the tokens of a sequence are to each other: a network's states told without their size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def relations(states: Tensor, mask: Tensor | None = None) -> Tensor:
    """Similarities of the tokens of each sequence, as one unit vector a sequence.

    States are centred within the sequence and scaled to unit length; the matrix of their products, without its
    diagonal of ones, is scaled to norm 1. Nothing of it depends on the hidden size.

    Args:
        states: ``(batch, sequence, hidden)``.
        mask: ``(batch, sequence)``, 0 at padding.

    Returns:
        ``(batch, sequence * sequence)``.
    """
    if mask is not None:
        weights = mask.unsqueeze(-1).to(states.dtype)
        centred = (states - (states * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)) * weights
    else:
        centred = states - states.mean(1, keepdim=True)
    unit = functional.normalize(centred, dim=-1)
    similarity = unit @ unit.transpose(1, 2)  # (batch, sequence, sequence)
    similarity = similarity * (1 - torch.eye(similarity.shape[1], dtype=states.dtype, device=states.device))
    return functional.normalize(similarity.flatten(1), dim=1)
