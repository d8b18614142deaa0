"""Lines, bars and points as plain data that the page's script draws; colours are names of its style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from subarch.results.base import Json


def axis(title: str, **more: Any) -> Json:
    """An axis in the page's colours."""
    style = {"gridcolor": "--grid", "linecolor": "--grid", "zerolinecolor": "--grid", "color": "--muted"}
    return {"title": {"text": title}, "automargin": True, **style, **more}


def figure(traces: Sequence[Json], x: Json, y: Json, **more: Any) -> Json:
    """A plot of these traces; the legend is shown where there are several."""
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    layout = {"xaxis": x, "yaxis": y, "showlegend": len(traces) > 1, "legend": legend, **more}
    return {"any": {"data": list(traces), "layout": layout}}


def line(name: str, x: Sequence[Any], y: Sequence[Any], color: str, dash: str = "solid") -> Json:
    """A line through points, which are marked where they are few."""
    mode = "lines+markers" if len(x) < 40 else "lines"
    look = {"color": color, "width": 2, "dash": dash}
    return {"type": "scatter", "mode": mode, "name": name, "x": list(x), "y": list(y), "line": look, "meta": name}


def bars(name: str, x: Sequence[Any], y: Sequence[Any], color: str, **more: Any) -> Json:
    """A bar for each ``x``."""
    return {"type": "bar", "name": name, "x": list(x), "y": list(y), "marker": {"color": color}, "meta": name, **more}


def marks(
    name: str, x: Sequence[Any], y: Sequence[Any], color: str, *, halves: Sequence[float | None], text: Sequence[str]
) -> Json:
    """Points with the halves of their intervals, and what each says when it is pointed at."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(x),
        "y": list(y),
        "marker": {"color": color, "size": 10},
        "error_y": {"type": "data", "array": [half or 0 for half in halves], "color": color},
        "hovertext": list(text),
        "hoverinfo": "text",
        "meta": name,
    }


def cloud(x: Sequence[float], y: Sequence[float], color: str, place: int = 1) -> Json:
    """Small points on the pair of axes of that number."""
    marker = {"color": color, "size": 2.5, "opacity": 0.7}
    axes = {} if place == 1 else {"xaxis": f"x{place}", "yaxis": f"y{place}"}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(x),
        "y": list(y),
        "marker": marker,
        "hoverinfo": "skip",
        **axes,
    }


def panels(rows: Sequence[Sequence[Json]], titles: Sequence[str], span: float) -> Json:
    """Clouds side by side: a row of pictures below the other, all of one scale.

    Args:
        rows: for each row its clouds, ``len(titles)`` of them, numbered from 1 through all rows.
        titles: above the first row.
        span: every axis goes from ``-span`` to ``span``.
    """
    columns = len(titles)
    layout: dict[str, Any] = {"showlegend": False, "margin": {"l": 4, "r": 4, "t": 28, "b": 4}, "annotations": []}
    for place in range(1, len(rows) * columns + 1):
        row, column = divmod(place - 1, columns)
        name = "" if place == 1 else str(place)
        look = {"visible": False, "range": [-span, span], "fixedrange": True}
        layout[f"xaxis{name}"] = look | {"domain": [column / columns, (column + 0.94) / columns], "anchor": f"y{name}"}
        bottom = 1 - (row + 1) / len(rows)
        layout[f"yaxis{name}"] = look | {
            "domain": [bottom, bottom + 0.94 / len(rows)],
            "anchor": f"x{name}",
            "scaleanchor": f"x{name}",
        }
    for column, title in enumerate(titles):
        at = {
            "x": (column + 0.47) / columns,
            "y": 1,
            "xref": "paper",
            "yref": "paper",
            "xanchor": "center",
            "yanchor": "bottom",
        }
        layout["annotations"].append({"text": title, "showarrow": False, "font": {"color": "--ink"}, **at})
    return {"any": {"data": [cloud for row in rows for cloud in row], "layout": layout}}
