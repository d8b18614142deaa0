"""What is promised of an exported model."""

from __future__ import annotations

from typing import Any

from laws import goes_through_json, is_frozen

from subarch.results.promise import ClassDrop, DropResult, PromiseResult


def lost(**given: Any) -> DropResult:
    fields: dict[str, Any] = {"drop": 1.25, "drop_ci95": (-0.5, 3.0), "rows": 800, "verdict": "not shown"}
    return DropResult(**{**fields, **given})


def test_they_are_records() -> None:
    goes_through_json(lost(rows_needed=9000))
    one = ClassDrop(name="praise", examples=40, drop=2.5, drop_ci95=(-4.0, 9.0))
    promise = PromiseResult(**vars(lost()), agreement=0.9, agreement_lower=0.88, per_class=(one,))
    goes_through_json(promise)
    is_frozen(promise)
    assert promise.to_json()["drop_ci95"] == [-0.5, 3.0]


def test_estimate_and_interval_stand_beside_each_other() -> None:
    assert lost().in_words() == "1.2 (-0.5 to 3.0)"
