"""The tables of a search: the front with its picks, and every architecture that was trained."""

from __future__ import annotations

from collections.abc import Sequence

from subarch.results.base import Json
from subarch.results.wording import counted, decimal, describe, finite, identity, whole
from subarch.telling.figures import pick_label
from subarch.telling.page import Cell, Html, number_cell, table, tag

_MOST_ROWS = 500


def numbers(extract: Json) -> list[Html]:
    """The front and the picks beside each other, and everything that was trained.

    Args:
        extract: the content of ``extract.json``.
    """
    front, trained = (list(extract.get(name) or []) for name in ("front", "trained"))
    chosen: dict[str, list[str]] = {identity(extract.get("architecture")): ["extracted"]}
    points = {identity(one.get("architecture")): one for one in [extract, *front]}
    for name, pick in (extract.get("picks") or {}).items():
        if pick:
            mark = "certified" if pick.get("certified") else "not certified"
            chosen.setdefault(identity(pick.get("architecture")), []).append(f"{pick_label(name)} ({mark})")
            points[identity(pick.get("architecture"))] = pick
    source = extract.get("source") or {}
    ordered = sorted(points.items(), key=lambda item: finite(item[1].get("parameters")) or 0)
    errors = {identity(one.get("architecture")): one for one in trained}
    rows = [_row({**errors.get(key, {}), **one}, source, ", ".join(chosen.get(key, ["front"]))) for key, one in ordered]
    header = (
        "Architecture",
        "Role",
        "Parameters",
        "Operations",
        "Latency (ms)",
        "Error",
        "±",
        "W",
        "Of source",
    )
    caption = f"The front and the picks: {counted(len(rows), 'architecture')}, smallest first. Press a heading to sort."
    listed = [_row(one, source, f"no. {whole(one.get('number'))}") for one in trained[:_MOST_ROWS]]
    more = f" (the first {_MOST_ROWS})" if len(trained) > _MOST_ROWS else ""
    every = table(f"Trained architectures, in the order of training{more}", *_filled(header, listed))
    return [
        table(caption, *_filled(header, rows)),
        tag("details", tag("summary", f"All {counted(len(trained), 'trained architecture')}{more}"), every),
        tag(
            "p",
            "± is the standard error over seeds. Operations are multiply-accumulates of one forward pass.",
            class_="note",
        ),
    ]


def _filled(header: Sequence[str], rows: Sequence[list[Cell]]) -> tuple[list[str], list[list[Cell]]]:
    """Leave out the columns in which no row has a value."""
    kept = [place for place in range(len(header)) if not rows or any(row[place].value != "" for row in rows)]
    return [header[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _row(one: Json, source: Json, role: str) -> list[Cell]:
    size, all_of_it = finite(one.get("parameters")), finite(source.get("parameters"))
    return [
        Cell(describe(one.get("architecture"))),
        Cell(role),
        number_cell(size, whole),
        number_cell(one.get("macs"), whole),
        number_cell(one.get("latency_ms"), lambda value: decimal(value, 3)),
        number_cell(one.get("error"), decimal),
        number_cell(one.get("standard_error"), lambda value: decimal(value, 2)),
        number_cell(one.get("w"), decimal),
        number_cell(size / all_of_it if size and all_of_it else None, lambda share: f"{100 * share:.1f} %"),
    ]
