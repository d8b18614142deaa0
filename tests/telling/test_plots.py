"""Lines, bars and points: plotly takes them once the page has put its colours in."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import pytest
from outline import coloured

from subarch.telling.plots import axis, bars, cloud, figure, line, marks, panels


def checked(plot: dict[str, Any]) -> Any:
    return go.Figure(coloured(plot["any"]))  # plotly refuses what its schema does not know


def test_a_legend_is_shown_where_there_is_something_to_tell_apart() -> None:
    traces = [line("a", [1, 2], [3.0, 4.0], "--trained"), bars("b", ["x"], [1.0], "--front", orientation="h")]
    both = checked(figure(traces, axis("Step", tickformat=",d"), axis("Loss"), barmode="group"))
    assert both.layout.showlegend and both.layout.xaxis.title.text == "Step" and both.layout.barmode == "group"
    assert [one.name for one in both.data] == ["a", "b"] and both.data[1].orientation == "h"
    assert not checked(figure(traces[:1], axis(""), axis(""))).layout.showlegend


@pytest.mark.parametrize(("count", "mode"), [(39, "lines+markers"), (40, "lines")])
def test_points_of_a_line_are_marked_where_they_are_few(count: int, mode: str) -> None:
    assert line("a", range(count), range(count), "--trained")["mode"] == mode


def test_marks_have_their_intervals_where_there_are_any() -> None:
    made = checked(figure([marks("a", [0.1, 0.2], [90, 91], "--front", halves=[1.5, None], text=["x", "y"])], {}, {}))
    assert made.data[0].error_y.array == (1.5, 0) and made.data[0].hovertext == ("x", "y")


def test_panels_stand_side_by_side_without_overlap_on_one_scale() -> None:
    rows = [[cloud([0.5], [0.5], "--trained", place=2 * row + column + 1) for column in range(2)] for row in range(3)]
    made = checked(panels(rows, ["from above", "from the side"], span=3.0))
    assert len(made.data) == 6
    axes = [(made.layout[f"xaxis{n}"], made.layout[f"yaxis{n}"]) for n in ("", 2, 3, 4, 5, 6)]
    boxes = [(*x.domain, *y.domain) for x, y in axes]
    for n, (x0, x1, y0, y1) in enumerate(boxes):
        assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
        for a0, a1, b0, b1 in boxes[n + 1 :]:
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0
    assert all(tuple(x.range) == tuple(y.range) == (-3.0, 3.0) for x, y in axes)
    assert [note.text for note in made.layout.annotations] == ["from above", "from the side"]
    assert boxes[0][2] > boxes[2][2] > boxes[4][2]  # the first row is the highest
