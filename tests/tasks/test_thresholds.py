"""Thresholds: by brute force where there are few, and never worse than the usual ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import f1_score

from subarch.tasks import thresholds
from subarch.tasks.thresholds import GRID, thresholds_of


def rows(seed: int, labels: int = 2, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that say something about what holds, and less of later labels."""
    rng = np.random.default_rng(seed)
    held = rng.random((count, labels)) < np.linspace(0.4, 0.15, labels)
    shares = 1 / (1 + np.exp(-(3.0 * held - 3 + rng.normal(size=held.shape) * 1.5)))
    return shares, held


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("seed", range(3))
def test_two_labels_get_the_best_of_all_pairs(seed: int, average: str) -> None:
    shares, held = rows(seed)
    found = thresholds_of(shares, held, "micro_f1" if average == "micro" else "macro_f1")

    def value(at: tuple[float, ...]) -> float:
        return float(f1_score(held, shares > np.array(at), average=average, zero_division=0))

    best = max(value(pair) for pair in itertools.product(GRID.tolist(), repeat=2))
    assert value(found) == pytest.approx(best, abs=2e-3)  # label by label is not all pairs
    assert value(found) >= value((0.5, 0.5))


def test_exact_matches_have_one_threshold() -> None:
    shares, held = rows(0, 3)
    found = thresholds_of(shares, held, "exact_match")
    values = {at: float(((shares > at) == held).all(1).mean()) for at in GRID.tolist()}
    assert len(set(found)) == 1 and values[found[0]] == max(values.values())


def test_a_rare_label_keeps_the_common_threshold() -> None:
    shares, held = rows(1, 3)
    held[:, 2] = False
    held[: thresholds.LEAST - 1, 2] = True
    shares[:, 2] = np.where(held[:, 2], 0.93, 0.92)  # a threshold of its own would be perfect
    few = thresholds_of(shares, held, "macro_f1")
    held[thresholds.LEAST - 1, 2] = True
    shares[thresholds.LEAST - 1, 2] = 0.97
    shares[:, 2] = np.where(held[:, 2], 0.93, 0.87)
    assert few[2] != 0.9 and thresholds_of(shares, held, "macro_f1")[2] == 0.9


def test_where_nothing_holds_a_half_does() -> None:
    assert thresholds_of(np.full((5, 2), 0.2), np.zeros((5, 2), dtype=np.bool_), "micro_f1") == (0.5, 0.5)
