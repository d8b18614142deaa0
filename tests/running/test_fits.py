"""The nearest monotone function."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subarch.networks.space import Parameter, Space
from subarch.running.fits import isotonic


def grid(rows: int, columns: int) -> Space:
    return Space((Parameter(name="a", choices=tuple(range(rows))), Parameter(name="b", choices=tuple(range(columns)))))


@given(st.lists(st.floats(1, 100), min_size=4, max_size=4))
@settings(max_examples=25)
def test_isotonic_fit_is_monotone_and_no_monotone_function_is_nearer(values: list[float]) -> None:
    """Brute force: in absolute deviations some best monotone function takes only values that were read."""
    space = grid(2, 2)
    indices, level = space.listed(), np.log(np.array(values))
    fitted = isotonic(space, indices, np.array(values))
    pairs = [(i, j) for i in range(4) for j in range(4) if space.leq(indices[i], indices[j])]
    assert all(fitted[i] <= fitted[j] for i, j in pairs)
    best = min(
        float(np.abs(np.array(candidate) - level).sum())
        for candidate in itertools.product(level.tolist(), repeat=4)
        if all(candidate[i] <= candidate[j] for i, j in pairs)
    )
    assert float(np.abs(np.log(fitted) - level).sum()) == pytest.approx(best, abs=1e-6)


def test_one_disturbed_reading_does_not_lift_the_others() -> None:
    space = grid(5, 5)
    indices = space.listed()
    true = 1.0 + indices[:, 0] + 0.5 * indices[:, 1]
    read = true.copy()
    read[7] *= 50
    fitted = isotonic(space, indices, read)
    others = np.arange(25) != 7
    # Its neighbours may be moved as far as its own order asks, but nothing follows it upwards.
    assert fitted[others] == pytest.approx(true[others], rel=0.15)
    assert np.abs(fitted[others] / true[others] - 1).mean() < 0.01


def test_isotonic_by_hand_leaves_monotone_readings_alone() -> None:
    space = grid(1, 4)
    fitted = isotonic(space, space.listed(), np.array([1.0, 3.0, 2.0, 5.0]))
    assert fitted[[0, 3]] == pytest.approx([1.0, 5.0])
    assert fitted[1] == pytest.approx(fitted[2])
    assert 2 <= fitted[1] <= 3 + 1e-9
    monotone = [1.0, 2.0, 2.0, 9.0]
    assert isotonic(space, space.listed(), np.array(monotone)) == pytest.approx(monotone)
