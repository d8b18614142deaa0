"""Noise of errors that are compared: what two networks share cancels, and few repeats promise little."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import Toy

from subarch.extraction.noise import (
    is_whole,
    middles,
    noise_of,
    relative_noise,
    repeats_by_network,
    smallest,
    upper_limit,
)
from subarch.extraction.study import Trial
from subarch.networks.fitting import fit_counts
from subarch.networks.space import Parameter, Space

SPACE = Space((Parameter(name="width", choices=(8, 16, 32)),))
PICK, SMALL = 16, 8


def trial(width: int, error: float, repeat: int | None = None) -> Trial:
    details: dict[str, Any] = {} if repeat is None else {"repeat": repeat}
    return Trial(
        number=0,
        purpose="search" if repeat is None else "repeat",
        architecture={"width": width},
        parameters=1.0,
        cost=1.0,
        error=error,
        details=details,
    )


def repeated(width: int, errors: list[float]) -> list[Trial]:
    return [trial(width, error, n + 1) for n, error in enumerate(errors)]


def noise(*trials: list[Trial]) -> float | None:
    return relative_noise([one for some in trials for one in some], SPACE, SPACE.index({"width": PICK}), 0.0)


def test_upper_limits_are_those_of_tables() -> None:
    # Quantiles of chi-square at 5 %: 0.352 of 3 degrees of freedom, 3.325 of 9.
    assert upper_limit(4) == pytest.approx(math.sqrt(3 / 0.3518), rel=1e-3)
    assert upper_limit(10) == pytest.approx(math.sqrt(9 / 3.325), rel=1e-3)


@given(st.lists(st.floats(0.5, 2.0), min_size=4, max_size=8, unique=True), st.floats(0.1, 10))
def test_what_both_share_cancels(shared: list[float], ratio: float) -> None:
    found = noise(repeated(PICK, shared), repeated(SMALL, [ratio * one for one in shared]))
    assert found == pytest.approx(0, abs=1e-12)


def test_of_independent_noise_it_is_the_deviation_of_one_error_and_its_limit() -> None:
    rng = np.random.default_rng(0)
    one, other = np.exp(0.05 * rng.normal(size=(2, 400)))
    found = noise(repeated(PICK, one.tolist()), repeated(SMALL, other.tolist()))
    assert found == pytest.approx(0.05 * upper_limit(400), rel=0.1)


def test_the_loudest_network_counts_and_the_error_itself_is_a_repeat() -> None:
    pick, quiet, loud = [1.0, 1.1, 0.9, 1.0], [1.01, 1.1, 0.9, 1.0], [2.0, 1.0, 3.0, 2.0]
    most = noise(repeated(PICK, pick), repeated(SMALL, quiet), repeated(32, loud))
    assert (
        most == noise(repeated(PICK, pick), repeated(32, loud)) != noise(repeated(PICK, pick), repeated(SMALL, quiet))
    )
    five = noise([trial(PICK, 1.0), trial(SMALL, 1.0)], repeated(PICK, pick), repeated(SMALL, [1.0] * 4))
    assert five == pytest.approx(np.std(np.log([1, *pick]), ddof=1) / math.sqrt(2) * upper_limit(5))


@pytest.mark.parametrize(
    "trials",
    [
        [],
        repeated(PICK, [1.0, 1.1, 0.9]),  # the fourth is missing
        [*repeated(PICK, [1.0, 1.1, 0.9, 1.2]), *repeated(SMALL, [1.0, 1.2, math.inf])],  # one failed
        repeated(SMALL, [1.0, 1.1, 1.2, 1.3]),
        [*repeated(PICK, [1.0] * 4), *repeated(SMALL, [2.0] * 4)],
    ],
)
def test_it_is_not_known(trials: list[Trial]) -> None:
    assert noise(trials) is None


def test_the_scale_is_that_of_the_network_that_was_repeated_first() -> None:
    trials = [*repeated(32, [5.0, 7.0]), *repeated(PICK, [1.0, 2.0, 3.0, 2.0]), *repeated(SMALL, [9.0, 99.0, 9.0, 9.0])]
    assert noise_of(trials) == pytest.approx(np.std([1.0, 2.0, 3.0, 2.0], ddof=1))  # to the end, that is
    assert noise_of([]) == 0.0


def test_repeats_are_whole_where_all_were_made_and_none_failed() -> None:
    found = repeats_by_network(
        [*repeated(PICK, [1.0, 2.0, 3.0, 4.0]), *repeated(SMALL, [1.0, math.inf]), trial(32, 1.0)]
    )
    assert found == {(PICK,): {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0}, (SMALL,): {1: 1.0, 2: math.inf}}
    assert [is_whole(one) for one in found.values()] == [True, False]
    assert not is_whole({1: 1.0, 2: 1.0, 4: 1.0})


def test_the_smallest_and_those_in_the_middle_by_their_cost() -> None:
    counts = fit_counts(Toy(), 16)
    everything = [Toy().space.architecture(row) for row in Toy().space.listed()]
    by_cost = sorted(everything, key=lambda one: counts.counts(one).macs)
    assert smallest(Toy().space, counts) == by_cost[0] == {"depth": 1, "width": 8, "inner": 8}
    near = list(middles(Toy().space, counts))
    assert len(near) == len(everything) and counts.counts(near[0]).macs == counts.counts(by_cost[40]).macs
