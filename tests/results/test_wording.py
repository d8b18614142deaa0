"""Numbers, architectures and what is said of sealed rows, in words."""

from __future__ import annotations

import math

import pytest

from subarch.results.compress import SealedResult
from subarch.results.wording import claim_in_words, decimal, describe, duration, percent, relatives, short


def test_what_is_said_beside_scores() -> None:
    scores = {"plain": 0.8049, "teacher": 0.9}
    told = relatives(317, 1200, scores)
    assert told.startswith("317 of the 1,200 sealed rows (26 %)") and "plain 80.5, teacher 90.0" in told
    assert relatives(0, 1200, scores).startswith("None of the sealed rows")
    everything = relatives(1200, 1200, {"plain": None})
    assert "(100 %)" in everything and "no other row is left" in everything
    # Files of earlier versions do not say it, and nothing is made up for them.
    assert relatives(None, 5, {"plain": None}) == ""
    sealed = {"metric": "accuracy", "examples": 100, "exported": 0.7, "teacher": 0.75, "drop": 5.0}
    assert SealedResult.from_json(sealed).apart_in_words() == ""
    known = SealedResult.from_json({**sealed, "related": 10, "apart": {"exported": 0.7, "teacher": 0.75}})
    assert "exported 70.0, teacher 75.0" in known.apart_in_words()


@pytest.mark.parametrize("achieved", [None, 1.0])
def test_without_a_bound_nothing_is_claimed(achieved: float | None) -> None:
    words = claim_in_words({"claim": "w", "verdict": "no guarantee", "achieved": achieved})
    assert words == "Nothing is proven about architectures that were not trained."


def test_another_family_in_words() -> None:
    widths = {f"width_{layer}": 32 * layer for layer in range(1, 11)}
    assert describe(widths) == "width 32-64-96-128-160-192-224-256-288-320"
    assert describe({"num_hidden_layers": 1, "num_attention_heads": 4, "act": "gelu"}) == "1 layer, 4 heads, act gelu"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (short(12_345_678), "12.3 M"),
        (short(999_999), "1 M"),
        (short(950), "950"),
        (decimal(0.0000123461), "0.00001235"),
        (decimal(1234.5), "1,234"),
        (decimal(None), "not stated"),
        (decimal(math.nan), "not stated"),
        (percent(0.0965), "9.65 %"),
        (duration(200), "3 min 20 s"),
        (duration(7500), "2 h 5 min"),
    ],
)
def test_numbers(shown: str, expected: str) -> None:
    assert shown == expected
