"""The first picture: every rung where it belongs, and the targets as a box."""

from __future__ import annotations

import math
from typing import Any

import examples
import pytest
from laws import HOSTILE, changed

from subarch.telling.ladder import FIGURE, content, limit_ms, numbered


def traces(**given: Any) -> dict[str, Any]:
    _, plots = content(examples.ladder(**given))
    return {one["meta"]: one for one in plots[FIGURE]["any"]["data"]}


def test_marks_have_time_quality_and_the_number_of_their_row() -> None:
    found = traces()
    assert set(found) == {"asked", "rung", "teacher", "form"}
    assert (found["rung"]["x"], found["rung"]["y"], found["rung"]["text"]) == ([0.25], [83.0], ["1"])
    assert found["teacher"]["text"] == ["2"] and found["form"]["x"] == [2.0]
    assert found["rung"]["error_y"]["array"] == [2.0]
    assert [row[0] for row in numbered(examples.ladder()).rows] == ["1 tfidf", "2 teacher", "3 onnx"]


def test_time_is_drawn_by_powers_and_all_marks_lie_within() -> None:
    _, plots = content(examples.ladder())
    layout = plots[FIGURE]["any"]["layout"]
    left, right = layout["xaxis"]["range"]
    assert layout["xaxis"]["type"] == "log" and left < math.log10(0.25) and right > math.log10(10.0)
    low, high = layout["yaxis"]["range"]
    assert low < 83 and high > 95


def test_the_box_holds_what_meets_the_targets() -> None:
    box = traces()["asked"]
    assert min(box["y"]) == pytest.approx(94.0)  # a point below the teacher
    assert max(box["x"]) == pytest.approx(10 / 3)  # three times as fast as it
    asked = changed(examples.ladder().asked, speedup=None, max_latency_ms=1.5)
    assert limit_ms(examples.ladder(asked=asked)) == 1.5
    free = changed(asked, max_latency_ms=None)
    assert limit_ms(examples.ladder(asked=free)) is None and max(traces(asked=free)["asked"]["x"]) > 10
    out_of_sight = changed(asked, max_latency_ms=1e-6)
    assert "asked" not in traces(asked=out_of_sight)


def test_before_the_sealed_rows_are_open_the_development_rows_are_drawn() -> None:
    rungs = tuple(changed(one, quality=None, ci95=None, drop=None) for one in examples.ladder().rungs)
    assert traces(rungs=rungs)["rung"]["y"] == [82.0]
    untimed = tuple(changed(one, ms_per_text=None) for one in examples.ladder().rungs)
    assert traces(rungs=untimed) == {}


def test_words_are_shown_as_they_are() -> None:
    rungs = tuple(changed(one, words=HOSTILE) for one in examples.ladder().rungs)
    found, _ = content(examples.ladder(rungs=rungs, left_out={"static": HOSTILE}, metric=HOSTILE))
    assert "<script" not in "".join(one.text for one in found)
    assert "<script" not in traces(rungs=rungs)["rung"]["hovertext"][0]
