"""A world that a child can check: points of a chessboard of four by four, told apart by the colour of their field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from subarch.agora.course import Course, Settings
from subarch.agora.data import Labelled, Labels
from subarch.agora.estimators import EstimatorLearner, Vector
from subarch.agora.loop import agora
from subarch.agora.proposals import Bounds, VectorGuard, jitter
from subarch.agora.rounds import Gathered

SETS: list[dict[str, Any]] = [{"max_depth": depth} for depth in (4, 6, 8, 12)]


def truth(points: Sequence[Vector]) -> Labels:
    places = np.stack(points)
    return np.eye(2)[np.floor(2 * places).astype(int).sum(1) % 2]


def teacher(points: Sequence[Vector]) -> Labels:
    """Right, and 80 % sure."""
    return 0.2 + 0.6 * truth(points)


def square(count: int, seed: int, *, right_half: bool = False) -> Labelled[Vector]:
    points = np.random.default_rng(seed).uniform(-1, 1, size=(count, 2))
    if right_half:
        points[:, 0] = np.abs(points[:, 0])
    return Labelled(tuple(points), truth(list(points)))


def learner() -> EstimatorLearner:
    return EstimatorLearner(DecisionTreeClassifier(), 2)


def loop(folder: Path, **given: Any) -> Gathered[Vector]:
    """A training set that shows half of the square."""
    development = given.pop("development", square(150, 1))
    bounds = given.pop("bounds", Bounds(per_mistake=3, soft=False))
    options: dict[str, Any] = {
        "functions": [jitter(0.3)],
        "guard": VectorGuard(development.points),
        "folder": folder,
        "settings": Settings(bounds=bounds, **given.pop("settings", {})),
        "space": np.stack,
    }
    data = given.pop("data", square(100, 0, right_half=True))
    options |= {"learner": learner(), "teacher": teacher, "hyperparameters": given.pop("sets", SETS)}
    return agora(Course(data=data, development=development, **(options | given)))
