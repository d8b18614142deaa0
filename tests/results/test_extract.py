"""What extract tells: the front, the certificate, the pick."""

from __future__ import annotations

from dataclasses import replace

import examples
import pytest
from laws import HOSTILE, changed, goes_through_json, holds, is_frozen, shows_words_as_they_are, told

from subarch.results.base import Line
from subarch.results.certificate import DeltaResult, ViolationResult
from subarch.results.extract import told_front


def test_they_are_results() -> None:
    holds(examples.extract())
    holds(examples.certificate())
    goes_through_json(examples.point(latency_ms=None))
    is_frozen(examples.point())
    shows_words_as_they_are(examples.certificate(reason=HOSTILE))
    shows_words_as_they_are(examples.extract(architecture={"num_hidden_layers": 2, "kind": HOSTILE}))


def test_the_front_names_its_picks() -> None:
    made = examples.extract()
    table = told_front(made.front, made.picks)
    assert table.title == "Pareto front of what was trained"
    assert table.rows == [
        ("2 / 128", "4.4 M", "50 M", "2.00 ms", "0.125", "w (certified), knee"),
        ("4 / 256", "11 M", "50 M", "2.00 ms", "0.125", ""),
    ]
    (row,) = told_front([examples.point(latency_ms=None, architecture={"width": 8})], {"w": None}).rows
    assert row == ("8", "4.4 M", "50 M", "", "0.125", "")


@pytest.mark.parametrize(
    ("verdict", "tone"), [("certified", "good"), ("unresolved", "warning"), ("no guarantee", "bad")]
)
def test_a_certificate_begins_with_its_verdict(verdict: str, tone: str) -> None:
    violation = ViolationResult(smaller={"d": 1}, larger={"d": 2}, smaller_error=0.1, larger_error=0.11, size=0.1)
    made = examples.certificate(verdict=verdict, violations=(violation,))
    goes_through_json(made)
    first, *_ = made.told()
    assert isinstance(first, Line) and (first.lead, first.tone, first.words) == (verdict, tone, made.reason)
    assert told(replace(made, relative_noise=0.012))[1] == (
        "trained 12 of 1,080 architectures (and 5 for scale and noise); epsilon 0.05 reached, 0.1 asked; "
        "delta 0, spread 0.5, noise 1.2 %, 1 violations"
    )
    assert "noise not known" in told(made)[1]


def test_what_larger_violations_would_leave_is_told_of_what_is_certified() -> None:
    curve = (
        DeltaResult(delta=0.0, epsilon=0.05),
        DeltaResult(delta=0.1, epsilon=0.15),
        DeltaResult(delta=1.0, epsilon=None),
    )
    words = "Were monotony broken by more: by 10 %, epsilon 0.15 would still be proved."
    assert words in told(examples.certificate(epsilon_by_delta=curve))
    assert words not in told(examples.certificate(epsilon_by_delta=curve, verdict="unresolved"))


def test_what_is_claimed_depends_on_the_verdict() -> None:
    assert examples.certificate().in_words == (
        "The extracted architecture reaches at least 95 % of the highest W that the space can offer."
    )
    assert examples.certificate(verdict="no guarantee").in_words.startswith("What was asked for is not guaranteed.")
    assert examples.certificate(achieved=1.0).in_words.startswith("Nothing is proven")


def test_the_pick_is_told_with_what_it_gains() -> None:
    found = told(examples.extract())
    assert found[-3:] == [
        "the pick: 2 layers, hidden 128",
        "  4.4 M parameters (4.0% of the reference), 10.0 times fewer operations, 10.0 times as fast here, error 0.125",
        "runs/mine/report.html shows it all; runs/mine/architecture.json is its config; check it with: "
        "subarch verify runs/mine",
    ]
    untimed = told(examples.extract(latency_ms=None))
    assert untimed[-2].endswith("10.0 times fewer operations, error 0.125")


def test_a_missed_target_is_said() -> None:
    missed = examples.pick(certified=False, missed=("latency 3 ms measured again, 2 asked",))
    goes_through_json(missed)
    found = told(changed(examples.extract(), picks={"constrained": missed}))
    assert "  the target is missed: latency 3 ms measured again, 2 asked" in found
