"""Options of compress."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from subarch.options.compression import CompressOptions


def asked(**given: Any) -> CompressOptions:
    return CompressOptions(data="reviews.csv", teacher="./my-bert", **given)


def test_a_file_and_a_teacher_are_enough() -> None:
    made = asked()
    assert (made.speedup, made.max_latency_ms, made.max_drop, made.recipe, made.set) == (None, None, 1.0, "laptop", ())
    with pytest.raises(FrozenInstanceError):
        made.speedup = 4.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"speedup": 0.5}, "--speedup must be a number from 1"),
        ({"max_latency_ms": 0.0}, "--max-latency-ms must be a positive number, got 0.0"),
        ({"max_drop": 101.0}, "--max-drop is in points of 100, got 101.0"),
        ({"confirm": -1}, "--confirm must be an integer from 0, got -1"),
        ({"threads": 0}, "--threads must be an integer from 1, got 0"),
    ],
)
def test_what_is_out_of_range_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asked(**given)
