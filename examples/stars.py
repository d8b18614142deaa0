"""A kind of task of your own: grades that have an order, such as one to five stars.

In the folder of this file:

    subarch compress --data reviews.csv --teacher ./my-bert --run runs/stars --set task.kind=stars:Stars
    subarch predict runs/stars/export --data new.csv --kind stars:Stars

A network that says four stars where five are right is less wrong than one that says two. So the loss looks at how far
off the shares are, the answer is the median grade, and the score is Cohen's kappa with quadratic weights.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from sklearn.metrics import cohen_kappa_score

from subarch.tasks.kinds.classification import Classification
from subarch.text.examples import Example


def kappa(examples: Sequence[Example], predicted: Sequence[int | float]) -> float:
    """Agreement beyond chance, where a grade that is twice as far off counts four times as much; 1 at best."""
    right = [example.label for example in examples]
    if set(right) | set(predicted) <= {right[0]}:  # one grade alone, rightly answered: no chance to measure by
        return 1.0
    return float(cohen_kappa_score(right, predicted, weights="quadratic"))


def within_one(examples: Sequence[Example], predicted: Sequence[int | float]) -> float:
    """Share of the answers that are at most one grade off."""
    return float(np.mean([abs(example.label - said) <= 1 for example, said in zip(examples, predicted, strict=True)]))


def softmax(outputs):
    powers = np.exp(outputs - outputs.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def median(shares):
    """The first grade that with all below it has half of the shares: ``(rows, grades)`` to ``(rows,)``."""
    return (np.cumsum(shares, -1) >= 0.5 - 1e-9).argmax(-1)


class Stars(Classification):
    """One of several grades, from the lowest to the highest."""

    __slots__ = ()

    words = "a grade"
    metrics: ClassVar = {"kappa": kappa, "within_one": within_one, **Classification.metrics}
    usual_metrics = ("kappa",)

    def loss(self, logits, batch, units):
        """As of one-hot rows."""
        rows = batch["labels"].new_zeros(logits.shape, dtype=logits.dtype).scatter(1, batch["labels"][:, None], 1.0)
        return self.loss_of_rows(logits, {"labels": rows}, units)

    def loss_of_rows(self, logits, batch, units):
        """The ranked probability score (Epstein 1969): squared differences of cumulative shares, summed."""
        off = logits.softmax(-1).cumsum(-1) - batch["labels"].cumsum(-1)
        return off.square().sum(-1).mean()

    def loss_of(self, output, example, units):
        """The same of one example."""
        below = np.arange(len(output)) >= example.label
        return float(((np.cumsum(softmax(output)) - below) ** 2).sum())

    def _decided(self, outputs):
        return [int(median(softmax(np.asarray(output, np.float64)))) for output in outputs]

    def answer(self, output, names):
        """The median grade, with the share of each."""
        said = super().answer(output, names)
        if output is None:
            return said
        grade = names[self._decided([output])[0]]
        return {**said, "label": grade, "probability": said["probabilities"][grade]}

    def score_rows(self, metrics, labels, said, names=()):
        """The score of answers that are shares already."""
        right, guessed = median(labels).tolist(), median(said).tolist()
        return self.score(metrics, [Example("", label=grade) for grade in right], guessed)["score"]

    def agreement(self, labels, said):
        """Share of the same grades."""
        return float(np.mean(median(labels) == median(said)))

    def wrong(self, labels, said, tolerance):
        """Another grade."""
        return median(labels) != median(said)
