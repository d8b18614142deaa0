"""A run directory with the content that a search would write, computed from formulas (no network is trained here)."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
EPSILON = 0.1
CHOICES = {
    "num_hidden_layers": (1, 2, 3, 4, 5, 6),
    "hidden_size": (128, 256, 384),
    "intermediate_size": (256, 512, 768, 1024, 1280, 1536),
}


def point(architecture: Json, noise: float) -> Json:
    depth, hidden, intermediate = (architecture[name] for name in CHOICES)
    layer = 4 * hidden * hidden + 2 * hidden * intermediate
    macs = 128 * depth * layer + 2 * 128 * 128 * hidden * depth
    error = 0.02 + 0.5 * depth**-1.1 * (hidden / 128) ** -0.9 * (intermediate / 256) ** -0.1
    return {
        "architecture": architecture,
        "parameters": 31_038 * hidden + depth * (layer + 9 * hidden + intermediate),
        "macs": macs,
        "latency_ms": round(0.4 + macs / 1.1e8, 3),
        "error": error * (1 + noise),
    }


def below(one: Json, other: Json) -> bool:
    return all(one["architecture"][name] <= other["architecture"][name] for name in CHOICES)


def search() -> tuple[list[Json], list[Json], list[Json], float]:
    """Train greedily by the largest upper bound on W until the best is within epsilon of the largest bound."""
    rng = random.Random(7)
    shapes = [dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values())]
    space = [point(shape, rng.uniform(-0.02, 0.02)) for shape in shapes]
    top = space[-1]
    for one in space:
        gain = (1 - one["parameters"] / top["parameters"]) * (1 - one["macs"] / top["macs"])
        one["gain"], one["w"] = gain, gain / one["error"]
    trained, progress, delta = [top], [], 0.04
    while True:
        rest = [one for one in space if one not in trained]
        for one in rest:
            one["error_bound"] = (1 - delta) * max(other["error"] for other in trained if below(one, other))
        best = max(one["w"] for one in trained)
        bound = max([best, *(one["gain"] / one["error_bound"] for one in rest)])
        achieved = 1 - best / bound
        step = {"trained": len(trained), "seconds": 4.5 * len(trained), "best": best, "bound": bound}
        progress.append({**step, "achieved": achieved})
        if achieved <= EPSILON:
            return trained, rest, progress, delta
        trained.append(max(rest, key=lambda one: one["gain"] / one["error_bound"]))


def dominated(one: Json, points: list[Json]) -> bool:
    names = ("parameters", "macs", "error")
    return any(all(o[n] <= one[n] for n in names) and any(o[n] < one[n] for n in names) for o in points)


def example() -> dict[str, Json]:
    trained, rest, progress, delta = search()
    names = ("architecture", "parameters", "macs", "latency_ms", "error")
    rows = [
        {
            "number": number,
            **{n: one[n] for n in names},
            "standard_error": one["error"] * 0.01,
            "w": one["w"],
            "seconds": 4.5,
        }
        for number, one in enumerate(trained)
    ]
    front = [{n: one[n] for n in names} for one in trained if not dominated(one, trained)]
    best = max(rows, key=lambda one: one["w"])
    pick = {n: best[n] for n in (*names, "w")} | {"certified": True}
    within = [one for one in rows if one["macs"] * 3 <= trained[0]["macs"]]
    constrained = {n: min(within, key=lambda one: one["error"])[n] for n in (*names, "w")} | {"certified": False}
    knee = {n: sorted(rows, key=lambda one: -one["w"])[len(rows) // 2][n] for n in (*names, "w")} | {"certified": False}
    violations = [
        {
            "smaller": one["architecture"],
            "larger": two["architecture"],
            "smaller_error": one["error"],
            "larger_error": two["error"],
            "size": 1 - one["error"] / two["error"],
        }
        for one, two in itertools.permutations(rows, 2)
        if below(one, two) and one["error"] < two["error"]
    ]
    last = progress[-1]
    errors = [one["error"] for one in rows]
    certificate = {
        "claim": "w",
        "verdict": "certified",
        "reason": f"The bound closed to {100 * last['achieved']:.1f} % (10 % was asked) and the errors are resolved.",
        "epsilon": EPSILON,
        "achieved": last["achieved"],
        "delta": delta,
        "e_min": 1e-4,
        "evaluated": len(rows),
        "repeats": 6,
        "space_size": 108,
        "spread": max(errors) - min(errors),
        "noise": 0.0061,
        "resolved": True,
        "violations": violations,
        "best": {"architecture": best["architecture"], "value": best["w"]},
        "bound": {"value": last["bound"], "architecture": best["architecture"]},
        "objectives": {
            "parameters": {"what": "trainable parameters of the backbone with its embeddings"},
            "cost": {"what": "multiply-accumulates of one forward pass", "sequence_length": 128, "batch_size": 1},
            "error": {
                "distance": "KL divergence of class distributions from the source's",
                "start": "inherit",
                "steps": 40,
                "batch_size": 16,
                "learning_rates": [0.0005],
                "held_out": 512,
                "zero": "the student predicts exactly what the source predicts",
            },
        },
        "reference": {n: trained[0][n] for n in ("architecture", "parameters", "macs")},
        "limits": {},
        "space": {"parameters": [{"name": n, "choices": list(c), "ordered": True} for n, c in CHOICES.items()]},
        "space_hash": "5f" * 32,
        "ledger_hash": "a3" * 32,
        "assumptions": [
            {
                "name": "p and i grow with every ordered parameter",
                "status": "checked",
                "evidence": "exact polynomials, zero residual on 24 held-out architectures",
            },
            {
                "name": "M(delta): a larger network is not worse by more than delta",
                "status": "assumed",
                "evidence": {"comparable_pairs": 311, "violations": len(violations), "largest": 0.031},
            },
            {
                "name": "the error of short training stands for the error of full training",
                "status": "assumed",
                "evidence": "rank correlation 0.93 between 40 and 320 steps on 12 architectures",
            },
        ],
        "abnc": {
            "verdict": "strong",
            "clauses": [
                {"name": "polynomial counts", "verdict": "checked", "evidence": "degree 3, residual 0 on 24 of 24"},
                {"name": "A and C grow no faster than B", "verdict": "checked", "evidence": {"A": 1, "B": 2, "C": 2}},
                {"name": "smooth and bounded error", "verdict": "assumed", "evidence": "cannot be proved by a program"},
            ],
        },
        "versions": {"subarch": "0.1.0", "torch": "2.13.0"},
        "seeds": [0, 1],
        "hardware": {"cpu": "Example CPU", "cores": 2},
        "created": "2026-01-05T10:00:00+00:00",
    }
    extract = {
        **{n: best[n] for n in (*names, "w")},
        "front": front,
        "picks": {"w": pick, "knee": knee, "constrained": constrained},
        "certificate": copy.deepcopy(certificate),
        "source": {"name": "runs/demo/source", **{n: trained[0][n] for n in names if n != "error"}},
        "trained": rows,
        "untrained": [{n: one[n] for n in ("architecture", "parameters", "macs", "error_bound")} for one in rest],
        "untrained_total": len(rest),
        "progress": progress,
        "run": "runs/demo",
    }
    manifest = {
        "command": "subarch extract runs/demo/source --run runs/demo --epsilon 0.1 --steps 40",
        "versions": {"subarch": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "transformers": "5.0.0"},
        "seeds": [0, 1],
        "data": {"name": "installed documentation", "fingerprint": "9c" * 32},
        "hardware": {"cpu": "Example CPU @ 2.60 GHz", "cores": 2, "memory_gib": 7.7, "platform": "Linux x86_64"},
        "source": "runs/demo/source",
        "options": {"claim": "w", "strategy": "certified", "epsilon": 0.1, "steps": "40", "corpus": None},
        "created": "2026-01-05T10:00:00+00:00",
    }
    return {"extract": extract, "certificate": certificate, "manifest": manifest}


@pytest.fixture(scope="session")
def pristine() -> dict[str, Json]:
    return example()


@pytest.fixture
def files(pristine: dict[str, Json]) -> dict[str, Json]:
    """The three files of a run, free to be changed by a test."""
    return copy.deepcopy(pristine)


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[[dict[str, Json]], Path]:
    """Write the files of a run into a new directory."""

    def write(files: dict[str, Json]) -> Path:
        run = tmp_path / "run"
        run.mkdir()
        for name, content in files.items():
            (run / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        return run

    return write
