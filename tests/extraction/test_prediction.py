"""Predicted errors: a power law is learned, and the shortcut of the search says the same as the long way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.extraction.prediction import ErrorModel, ErrorProcess
from subarch.networks.space import Box, Parameter, Space

SPACE = Space(
    (
        Parameter(name="depth", choices=(1, 2, 4, 8)),
        Parameter(name="width", choices=(8, 16, 32, 64, 128)),
        Parameter(name="kind", choices=("a", "b"), ordered=False),
        Parameter(name="fixed", choices=(7,)),
    )
)
ROWS = SPACE.listed()


def power_law(rows: np.ndarray) -> np.ndarray:
    columns = SPACE.columns(rows)
    better = np.where(columns["kind"] == "a", 0.9, 1.0)
    return better * 0.5 * columns["depth"].astype(float) ** -0.6 * columns["width"].astype(float) ** -0.4


@pytest.mark.parametrize("kind", [ErrorModel, ErrorProcess])
def test_a_power_law_is_learned_from_few(kind: type[ErrorModel | ErrorProcess]) -> None:
    model = kind(SPACE)
    seen = np.random.default_rng(0).choice(len(ROWS), size=14, replace=False)
    before, _ = model.predict(ROWS)
    model.fit(ROWS[seen], power_law(ROWS[seen]))
    after, deviation = model.predict(ROWS)
    truth = np.log(power_law(ROWS))
    assert np.abs(after - truth).max() < 0.1 < np.abs(before - truth).max()
    assert (deviation > 0).all() and np.abs(after - truth).max() < 4 * deviation.max()


def test_a_process_is_the_textbooks() -> None:
    """Mean and variance by the formulas of a Gaussian process, with all matrices inverted as they are."""
    model = ErrorProcess(SPACE)
    seen, errors = ROWS[:6], power_law(ROWS[:6])
    model.fit(seen, errors)
    rough, distance, noise = model._rough, model._distance, model._noise

    def covariance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return model._steady(one, other) + rough**2 * np.exp(-0.5 * model._apart(one, other) / distance**2)

    inverse = np.linalg.inv(covariance(seen, seen) + noise**2 * np.eye(6))
    shared = covariance(ROWS, seen)
    mean = model._trend(ROWS) + shared @ inverse @ (np.log(errors) - model._trend(seen))
    variance = np.diag(covariance(ROWS, ROWS)) - np.einsum("ij,jk,ik->i", shared, inverse, shared) + noise**2
    found, deviation = model.predict(ROWS)
    assert found == pytest.approx(mean, abs=1e-6)
    assert deviation == pytest.approx(np.sqrt(variance), abs=1e-4)


def test_what_was_trained_is_hardly_uncertain_and_what_is_far_is() -> None:
    model = ErrorProcess(SPACE)
    model.fit(ROWS[:1], power_law(ROWS[:1]))
    mean, deviation = model.predict(ROWS)
    assert mean[0] == pytest.approx(np.log(power_law(ROWS[:1]))[0], abs=1e-3)
    assert deviation[0] < 0.01 and deviation.argmin() == 0 and deviation.max() > 0.1


def test_without_data_errors_fall_along_the_order() -> None:
    mean, deviation = ErrorModel(SPACE).predict(ROWS)
    for n, row in enumerate(ROWS):
        for m in np.flatnonzero(SPACE.leq(row, ROWS)):
            assert mean[m] <= mean[n] + 1e-12
    assert deviation.min() > 0.3


@given(seed=st.integers(0, 1000), count=st.integers(1, 20))
def test_the_quick_mean_is_the_mean(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    model = ErrorModel(SPACE)
    seen = rng.choice(len(ROWS), size=count)
    model.fit(ROWS[seen], power_law(ROWS[seen]) * np.exp(0.1 * rng.normal(size=count)))
    assert model.mean(ROWS) == pytest.approx(model.predict(ROWS)[0], abs=1e-9)


@given(seed=st.integers(0, 1000), target=st.floats(-4.0, 0.0))
def test_what_is_grown_stays_in_the_box_and_above_the_target(seed: int, target: float) -> None:
    rng = np.random.default_rng(seed)
    model = ErrorModel(SPACE)
    seen = rng.choice(len(ROWS), size=12, replace=False)
    model.fit(ROWS[seen], power_law(ROWS[seen]))
    ends = rng.integers(0, [4, 5, 2, 1], size=(2, 4))
    ends[:, 2] = ends[0, 2]  # unordered: one value a box
    box = Box(tuple(ends.min(0).tolist()), tuple(ends.max(0).tolist()))
    found = model.grown(box, target)
    assert all(low <= at <= high for low, at, high in zip(box.lo, found, box.hi, strict=True))
    if found != box.lo:
        assert model.mean(np.array([found], dtype=np.int16))[0] >= target - 1e-9
    steps = [tuple(at + (j == axis) for j, at in enumerate(found)) for axis in range(4) if found[axis] < box.hi[axis]]
    ordered = [step for axis, step in enumerate(steps) if box.lo != found]
    for step in ordered:  # nothing more could be had by one step
        assert model.mean(np.array([step], dtype=np.int16))[0] < target + 1e-9
