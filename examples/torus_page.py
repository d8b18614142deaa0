"""What examples/torus.py found, as one page with pictures that opens offline."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from subarch.agora.comparison import METHODS
from subarch.agora.pruning import theory
from subarch.results.wording import whole
from subarch.tasks.metrics import interval
from subarch.telling import plots
from subarch.telling.page import Cell, chart, number_cell, table, tag
from subarch.telling.report import story
from subarch.telling.stages import Stage

SPAN = 3.4
TUBE = 2.0  # so many times larger than the torus
ERRORS = {"independent": "errors scattered", "in regions": "errors in regions"}
COLORS = ("--trained", "--front", "--pick-w", "--pick-knee", "--pick-c", "--untrained")


def page(documents: Sequence[dict[str, Any]]) -> str:
    """All students with all teachers."""
    return story("Agora on a torus", [_summary(documents), *map(_student, documents)])


def _summary(documents: Sequence[dict[str, Any]]) -> Stage:
    worlds = len(documents[0]["shapes"])
    words = (
        "Points of a torus are told from points around it. The training set shows 40 % of one turn, the teacher is "
        f"right three times in four, classes are balanced: chance is 50. Means over {worlds} worlds, 95 % intervals, "
        "on sealed points."
    )
    rows = [
        [
            Cell(one["student"]),
            Cell(ERRORS[one["teacher"]]),
            *(_score(one["scores"][method]) for method in METHODS),
            Cell("; ".join(str(tuple(each["before"])) for each in one["shapes"])),
            Cell("; ".join(str(tuple(each["after"])) for each in one["shapes"])),
        ]
        for one in documents
    ]
    header = ["Student", "Teacher", *METHODS, "Betti before", "Betti after"]
    homology = (
        "Betti numbers count pieces, loops and hollows of the points that are labelled positive; a torus has (1, 2, "
        "1). The same filter against outliers goes over every set, and a bar counts from half the shortest true bar of "
        "a clean torus."
    )
    return Stage("summary", "What came out", [tag("p", words), table("Accuracy", header, rows), tag("p", homology)])


def _score(scores: Sequence[float]) -> Cell:
    mean, half = interval(scores)
    return Cell(f"{100 * mean:.1f}" + ("" if half is None else f" ± {100 * half:.1f}"), mean, numeric=True)


def _student(document: dict[str, Any]) -> Stage:
    key = f"{document['student']}-{document['teacher']}".replace(" ", "-").lower()
    shapes = document["shapes"]
    curves = {f"world {n + 1}": one["scores"] for n, one in enumerate(shapes)}
    curves["1 - 2^-k"] = theory(max(map(len, curves.values())))
    looks = [*((COLORS[n % len(COLORS)], "solid") for n in range(len(shapes))), ("--muted", "dot")]
    traces = [
        plots.line(name, [*range(1, len(curve) + 1)], [100 * value for value in curve], *look)
        for (name, curve), look in zip(curves.items(), looks, strict=True)
    ]
    rows = [
        [
            Cell(whole(world + 1), world, numeric=True),
            Cell(whole(number), number, numeric=True),
            number_cell(size, whole),
            number_cell(100 * one["scores"][number - 1] if number <= len(one["scores"]) else None, "{:.1f}".format),
            Cell(str(tuple(betti))),
        ]
        for world, one in enumerate(shapes)
        for number, (size, betti) in enumerate(zip(one["sizes"], one["betti"], strict=True), start=1)
    ]
    agora, plain = (statistics.fmean(document["scores"][method]) for method in ("agora", "plain"))
    content = [
        tag("p", f"Sealed accuracy {100 * agora:.1f} with Agora, {100 * plain:.1f} without."),
        chart(
            f"{key}-points",
            "What is labelled positive, round by round (first world)",
            tag("p", "Above: seen from the top. Below: the tube, with all turns laid over one another."),
            "Pictures of the positive points that each round learned from; the table has their Betti numbers.",
        ),
        chart(
            f"{key}-scores",
            "Development accuracy by round",
            tag(
                "p",
                "Dotted: the best case of the theory, from a random classifier; nothing here claims to reach it.",
            ),
            "Line chart of the development accuracy by round; the table has the values.",
        ),
        table("Rounds", ["World", "Round", "Points", "Accuracy", "Betti numbers"], rows),
    ]
    figure = plots.figure(traces, plots.axis("Round", dtick=1), plots.axis("Accuracy (of 100)"))
    shown = {f"{key}-points": _pictures(document["positive"], shapes[0]), f"{key}-scores": figure}
    return Stage(key, f"{document['student']}, {ERRORS[document['teacher']]}", content, shown)


def _pictures(rounds: Sequence[Sequence[Sequence[float]]], shape: dict[str, Any]) -> dict[str, Any]:
    above: list[dict[str, Any]] = []
    tube: list[dict[str, Any]] = []
    for n, points in enumerate(map(np.array, rounds)):
        above.append(plots.cloud(points[:, 0].tolist(), points[:, 1].tolist(), "--trained", n + 1))
        beside = TUBE * np.stack([np.hypot(points[:, 0], points[:, 1]) - 2, points[:, 2]]).round(2)
        tube.append(plots.cloud(*beside.tolist(), "--front", len(rounds) + n + 1))
    titles = [f"{size:,}: {tuple(betti)}" for size, betti in zip(shape["sizes"], shape["betti"], strict=True)]
    return plots.panels([above, tube], titles, SPAN)
