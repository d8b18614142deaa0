"""What candidates learn, and how far they are from it: what the outputs of two networks are compared by.

Every objective gives a loss a training step minimises and an error that held-out examples are judged by; both are per
example. Those that distil have a true zero: the source itself. What differs between kinds of outputs is a row of
:data:`DISTANCES`; what texts need beside, because of masks, labels and large vocabularies, are objectives of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from subarch.networks.behind import vocabulary_logits
from subarch.networks.family import MASKED, Predicted
from subarch.networks.relations import relations
from subarch.networks.tracing import Outputs, told
from subarch.tasks.divergences import jensen_shannon, kullback_leibler
from subarch.tasks.kinds.base import Kind
from subarch.tasks.tags import at_words

Batch = dict[str, Tensor]
TEXT = ("input_ids", "attention_mask", "token_type_ids")
"""What a stock network reads of a text."""
TARGET = "said by the source"
"""In a prepared batch: what the source has said of it. No argument is called so."""
_KEPT = 2**24  # numbers of a batch that are kept: what a source says of a large vocabulary is asked again each time


class Objective(ABC):
    """What candidates learn, and how far they are from it."""

    words: str
    zero: bool = True  # whether a perfect candidate has loss 0
    steps: int = 10
    learning_rates: tuple[float, ...] = (3e-4,)
    batch_size: int = 8
    held_out: int = 128

    @abstractmethod
    def prepared(self, batch: Batch) -> Batch:
        """The batch with everything that is the same for all candidates: what the source makes of it."""

    @abstractmethod
    def losses(self, model: Any, batch: Batch) -> Tensor:
        """Training loss of every example of the batch: ``(examples,)``."""

    def errors(self, model: Any, batch: Batch) -> Tensor:
        """What is averaged on held-out examples: ``(examples,)``."""
        return self.losses(model, batch)


def _outputs(model: nn.Module, batch: Batch) -> Any:
    return model(**{name: batch[name] for name in TEXT if name in batch})


def of_text(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """The last states or logits of a stock network that reads text."""
    return told(model, {name: batch[name] for name in TEXT if name in batch})


# ---------------------------------------------------------------------- any network's outputs


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How the outputs of two networks are compared.

    Attributes:
        words: what the error is, for people and for whoever resumes a search.
        seen: what of the outputs counts, given the batch: ``(examples, ...)``, or places of sequences instead.
        learned: from what is seen of the source and of a candidate to the losses, ``(examples,)``.
        judged: likewise, to the errors.
        steps, learning_rates, batch_size, held_out: of trainings, where nobody says it.
        calibration: examples on which importance is measured, likewise.
    """

    words: str
    seen: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    learned: Callable[[Tensor, Tensor], Tensor]
    judged: Callable[[Tensor, Tensor], Tensor]
    steps: int = 10
    learning_rates: tuple[float, ...] = (3e-4,)
    batch_size: int = 8
    held_out: int = 128
    calibration: int = 64


@dataclass
class Imitation(Objective):
    """The outputs of a source, imitated.

    Args:
        teacher: the source.
        by: how outputs are compared.
        outputs: what a network says of a batch.
    """

    teacher: nn.Module
    by: Distance
    outputs: Outputs = of_text

    def __post_init__(self) -> None:
        self.words, self.steps, self.learning_rates = self.by.words, self.by.steps, self.by.learning_rates
        self.batch_size, self.held_out = self.by.batch_size, self.by.held_out

    def seen(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """What counts of what a network says."""
        return self.by.seen(self.outputs(model, batch), batch)

    def prepared(self, batch: Batch) -> Batch:
        target = self.seen(self.teacher, batch)
        return batch | {TARGET: target} if target.numel() <= _KEPT else batch

    def losses(self, model: Any, batch: Batch) -> Tensor:
        return self.by.learned(*self._both(model, batch))

    def errors(self, model: Any, batch: Batch) -> Tensor:
        return self.by.judged(*self._both(model, batch))

    def _both(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        inputs = {name: values for name, values in batch.items() if name != TARGET}
        with torch.no_grad():
            target = batch[TARGET] if TARGET in batch else self.seen(self.teacher, inputs)
        return target, self.seen(model, inputs)


@dataclass
class Answers(Objective):
    """For a source that answers: learned and judged as its kind of task says how far answers are from the source's."""

    teacher: PreTrainedModel
    kind: Kind
    steps: int = 30
    learning_rates: tuple[float, ...] = (5e-4,)
    batch_size: int = 16
    held_out: int = 256

    def __post_init__(self) -> None:
        self.words = self.kind.how_far

    def prepared(self, batch: Batch) -> Batch:
        return batch | {"target": self._said(self.teacher, batch)[0]}

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        said, read = self._said(model, batch)
        return _mean_of(self.kind.divergence(batch["target"], said), read)

    def errors(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        said, read = self._said(model, batch)
        return _mean_of(self.kind.distance(batch["target"], said), read)

    def _said(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Logits ``(examples, outputs)``; of words ``(examples, words, outputs)``, and which of them are there."""
        logits = _outputs(model, batch).logits
        if not self.kind.has_words:
            return logits, None
        if "places" in batch:
            return at_words(logits, batch)
        # In blocks of a corpus nobody knows where words begin.
        return logits, batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()


def _mean_of(values: Tensor, read: Tensor | None) -> Tensor:
    """Of each example over its words: ``(examples, words)`` to ``(examples,)``; as they are where there are none."""
    return values if read is None else (values * read).sum(1) / read.sum(1).clamp_min(1)


def _half_squares(target: Tensor, own: Tensor) -> Tensor:
    # Half of |a - b|^2 rather than 1 - a.b: the same for unit vectors, and exactly zero where they are equal.
    return 0.5 * (own - target).square().sum(1)


def _mean_squares(target: Tensor, own: Tensor) -> Tensor:
    return (own - target).square().mean(1)


def _real(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor | None:
    """Which tokens are no padding, ``(batch, sequence)``; None where nothing says it. A decoder's mask comes first."""
    masks = (batch.get(name) for name in ("decoder_attention_mask", "attention_mask"))
    return next((mask.bool() for mask in masks if mask is not None and mask.shape == outputs.shape[:2]), None)


def _whole(outputs: Tensor, _batch: Mapping[str, Tensor]) -> Tensor:
    return outputs


def _values(outputs: Tensor, _batch: Mapping[str, Tensor]) -> Tensor:
    return outputs.flatten(1) if outputs.dim() > 1 else outputs.unsqueeze(1)


def _relations(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    return relations(outputs, _real(outputs, batch))


def _real_ones(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    real = _real(outputs, batch)
    return outputs.flatten(0, 1) if real is None else outputs[real]


def _next_ones(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    real, outputs = _real(outputs, batch), outputs[:, :-1]
    return outputs.flatten(0, 1) if real is None else outputs[real[:, 1:]]


def _masked_ones(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    return outputs[batch[MASKED]] if MASKED in batch else _real_ones(outputs, batch)


# Classes are judged by Jensen-Shannon divergence, not by the Kullback-Leibler divergence that they learn by: that has
# no upper end, so that a few examples of which a small candidate is wrongly sure decide the mean, and its noise over
# other examples is as large as the differences between candidates. The former lies in [0, 1], and is zero for the same
# distributions only.
DISTANCES: Mapping[Predicted, Distance] = {
    "classes": Distance(
        words="distance to the source: mean Jensen-Shannon divergence of its class distributions, in bits: 0 = the "
        "same, 1 = nothing in common",
        seen=_whole,
        learned=kullback_leibler,
        judged=jensen_shannon,
        steps=30,
        learning_rates=(5e-4,),
        batch_size=16,
        held_out=256,
        calibration=256,
    ),
    # One number, as a distribution over one class, would always be right.
    "numbers": Distance(
        words="distance to the source: mean squared difference of the numbers they predict; 0 = the same",
        seen=_values,
        learned=_mean_squares,
        judged=_mean_squares,
        steps=30,
        learning_rates=(5e-4,),
        batch_size=16,
        held_out=256,
        calibration=256,
    ),
    "states": Distance(
        words="distance to the source: half the mean squared distance of the normalised matrices of similarities "
        "between a sequence's centred tokens, last hidden states; 0 = the same, 1 = unrelated",
        seen=_relations,
        learned=_half_squares,
        judged=_half_squares,
    ),
    "tokens": Distance(
        words="distance to the source: mean Jensen-Shannon divergence of its class distributions at each token, in "
        "bits: 0 = the same, 1 = nothing in common",
        seen=_real_ones,
        learned=kullback_leibler,
        judged=jensen_shannon,
    ),
    "causal-lm": Distance(
        words="distance to the source: mean Kullback-Leibler divergence of its distributions of the next token, in "
        "nats",
        seen=_next_ones,
        learned=kullback_leibler,
        judged=kullback_leibler,
    ),
    "masked-lm": Distance(
        words="distance to the source: mean Kullback-Leibler divergence of its distributions at masked tokens, in nats",
        seen=_masked_ones,
        learned=kullback_leibler,
        judged=kullback_leibler,
    ),
}

# ---------------------------------------------------------------------- texts


def _masked_states(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Last hidden states at the masked positions: ``(masked, hidden)``."""
    return _outputs(model.base_model, batch).last_hidden_state[batch["masked"]]


@dataclass
class MaskedTokens(Objective):
    """For a language model: what it says of masked tokens."""

    teacher: PreTrainedModel
    words: str = DISTANCES["masked-lm"].words

    def prepared(self, batch: Batch) -> Batch:
        # The states, not the logits: a vocabulary's worth of numbers a token would fill the memory.
        return batch | {"target": _masked_states(self.teacher, batch)}

    def losses(self, model: Any, batch: Batch) -> Tensor:
        with torch.no_grad():
            target = vocabulary_logits(self.teacher, batch["target"])
        return kullback_leibler(target, vocabulary_logits(model, _masked_states(model, batch)))


class Language(Objective):
    """Without a source: masked language modelling from the texts alone."""

    words = "cross-entropy of masked language modelling, in nats a masked token; it has no zero that can be reached"
    zero = False
    steps = 3
    learning_rates = (5e-4,)
    batch_size = 16
    held_out = 32  # these networks are large, and their errors close to each other at any number

    def prepared(self, batch: Batch) -> Batch:
        return batch

    def losses(self, model: Any, batch: Batch) -> Tensor:
        logits = vocabulary_logits(model, _masked_states(model, batch))
        return functional.cross_entropy(logits, batch["labels"][batch["masked"]], reduction="none")


@dataclass
class TaskLabels(Objective):
    """For labelled texts: learned from a source that knows their classes, or from the labels; judged by errors."""

    teacher: PreTrainedModel
    distils: bool  # the source is a classifier of as many classes
    classes: Tensor = field(default_factory=lambda: torch.empty(0))  # the network's output for each label of the task
    words: str = "error rate on the development split"
    batch_size: int = 16
    held_out: int = 512

    def __post_init__(self) -> None:
        self.zero = self.distils
        self.steps = 30 if self.zero else 100  # a fresh head has to be learned first
        self.words += ", after distillation of the source" if self.zero else ", after training with a fresh head"

    def prepared(self, batch: Batch) -> Batch:
        return batch | {"target": _outputs(self.teacher, batch).logits} if self.distils else batch

    def losses(self, model: Any, batch: Batch) -> Tensor:
        logits = _outputs(model, batch).logits
        if self.distils:
            return kullback_leibler(batch["target"], logits)
        return functional.cross_entropy(logits[:, self.classes], batch["labels"], reduction="none")

    def errors(self, model: Any, batch: Batch) -> Tensor:
        return (_outputs(model, batch).logits[:, self.classes].argmax(-1) != batch["labels"]).float()
