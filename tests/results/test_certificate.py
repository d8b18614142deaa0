"""The certificate as an object: there and back under the names that it has in files."""

from __future__ import annotations

import json

from subarch.results.certificate import Conclusions, CountsResult, FloorResult, ValueResult


def test_counts_are_written_under_the_name_that_python_has_for_itself() -> None:
    counts = CountsResult(source="polynomials", confirmed=9, trained=3, words="confirmed")
    assert counts.to_json() == {"from": "polynomials", "confirmed": 9, "trained": 3, "words": "confirmed"}
    assert CountsResult.from_json(json.loads(json.dumps(counts.to_json()))) == counts


def test_a_bound_that_is_not_there_is_null() -> None:
    found = Conclusions(
        claim="w", verdict="no guarantee", reason="Stopped early.", epsilon=0.1, achieved=None, delta=0.0, e_min=0.0,
        error_floor=FloorResult(assumed=0.0, void=False), evaluated=1, space_size=4, space_listed=True, spread=0.0,
        noise=0.0, resolved=False, violations=(), best=ValueResult(value=1.0, architecture={"depth": 2}),
        bound=ValueResult(value=None, architecture=None), excluded=(), limits={}, space_hash="a",
    )  # fmt: skip
    assert found.to_json()["bound"] == {"value": None, "architecture": None}
    assert Conclusions.from_json(json.loads(json.dumps(found.to_json()))) == found
