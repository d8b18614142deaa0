"""Betti numbers of shapes that everybody knows."""

from __future__ import annotations

import numpy as np
import pytest

from subarch.agora.homology import bars, betti, half_the_shortest, without_outliers

pytest.importorskip("gudhi")
RNG = np.random.default_rng(0)


def sphere(count: int) -> np.ndarray:
    points = RNG.normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def circle(count: int) -> np.ndarray:
    turn = RNG.uniform(0, 2 * np.pi, count)
    return np.stack([np.cos(turn), np.sin(turn), 0.01 * RNG.normal(size=count)], 1)


def test_a_sphere_a_circle_and_two_pieces() -> None:
    assert betti(bars(sphere(800)), 0.3) == (1, 0, 1)
    assert betti(bars(circle(300)), 0.3) == (1, 1, 0)
    apart = np.concatenate([sphere(400), circle(300) + np.array([5, 0, 0])])
    assert betti(bars(apart), 0.3) == (2, 1, 1)


def test_the_threshold_is_half_the_shortest_true_bar() -> None:
    # A circle of radius 1 is one loop until a ball of radius 1 fills it, and dense samples connect at once.
    assert half_the_shortest(bars(circle(2000)), (1, 1, 0)) == pytest.approx(0.5, abs=0.02)


def test_points_that_their_neighbours_do_not_agree_with_go() -> None:
    surface, around = sphere(1500), RNG.uniform(-2, 2, size=(1500, 3))
    around = around[np.abs(np.linalg.norm(around, axis=1) - 1) > 0.2]
    points = np.concatenate([surface, around])
    classes = np.repeat([1, 0], [len(surface), len(around)])
    flipped = classes ^ (RNG.uniform(size=len(classes)) < 0.2)
    kept = without_outliers(points, flipped)
    assert np.mean(np.abs(np.linalg.norm(kept, axis=1) - 1) < 0.01) > 0.95
    assert len(kept) > 0.7 * len(surface)
