"""Several labels a text, or none: each is said by an output of its own."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.results.classes import ByClass, ClassScore
from subarch.tasks import metrics
from subarch.tasks.kinds.base import Kind, Thresholds, named
from subarch.tasks.kinds.classes import logistic
from subarch.tasks.kinds.rows import AS_THEY_ARE, Ability, Linear, Rows, Units
from subarch.tasks.labels import Labels
from subarch.tasks.labelsets import LabelSets
from subarch.tasks.metrics import Metric, Outputs, Predicted
from subarch.tasks.thresholds import USUAL, thresholds_of
from subarch.text.examples import Example, Label, nameless, places

if TYPE_CHECKING:
    from torch import Tensor

_LOG = logging.getLogger(__name__)
_SPLITS = 3  # that a label has to be in
_NONE = "no label"
_CHANCE = 0.5  # the area under the curve of a teacher that knows nothing
_LEAST = 1e-12  # of a probability
_NEVER = -30.0  # log odds of a label that no training row has, and of the absence of one that all have


class MultiLabel(Kind):
    """The labels whose probabilities are above their thresholds; a label row holds 0 or 1 for each."""

    __slots__ = ()

    words: ClassVar[str] = "several labels"
    head: ClassVar[str] = "multilabel"
    has_labels: ClassVar[bool] = True
    has_thresholds: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, Metric]] = {
        "micro_f1": metrics.micro_f1,
        "macro_f1": metrics.mean_f1,  # over the labels that occur
        "exact_match": metrics.same_sets,
    }
    usual_metrics: ClassVar[tuple[str, ...]] = ("micro_f1",)
    table_metrics: ClassVar[tuple[str, ...]] = ("micro_f1", "macro_f1", "exact_match")
    how_far: ClassVar[str] = (
        "distance to the source: mean over labels of the Jensen-Shannon divergence of its probabilities that each "
        "holds or does not, in bits: 0 = the same, 1 = nothing in common"
    )

    # --- labels ---

    def parse(
        self, labels: Labels, classes: Sequence[str], declared: Sequence[str]
    ) -> tuple[tuple[str, ...], Sequence[Label]]:
        """Names of all labels, sorted, by number where they are integers; labels are the indices of those that hold."""
        return LabelSets.of(labels).as_indices(classes, declared)

    def suits(self, labels: Labels) -> bool:
        """Lists, written or not, and whatever was asked for as several labels."""
        return labels.are_sets()

    def strata(self, examples: Sequence[Example], names: Sequence[str]) -> list[str]:
        """The rarest label of each, so that rare ones are in every split; of labels that are the rarest in too few
        rows for that, the next one counts."""
        sets = metrics.label_sets(examples)
        counts = Counter(n for one in sets for n in one)
        if few := [n for n in sorted(counts) if counts[n] < _SPLITS]:
            _LOG.warning(
                "%d labels stand in fewer than %d rows (%s) and cannot be in every split",
                len(few),
                _SPLITS,
                ", ".join(repr(names[n]) for n in few[:10]) + (", ..." if len(few) > 10 else ""),
            )
        found = [sorted(one, key=lambda n: (counts[n], n)) for one in sets]
        while True:  # each pass takes a label away that is the rarest of too few
            sizes = Counter(one[0] for one in found if one)
            small = {n for n, size in sizes.items() if size < _SPLITS}
            if not small:
                break
            found = [[n for n in one if n not in small] for one in found]
        strata = [names[one[0]] if one else _NONE for one in found]
        if 0 < strata.count(_NONE) < _SPLITS:  # too few to be anything of their own
            largest = Counter(strata).most_common(1)[0][0]
            strata = [largest if one == _NONE else one for one in strata]
        return strata

    def drawn_by(self, examples: Sequence[Example]) -> Sequence[Hashable]:
        """Their rarest labels."""
        sets = metrics.label_sets(examples)
        counts = Counter(n for one in sets for n in one)
        return [min(one, key=lambda n: (counts[n], n), default=None) for one in sets]

    def labels_in(self, label: Label) -> tuple[int, ...]:
        """All that hold."""
        return cast("tuple[int, ...]", label)

    def places(self, task: str, names: Sequence[str], *, of: Kind, among: Sequence[str]) -> list[int] | None:
        """As :func:`subarch.text.examples.places`; a model may know more labels, which are not asked for."""
        super().places(task, names, of=of, among=among)
        if (found := places(names, among)) is not None:
            return found
        if names and set(names) < set(among):
            left = [name for name in among if name not in set(names)]
            _LOG.warning("%s has no rows with %s: these labels of the model are not asked for", task, _some(left))
            return [list(among).index(name) for name in names]
        raise InputError(
            f"{task} has the labels {_some(names)}, the model {_some(among)}: take the task it was fine-tuned on; or, "
            "where these are the same labels, write the model's names instead of them"
        )

    def instead_of(self, names: Sequence[str]) -> str:
        """What the model says of each text is a set of labels."""
        del names
        return (
            " (it says of each label whether it holds: --kind multilabel takes each class for the one label of its row)"
        )

    def is_nameless(self, names: Sequence[str]) -> bool:
        """Whether these are the names that the stock library gives where nobody did."""
        return nameless(names)

    # --- networks ---

    def stock_class(self) -> Any:
        """The same as of classes."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def settings(self, names: Sequence[str]) -> Json:
        """An output a label, each with a sigmoid of its own."""
        return {"problem_type": "multi_label_classification", **named(names)}

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """Binary cross-entropy, mean over labels: ``batch["labels"]`` holds indices, and -1 where there are no more."""
        del units
        import torch
        from torch.nn import functional

        held = batch["labels"].long() + 1  # (examples, most labels of one)
        rows = torch.zeros(len(logits), logits.shape[1] + 1, dtype=logits.dtype, device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits, rows.scatter_(1, held, 1.0)[:, 1:])

    def loss_of_rows(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """The same with probabilities."""
        del units
        from torch.nn import functional

        return functional.binary_cross_entropy_with_logits(logits, batch["labels"].to(logits.dtype))

    def loss_of(self, output: NDArray[np.float64], example: Example, units: Units) -> float:
        """Binary cross-entropy, mean over labels."""
        del units
        held = _held([self.labels_in(cast("Label", example.label))], len(output))[0]
        return float(np.mean(np.logaddexp(0.0, output) - output * held))

    def divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Mean over labels of the Kullback-Leibler divergence of two Bernoullis: a search learns by it."""
        from subarch.tasks.divergences import bernoulli, kullback_leibler

        return kullback_leibler(bernoulli(teacher), bernoulli(student)).mean(-1)

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Mean over labels of the Jensen-Shannon divergence of two Bernoullis, in [0, 1]."""
        from subarch.tasks.divergences import bernoulli, jensen_shannon

        return jensen_shannon(bernoulli(teacher), bernoulli(student)).mean(-1)

    # --- answers ---

    def thresholds(self, outputs: Outputs, examples: Sequence[Example], metrics: Sequence[str]) -> Thresholds:
        """Where the first metric is best (:func:`subarch.tasks.thresholds.thresholds_of`)."""
        if not examples:
            return ()
        held = _held([self.labels_in(cast("Label", example.label)) for example in examples], len(outputs[0]))
        goal: Any = metrics[0] if metrics and metrics[0] in self.metrics else self.usual_metrics[0]
        return thresholds_of(_shares(outputs), held, goal)

    def moved(self, outputs: Outputs, thresholds: Thresholds) -> Outputs:
        """Log odds against those of the threshold."""
        if not thresholds:
            return outputs
        at = np.asarray(thresholds, dtype=np.float64)
        return [one.astype(np.float64) - np.log(at / (1 - at)) for one in outputs]

    def _decided(self, outputs: Outputs) -> list[Label]:
        return [tuple(np.flatnonzero(output > 0).tolist()) for output in outputs]

    def answer(self, output: NDArray[np.floating] | None, names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """The labels that hold, and the probability of each."""
        if output is None:
            return dict.fromkeys(("labels", "probabilities"))
        found = dict(self.said(output, names, thresholds))
        return found | {"probabilities": {name: round(share, 6) for name, share in found["probabilities"].items()}}

    def said(self, output: NDArray[np.floating], names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """The same, unrounded."""
        (held,) = self.decide([output], thresholds)
        shares = zip(names, _shares([output])[0].tolist(), strict=True)
        return {"labels": [names[n] for n in self.labels_in(held)], "probabilities": dict(shares)}

    def columns(self, names: Sequence[str]) -> list[str]:
        """All labels that hold as a JSON list, and two columns for each: 1 where it holds, and its probability."""
        each = [column for name in names for column in (name, f"probability of {name}")]
        return ["labels", *each]

    def cells(self, answer: Json) -> Json:
        """What holds and its probability, in columns of their own."""
        import json

        if answer["labels"] is None:
            return {"labels": None}
        held = set(answer["labels"])
        found: dict[str, object] = {"labels": json.dumps(answer["labels"], ensure_ascii=False)}
        for name, share in answer["probabilities"].items():
            found |= {name: int(name in held), f"probability of {name}": share}
        return found

    # --- scores ---

    def told(
        self, names: Sequence[str], examples: Sequence[Example], predicted: Predicted, *, whose: str = ""
    ) -> ByClass:
        """Each label by itself, and what no single one shows."""
        labels, said = metrics.label_sets(examples), [self.labels_in(one) for one in predicted]

        def measures(found: Sequence[ClassScore]) -> dict[str, float]:
            del found
            return {name: metric(examples, predicted) for name, metric in self.metrics.items()}

        return metrics.told_by_class(names, labels, said, measures, whose=whose)

    def score_rows(self, metrics: Sequence[str], labels: Rows, said: Rows, names: Sequence[str] = ()) -> float:
        """The score of answers, both as rows."""
        del names
        right, guessed = ([tuple(np.flatnonzero(row > USUAL).tolist()) for row in rows] for rows in (labels, said))
        return self.score(metrics, [Example("", label=label) for label in right], guessed)["score"]

    # --- rows ---

    def rows(self, examples: Sequence[Example], width: int) -> Rows:
        """1 for each label that holds."""
        return _held(metrics.label_sets(examples), width).astype(np.float64)

    def rows_said(self, outputs: Outputs, width: int, units: Units = AS_THEY_ARE) -> Rows:
        """Probabilities."""
        del units
        return _shares(outputs) if len(outputs) else np.empty((0, width))

    def agreement(self, labels: Rows, said: Rows) -> float:
        """F1 of all labels together."""
        one, other = labels > USUAL, said > USUAL
        both = int(one.sum() + other.sum())
        return float(2 * (one & other).sum() / both) if both else 1.0

    def sure(self, rows: Rows) -> NDArray[np.float64]:
        """How sure it is of the label of which it is least sure."""
        return np.maximum(rows, 1 - rows).min(1, initial=1.0)

    def hard(self, rows: Rows) -> Rows:
        """0 or 1."""
        return (rows > USUAL).astype(np.float64)

    def outputs_of(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log odds."""
        inside = np.clip(row, _LEAST, 1 - _LEAST)
        return np.log(inside / (1 - inside))

    def linear(self, features: Any, rows: Rows, strength: float) -> Linear:
        """Logistic regression of each label against its absence."""
        weights, bias = np.zeros((features.shape[1], rows.shape[1])), np.full(rows.shape[1], _NEVER)
        for n in range(rows.shape[1]):
            held = (rows[:, n] > USUAL).astype(np.int64)
            if 0 < held.sum() < len(held):
                model = logistic(features, held, strength)
                weights[:, n], bias[n] = model.coef_[0], model.intercept_[0]
            elif held.all():
                bias[n] = -_NEVER
        return Linear(weights, bias)

    def wrong(self, labels: Rows, said: Rows, tolerance: float | None) -> NDArray[np.bool_]:
        """Any other set of labels than the right one."""
        del tolerance
        return ((labels > USUAL) != (said > USUAL)).any(1)

    def check_learnable(self, what: str, labels: Rows) -> None:
        """Refuse labels of which none ever differs."""
        held = labels > USUAL
        if not (held.any(0) & ~held.all(0)).any():
            raise InputError(f"expected a label that some {what} examples have and others lack, got none")

    def ability(self, labels: Rows, said: Rows, *, override: bool = False) -> Ability:
        """Mean area under the ROC curve of the labels that some rows have and others lack: it needs no thresholds. The
        bar is as far above chance as the published one of two balanced classes."""
        del override
        from sklearn.metrics import roc_auc_score

        held = labels > USUAL
        there = np.flatnonzero(held.any(0) & ~held.all(0))
        areas = [float(roc_auc_score(held[:, n], said[:, n])) for n in there]
        value = float(np.mean(areas)) if areas else 0.0
        return Ability("mean area under the ROC curve of each label", value, _CHANCE + (1 - _CHANCE) / 3)

    def in_words(self, row: NDArray[np.float64], names: Sequence[str], example: Example) -> str:
        """The labels that hold and their probabilities."""
        del example
        held: list[int] = np.flatnonzero(row > USUAL).tolist()
        if not held:
            return f"{_NONE} ({names[int(row.argmax())]} {row.max():.0%})"
        return ", ".join(f"{names[n]} ({row[n]:.0%})" for n in held)

    def counts(self, rows: Rows, names: Sequence[str]) -> dict[str, int]:
        """How many rows each label holds in."""
        return dict(zip(names, (rows > USUAL).sum(0).tolist(), strict=True))


def _held(sets: metrics.Held, width: int) -> NDArray[np.bool_]:
    found = np.zeros((len(sets), width), dtype=np.bool_)
    for row, one in zip(found, sets, strict=True):
        row[list(one)] = True
    return found


def _shares(outputs: Outputs) -> NDArray[np.float64]:
    """Sigmoids: ``(examples, labels)``."""
    found = np.stack([np.asarray(one, dtype=np.float64) for one in outputs])
    return np.exp(-np.logaddexp(0.0, -found))


def _some(names: Sequence[str], shown: int = 12) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(repr, names[:shown])) + more
