"""Labels as rows of numbers: what Agora and the plainest models ask of a kind of task.

A *label row* is a label as numbers, ``(columns,)`` or ``(columns, outputs)``, of which a teacher's may be soft.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from subarch.tasks.metrics import Outputs
from subarch.text.examples import Example

Rows = NDArray[np.float64]
"""Labels as rows of numbers: ``(examples, columns)``, or ``(examples, columns, outputs)``."""


class Units(NamedTuple):
    """Where a network's outputs lie: in units of ``scale`` from ``mean``."""

    mean: float = 0.0
    scale: float = 1.0


AS_THEY_ARE = Units()


class Ability(NamedTuple):
    """How good a teacher is: what is measured, its value, and the bar that it must be above."""

    name: str
    value: float
    bar: float


class Linear(NamedTuple):
    """A fitted linear map: ``(features, outputs)`` and ``(outputs,)``."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]


class InRows(str, ABC):
    """A kind of task, as far as its labels are rows of numbers."""

    __slots__ = ()

    def width(self, names: Sequence[str], examples: Sequence[Example]) -> int:
        """Columns of the label rows of these examples."""
        del examples
        return len(names) or 1

    @abstractmethod
    def rows(self, examples: Sequence[Example], width: int) -> Rows:
        """The labels of examples as rows of so many columns: ``(examples, width)``."""

    @abstractmethod
    def rows_said(self, outputs: Outputs, width: int, units: Units = AS_THEY_ARE) -> Rows:
        """What a network says, as such rows.

        Args:
            outputs: in ``units``.
            width: columns at least.
            units: of the outputs.
        """

    @abstractmethod
    def agreement(self, labels: Rows, said: Rows) -> float:
        """How well answers fit labels, both as rows, where no metric is given; more is better."""

    def name_of_score(self, metric: str) -> str:
        """What :meth:`score_rows` is called where a task's score is called ``metric``."""
        return metric

    def sure(self, rows: Rows) -> NDArray[np.float64]:
        """How sure each label row is, from 0 to 1: ``(examples,)``; 1 where nobody says."""
        return np.ones(len(rows))

    def hard(self, rows: Rows) -> Rows:
        """Label rows without doubt, as the likeliest labels have them."""
        return rows

    def outputs_of(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs of a network that says such a label row: ``(outputs,)``."""
        return row

    def linear(self, features: Any, rows: Rows, strength: float) -> Linear:
        """The plainest linear model, from scikit-learn: ridge regression, unless a kind says otherwise.

        Args:
            features: a sparse matrix ``(examples, features)``.
            rows: their labels.
            strength: inverse to regularisation.
        """
        from sklearn.linear_model import Ridge

        ridge: Any = Ridge(alpha=1 / strength).fit(features, rows)
        return Linear(ridge.coef_.reshape(rows.shape[1], -1).T, np.atleast_1d(ridge.intercept_))

    @abstractmethod
    def wrong(self, labels: Rows, said: Rows, tolerance: float | None) -> NDArray[np.bool_]:
        """Which answers are mistakes: ``(examples,)``.

        Args:
            labels: as rows.
            said: as rows.
            tolerance: of residuals, where there are any; what suits when None.
        """

    def tolerance(self, labels: Rows, said: Rows) -> float | None:
        """The tolerance that suits where none is given; None where answers are right or wrong."""
        del labels, said
        return None

    def check_learnable(self, what: str, labels: Rows) -> None:
        """Refuse labels from which nothing can be learned.

        Args:
            what: they are, for messages.
            labels: as rows.

        Raises:
            ValueError: for such labels.
        """

    @abstractmethod
    def ability(self, labels: Rows, said: Rows, *, override: bool = False) -> Ability:
        """How good a teacher's answers are.

        Args:
            labels: as rows.
            said: by the teacher.
            override: do not refuse it.

        Raises:
            ValueError: for a teacher of something else.
        """

    @abstractmethod
    def in_words(self, row: NDArray[np.float64], names: Sequence[str], example: Example) -> str:
        """A label row for people."""

    def counts(self, rows: Rows, names: Sequence[str]) -> dict[str, int]:
        """How many label rows there are of each class; nothing where there are none."""
        del rows, names
        return {}
