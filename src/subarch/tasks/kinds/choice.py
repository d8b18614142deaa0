"""One of an example's own candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.tasks import metrics
from subarch.tasks.kinds.classes import OneOfSeveral
from subarch.tasks.kinds.rows import Rows, Units
from subarch.tasks.labels import Labels
from subarch.tasks.metrics import Metric
from subarch.text.examples import Example

if TYPE_CHECKING:
    from torch import Tensor


class Choice(OneOfSeveral):
    """Each candidate is a sequence of its own and gets one score. Of a label row the positions are what is learned."""

    __slots__ = ()

    words: ClassVar[str] = "one of several candidates"
    head: ClassVar[str] = "choice"
    of_tables: ClassVar[bool] = False
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": metrics.accuracy,
        "record_f1": metrics.record_f1,
        "record_em": metrics.record_em,
    }
    usual_metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    table_metrics: ClassVar[tuple[str, ...]] = ()

    def parse(
        self, labels: Labels, classes: Sequence[str], declared: Sequence[str]
    ) -> tuple[tuple[str, ...], Sequence[int]]:
        """A table has no candidates."""
        raise InputError(f"{labels.path}: expected labels of a table, got a {self}, whose candidates no table holds")

    def stock_class(self) -> Any:
        """The head gives each sequence one score."""
        from transformers import AutoModelForMultipleChoice

        return AutoModelForMultipleChoice

    def settings(self, names: Sequence[str]) -> Json:
        """Nothing of its own."""
        del names
        return {}

    def scores(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """As :func:`by_owner`."""
        return by_owner(logits[:, 0], batch["owners"], batch["labels"].shape)

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """Cross-entropy of all right candidates together: which of them is named is no matter."""
        del units
        scores, owners, right = logits[:, 0], batch["owners"], batch["right"]
        count = int(owners[-1]) + 1
        return (_log_sum_exp(scores, owners, count) - _log_sum_exp(scores[right], owners[right], count)).mean()

    def width(self, names: Sequence[str], examples: Sequence[Example]) -> int:
        """The most candidates that an example has."""
        del names
        return max(len(example.seconds) for example in examples)

    def rows(self, examples: Sequence[Example], width: int) -> Rows:
        """All right candidates share the label; zeros where there are fewer candidates."""
        table = np.zeros((len(examples), width))
        for row, one in zip(table, examples, strict=True):
            row[[int(cast("int", one.label)), *one.right]] = 1
        return table / table.sum(1, keepdims=True)

    def score_rows(self, metrics: Sequence[str], labels: Rows, said: Rows, names: Sequence[str] = ()) -> float:
        """Whether a right candidate was chosen: rows know no more."""
        del metrics, names
        return float(np.mean(labels[np.arange(len(labels)), said.argmax(1)] > 0))

    def name_of_score(self, metric: str) -> str:
        """It is always the accuracy."""
        del metric
        return "accuracy"

    def in_words(self, row: NDArray[np.float64], names: Sequence[str], example: Example) -> str:
        """The likeliest candidate and its share."""
        del names
        return f"{example.seconds[int(row.argmax())]} ({row.max():.0%})"


def by_owner(scores: Tensor, owners: Tensor, shape: Sequence[int]) -> Tensor:
    """Scores of candidates as a row for each example, and minus infinity after its last one: ``(examples, most)``.

    Args:
        scores: ``(candidates,)``.
        owners: the example that each belongs to, in order: ``(candidates,)``.
        shape: examples, and room for candidates.
    """
    import torch

    first = torch.searchsorted(owners, torch.arange(shape[0]))
    table = scores.new_full(tuple(shape), -math.inf)
    table[owners, torch.arange(len(scores)) - first[owners]] = scores
    return table


def _log_sum_exp(scores: Tensor, owners: Tensor, count: int) -> Tensor:
    """Of the scores of each owner: ``(count,)``."""
    return by_owner(scores, owners, (count, len(scores))).logsumexp(dim=1)
