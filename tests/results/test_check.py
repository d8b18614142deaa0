"""What check tells."""

from __future__ import annotations

import pytest
from laws import HOSTILE, goes_through_json, holds, is_frozen, shows_words_as_they_are, told

from subarch.results.base import Line
from subarch.results.check import CheckResult, ClauseResult

CLAUSES = (
    ClauseResult(name="1. counts", verdict="checked", evidence="of 12 networks"),
    ClauseResult(name="4a. gradients", verdict="not shown", evidence="there is no run"),
)


def test_it_is_a_result() -> None:
    holds(CheckResult(verdict="weak", clauses=CLAUSES))
    goes_through_json(CLAUSES[0])
    is_frozen(CLAUSES[0])
    shows_words_as_they_are(
        CheckResult(verdict="weak", clauses=(ClauseResult(name="1", verdict="x", evidence=HOSTILE),))
    )


@pytest.mark.parametrize(("verdict", "tone"), [("strong", "good"), ("weak", "warning"), ("not shown", "bad")])
def test_the_verdict_goes_before_its_clauses(verdict: str, tone: str) -> None:
    result = CheckResult(verdict=verdict, clauses=CLAUSES)
    assert told(result) == [
        f"ABnC property: {verdict}",
        "clause | verdict | evidence",
        "1. counts | checked | of 12 networks",
        "4a. gradients | not shown | there is no run",
    ]
    (first, _) = result.told()
    assert isinstance(first, Line) and first.tone == tone
