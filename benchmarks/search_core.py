"""The search core alone: trainings and time against 1/epsilon and against the size of the space.

MLP with k layers of 16 widths (32 to 512 by 32), 784 inputs, 10 outputs; p = i = parameters, T = 1.05 times the
largest; e = 0.02 + 3 * mean(1/width). No training: the error is a formula, the ledger a dict, so what is timed is the
search and the derivation of its certificate. Spaces from 16^3 to 16^10 architectures, never listed above 4,096.

    python benchmarks/search_core.py
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from plotly.subplots import make_subplots

from results import Results
from subarch.extraction.certificate import derive
from subarch.extraction.problem import Problem
from subarch.extraction.search import search
from subarch.networks.space import Index, Parameter, Space

VALUES = np.arange(32, 513, 32)


def problem(layers: int, epsilon: float) -> tuple[Problem, Callable[[Index], float]]:
    """The space with its closed-form counts, and the error."""
    choices = tuple(VALUES.tolist())
    space = Space(tuple(Parameter(name=f"width_{j + 1}", choices=choices) for j in range(layers)))

    def costs(indices: np.ndarray) -> np.ndarray:
        w = VALUES[indices].astype(float)
        p = 785 * w[:, 0] + ((w[:, :-1] + 1) * w[:, 1:]).sum(axis=1) + 10 * (w[:, -1] + 1)
        return np.stack([p, p], axis=1)

    top = 1.05 * float(costs(np.full((1, layers), len(VALUES) - 1))[0, 0])

    def error(index: Index) -> float:
        return 0.02 + 3 * float(np.mean(1 / VALUES[list(index)]))

    return Problem(space=space, costs=costs, reference=(top, top), epsilon=epsilon), error


def measure(layers: int, epsilon: float) -> dict[str, float]:
    question, error = problem(layers, epsilon)
    began = time.perf_counter()
    outcome = search(question, error)
    searched = time.perf_counter()
    derived = derive(question, outcome.errors)
    assert derived.achieved is not None
    assert derived.achieved <= epsilon + 1e-12
    return {
        "layers": layers,
        "architectures": question.space.num_points,
        "epsilon": epsilon,
        "trained": len(outcome.errors),
        "achieved": round(derived.achieved, 4),
        "search_s": round(searched - began, 2),
        "verify_s": round(time.perf_counter() - searched, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
    }


Rows = list[dict[str, float]]


def plot(by_epsilon: Rows, smaller: Rows, by_size: Rows, path: Path) -> None:
    titles = ("16^8 architectures", "16^5 architectures", "epsilon = 0.2")
    figure = make_subplots(rows=1, cols=3, subplot_titles=titles)
    for column, rows in enumerate((by_epsilon, smaller, by_size), 1):
        across = [r["architectures"] if column == 3 else 1 / r["epsilon"] for r in rows]
        for name, key in (("trained", "trained"), ("seconds", "search_s")):
            y = [max(r[key], 0.01) for r in rows]
            figure.add_scatter(x=across, y=y, name=name, legendgroup=name, showlegend=column == 1, row=1, col=column)
    for column in (1, 2):
        figure.update_xaxes(title="1 / epsilon", row=1, col=column)
    figure.update_xaxes(title="size of the space", type="log", exponentformat="power", row=1, col=3)
    figure.update_yaxes(type="log")
    figure.update_layout(title="Trainings and seconds of the search core", template="plotly_white")
    figure.write_html(path, include_plotlyjs="cdn")


def main() -> None:
    results = Results("search_core", __doc__ or "")
    measure(3, 0.3)  # warm up
    by_epsilon = [results.row("16^8", measure(8, epsilon)) for epsilon in (0.3, 0.25, 0.2, 0.15, 0.1)]
    smaller = [results.row("16^5", measure(5, epsilon)) for epsilon in (0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05)]
    by_size = [results.row("epsilon 0.2", measure(layers, 0.2)) for layers in (2, 3, 4, 5, 6, 7, 8, 9, 10)]
    plot(by_epsilon, smaller, by_size, results.path.with_suffix(".html"))
    results.write()


if __name__ == "__main__":
    main()
