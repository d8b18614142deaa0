"""One class a text or pair of texts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.results.classes import ByClass
from subarch.tasks import metrics
from subarch.tasks.kinds.base import Kind, named
from subarch.tasks.kinds.classes import OneOfSeveral
from subarch.tasks.kinds.rows import Rows, Units
from subarch.tasks.labels import Labels
from subarch.tasks.metrics import Metric, Predicted
from subarch.text.examples import Example, nameless, places

if TYPE_CHECKING:
    from torch import Tensor


class Classification(OneOfSeveral):
    """One of several classes, which have names."""

    __slots__ = ()

    words: ClassVar[str] = "one class"
    head: ClassVar[str] = "classification"
    is_balanced: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": metrics.accuracy,
        "f1": metrics.f1,  # of class 1
        "macro_f1": metrics.macro_f1,  # over the classes that occur in the labels
        "matthews": metrics.matthews,
        "f1a": metrics.f1,  # MultiRC's name for F1 over the answers of all questions
        "em": metrics.exact_match,
        "gender_parity": metrics.gender_parity,
    }
    usual_metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    table_metrics: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1", "matthews")

    def parse(
        self, labels: Labels, classes: Sequence[str], declared: Sequence[str]
    ) -> tuple[tuple[str, ...], Sequence[int]]:
        """Classes, sorted, by number where they are integers; labels are their indices."""
        return labels.as_classes(classes, declared)

    def suits(self, labels: Labels) -> bool:
        """Whatever no other kind asks for."""
        del labels
        return True

    def strata(self, examples: Sequence[Example], names: Sequence[str]) -> list[str]:
        """The names of their classes."""
        return [names[int(cast("int", example.label))] for example in examples]

    def drawn_by(self, examples: Sequence[Example]) -> Sequence[Hashable]:
        """Their classes."""
        return [example.label for example in examples]

    def places(self, task: str, names: Sequence[str], *, of: Kind, among: Sequence[str]) -> list[int] | None:
        """As :func:`subarch.text.examples.places`."""
        super().places(task, names, of=of, among=among)
        if (found := places(names, among)) is not None:
            return found
        raise InputError(
            f"{task} has the classes {list(names)}, the model {list(among)}: take the task it was fine-tuned on; or, "
            "where these are the same classes, write the model's names instead of them"
        )

    def instead_of(self, names: Sequence[str]) -> str:
        """It is asked for rows of which each has one class."""
        del names
        return " (one class a text: --kind classification, where every row has one)"

    def is_nameless(self, names: Sequence[str]) -> bool:
        """Whether these are the names that the stock library gives where nobody did."""
        return nameless(names)

    def stock_class(self) -> Any:
        """The head reads the pooled first token."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def settings(self, names: Sequence[str]) -> Json:
        """An output a class."""
        return {"problem_type": "single_label_classification", **named(names)}

    def scores(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """The logits as they are."""
        del batch
        return logits

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """Cross-entropy."""
        del units
        from torch.nn import functional

        return functional.cross_entropy(logits, batch["labels"])

    def told(
        self, names: Sequence[str], examples: Sequence[Example], predicted: Predicted, *, whose: str = ""
    ) -> ByClass:
        """Each class by itself."""
        labels = [self.labels_in(cast("int", example.label)) for example in examples]
        return metrics.told_by_class(names, labels, [self.labels_in(guess) for guess in predicted], whose=whose)

    def rows(self, examples: Sequence[Example], width: int) -> Rows:
        """One-hot."""
        return np.eye(width)[[int(cast("int", example.label)) for example in examples]]

    def in_words(self, row: NDArray[np.float64], names: Sequence[str], example: Example) -> str:
        """The likeliest class and its share."""
        del example
        return f"{names[int(row.argmax())]} ({row.max():.0%})"

    def counts(self, rows: Rows, names: Sequence[str]) -> dict[str, int]:
        """By likeliest class."""
        found = np.bincount(rows.argmax(1), minlength=len(names))
        return dict(zip(names, found.tolist(), strict=True))
