"""The first picture of a report: what others would do, by quality and time, with the targets as a box."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from subarch.results.base import Json, Rows
from subarch.results.ladder import LadderResult, RungResult
from subarch.results.wording import decimal, whole
from subarch.telling.page import Html, chart, listed, tag
from subarch.telling.plots import axis, figure

FIGURE = "ladder-quality-time"
_MARKS = {  # of each kind: name in the legend, symbol, colour
    "rung": ("plain rivals", "circle", "--trained"),
    "teacher": ("the teacher", "diamond", "--pick-w"),
    "way": ("ways of training this model", "square-open", "--untrained"),
    "form": ("this model as it runs", "square", "--front"),
}
_ROOM = 1.6  # of the axes beyond the outermost marks, as a factor of time
_POINTS = 4.0  # likewise, of quality


def content(result: LadderResult) -> tuple[list[Html], dict[str, Json]]:
    """What a section says, and its picture by element id."""
    drawn = [(n, one) for n, one in enumerate(result.rungs, 1) if one.ms_per_text is not None and _quality(one)]
    rows = "sealed" if not result.is_sealed else "development"
    words = (
        f"What people would do without a search, on the same rows: {whole(result.sealed_rows)} sealed and "
        f"{whole(result.development_rows)} development rows."
        + (f" {whole(result.pool)} texts without labels were learned from." if result.pool else "")
    )
    caption = (
        f"{result.metric} on the {rows} rows against milliseconds from one text to its answer, tokens included; "
        "numbers are those of the table. Best is the upper left corner; the box holds what meets the targets."
    )
    label = "Scatter chart of quality against time per text of every rung, the targets as a box; the table has both."
    sentence = result.sentence().words
    found: list[Html] = [
        tag("p", words),
        tag("p", f"{sentence[0].upper()}{sentence[1:]}."),
        chart(FIGURE, "Quality against time per text", tag("p", caption), label),
        listed("Points lost against the teacher with 95 % intervals", numbered(result)),
    ]
    if result.left_out:
        told = "; ".join(f"{name}: {why}" for name, why in result.left_out.items())
        found.append(tag("p", f"Left out: {told}.", class_="note"))
    return found, {FIGURE: _figure(result, drawn)}


def numbered(result: LadderResult) -> Rows:
    """The table with the numbers of the picture."""
    table = result.table()
    columns = ("rung", *table.columns[1:])
    return Rows(columns, [(f"{n} {row[0]}", *row[1:]) for n, row in enumerate(table.rows, 1)])


def _quality(one: RungResult) -> float | None:
    return one.development if one.quality is None else one.quality


def _figure(result: LadderResult, drawn: Sequence[tuple[int, RungResult]]) -> Json:
    if not drawn:
        return figure([], axis("Milliseconds"), axis("Quality"))
    times = [one.ms_per_text or 0.0 for _, one in drawn]
    heights = [100 * (_quality(one) or 0.0) for _, one in drawn]
    left, right = min(times) / _ROOM, max(times) * _ROOM
    low, high = min(heights) - _POINTS, max(heights) + _POINTS
    traces = [*_box(result, left, right, high), *_traces(drawn)]
    logarithmic = axis(
        "Milliseconds a text", type="log", tickformat="~g", dtick="D2", range=[math.log10(left), math.log10(right)]
    )
    return figure(traces, logarithmic, axis(f"{result.metric}, points", range=[low, high]))


def _box(result: LadderResult, left: float, right: float, high: float) -> Iterator[Json]:
    """Where all targets are met: as a trace, whose corners are values on any axis."""
    teacher = result.rung("teacher")
    if teacher is None or _quality(teacher) is None:
        return
    floor = 100 * (_quality(teacher) or 0.0) - result.asked.max_drop
    edge = min(right, limit_ms(result) or right)
    if edge <= left:
        return
    yield {
        "type": "scatter",
        "mode": "lines",
        "name": "what was asked for",
        "meta": "asked",
        "x": [left, edge, edge, left, left],
        "y": [floor, floor, high, high, floor],
        "fill": "toself",
        "fillcolor": "--band",
        "line": {"color": "--trained", "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }


def limit_ms(result: LadderResult) -> float | None:
    """Milliseconds that are allowed; None where no time was asked for."""
    asked, limits = result.asked, list[float]()
    if asked.max_latency_ms is not None:
        limits.append(asked.max_latency_ms)
    known = [one.ms_per_text for one in result.rungs if one.name.startswith("teacher") and one.ms_per_text]
    if asked.speedup is not None and known:
        limits.append(min(known) / asked.speedup)
    return min(limits) if limits else None


def _traces(drawn: Sequence[tuple[int, RungResult]]) -> Iterator[Json]:
    for kind, (name, symbol, color) in _MARKS.items():
        mine = [(n, one) for n, one in drawn if _kind(one) == kind]
        if not mine:
            continue
        halves = [100 * (one.ci95 or 0.0) for _, one in mine]
        more: dict[str, Any] = {"error_y": {"type": "data", "array": halves, "color": color, "thickness": 1}}
        yield {
            "type": "scatter",
            "mode": "markers+text",
            "name": name,
            "meta": kind,
            "x": [one.ms_per_text for _, one in mine],
            "y": [100 * (_quality(one) or 0.0) for _, one in mine],
            "text": [str(n) for n, _ in mine],
            "textposition": "middle right",
            "hovertext": [_hover(one) for _, one in mine],
            "hoverinfo": "text",
            "marker": {"symbol": symbol, "size": 10, "color": color, "line": {"color": color, "width": 1.5}},
            **more,
        }


def _kind(one: RungResult) -> str:
    return "teacher" if one.what == "rung" and one.name.startswith("teacher") else one.what


def _hover(one: RungResult) -> str:
    lines = [f"<b>{_plain(one.name)}</b>", _plain(one.words)]
    lines.append(f"{100 * (_quality(one) or 0.0):.1f} at {decimal(one.ms_per_text, 3)} ms")
    if (lost := one.drop or one.development_drop) is not None:
        lines.append(f"points lost: {lost.in_words()}")
    return "<br>".join(lines)


def _plain(text: str) -> str:
    """Plotly reads a few tags in texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
