"""What the loop works on: labelled points, and what learns from them. No tensors, no text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from subarch.agora.pruning import Theta
from subarch.errors import InputError
from subarch.tasks.kinds.base import Kind

X = TypeVar("X")
Labels = NDArray[np.float64]
"""Of classes: probabilities ``(points, classes)``, one-hot where labels are hard. Of numbers: ``(points, 1)``. Of
words: ``(points, words, tags)``."""

Score = Callable[[Labels, Labels], float]
"""True labels and predictions to a number; larger is better."""

Predict = Callable[[Sequence[X]], Labels]
"""Points to predictions."""


@dataclass(frozen=True)
class Labelled(Generic[X]):
    """Points with labels.

    Args:
        points: in order.
        labels: ``(points, classes)``, ``(points, 1)``, or ``(points, words, tags)``.

    Raises:
        ValueError: unless there are as many labels as points, all of them finite.
    """

    points: tuple[X, ...]
    labels: Labels

    def __post_init__(self) -> None:
        if self.labels.ndim < 2 or len(self.labels) != len(self.points):
            raise InputError(
                f"expected labels of shape ({len(self.points)}, classes), a row for every point, got "
                f"{self.labels.shape}"
            )
        if not np.isfinite(self.labels).all():
            raise InputError("expected finite labels, got some that are not numbers")

    def __len__(self) -> int:
        return len(self.points)

    def __add__(self, other: Labelled[X]) -> Labelled[X]:
        return Labelled(self.points + other.points, np.concatenate([self.labels, other.labels]))

    def distilled(self, teacher: Predict[X], share: float) -> Labelled[X]:
        """The same points, with that share of the teacher's labels in theirs."""
        if not share:
            return self
        return Labelled(self.points, (1 - share) * self.labels + share * teacher(self.points))

    @classmethod
    def of(cls, points: Sequence[X], labels: Sequence[int] | NDArray[Any], classes: int) -> Labelled[X]:
        """Points with hard labels 0 .. classes - 1."""
        return cls(tuple(points), np.eye(classes)[np.asarray(labels, dtype=np.int64)])

    @classmethod
    def of_numbers(cls, points: Sequence[X], numbers: Sequence[float] | NDArray[Any]) -> Labelled[X]:
        """Points with a number each."""
        return cls(tuple(points), np.asarray(numbers, dtype=np.float64).reshape(-1, 1))

    @property
    def classes(self) -> NDArray[np.int64]:
        """The likeliest class of every point."""
        return self.labels.argmax(1)


class Learner(Protocol[X]):
    """What is trained; students of any kind."""

    @property
    def kind(self) -> Kind | str: ...

    @property
    def identity(self) -> str:
        """Everything that a training depends on, but data, hyperparameters and seed."""
        ...

    def fit(self, data: Labelled[X], theta: Theta, seed: int) -> Predict[X]:
        """A trained student; the same call gives the same one."""
        ...

    def pack(self, point: X) -> Any:
        """A point as JSON data, all of it."""
        ...

    def unpack(self, data: Any) -> X:
        """The point again."""
        ...


def answers_of(
    learner: Learner[X], data: Labelled[X], theta: Theta, seed: int, points: Sequence[X]
) -> tuple[Predict[X], Labels] | None:
    """A student and what it says of the points; None where the training diverged, or an answer is not finite."""
    try:
        student = learner.fit(data, theta, seed)
    except ArithmeticError:
        return None
    said = student(points)
    return (student, said) if np.isfinite(said).all() else None


def diverged(sets: Sequence[Theta]) -> ArithmeticError:
    """What to raise when no student of any set is left."""
    return ArithmeticError(
        f"the training of every hyperparameter set diverged ({'; '.join(str(dict(one)) for one in sets)}): lower the "
        "learning rates"
    )


def key_of(learner: Learner[X], point: X) -> str:
    """Equal for equal points."""
    return json.dumps(learner.pack(point))


def remembered(teacher: Predict[X], learner: Learner[X]) -> Predict[X]:
    """The teacher, who is asked about each point once."""
    known: dict[str, NDArray[np.float64]] = {}

    def predict(points: Sequence[X]) -> Labels:
        keys = [key_of(learner, point) for point in points]
        new = {key: point for key, point in zip(keys, points, strict=True) if key not in known}
        if new or not points:
            found = teacher(list(new.values()))
            if not points:
                return found
            known.update(zip(new, found, strict=True))
        return np.stack([known[key] for key in keys])

    return predict


def neighbours(
    pool: NDArray[np.float64], points: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances to the nearest so many of ``pool``, and their positions in it: ``(points, count)``, nearest first."""
    ranks: Any = range(1, min(count, len(pool)) + 1)
    distances, rows = KDTree(pool).query(points, k=ranks)
    return np.asarray(distances), np.asarray(rows)


def require_able(found: Labels, development: Labelled[Any], kind: Kind, *, override: bool = False) -> float:
    """The quality of a teacher that says ``found`` of development data, as its kind measures that.

    Raises:
        ValueError: when the teacher knows other classes than the data, or is below the bar and ``override`` is not set.
    """
    if found.shape != development.labels.shape:
        raise InputError(
            f"the teacher answers with {found.shape[1] if found.ndim == 2 else found.shape} outputs a point, the task "
            f"has {development.labels.shape[1]}: give a teacher of the task's classes"
        )
    able = kind.ability(development.labels, found, override=override)
    if able.value <= able.bar and not override:
        raise InputError(
            f"the teacher's {able.name} on development data is {able.value:.3f}, expected above {able.bar:.3f}: what "
            "it would teach is mostly wrong. Give a better teacher, or allow a weak one (--weak-teacher; in a recipe "
            "agora.weak_teacher=true)"
        )
    return able.value
