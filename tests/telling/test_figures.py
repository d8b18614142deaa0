"""The figures as data: what is drawn where."""

from __future__ import annotations

import html
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.telling import figures as drawing


@pytest.mark.parametrize("claim", ["w", "constrained"])
def test_epsilon_band_ends_where_the_search_may_stop(claim: str) -> None:
    progress = [{"trained": 1, "best": 2.0, "bound": 4.0}, {"trained": 2, "best": 3.0, "bound": 3.1}]
    extract = {"progress": progress, "trained": [], "picks": {}}
    plot = drawing.draw(extract, {"claim": claim, "epsilon": 0.2}).plots["progress"]["any"]
    band = [trace for trace in plot["data"] if trace["meta"] == "band"][1]
    # w: W_best >= (1 - epsilon) * bound; constrained: bound >= (1 - epsilon) * e_best.
    assert band["y"] == pytest.approx([2.5, 3.75] if claim == "w" else [1.6, 2.4])


@given(st.floats(1e-4, 1e9), st.floats(1.01, 1e9))
def test_ticks_are_few_and_cover_a_logarithmic_axis(low: float, factor: float) -> None:
    found = drawing.ticks(low, low * factor)
    inside = [tick for tick in found if low <= tick <= low * factor]
    assert found == sorted(set(found)) and len(found) <= 14
    assert factor < 4 or len(inside) >= 1


@given(st.text(max_size=40))
def test_hover_texts_are_escaped(name: str) -> None:
    record = {"architecture": {f"{name}<b": 1}, "parameters": 1, "macs": 1, "error": 0.5}
    shown = drawing.draw({**record, "trained": [record]}, {}).columns["extracted.text"][0]
    assert html.unescape(shown.split("</b>")[0]).count("<b") == 2 + f"{name}".count("<b")
    assert "&lt;b" in shown


def one(error: float, cost: float, **more: Any) -> dict[str, Any]:
    return {"architecture": {"width": cost}, "parameters": 10 * cost, "macs": cost, "error": error, **more}


def drawn(**more: Any) -> drawing.Figures:
    trained = [one(0.5, 10.0), one(0.6, 20.0), one(0.2, 40.0)]
    extract = {**trained[2], "trained": trained, "front": [trained[0], trained[2]], "source": one(0.0, 80.0)}
    return drawing.draw({**extract, **more}, {"verdict": "certified", "limits": {}})


def test_every_point_is_in_one_series_and_marked_by_what_it_is() -> None:
    series = {one.key: [point["error"] for point in one.points] for one in drawn().series}
    assert series["front"] == [0.5, 0.2] and series["trained"] == [0.6] and "untrained" not in series
    assert series["extracted"] == [0.2]
    (extracted,) = (one for one in drawn().series if one.key == "extracted")
    assert extracted.label == "Extracted (certified)"


def test_untrained_points_stand_at_their_bounds_where_there_is_one() -> None:
    bounds = [{**one(0.0, 5.0), "error_bound": bound} for bound in (0.3, None, 0.0)]
    assert [point["error"] for point in drawing.bounded({"untrained": bounds})] == [0.3]
    assert drawn(untrained=bounds).columns["untrained.error"] == [0.3]
    assert "error at least 0.3" in drawn(untrained=bounds).columns["untrained.text"][0]


def test_the_staircase_is_the_lowest_error_up_to_a_cost() -> None:
    traces = drawn().plots["cost-error"]["macs"]["data"]
    (stairs,) = (trace for trace in traces if trace["mode"] == "lines")
    assert (stairs["x"], stairs["y"]) == ([10.0, 40.0], [0.5, 0.2])


def test_axes_are_logarithmic_where_they_span_much_and_show_the_source() -> None:
    layout = drawn().plots["cost-error"]["macs"]["layout"]
    assert layout["xaxis"]["type"] == "log" and layout["yaxis"]["type"] == "linear"
    assert [shape["x0"] for shape in layout["shapes"]] == [80.0]
    assert layout["annotations"][0]["x"] == pytest.approx(math.log10(80))


def test_an_axis_of_latency_is_there_where_it_was_measured() -> None:
    assert [*drawn().costs] == ["macs"]
    timed = [one(0.5, 10.0, latency_ms=1.0), one(0.2, 40.0, latency_ms=2.5)]
    figures = drawing.draw({**timed[1], "trained": timed, "front": timed, "picks": {}}, {})
    assert set(figures.costs) == {"macs", "latency_ms"}
    assert figures.columns["front.latency_ms"] == [1.0, 2.5]


def test_picks_are_called_by_name() -> None:
    assert drawing.pick_label("w") == "Best W" and drawing.pick_label("mine") == "mine"


def test_long_progress_is_thinned_to_what_a_screen_has() -> None:
    progress = [{"trained": n, "best": 1.0, "bound": 2.0} for n in range(1, 5002)]
    plot = drawing.draw({"progress": progress, "trained": [], "picks": {}}, {"claim": "w"}).plots["progress"]["any"]
    x = plot["data"][0]["x"]
    assert len(x) <= 2001 and (x[0], x[-1]) == (1, 5001)
