"""Students and teachers from scikit-learn, on plain vectors."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier

from subarch.agora.data import Labelled, Labels, Predict
from subarch.agora.pruning import Theta
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class EstimatorLearner:
    """Any scikit-learn estimator as a student.

    A classifier learns soft labels as weighted copies of a point, one for each class, where it takes sample weights,
    and the likeliest class where it does not.

    Args:
        estimator: never fitted itself; a hyperparameter set is what :meth:`set_params` takes.
        classes: of the task; 1 for numbers.
    """

    estimator: BaseEstimator
    classes: int

    @property
    def kind(self) -> Kind:
        return kind_of("classification" if is_classifier(self.estimator) else "regression")

    @property
    def identity(self) -> str:
        settings = {name: repr(value) for name, value in self.estimator.get_params().items()}
        return json.dumps([type(self.estimator).__qualname__, settings, self.classes], sort_keys=True)

    def fit(self, data: Labelled[Vector], theta: Theta, seed: int) -> Predict[Vector]:
        """A fitted copy; ``random_state`` is the seed where the estimator has one."""
        model = cast("Any", clone(self.estimator)).set_params(**theta)
        if "random_state" in model.get_params():
            model.set_params(random_state=seed)
        points = np.stack(data.points)
        if not self.kind.has_classes:
            model.fit(points, data.labels[:, 0])
            return lambda new: np.asarray(model.predict(np.stack(new)), np.float64)[:, None]
        if "sample_weight" in inspect.signature(model.fit).parameters:
            rows, classes = np.nonzero(data.labels > 0)
            model.fit(points[rows], classes, sample_weight=data.labels[rows, classes])
        else:
            model.fit(points, data.classes)
        return probabilities(model, self.classes)

    def pack(self, point: Vector) -> list[float]:
        return point.tolist()

    def unpack(self, data: Any) -> Vector:
        return np.asarray(data, dtype=np.float64)


def probabilities(model: Any, classes: int) -> Predict[Vector]:
    """What a fitted classifier says, ``(points, classes)``; a class that it never saw has probability 0."""
    known = np.asarray(model.classes_, dtype=np.int64)
    ask = cast("Callable[[Any], NDArray[Any]]", model.predict_proba)

    def predict(points: Sequence[Vector]) -> Labels:
        found = np.zeros((len(points), classes))
        found[:, known] = ask(np.stack(points))
        return found

    return predict
