"""The figures of a report, as plain data for plotly.js.

A figure is a dictionary ``{"data": [...], "layout": {...}}`` in plotly's own vocabulary with two kinds of references
that the page resolves when it draws: ``@name`` stands for a column of numbers or texts that several figures share (so
five thousand hover texts are stored once), ``--name`` for a colour of the style sheet (so figures follow the colour
scheme).
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from subarch.results.base import Json
from subarch.results.wording import (
    counted,
    decimal,
    describe,
    duration,
    finite,
    identity,
    milliseconds,
    percent,
    short,
    whole,
)

Cost = Literal["macs", "latency_ms"]

COST_TITLES: dict[Cost, str] = {"macs": "Operations (multiply-accumulates)", "latency_ms": "Latency (ms)"}
COST_WORDS: dict[Cost, str] = {"macs": "operations", "latency_ms": "latency"}
_SIZE_TITLE = "Size (parameters)"
_ERROR_TITLE = "Error (lower is better)"
_MOST_STEPS = 2000  # more points than any screen has columns only make the file large
_CROWD = 400  # from so many points on, marks are drawn smaller and lighter
_TICKS = ((0.8, (1, 2, 3, 5, 7)), (1.5, (1, 2, 3, 5)), (2.5, (1, 2, 5)))  # digits that fit on so many decades
_LOG_FROM = 4.0  # an axis that spans more than this factor is logarithmic


@dataclass(frozen=True)
class Series:
    """Points that are drawn and toggled together.

    Attributes:
        key: name in the page's columns.
        label: what the legend says.
        symbol: plotly marker symbol, one that 2-D and 3-D charts both know.
        color: name of a colour of the style sheet.
        size: marker size in pixels of the 2-D charts.
        points: records with ``parameters``, ``macs``, ``latency_ms``, ``error`` (for those that were not trained, the
            proven lower bound of the error) and ``text`` (hover text, already escaped).
        mode: plotly trace mode.
    """

    key: str
    label: str
    symbol: str
    color: str
    size: int
    points: tuple[Json, ...]
    mode: Literal["markers", "lines"] = "markers"


@dataclass(frozen=True)
class Figures:
    """All figures of one report.

    Attributes:
        series: what the front figures show, in drawing order.
        costs: the cost axes that the run has values for; the first is shown first.
        columns: shared columns by name.
        plots: figure by element id, then by cost (``any`` where the figure does not depend on it).
    """

    series: tuple[Series, ...]
    costs: tuple[Cost, ...]
    columns: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    plots: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


def draw(extract: Json, certificate: Json) -> Figures:
    """Build every figure of a run.

    Args:
        extract: the content of ``extract.json``.
        certificate: the content of ``certificate.json``.
    """
    series = tuple(one for one in _series(extract, certificate) if one.points)
    costs: tuple[Cost, ...] = ("macs",)
    if any(finite(point.get("latency_ms")) is not None for one in series for point in one.points):
        costs = ("macs", "latency_ms")
    figures = Figures(series, costs)
    for one in series:
        for name in ("parameters", "macs", "latency_ms", "error"):
            figures.columns[f"{one.key}.{name}"] = [finite(point.get(name)) for point in one.points]
        figures.columns[f"{one.key}.text"] = [point.get("text", "") for point in one.points]
    source, limits = extract.get("source") or {}, certificate.get("limits") or {}
    figures.plots["front-3d"] = {cost: _scatter3d(series, cost) for cost in costs}
    figures.plots["size-error"] = {"any": _scatter(series, "parameters", _SIZE_TITLE, source, limits)}
    figures.plots["cost-error"] = {cost: _scatter(series, cost, COST_TITLES[cost], source, limits) for cost in costs}
    progress = _progress(extract, certificate)
    if progress is not None:
        figures.plots["progress"] = {"any": progress}
    return figures


def bounded(extract: Json) -> list[Json]:
    """Return the untrained architectures whose error has a proven positive lower bound, as drawable records."""
    kept = ((one, finite(one.get("error_bound"))) for one in extract.get("untrained") or [])
    return [{**one, "error": bound} for one, bound in kept if bound is not None and bound > 0]


def pick_label(name: str) -> str:
    """Say the name of a pick as a person would."""
    return {"w": "Best W", "knee": "Knee of the front", "constrained": "Best within the limits"}.get(name, name)


def _series(extract: Json, certificate: Json) -> Iterable[Series]:
    trained = [one for one in extract.get("trained") or [] if (finite(one.get("error")) or 0) > 0]
    number = {identity(one.get("architecture")): one for one in trained}
    front = list(extract.get("front") or [])
    on_front = {identity(one.get("architecture")) for one in front}
    certified = certificate.get("verdict") == "certified"

    def with_text(record: Json, state: str) -> Json:
        known = number.get(identity(record.get("architecture")), {})
        return {**record, "text": _hover({**known, **record}, state)}

    def some(records: Iterable[Json], state: str) -> tuple[Json, ...]:
        return tuple(with_text(one, state) for one in records)

    yield Series(
        "untrained", "Not trained, drawn at its proven lower bound", "cross", "--untrained", 6,
        some(bounded(extract), "not trained: its error cannot be lower than this"),
    )  # fmt: skip
    yield Series("line", "Lowest error up to this cost", "line", "--front-line", 2, tuple(trained), "lines")
    others = [one for one in trained if identity(one.get("architecture")) not in on_front]
    yield Series("trained", "Trained, not on the front", "circle", "--trained", 8, some(others, "trained"))
    yield Series("front", "Trained, on the front", "square", "--front", 10, some(front, "on the front"))
    looks = {
        "w": ("diamond", "--pick-w"),
        "knee": ("square-open", "--pick-knee"),
        "constrained": ("diamond-open", "--pick-c"),
    }
    for name, pick in (extract.get("picks") or {}).items():
        if pick:
            mark = "certified" if pick.get("certified") else "not certified"
            symbol, color = looks.get(name, ("circle-open", "--ink"))
            label = f"{pick_label(name)} ({mark})"
            yield Series(f"pick-{name}", label, symbol, color, 14, some([pick], label))
    label = f"Extracted ({'certified' if certified else 'not certified'})"
    yield Series("extracted", label, "circle-open", "--ink", 22, some([extract], label))


def _hover(record: Json, state: str) -> str:
    error = decimal(record.get("error"))
    if "error_bound" in record:
        error = f"at least {error}"
    elif finite(record.get("standard_error")) is not None:
        error = f"{error} ± {decimal(record['standard_error'], 2)}"
    lines = [
        f"<b>{html.escape(describe(record.get('architecture')))}</b>",
        html.escape(state) + (f" (no. {whole(record['number'])})" if "number" in record else ""),
        f"{whole(record.get('parameters'))} parameters",
        f"{whole(record.get('macs'))} operations",
        f"error {error}",
    ]
    if finite(record.get("latency_ms")) is not None:
        lines.insert(4, f"latency {milliseconds(record['latency_ms'])}")
    if finite(record.get("w")) is not None:
        lines.append(f"W {decimal(record['w'])}")
    return "<br>".join(lines)


def _axis(title: str, values: Iterable[object], **more: Any) -> Json:
    numbers = [number for number in map(finite, values) if number is not None]
    logarithmic = bool(numbers) and min(numbers) > 0 and max(numbers) > _LOG_FROM * min(numbers)
    axis: dict[str, Any] = {"title": {"text": title}, "type": "log" if logarithmic else "linear", "tickformat": "~s"}
    if title == _ERROR_TITLE:
        axis["tickformat"] = "~g"
    if logarithmic:
        # Plotly's own logarithmic ticks crowd on a short axis (every digit) and vanish on a long one.
        axis["tickvals"] = ticks(min(numbers), max(numbers))
        axis["ticktext"] = [short(tick).replace(" ", "") for tick in axis["tickvals"]]
    return {**axis, "gridcolor": "--grid", "linecolor": "--grid", "zerolinecolor": "--grid", "color": "--muted", **more}


def ticks(low: float, high: float) -> list[float]:
    """Return round values that spread evenly over a logarithmic axis from ``low`` to ``high``, and a little beyond."""
    decades = math.log10(high / low)
    digits = next((some for reach, some in _TICKS if decades < reach), (1,))
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    stride = max(1, round(decades / 8))
    found = [float(f"{digit}e{exponent}") for exponent in exponents[::stride] for digit in digits]
    return [tick for tick in found if low / 2 <= tick <= high * 2]


def _values(series: Sequence[Series], name: str) -> list[object]:
    return [point.get(name) for one in series for point in one.points]


def _scatter3d(series: Sequence[Series], cost: Cost) -> Json:
    traces: list[dict[str, Any]] = []
    for one in series:
        if one.mode == "markers":
            marker = {"symbol": one.symbol, "color": one.color, "size": max(4, round(one.size * 0.6)), "opacity": 0.9}
            if len(one.points) > _CROWD:
                marker |= {"size": 3, "opacity": 0.5}
            if one.key == "extracted":
                marker["size"] = 16
            axes = {"x": f"@{one.key}.parameters", "y": f"@{one.key}.{cost}", "z": f"@{one.key}.error"}
            traces.append({**_trace(one, "scatter3d", **axes), "marker": marker})
    look: dict[str, Any] = {"showbackground": False, "showspikes": False, "nticks": 5}
    scene = {
        "xaxis": _axis("Size", _values(series, "parameters"), **look),
        "yaxis": _axis("Operations" if cost == "macs" else "Latency (ms)", _values(series, cost), **look),
        "zaxis": _axis("Error", _values(series, "error"), **look, tickformat="~g"),
        "camera": {"eye": {"x": -1.4, "y": -1.6, "z": 0.7}, "center": {"x": 0, "y": 0, "z": -0.2}},
        "aspectmode": "manual",
        "aspectratio": {"x": 1.25, "y": 1.25, "z": 0.95},
    }
    return {"data": traces, "layout": {"scene": scene, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}}


def _trace(one: Series, kind: str, **columns: str) -> Json:
    return {
        "type": kind,
        "mode": one.mode,
        "name": one.label,
        "meta": one.key,
        "hoverinfo": "text",
        "hovertext": f"@{one.key}.text",
        **columns,
    }


def _scatter(series: Sequence[Series], name: str, title: str, source: Json, limits: Json) -> Json:
    traces: list[dict[str, Any]] = []
    for one in series:
        if one.mode == "lines":
            x, y = _staircase(one.points, name)
            line = {"color": one.color, "width": one.size, "shape": "hv"}
            traces.append({**_trace(one, "scatter"), "x": x, "y": y, "line": line, "hoverinfo": "skip"})
            traces[-1].pop("hovertext")
        else:
            axes = {"x": f"@{one.key}.{name}", "y": f"@{one.key}.error"}
            traces.append({**_trace(one, "scatter", **axes), "marker": _marker(one)})
    reach = [*_values(series, name), source.get(name)]
    layout = {"xaxis": _axis(title, reach, nticks=8), "yaxis": _axis(_ERROR_TITLE, _values(series, "error"), nticks=8)}
    _add_verticals(layout, {"source": source.get(name), "limit": limits.get(name, limits.get(f"max_{name}"))})
    return {"data": traces, "layout": layout}


def _marker(one: Series) -> Json:
    # Open and thin symbols are drawn by their line alone, filled ones need an edge to stand apart where they overlap.
    edge = "--paper" if one.symbol in ("circle", "square", "diamond") else one.color
    symbol = "cross-thin" if one.symbol == "cross" else one.symbol
    width = 1 if edge == "--paper" else 1.5 if one.symbol == "cross" else 2.5
    size, crowded = one.size, len(one.points) > _CROWD
    if crowded:
        size, width = max(4, round(size * 0.7)), width * 0.5
    opacity = 0.45 if crowded and one.symbol == "cross" else 1
    return {
        "symbol": symbol,
        "color": one.color,
        "size": size,
        "opacity": opacity,
        "line": {"color": edge, "width": width},
    }


def _staircase(points: Sequence[Json], name: str) -> tuple[list[float], list[float]]:
    pairs = sorted((finite(one.get(name)), finite(one.get("error"))) for one in points if finite(one.get(name)))
    x: list[float] = []
    y: list[float] = []
    for cost, error in pairs:
        if cost is not None and error is not None and (not y or error < y[-1]):
            x.append(cost)
            y.append(error)
    if x and pairs[-1][0] is not None and pairs[-1][0] > x[-1]:
        x.append(pairs[-1][0])
        y.append(y[-1])
    return x, y


def _add_verticals(layout: dict[str, Any], places: Mapping[str, object]) -> None:
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for label, value in places.items():
        at = finite(value)
        if at is None or at <= 0:
            continue
        line = {"color": "--muted", "width": 1.5, "dash": "dot" if label == "source" else "dash"}
        shapes.append({"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line})
        # On a logarithmic axis plotly wants the value itself for a shape, but its exponent for a note.
        place = math.log10(at) if layout["xaxis"]["type"] == "log" else at
        notes.append(
            {
                "x": place,
                "y": 1,
                "yref": "paper",
                "yanchor": "top",
                "xanchor": "right",
                "text": label,
                "showarrow": False,
            }
        )
    layout["shapes"], layout["annotations"] = shapes, notes


def _progress(extract: Json, certificate: Json) -> Json | None:
    steps = [one for one in extract.get("progress") or [] if finite(one.get("trained")) is not None]
    if not steps:
        return None
    if len(steps) > _MOST_STEPS:
        stride = -(-len(steps) // _MOST_STEPS)
        steps = [*steps[:-1:stride], steps[-1]]
    epsilon = finite(certificate.get("epsilon"))
    epsilon = epsilon if epsilon is not None and 0 < epsilon < 1 else None
    claim = certificate.get("claim")
    has_bound = any(finite(one.get("best")) is not None for one in steps) and claim != "front"
    traces = _bound_traces(steps, str(claim), epsilon) if has_bound else _achieved_traces(steps, epsilon)
    if not any(number is not None for trace in traces for number in trace["y"]):
        return None
    title = (
        ("W (higher is better)" if claim == "w" else _ERROR_TITLE) if has_bound else "Distance from the true front (%)"
    )
    values = [number for trace in traces if trace["meta"] != "band" for number in trace["y"]]
    most = max((finite(one.get("trained")) or 0 for one in steps), default=0)
    spacing: dict[str, Any] = {"dtick": 1} if most <= 8 else {"nticks": 8}  # few networks come in no halves
    layout = {
        "xaxis": _axis("Networks trained", [], tickformat=",d", **spacing),
        "yaxis": _axis(title, values, tickformat="~g", nticks=8),
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    }
    return {"data": traces, "layout": layout}


def _bound_traces(steps: Sequence[Json], claim: str, epsilon: float | None) -> Sequence[Json]:
    x = [finite(one.get("trained")) for one in steps]
    best = [finite(one.get("best")) for one in steps]
    bound = [finite(one.get("bound")) for one in steps]
    text = [_step_text(one) for one in steps]
    up = claim == "w"
    traces: list[dict[str, Any]] = []
    if epsilon is not None:
        factor = 1 / (1 - epsilon) if up else 1 - epsilon
        edge = [None if value is None else value * factor for value in best]
        shared = {"mode": "lines", "hoverinfo": "skip", "meta": "band", "line": {"width": 0, "shape": "hv"}, "x": x}
        traces.append({**shared, "y": best, "showlegend": False})
        name = f"within {percent(epsilon)}: certified once the bound is in here"
        traces.append({**shared, "y": edge, "fill": "tonexty", "fillcolor": "--band", "name": name})
    best_line = {"color": "--trained", "width": 2.5, "shape": "hv"}
    bound_line = {"color": "--front", "width": 2.5, "shape": "hv", "dash": "dash"}
    shown = {"mode": "lines+markers" if len(steps) < 60 else "lines", "hoverinfo": "text", "hovertext": text, "x": x}
    traces.append({**_marked(shown, "circle", "--trained"), "y": best, "line": best_line, "name": "best trained"})
    name = "no architecture can be better than" if up else "no architecture within the limits can be lower than"
    traces.append({**_marked(shown, "cross-thin", "--front"), "y": bound, "line": bound_line, "name": name})
    return traces


def _marked(trace: dict[str, Any], symbol: str, color: str) -> Json:
    marker = {"symbol": symbol, "size": 6, "color": color, "line": {"color": color, "width": 1.5}}
    return {**trace, "marker": marker, "meta": symbol}


def _achieved_traces(steps: Sequence[Json], epsilon: float | None) -> Sequence[Json]:
    x = [finite(one.get("trained")) for one in steps]
    reached = [finite(one.get("achieved")) for one in steps]
    line = {"color": "--trained", "width": 2.5, "shape": "hv"}
    trace = {"mode": "lines", "x": x, "y": [None if one is None else 100 * one for one in reached], "line": line}
    traces = [
        {**trace, "meta": "achieved", "name": "distance reached", "hovertext": [_step_text(one) for one in steps]}
    ]
    traces[0]["hoverinfo"] = "text"
    if epsilon is not None:
        asked = {"color": "--front", "width": 2, "dash": "dash"}
        level: dict[str, Any] = {
            "mode": "lines",
            "x": [x[0], x[-1]],
            "y": [100 * epsilon, 100 * epsilon],
            "line": asked,
        }
        traces.append({**level, "meta": "asked", "name": "asked for", "hoverinfo": "skip"})
    return traces


def _step_text(step: Json) -> str:
    lines = [f"<b>{counted(round(finite(step.get('trained')) or 0), 'network')} trained</b>"]
    lines += [f"after {duration(step['seconds'])}"] if finite(step.get("seconds")) is not None else []
    lines += [f"{name} {decimal(step[name])}" for name in ("best", "bound") if finite(step.get(name)) is not None]
    lines += [f"distance {percent(step['achieved'])}"] if finite(step.get("achieved")) is not None else []
    return "<br>".join(lines)
