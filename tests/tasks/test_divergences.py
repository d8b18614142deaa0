"""Divergences against SciPy and against their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, softmax
from scipy.stats import entropy

from subarch.tasks.divergences import bernoulli, jensen_shannon, kullback_leibler


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


def test_kullback_leibler_is_scipys_of_two_labels_as_well() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(20, 5)), rng.normal(size=(20, 5))
    expected = [entropy(softmax(a), softmax(b)) for a, b in zip(one, other, strict=True)]
    assert kullback_leibler(torch.tensor(one), torch.tensor(other)).numpy() == pytest.approx(np.array(expected))
    each = kullback_leibler(bernoulli(torch.tensor(one)), bernoulli(torch.tensor(other)))
    p, q = expit(one), expit(other)
    assert each.numpy() == pytest.approx(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
