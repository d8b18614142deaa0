"""What kinds share whose outputs are scores of which the largest wins: classes, and candidates of a choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.tasks.kinds.base import Kind, Thresholds
from subarch.tasks.kinds.rows import AS_THEY_ARE, Ability, Linear, Rows, Units
from subarch.tasks.metrics import Outputs
from subarch.text.examples import Example, Label

if TYPE_CHECKING:
    from torch import Tensor


_LEAST = 1e-12  # of a probability
_NEVER = -30.0  # log odds of a class that no training row has
_STEPS = 1000  # of the solver


def logistic(features: Any, classes: NDArray[np.int64], strength: float) -> Any:
    """Logistic regression of scikit-learn's, fitted."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what it has reached is judged on development rows
        return LogisticRegression(C=strength, max_iter=_STEPS).fit(features, classes)


class OneOfSeveral(Kind):
    """The largest of several scores is the answer; a label row holds the share of each."""

    __slots__ = ()

    has_classes: ClassVar[bool] = True
    has_labels: ClassVar[bool] = True
    how_far: ClassVar[str] = (
        "distance to the source: mean Jensen-Shannon divergence of its class distributions, in bits: 0 = the same, "
        "1 = nothing in common"
    )

    def labels_in(self, label: Label) -> tuple[int, ...]:
        """The one."""
        return (int(cast("int", label)),)

    @abstractmethod
    def scores(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """A row of scores for each example, as many as label rows have columns; minus infinity where there is none."""

    def loss_of_rows(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """Cross-entropy with soft labels."""
        del units
        scores = self.scores(logits, batch)
        # No candidate, no share of it.
        log_probabilities = scores.log_softmax(-1).masked_fill(scores.isinf(), 0.0)
        return -(batch["labels"] * log_probabilities).sum(-1).mean()

    def loss_of(self, output: NDArray[np.float64], example: Example, units: Units) -> float:
        """Cross-entropy; of all right candidates together."""
        del units
        assert example.label is not None
        right = output[[*self.labels_in(example.label), *example.right]]
        return float(np.logaddexp.reduce(output) - np.logaddexp.reduce(right))

    def divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Kullback-Leibler divergence: a search learns by it, and is judged by one that has an upper end.

        Where there is none a few texts of which a small candidate is wrongly sure decide the mean, and its noise over
        other texts is as large as the differences between candidates.
        """
        from subarch.tasks.divergences import kullback_leibler

        return kullback_leibler(teacher, student)

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Jensen-Shannon divergence in [0, 1], zero for the same distributions only."""
        from subarch.tasks.divergences import jensen_shannon

        return jensen_shannon(teacher, student)

    def _decided(self, outputs: Outputs) -> list[int]:
        return [int(output.argmax()) for output in outputs]

    def answer(self, output: NDArray[np.floating] | None, names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """Label, probability, and the probability of each."""
        del thresholds
        if output is None:
            return dict.fromkeys(("label", "probability", "probabilities"))
        from scipy.special import softmax

        shares = softmax(output.astype(np.float64))
        best = int(shares.argmax())
        return {
            "label": names[best],
            "probability": round(float(shares[best]), 6),
            "probabilities": {name: round(float(share), 6) for name, share in zip(names, shares, strict=True)},
        }

    def said(self, output: NDArray[np.floating], names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """Label, and the probability of each."""
        del thresholds
        raised = np.exp(output.astype(np.float64) - float(output.max()))
        shares = raised / raised.sum()
        named = {name: float(share) for name, share in zip(names, shares, strict=True)}
        return {"label": names[int(shares.argmax())], "probabilities": named}

    def columns(self, names: Sequence[str]) -> list[str]:
        """Label, probability, and a column for each class."""
        return ["label", "probability", *(f"probability of {name}" for name in names)]

    def cells(self, answer: Json) -> Json:
        """The probability of each in a column of its own."""
        each = {f"probability of {name}": share for name, share in (answer["probabilities"] or {}).items()}
        return {"label": answer["label"], "probability": answer["probability"], **each}

    def rows_said(self, outputs: Outputs, width: int, units: Units = AS_THEY_ARE) -> Rows:
        """Softmax of each row; rows of fewer scores than ``width`` end in zeros."""
        del units
        table = np.full((len(outputs), max([width, *(len(one) for one in outputs)])), -np.inf)
        for row, one in zip(table, outputs, strict=True):
            row[: len(one)] = one
        powers = np.exp(table - table.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def agreement(self, labels: Rows, said: Rows) -> float:
        """Share of the points whose likeliest class is right."""
        return float(np.mean(labels.argmax(1) == said.argmax(1)))

    def sure(self, rows: Rows) -> NDArray[np.float64]:
        """The share of the likeliest."""
        return rows.max(1, initial=0.0)

    def hard(self, rows: Rows) -> Rows:
        """All of it for the likeliest."""
        return np.eye(rows.shape[1])[rows.argmax(1)]

    def outputs_of(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logarithms of the shares, which are their probabilities then."""
        return np.log(np.maximum(row, _LEAST))

    def linear(self, features: Any, rows: Rows, strength: float) -> Linear:
        """Logistic regression."""
        model = logistic(features, rows.argmax(1), strength)
        weights, bias = np.zeros((features.shape[1], rows.shape[1])), np.full(rows.shape[1], _NEVER)
        if len(model.classes_) == 2:  # one set of weights, of the second against the first
            weights[:, model.classes_[1]] = model.coef_[0]
            bias[model.classes_] = [0.0, model.intercept_[0]]
        else:
            weights[:, model.classes_] = model.coef_.T
            bias[model.classes_] = model.intercept_
        return Linear(weights, bias)

    def wrong(self, labels: Rows, said: Rows, tolerance: float | None) -> NDArray[np.bool_]:
        """Any of the likeliest will do: a choice may have several right candidates."""
        del tolerance
        return labels[np.arange(len(labels)), said.argmax(1)] < labels.max(1)

    def check_learnable(self, what: str, labels: Rows) -> None:
        """Refuse a single class."""
        if len(set(labels.argmax(1).tolist())) < 2:
            raise InputError(f"expected at least two classes among the {what} examples, got one")

    def ability(self, labels: Rows, said: Rows, *, override: bool = False) -> Ability:
        """Balanced accuracy. The published bar is an accuracy above 2/3 for two balanced classes: above chance by a
        third of what is left."""
        del override
        from sklearn.metrics import balanced_accuracy_score

        right = labels.argmax(1)
        chance = 1 / len(set(right.tolist()))
        value = float(balanced_accuracy_score(right, said.argmax(1)))
        return Ability("balanced accuracy", value, chance + (1 - chance) / 3)
