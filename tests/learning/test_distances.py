"""Distances against SciPy and against their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from subarch.learning.distances import jensen_shannon, relations


def test_jensen_shannon_is_scipys() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(50, 8)) * 4, rng.normal(size=(50, 8)) * 4
    expected = [jensenshannon(softmax(a), softmax(b), base=2) ** 2 for a, b in zip(one, other, strict=True)]
    found = jensen_shannon(torch.tensor(one), torch.tensor(other))
    assert found.numpy() == pytest.approx(np.array(expected), abs=1e-12)


def test_jensen_shannon_is_zero_for_the_same_and_one_for_nothing_in_common() -> None:
    sure = torch.tensor([[80.0, -80.0], [-80.0, 80.0]])
    assert jensen_shannon(sure, sure).tolist() == [0.0, 0.0]
    assert jensen_shannon(sure, sure.flip(1)).tolist() == pytest.approx([1.0, 1.0])


def test_relations_do_not_see_rotations_or_scale_of_the_states() -> None:
    torch.manual_seed(0)
    states = torch.randn(3, 7, 16, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(16, 16, dtype=torch.float64))[0]
    assert torch.allclose(relations(states), relations(3 * states @ rotation))
    assert torch.allclose(relations(states).norm(dim=1), torch.ones(3, dtype=torch.float64))
    wider = torch.cat([states, torch.zeros(3, 7, 5, dtype=torch.float64)], dim=2)
    assert torch.allclose(relations(states), relations(wider))


def test_padding_counts_for_nothing_in_relations() -> None:
    torch.manual_seed(0)
    states = torch.randn(1, 6, 8, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    changed = states.clone()
    changed[:, 4:] = 100.0
    assert torch.allclose(relations(states, mask), relations(changed, mask))
    unpadded = relations(states[:, :4]).reshape(4, 4)
    assert torch.allclose(relations(states, mask).reshape(6, 6)[:4, :4], unpadded)
