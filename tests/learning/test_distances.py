"""Distances against SciPy and against their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from subarch.learning.distances import jensen_shannon


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
