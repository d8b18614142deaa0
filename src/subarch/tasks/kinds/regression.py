"""A number for a text or pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.tasks import metrics
from subarch.tasks.kinds.base import Kind, Thresholds
from subarch.tasks.kinds.rows import AS_THEY_ARE, Ability, Rows, Units
from subarch.tasks.labels import Labels
from subarch.tasks.metrics import Metric, Outputs
from subarch.text.examples import Example, Label

if TYPE_CHECKING:
    from torch import Tensor, nn

_QUARTERS = 4
_LEAST_OF_A_QUARTER = 10
_BAR = 0.5


class Regression(Kind):
    """A finite number; the network learns it in units of the labels' standard deviation from their mean."""

    __slots__ = ()

    words: ClassVar[str] = "one number"
    head: ClassVar[str] = "regression"
    has_numbers: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, Metric]] = {"pearson": metrics.pearson, "spearman": metrics.spearman}
    usual_metrics: ClassVar[tuple[str, ...]] = ("pearson", "spearman")
    table_metrics: ClassVar[tuple[str, ...]] = ("pearson", "spearman")
    how_far: ClassVar[str] = "distance to the source: mean squared difference of the numbers they predict; 0 = the same"

    def parse(
        self, labels: Labels, classes: Sequence[str], declared: Sequence[str]
    ) -> tuple[tuple[str, ...], Sequence[float]]:
        """Numbers, which have no names."""
        del classes, declared
        return (), labels.as_numbers()

    def suits(self, labels: Labels) -> bool:
        """Numbers that are too many, or too odd, for classes."""
        return labels.look_like_numbers()

    def strata(self, examples: Sequence[Example], names: Sequence[str]) -> list[str]:
        """The quarter that each lies in, where there are enough for that."""
        del names
        strata = ["all"] * len(examples)
        if len(examples) >= _QUARTERS * _LEAST_OF_A_QUARTER:
            # By rank, so that every quarter has its share however many numbers are equal.
            numbers = [cast("float", example.label) for example in examples]
            for rank, row in enumerate(sorted(range(len(numbers)), key=numbers.__getitem__)):
                strata[row] = f"quarter {rank * _QUARTERS // len(examples) + 1}"
        return strata

    def instead_of(self, names: Sequence[str]) -> str:
        """Cross-encoders give one number where people think of two classes."""
        if set(names) != {"0", "1"}:
            return ""
        return " (it has one output: a number from 0 to 1, which finetune and compress learn with --kind regression)"

    def stock_class(self) -> Any:
        """The same as of classes, with one output."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def settings(self, names: Sequence[str]) -> Json:
        """One output."""
        del names
        return {"problem_type": "regression", "id2label": {0: "value"}, "label2id": {"value": 0}}

    def units(self, labels: Sequence[Label]) -> Units:
        """Mean and standard deviation of the labels."""
        values = np.asarray(labels, dtype=np.float64)
        return Units(float(values.mean()), float(values.std()) or 1.0)

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """Squared error in units of the labels' scale."""
        from torch.nn import functional

        return functional.mse_loss(logits[:, 0], ((batch["labels"] - units.mean) / units.scale).float())

    def loss_of_rows(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """The same: a teacher's number is a number."""
        from torch.nn import functional

        return functional.mse_loss(logits, (batch["labels"] - units.mean) / units.scale)

    def loss_of(self, output: NDArray[np.float64], example: Example, units: Units) -> float:
        """Squared error in units of the labels' scale."""
        number = cast("float", example.label)
        return float((output[0] - (number - units.mean) / units.scale) ** 2)

    def divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Squared difference: as a distribution over one class the number would always be right."""
        return (student[:, 0] - teacher[:, 0]).square()

    def put_in_units(self, model: nn.Module, units: Units) -> None:
        """The last linear map takes them on."""
        import torch
        from torch import nn

        last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
        with torch.no_grad():
            last.weight.mul_(units.scale)
            last.bias.mul_(units.scale).add_(units.mean)

    def _decided(self, outputs: Outputs) -> list[float]:
        return [float(output[0]) for output in outputs]

    def answer(self, output: NDArray[np.floating] | None, names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """The value."""
        del names, thresholds
        return {"value": None if output is None else float(output[0])}

    def columns(self, names: Sequence[str]) -> list[str]:
        """One for the value."""
        del names
        return ["value"]

    def rows(self, examples: Sequence[Example], width: int) -> Rows:
        """A column of numbers."""
        return np.asarray([example.label for example in examples], dtype=np.float64).reshape(-1, width)

    def rows_said(self, outputs: Outputs, width: int, units: Units = AS_THEY_ARE) -> Rows:
        """A column of numbers in units of the labels."""
        del width
        return np.stack(outputs).astype(np.float64) * units.scale + units.mean

    def agreement(self, labels: Rows, said: Rows) -> float:
        """Pearson's correlation; 0 where one side is constant."""
        from scipy.stats import pearsonr

        one, other = labels[:, 0], said[:, 0]
        return float(cast("Any", pearsonr(one, other)).statistic) if np.ptp(one) and np.ptp(other) else 0.0

    def wrong(self, labels: Rows, said: Rows, tolerance: float | None) -> NDArray[np.bool_]:
        """Residuals above the tolerance."""
        most = self.tolerance(labels, said) if tolerance is None else tolerance
        return np.abs(said[:, 0] - labels[:, 0]) > most

    def tolerance(self, labels: Rows, said: Rows) -> float:
        """The root mean square residual."""
        return float(np.sqrt(np.mean((said[:, 0] - labels[:, 0]) ** 2)))

    def ability(self, labels: Rows, said: Rows, *, override: bool = False) -> Ability:
        """Pearson's correlation; a teacher that answers in other units is refused."""
        value = self.agreement(labels, said)
        residual, spread = float(np.mean((labels - said) ** 2)), float(np.var(labels))
        if value > _BAR and residual >= spread and not override:
            raise InputError(
                f"the teacher's numbers go with the labels (Pearson's correlation {value:.3f}) but in other units: "
                f"on development data its mean squared error is {residual:.3g}, the labels' variance {spread:.3g}. "
                "Fine-tune it on these rows first, or bring the labels to its units"
            )
        return Ability("Pearson's correlation", value, _BAR)

    def in_words(self, row: NDArray[np.float64], names: Sequence[str], example: Example) -> str:
        """Three digits."""
        del names, example
        return f"{row[0]:.3g}"
