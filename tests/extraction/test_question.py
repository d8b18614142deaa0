"""A question as JSON, and the problem that it means."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from toy import Toy

from subarch.extraction.question import Question
from subarch.networks.fitting import fit_counts
from subarch.running.latency_table import LatencyTable

FAMILY = Toy()
LARGEST = {"depth": 4, "width": 48, "inner": 64}
MIDDLE = {"depth": 2, "width": 16, "inner": 32}


@pytest.fixture(scope="module")
def counts() -> Any:
    return fit_counts(FAMILY, 16)


def table() -> LatencyTable:
    """As many milliseconds as the architecture's positions sum to, and one more."""
    indices = FAMILY.space.listed()
    times = 1.0 + indices.sum(axis=1)
    return LatencyTable(FAMILY.space, "isotonic", indices, times, times, 12.0, (0.0, 0.0), {})


def asked(**given: Any) -> Question:
    return Question(**({"claim": "w", "epsilon": 0.1, "reference": LARGEST, "sequence_length": 16} | given))


def numbers(depth: int, width: int, inner: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates of the toy, by hand: 4 to width, depth times there and back, width to 2."""
    weights = 4 * width + depth * 2 * width * inner + width * 2
    return weights + width + depth * (inner + width) + 2, weights


def test_there_and_back_through_json() -> None:
    made = asked(claim="constrained", limits={"speedup": 2.0}, cost="latency_ms", delta=0.01, error_floor=0.001)
    assert Question.from_json(json.loads(json.dumps(made.to_json()))) == made
    with pytest.raises(ValueError, match="expected a question written by this package"):
        Question.from_json({**made.to_json(), "more": 1})


@pytest.mark.parametrize("limits", [{"speed": 2.0}, {"macs": 0.0}, {"macs": float("inf")}])
def test_limits_that_mean_nothing_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="limits are positive numbers for parameters, macs, latency_ms, speedup; got"):
        asked(limits=limits)


def test_costs_are_the_exact_counts(counts: Any) -> None:
    problem = asked().problem(FAMILY, counts, None, 0.01)
    assert problem.reference == numbers(4, 48, 64) and problem.e_min == 0.01
    row = np.array([FAMILY.space.index(MIDDLE)])
    assert problem.costs(row)[0].tolist() == [*numbers(2, 16, 32)]
    outside = asked(reference={"depth": 8, "width": 48, "inner": 64}).problem(FAMILY, counts, None, 0.0)
    assert outside.reference == numbers(8, 48, 64)


def test_limits_are_of_their_own_quantity(counts: Any) -> None:
    parameters, macs = numbers(2, 16, 32)
    row = np.array([FAMILY.space.index(MIDDLE)])
    for name, exact in (("parameters", parameters), ("macs", macs)):
        for limit, within in ((exact, True), (exact - 1, False)):
            problem = asked(claim="constrained", limits={name: float(limit)}).problem(FAMILY, counts, None, 0.0)
            assert problem.within(row).tolist() == [within]


def test_latency_comes_from_the_table(counts: Any) -> None:
    row = np.array([FAMILY.space.index(MIDDLE)])  # positions 1, 1, 2: five milliseconds, of twelve
    problem = asked(cost="latency_ms").problem(FAMILY, counts, table(), 0.0)
    assert problem.reference[1] == 12.0 and problem.costs(row)[0, 1] == 5.0
    for speedup, within in ((2.4, True), (2.5, False)):
        fast = asked(claim="constrained", limits={"speedup": speedup}).problem(FAMILY, counts, table(), 0.0)
        assert fast.within(row).tolist() == [within]
        assert fast.limits[0].asked == speedup and fast.limits[0].maximum == 12 / speedup
    for question in (asked(cost="latency_ms"), asked(claim="constrained", limits={"latency_ms": 3.0})):
        assert question.needs_latency
        with pytest.raises(ValueError, match="a latency table is needed"):
            question.problem(FAMILY, counts, None, 0.0)
    assert not asked(claim="constrained", limits={"macs": 3.0}).needs_latency
