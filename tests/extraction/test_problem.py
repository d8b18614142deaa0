"""What is asked of a search, and what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.extraction.problem import Limit, Problem
from subarch.networks.space import Parameter, Space

SPACE = Space((Parameter(name="x", choices=(1, 2, 3)),))
SMALL = Limit(name="parameters", maximum=20.0, values=lambda rows: 10.0 * (1 + rows[:, 0]))
FAST = Limit(name="latency_ms", maximum=1.5, values=lambda rows: 1.0 + rows[:, 0], asked=3.0)


def problem(**given: Any) -> Problem:
    fields: dict[str, Any] = {"space": SPACE, "costs": lambda rows: np.ones((len(rows), 2)), "reference": (40.0, 80.0)}
    return Problem(**(fields | given))


def test_limits_hold_together() -> None:
    rows = SPACE.listed()
    assert problem(claim="constrained", limits=(SMALL,)).within(rows).tolist() == [True, True, False]
    assert problem(claim="constrained", limits=(SMALL, FAST)).within(rows).tolist() == [True, False, False]
    assert problem().within(rows).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epsilon": 0.0}, r"epsilon must lie strictly between 0 and 1 \(0.1 = within ten percent\), got 0.0"),
        ({"epsilon": 1.0}, "epsilon must lie strictly between 0 and 1"),
        ({"delta": 1.0}, r"delta must lie in \[0, 1\), got 1.0"),
        ({"delta": -0.1}, "delta must lie in"),
        ({"error_floor": -1.0}, "error floors must not be negative"),
        ({"e_min": -1.0}, "error floors must not be negative"),
        ({"claim": "constrained"}, "needs at least one limit"),
        ({"limits": (SMALL,)}, "limits need that claim"),
        ({"reference": (0.0, 1.0)}, r"the reference must have parameters and operations, got \(0.0, 1.0\)"),
    ],
)
def test_what_cannot_be_asked_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        problem(**given)


def test_a_coarser_epsilon_counts_where_it_was_allowed_and_no_finer_one_can_be_shown() -> None:
    strict, lenient = problem(epsilon=0.1), problem(epsilon=0.1, coarsest=0.3)
    assert strict.grade(0.2, noise=0.2) == 0.1
    assert lenient.grade(0.0) == lenient.grade(0.09, noise=0.1) == 0.1
    assert lenient.grade(0.1) == 0.15  # delta stays below it
    assert lenient.grade(0.0, noise=0.16) == 0.2
    assert lenient.grade(0.0, noise=0.29) == lenient.grade(0.0, noise=0.3) == 0.3
    assert lenient.grade(0.3) == lenient.grade(0.0, noise=0.31) == 0.1  # then none does
    assert problem(epsilon=0.01, coarsest=0.04).grade(0.025) == 0.03
    with pytest.raises(ValueError, match="coarsest must lie between epsilon"):
        problem(coarsest=0.05)


@given(
    epsilon=st.floats(0.001, 0.5),
    coarsest=st.floats(0.5, 0.99),
    delta=st.floats(0, 0.6),
    noise=st.floats(0, 0.6),
)
def test_what_counts_can_be_shown_or_is_what_was_asked_for(
    epsilon: float, coarsest: float, delta: float, noise: float
) -> None:
    one = problem(epsilon=epsilon, coarsest=coarsest)
    found = one.grade(delta, noise)
    assert epsilon <= found <= coarsest
    if found != epsilon:
        assert delta < found and noise <= found
        assert not (delta < epsilon and noise <= epsilon)
    # A search that has reached it with nothing but delta known is not asked for more by what noise adds.
    assert found == epsilon or one.grade(delta) <= found
