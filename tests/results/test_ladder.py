"""The plainest rivals beside each other."""

from __future__ import annotations

from typing import Any

import examples
import pytest
from laws import HOSTILE, changed, goes_through_json, holds, is_frozen, shows_words_as_they_are, told

from subarch.results.ladder import LadderResult


def ladder(**given: Any) -> LadderResult:
    return examples.ladder(**given)


def test_it_is_a_result() -> None:
    holds(ladder())
    goes_through_json(ladder().rungs[0])
    is_frozen(ladder().rungs[0])
    goes_through_json(ladder().asked)
    shows_words_as_they_are(changed(ladder(), metric=HOSTILE))


def test_it_tells_what_rungs_are_worth_and_what_they_cost() -> None:
    assert told(ladder())[:8] == [
        " | development | sealed | lost (95 %) | targets",
        "tfidf | 82.0 | 83.0 | 12.0 (9.5 to 14.5) | ✕ missed",
        "teacher | 95.5 | 95.0 | 0.0 (0.0 to 0.0) | ✓ met",
        "onnx | 91.0 | 90.0 | 5.0 (3.0 to 7.0) | ✕ missed",
        " | ms | texts a second | MB | to make",
        "tfidf | 0.25 | 5,000 | 3 | 2 s",
        "teacher | 10 | 150 | 440 | 0 s",
        "onnx | 2 | 900 | 18 | ",
    ]


def test_what_is_enough_is_said_with_its_folder() -> None:
    none = ladder().sentence()
    assert "no plain rung is shown" in none.words and not none.lead
    rungs = tuple(changed(one, verdict="not shown") for one in ladder().rungs)
    assert "by the estimate alone: tfidf, teacher" in ladder(rungs=rungs).sentence().words
    one = ladder(enough="tfidf").sentence()
    assert (one.lead, one.tone) == ("enough", "good")
    assert "on the sealed rows: missed" in one.words and "runs/mine/ladder/tfidf/model" in one.words


def test_before_the_sealed_rows_are_open_the_development_rows_are_told() -> None:
    rungs = tuple(changed(one, quality=None, ci95=None, drop=None) for one in ladder().rungs)
    found = ladder(rungs=rungs)
    assert found.is_sealed and not ladder().is_sealed
    assert any("on the development rows" in line for line in told(found))
    assert told(found)[1] == "tfidf | 82.0 |  | 11.0 (7.0 to 15.0) | ✕ missed"


def test_what_was_left_out_says_why() -> None:
    assert "teacher-int8 is left out: nothing to make it with" in told(
        ladder(left_out={"teacher-int8": "nothing to make it with"})
    )


def test_a_rung_is_found_by_its_name() -> None:
    found = ladder().rung("tfidf")
    assert found is not None and found.quality == pytest.approx(0.83)
    assert ladder().rung("none") is None
