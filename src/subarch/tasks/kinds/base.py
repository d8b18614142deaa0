"""What a kind of task says: everything in which classes, numbers, candidates and tags of words differ.

A kind is one file beside this one, named by a row of :mod:`subarch.tasks.kinds.table`, or a class of yours that is
named ``module.path:Name``. Nothing else in the code asks which kind there is: it asks the kind. Modules of kinds
import neither torch nor transformers before a network is there, so that whatever reads labels or answers works without.
:class:`subarch.testing.KindSuite` checks a kind of your own.

Notation: an example's *output* is what the network says of it, ``(outputs,)``, or ``(places, outputs)`` where each of
its places is answered by itself (:attr:`Kind.has_words`); a *label row* is a label as numbers, ``(columns,)`` or
``(columns, outputs)``, of which a teacher's may be soft.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.results.classes import ByClass
from subarch.tasks.kinds.rows import InRows, Rows, Units
from subarch.tasks.kinds.rows import Linear as Linear  # others ask for it here
from subarch.tasks.labels import Labels
from subarch.tasks.metrics import Metric, Outputs, Predicted
from subarch.text.examples import Example, Label

if TYPE_CHECKING:
    from torch import Tensor, nn

Thresholds = tuple[float, ...]
"""Probabilities above which each output's label holds; none where a kind has none, or its usual ones hold."""


def in_order_of(
    order: Sequence[int] | None, outputs: Outputs, thresholds: Thresholds = ()
) -> tuple[Outputs, Thresholds]:
    """What a model says, and its thresholds, in the order of a task's names: ``order`` is of :meth:`Kind.places`."""
    if order is None:
        return outputs, thresholds
    return [one[..., list(order)] for one in outputs], tuple(thresholds[n] for n in order) if thresholds else ()


def named(names: Sequence[str]) -> Json:
    """Names of outputs as a stock config has them.

    >>> from subarch.tasks.kinds.base import named
    >>> named(("bad", "good"))
    {'id2label': {0: 'bad', 1: 'good'}, 'label2id': {'bad': 0, 'good': 1}}
    """
    return {"id2label": dict(enumerate(names)), "label2id": {name: n for n, name in enumerate(names)}}


class Kind(InRows):
    """A kind of task. It is its own name, wherever names are written: in options, files and messages.

    Attributes:
        words: what is predicted, for messages.
        head: which of the heads that a stock checkpoint may have is this kind's
            (:attr:`subarch.networks.checkpoints.Head.kind`).
        pipeline: of the stock library, that answers with such a network.
        of_tables: whether the rows of a table can be of this kind.
        has_numbers: whether labels are numbers, so that a decimal comma is one.
        has_words: whether each word of a text has a label of its own. Examples then say where their words are
            (:attr:`subarch.text.examples.Example.words`), and a text without words is answered at every token.
        has_classes: whether a label row holds shares of classes or candidates: of such a row one can be sure.
        has_labels: whether answers are labels or candidates, one or several, and not numbers.
        is_balanced: whether as many examples of each column of label rows are wanted.
        has_thresholds: whether decisions depend on thresholds, which are chosen on development rows.
        metrics: those that there are, by name.
        usual_metrics: names of those that score a table; the first goes before the others.
        table_metrics: names of those that may be asked for instead.
        how_far: what :meth:`distance` is, for the certificate.
    """

    __slots__ = ()

    words: ClassVar[str]
    head: ClassVar[str]
    pipeline: ClassVar[str] = "text-classification"
    of_tables: ClassVar[bool] = True
    has_numbers: ClassVar[bool] = False
    has_words: ClassVar[bool] = False
    has_classes: ClassVar[bool] = False
    has_labels: ClassVar[bool] = False
    is_balanced: ClassVar[bool] = False
    has_thresholds: ClassVar[bool] = False
    metrics: ClassVar[Mapping[str, Metric]]
    usual_metrics: ClassVar[tuple[str, ...]]
    table_metrics: ClassVar[tuple[str, ...]]
    how_far: ClassVar[str] = ""

    # --- labels ---

    @abstractmethod
    def parse(
        self, labels: Labels, classes: Sequence[str], declared: Sequence[str]
    ) -> tuple[tuple[str, ...], Sequence[Label]]:
        """Names of the outputs (none where they have none), and the value of every label.

        Args:
            labels: of a table.
            classes: names that labels must be of; any, when empty.
            declared: names in the order that the table itself gives them.

        Raises:
            ValueError: naming the row, for labels that are none of this kind.
        """

    def suits(self, labels: Labels) -> bool:
        """Whether labels of which nobody says what they are look like this kind. Never, unless a kind says so."""
        del labels
        return False

    def strata(self, examples: Sequence[Example], names: Sequence[str]) -> list[str]:
        """What each example is of, where every split gets its share of all that there is."""
        del names
        return ["all"] * len(examples)

    def drawn_by(self, examples: Sequence[Example]) -> Sequence[Hashable]:
        """For each example what a part of them has in the proportions of all."""
        return [None] * len(examples)

    def labels_in(self, label: Label) -> tuple[int, ...]:
        """Outputs whose names a label, or an answer, holds; none where outputs are no names."""
        del label
        return ()

    def places(self, task: str, names: Sequence[str], *, of: Kind, among: Sequence[str]) -> list[int] | None:
        """For each name of a task a model's output; None where outputs have no names.

        Args:
            task: that is asked, for messages.
            names: of its outputs.
            of: what the model predicts.
            among: names of its outputs.

        Raises:
            ValueError: when the model predicts something else.
        """
        if of != self:
            raise InputError(
                f"{task} is a {self}, the model's head is made for {of}{of.instead_of(names)}: take the task it was "
                "fine-tuned on"
            )
        return None

    def instead_of(self, names: Sequence[str]) -> str:
        """What to say where a model of this kind is asked for the classes ``names``; nothing, mostly."""
        del names
        return ""

    def groups(self, names: Sequence[str]) -> tuple[str, ...]:
        """For each output what it stands for where several stand for one thing, as all tags of an entity type do."""
        return tuple(names)

    def is_nameless(self, names: Sequence[str]) -> bool:
        """Whether nothing is known of a model's outputs but their number, though they should have names."""
        del names
        return False

    # --- networks ---

    @abstractmethod
    def stock_class(self) -> Any:
        """The stock library's ``Auto...`` class of such a network."""

    @abstractmethod
    def settings(self, names: Sequence[str]) -> Json:
        """What the stock config of such a network says."""

    def units(self, labels: Sequence[Label]) -> Units:
        """Units in which a network best learns these labels."""
        del labels
        return Units()

    @abstractmethod
    def loss(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """Mean loss of a batch with its own labels.

        Args:
            logits: of every sequence: ``(sequences, outputs)``.
            batch: as :meth:`subarch.learning.batches.Tokens.batch` gives it.
            units: of the outputs.
        """

    @abstractmethod
    def loss_of_rows(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """The same mean loss where ``batch["labels"]`` are label rows, such as a teacher's: ``(examples, columns)``."""

    @abstractmethod
    def loss_of(self, output: NDArray[np.float64], example: Example, units: Units) -> float:
        """The same loss of one example, of an output that is there already: ``(outputs,)``."""

    def put_in_units(self, model: nn.Module, units: Units) -> None:
        """Let a trained network answer in the units of the labels, as everybody expects of a checkpoint."""

    def divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        """What candidates of a search minimise: how far their outputs are from their source's, ``(examples,)``.

        Args:
            teacher: outputs ``(examples, outputs)``.
            student: likewise.
        """
        raise NotImplementedError

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The error that candidates of a search are judged by, zero for the source itself: ``(examples,)``."""
        return self.divergence(teacher, student)

    # --- answers ---

    def thresholds(self, outputs: Outputs, examples: Sequence[Example], metrics: Sequence[str]) -> Thresholds:
        """Thresholds with which a network does best by its metrics on development rows; none where there are none."""
        del outputs, examples, metrics
        return ()

    def moved(self, outputs: Outputs, thresholds: Thresholds) -> Outputs:
        """Outputs that say with the usual thresholds what these say with ``thresholds``."""
        del thresholds
        return outputs

    def decide(self, outputs: Outputs, thresholds: Thresholds = ()) -> Sequence[Label]:
        """What a network's outputs say: for each example what a label would be.

        Args:
            outputs: of each example.
            thresholds: of the network, where it has some.

        Raises:
            ValueError: for an output that is not finite: it would pass for an answer.
        """
        for row, output in enumerate(outputs):
            if not np.isfinite(output).all():
                raise InputError(
                    f"expected finite outputs, got {output[~np.isfinite(output)][0]} for example {row}: the network "
                    "has diverged; train it again with a lower learning rate"
                )
        return self._decided(self.moved(outputs, thresholds))

    @abstractmethod
    def _decided(self, outputs: Outputs) -> Sequence[Label]:
        """The same of finite outputs, with the usual thresholds."""

    @abstractmethod
    def answer(self, output: NDArray[np.floating] | None, names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """What people and programs are told of one example.

        Args:
            output: ``(outputs,)``; None for an example without a text, which keeps its place and says nothing.
            names: of the outputs.
            thresholds: of the network, where it has some.
        """

    def answer_in(
        self,
        example: Example,
        spans: NDArray[np.int64],
        output: NDArray[np.floating],
        names: Sequence[str],
        thresholds: Thresholds = (),
    ) -> Json:
        """The same, where it matters what the text is and where in it its places are.

        Args:
            example: that was asked.
            spans: where each place begins and ends in its first text, ``(places, 2)``; none where it has no places.
            output: ``(outputs,)``, or ``(places, outputs)``.
            names: of the outputs.
            thresholds: of the network, where it has some.
        """
        del example, spans
        return self.answer(output, names, thresholds)

    def said(self, output: NDArray[np.floating], names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """The same as :meth:`answer`, as a predictor returns it."""
        return self.answer(output, names, thresholds)

    @abstractmethod
    def columns(self, names: Sequence[str]) -> list[str]:
        """Columns of a CSV file of such answers."""

    def cells(self, answer: Json) -> Json:
        """An answer as a row of that file."""
        return answer

    # --- scores ---

    def score(self, metrics: Sequence[str], examples: Sequence[Example], predicted: Predicted) -> dict[str, float]:
        """Score predictions.

        Args:
            metrics: names of :attr:`metrics`, at least one.
            examples: labelled ones, at least one.
            predicted: for each example what :meth:`decide` says.

        Returns:
            Every metric by its name, and under ``"score"`` their mean.

        Raises:
            ValueError: for an unknown metric or one of another kind of task, for examples without labels, and for
                another number of predictions than of examples.
        """
        for name in metrics:
            if name not in self.metrics:
                raise InputError(f"expected metrics of a {self} task ({', '.join(self.metrics)}), got {name!r}")
        if not metrics or not examples or len(examples) != len(predicted):
            raise InputError(
                f"expected at least one metric and one prediction an example, got {len(metrics)} metrics, "
                f"{len(examples)} examples and {len(predicted)} predictions"
            )
        unlabelled = next((row for row, example in enumerate(examples) if example.label is None), None)
        if unlabelled is not None:
            raise InputError(
                f"expected labelled examples, got none for example {unlabelled}: score a split with labels"
            )
        values = {name: self.metrics[name](examples, predicted) for name in metrics}
        return values | {"score": sum(values.values()) / len(values)}

    def score_apart(
        self, metrics: Sequence[str], examples: Sequence[Example], predicted: Predicted, related: Sequence[bool]
    ) -> float | None:
        """The score on those examples alone that are not related to what was learned from; None where all are."""
        rows = [row for row, out in enumerate(related) if not out]
        if not rows:
            return None
        return self.score(metrics, [examples[row] for row in rows], [predicted[row] for row in rows])["score"]

    def told(
        self, names: Sequence[str], examples: Sequence[Example], predicted: Predicted, *, whose: str = ""
    ) -> ByClass:
        """What the score does not show, such as each class by itself; nothing, mostly.

        Args:
            names: of the outputs.
            examples: labelled ones.
            predicted: as for :meth:`score`.
            whose: answers these are, for warnings.
        """
        del names, examples, predicted, whose
        return ByClass()

    def score_rows(self, metrics: Sequence[str], labels: Rows, said: Rows, names: Sequence[str] = ()) -> float:
        """The score of answers, both as rows.

        Args:
            metrics: names of :attr:`metrics`.
            labels: as rows.
            said: as rows.
            names: of the outputs.
        """
        del names
        right, guessed = self.decide(list(labels)), self.decide(list(said))
        return self.score(metrics, [Example("", label=label) for label in right], guessed)["score"]
