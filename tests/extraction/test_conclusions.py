"""What a derivation means: every verdict with its words."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from subarch.extraction.certificate import Derived, Excluded, Violation
from subarch.extraction.conclusions import conclusions, differences, digest, left_out, resolved, verdict
from subarch.extraction.problem import Claim, Limit, Problem
from subarch.networks.space import Parameter, Space

DERIVED = Derived(
    evaluated=10,
    space_size=100,
    listed=True,
    delta=0.0,
    floor=0.0,
    floor_void=False,
    violations=(),
    spread=0.5,
    best=(1,),
    value=2.0,
    bound=2.1,
    bound_at=(2,),
    achieved=0.05,
)
SPACE = Space((Parameter(name="width", choices=(8, 16, 32)),))


def said(derived: Derived = DERIVED, **given: Any) -> tuple[str, str]:
    fields: dict[str, Any] = {"claim": "w", "epsilon": 0.1, "noise": 0.01, "counts_hold": True}
    return verdict(derived, **(fields | given))


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("w", "The pick's W is at least 0.95 of the highest that the space can offer"),
        ("constrained", "No architecture within the limits can have an error below 0.95 times the pick's"),
        ("front", "For every architecture a trained one is within a factor of 1.05 in size, cost and error"),
    ],
)
def test_a_certificate_says_what_is_claimed_and_what_is_assumed(claim: Claim, words: str) -> None:
    found, reason = said(claim=claim)
    assert found == "certified"
    assert reason == (f"{words} (epsilon 0.05 was reached, 0.1 was asked), given that a larger network is never worse.")


def test_what_is_assumed_is_named() -> None:
    _, reason = said(replace(DERIVED, delta=0.02), error_floor=0.001)
    assert reason.endswith("never worse by more than 0.02 and no error lies below the 0.001 that was vouched for.")
    _, reason = said(replace(DERIVED, achieved=0.0))
    assert reason.startswith("No architecture of the space can have a higher W (")


@pytest.mark.parametrize(
    ("change", "given", "found", "words"),
    [
        ({}, {"counts_hold": False}, "no guarantee", "A clause of the ABnC check fails"),
        ({"achieved": None}, {}, "no guarantee", "Nothing to choose"),
        ({"achieved": 0.3}, {}, "no guarantee", "Stopped early: epsilon 0.3 was reached, 0.1 was asked."),
        ({"achieved": 0.3, "delta": 0.2}, {}, "no guarantee", "only training everything could reach it"),
        ({"delta": 0.1}, {}, "no guarantee", "break monotony by up to 0.1, which is no less than epsilon = 0.1"),
        (
            {},
            {"noise": 0.034},
            "unresolved",
            "changes by up to 3.40%, of which 3 times must be at most epsilon, 10.00%",
        ),
        ({}, {"noise": 0.033}, "certified", "given that"),
        ({}, {"noise": None}, "unresolved", "their noise is not known"),
        ({"spread": 0.0}, {"noise": 0.001}, "unresolved", "Size and speed alone decided"),
        ({"spread": 0.09}, {"deviation": 0.01}, "unresolved", "their spread 0.09 against a repeat noise of 0.01"),
        ({"evaluated": 1}, {}, "unresolved", "The errors do not separate"),
        ({"evaluated": 100}, {}, "certified", "Every architecture of the space was trained: the pick is the best"),
        ({"evaluated": 100, "delta": 0.2}, {}, "unresolved", "larger is not better here"),
        ({"evaluated": 100, "listed": False}, {}, "certified", "given that a larger network is never worse"),
    ],
)
def test_verdicts(change: dict[str, Any], given: dict[str, Any], found: str, words: str) -> None:
    name, reason = said(replace(DERIVED, **change), **given)
    assert name == found and words in reason


def test_rounding_breaks_no_claim() -> None:
    assert said(replace(DERIVED, achieved=1.1 - 1))[0] == "certified"
    assert said(replace(DERIVED, achieved=0.1 + 1e-6))[0] == "no guarantee"


def test_errors_separate_where_three_times_their_noise_is_at_most_epsilon() -> None:
    assert resolved(DERIVED, 0.1 / 3, 0.1) and not resolved(DERIVED, 0.0334, 0.1)
    assert not resolved(replace(DERIVED, delta=0.1), 0.01, 0.1)
    assert not resolved(replace(DERIVED, spread=0.0), 0.01, 0.1)
    assert not resolved(replace(DERIVED, evaluated=1), 0.01, 0.1)
    assert not resolved(DERIVED, None, 0.1)


def test_errors_tell_networks_apart_where_their_spread_is_ten_times_the_noise() -> None:
    assert resolved(DERIVED, 0.01, 0.1, 0.05) and not resolved(DERIVED, 0.01, 0.1, 0.0501)


def test_every_field_is_json_and_architectures_are_named() -> None:
    limit = Limit(name="speedup", maximum=5.0, values=lambda rows: 1.0 * rows[:, 0], asked=3.0)
    problem = Problem(
        space=SPACE,
        costs=lambda rows: np.ones((len(rows), 2)),
        reference=(9.0, 9.0),
        claim="constrained",
        limits=(limit,),
    )
    derived = replace(
        DERIVED,
        violations=(Violation(smaller=(0,), larger=(2,), smaller_error=0.1, larger_error=0.2, size=0.5),),
        excluded=tuple(Excluded(index=(n,), error_at_least=0.0, w_at_most=None) for n in (0, 1, 2, 0)),
        bound=float("inf"),
    )
    found = conclusions(problem, [], derived, counts_hold=True).to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["best"] == {"architecture": {"width": 16}, "value": 2.0}
    assert found["bound"] == {"architecture": {"width": 32}, "value": None}
    assert found["violations"][0]["smaller"] == {"width": 8}
    assert found["limits"] == {"speedup": 3.0} and found["space_hash"] == SPACE.hash
    assert found["excluded"][0] == {"architecture": {"width": 8}, "error_at_least": None, "w_at_most": None}
    named = "Left out, as every training of it failed: {'width': 8}, {'width': 16}, {'width': 32} and 1 more."
    assert left_out(problem, derived) == named and found["reason"].endswith(named)


def test_a_digest_is_of_the_canonical_form() -> None:
    assert digest({"b": 1, "a": [1.5, None]}) == digest({"a": [1.5, None], "b": 1})
    assert digest({"b": 1}) == hashlib.sha256(b'{"b":1}').hexdigest()


def test_differences_are_named_by_their_place() -> None:
    ours = {"a": 1, "b": [1, {"c": 0.1 + 0.2}], "d": "x" * 100, "e": True, "f": None}
    assert list(differences(ours, {**ours, "b": [1, {"c": 0.3}]})) == []  # what machines differ by
    found = list(differences(ours, {"a": 1, "b": [1, {"c": 0.31}], "e": 1, "f": None, "g": 2}))
    assert found[0].startswith("b[1].c: told is 0.31, derived 0.3000")
    assert found[1].startswith('d: told is null, derived "xxx') and found[1].endswith("...")
    assert found[2:] == ["e: told is 1, derived true", "g: told is 2, derived null"]
    assert list(differences({"b": [1]}, {"b": [1, 2]})) == ["b: told is [1, 2], derived [1]"]
