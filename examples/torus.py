"""Agora on a torus: a training set that shows less than half of it, and a teacher that is right three times in four.

Points of a torus are told from points around it. The training set covers 40 % of one angle, the development set is
representative, and unlabelled points are at hand. Per round: the points learned from (a picture), the scores of the
students beside the curve 1 - 2^-k, and the Betti numbers of what is labelled positive. A torus has (1, 2, 1). All of it
goes into torus.json, and into a page with pictures, torus.html (torus_page.py).

    pip install 'subarch[topology]'
    python examples/torus.py --run runs/torus
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier
from torus_page import page

from subarch.agora.comparison import Comparison, compare
from subarch.agora.course import Course, Settings
from subarch.agora.data import Labelled, Labels, Predict
from subarch.agora.estimators import EstimatorLearner
from subarch.agora.homology import bars, betti, half_the_shortest, without_outliers
from subarch.agora.proposals import Bounds, VectorGuard, retrieve
from subarch.agora.pruning import theory
from subarch.agora.rounds import STOPPED, Gathered
from subarch.storage import write_json, write_text

Points = NDArray[np.float64]
MAJOR, MINOR, NOISE = 2.0, 0.7, 0.05
NEAR = 4 * NOISE  # what is nearer to the surface is of the torus
BOX = np.array([3.2, 3.2, 1.2])
COVERED = 0.4  # of the turn
TORUS = (1, 2, 1)
RIGHT = 0.75
SHOWN = 500  # points of a picture

# Near all mistakes: an error of this teacher says nothing about the next point.
SETTINGS = Settings(bounds=Bounds(per_mistake=40, made_per_kept=1.5, soft=False), max_rounds=6, replays=2, near="all")

STUDENTS: dict[str, tuple[BaseEstimator, list[dict[str, Any]]]] = {
    "decision tree": (DecisionTreeClassifier(), [{"min_samples_leaf": n} for n in (5, 10, 20, 40, 80)]),
    "nearest neighbours": (KNeighborsClassifier(), [{"n_neighbors": n} for n in (7, 15, 25, 41, 61)]),
    "MLP": (
        MLPClassifier(max_iter=400, early_stopping=True),
        [{"hidden_layer_sizes": (64, 64), "alpha": alpha} for alpha in (1e-4, 1e-3, 1e-2, 1e-1)],
    ),
}


def distance(points: Points) -> Points:
    """From the surface: ``(points,)``."""
    around = np.hypot(points[:, 0], points[:, 1]) - MAJOR
    return np.abs(np.hypot(around, points[:, 2]) - MINOR)


def sample(
    count: int, rng: np.random.Generator, covered: float = 1.0, noise: float = NOISE
) -> tuple[list[Points], list[int]]:
    """Half of them on the torus (on a part of its turn), half around it; shuffled."""
    u, v = rng.uniform(0, 2 * math.pi * covered, count // 2), rng.uniform(0, 2 * math.pi, 4 * count)
    wide = (MAJOR + MINOR * np.cos(v)) / (MAJOR + MINOR)  # so that every piece of the surface is as likely as any other
    v = v[rng.uniform(size=len(v)) < wide][: count // 2]
    ring = MAJOR + MINOR * np.cos(v)
    on = np.stack([ring * np.cos(u), ring * np.sin(u), MINOR * np.sin(v)], 1)
    on = on + rng.normal(scale=noise, size=on.shape)
    off = rng.uniform(-BOX, BOX, size=(8 * count, 3))
    off = off[distance(off) > NEAR]
    if covered < 1:  # around the part that is shown
        off = off[np.mod(np.arctan2(off[:, 1], off[:, 0]), 2 * math.pi) < 2 * math.pi * covered]
    off = off[: count - len(on)]
    points, labels = np.concatenate([on, off]), np.repeat([1, 0], [len(on), len(off)])
    order = rng.permutation(len(points))
    return list(points[order]), labels[order].tolist()


def mistaken(points: Points, how: str) -> NDArray[np.bool_]:
    """Where the teacher errs, a quarter of the places: scattered like dust, or in regions (cells of some size)."""
    size = 1e-6 if how == "independent" else 0.9
    cells = np.floor(points / size + 0.5).astype(np.int64)
    mixed = (cells * np.array([73_856_093, 19_349_663, 83_492_791])).sum(1) & 0xFFFF_FFFF
    mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) & 0xFFFF_FFFF
    mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) & 0xFFFF_FFFF
    return (mixed ^ (mixed >> 16)) % 1000 >= 1000 * RIGHT


def teacher(how: str) -> Predict[Points]:
    """Right three times in four, with errors that do not depend on when it is asked."""

    def answer(points: Sequence[Points]) -> Labels:
        places = np.stack(points)
        return np.eye(2)[((distance(places) < NEAR) ^ mistaken(places, how)).astype(int)]

    return answer


@dataclass(frozen=True)
class World:
    """One draw of everything."""

    train: Labelled[Points]
    development: Labelled[Points]
    sealed: Labelled[Points]
    pool: list[Points]

    @classmethod
    def of(cls, seed: int) -> World:
        rng = np.random.default_rng(seed)
        parts = [Labelled.of(*sample(*one), 2) for one in ((1600, rng, COVERED), (2400, rng), (4000, rng))]
        return cls(*parts, sample(40_000, rng)[0])


def shape(data: Labelled[Points], threshold: float) -> tuple[int, int, int]:
    """Betti numbers of what is labelled positive."""
    return betti(bars(without_outliers(np.stack(data.points), data.classes)), threshold)


def clean_threshold() -> float:
    """Half the shortest true bar of a torus without noise, through the same filter."""
    rng = np.random.default_rng(0)
    points, labels = sample(8000, rng, noise=0.0)
    clean = without_outliers(np.stack(points), np.array(labels))
    return half_the_shortest(bars(clean), TORUS)


def run(student: str, how: str, seeds: Sequence[int], folder: Path) -> dict[str, Any]:
    """One student with one kind of teacher, over several worlds."""
    estimator, sets = STUDENTS[student]
    threshold = clean_threshold()
    found: dict[str, list[float]] = {}
    shapes: list[dict[str, Any]] = []
    positive: list[Points] = []
    last: Comparison[Points] | None = None
    for seed in seeds:
        world = World.of(seed)
        last = compare(
            Course(
                learner=EstimatorLearner(estimator, 2),
                teacher=teacher(how),
                data=world.train,
                development=world.development,
                hyperparameters=sets,
                functions=[retrieve(world.pool)],
                guard=VectorGuard(world.development.points, world.sealed.points),
                folder=folder / f"{student}-{how}-{seed}".replace(" ", "-"),
                settings=SETTINGS,
            ),
            opened(world),
            seeds=[seed],
        )
        for method, scores in last.scores.items():
            found.setdefault(method, []).extend(scores)
        (loop,) = last.gathered
        grown = [first(loop.everything, count) for count in sizes(loop)]
        numbers = [shape(data, threshold) for data in grown]
        shapes.append(
            {
                "before": numbers[0],
                "after": numbers[-1],
                "points": len(loop.everything),
                "scores": [round(one.scores[one.best], 4) for one in loop.rounds],
                "stopped": STOPPED[loop.stopped],
                "sizes": sizes(loop),
                "betti": numbers,
            }
        )
        if len(shapes) == 1:
            rows = [np.stack(data.points)[data.classes == 1] for data in grown]
            positive = [np.random.default_rng(0).permutation(each) for each in rows]
    seen = [[[round(float(x), 2) for x in point] for point in points[:SHOWN]] for points in positive]
    return {"student": student, "teacher": how, "scores": found, "shapes": shapes, "positive": seen}


def sizes(loop: Gathered[Points]) -> list[int]:
    """How many points the students of each round learned from, and how many there were at the end."""
    counts = [one.learned_from for one in loop.rounds]
    return counts if counts[-1] == len(loop.everything) else [*counts, len(loop.everything)]


def first(data: Labelled[Points], count: int) -> Labelled[Points]:
    """Rounds append what they bring: the first so many are those of an earlier one."""
    return Labelled(data.points[:count], data.labels[:count])


def opened(world: World) -> Callable[[], Labelled[Points]]:
    return lambda: world.sealed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/torus"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    documents: list[dict[str, Any]] = []
    for how in ("independent", "in regions"):
        for student in STUDENTS:
            document = run(student, how, range(arguments.seeds), arguments.run)
            documents.append(document)
            means = {method: round(100 * statistics.fmean(scores), 1) for method, scores in document["scores"].items()}
            print(f"{student}, teacher errs {how}: {means}")
            for one in document["shapes"]:
                curve = [round(value, 2) for value in theory(len(one["scores"]))]
                print(f"  Betti {one['before']} -> {one['after']}, rounds {one['scores']}, best case {curve}")
    write_json(arguments.run / "torus.json", documents)
    write_text(arguments.run / "torus.html", page(documents))
    print(f"wrote {arguments.run / 'torus.html'}")


if __name__ == "__main__":
    main()
