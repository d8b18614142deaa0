"""What candidates learn, and how far they are from it: one objective for each kind of source.

Every objective gives a loss a training step minimises and an error that held-out text is judged by; both are per
example. Those that distil have a true zero: the source itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from subarch.networks.behind import vocabulary_logits
from subarch.networks.relations import relations
from subarch.tasks.divergences import kullback_leibler
from subarch.tasks.kinds.base import Kind
from subarch.tasks.tags import at_words

Batch = dict[str, Tensor]


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
    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """Training loss of every example of the batch: ``(examples,)``."""

    def errors(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """What is averaged on held-out text: ``(examples,)``."""
        return self.losses(model, batch)


def _outputs(model: nn.Module, batch: Batch) -> Any:
    names = ("input_ids", "attention_mask", "token_type_ids")
    return model(**{name: batch[name] for name in names if name in batch})


@dataclass
class Relations(Objective):
    """For a source without a head: how alike the tokens of a sequence are to each other."""

    teacher: PreTrainedModel
    words: str = (
        "distance to the source: half the mean squared distance of the normalised matrices of similarities between a "
        "sequence's centred tokens, last hidden states; 0 = the same, 1 = unrelated"
    )

    def prepared(self, batch: Batch) -> Batch:
        return batch | {"target": self._of(self.teacher, batch)}

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        # Half of |a - b|^2 rather than 1 - a.b: the same for unit vectors, and exactly zero where they are equal.
        return 0.5 * (self._of(model, batch) - batch["target"]).square().sum(1)

    def _of(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return relations(_outputs(model, batch).last_hidden_state, batch.get("attention_mask"))


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


def _masked_states(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Last hidden states at the masked positions: ``(masked, hidden)``."""
    return _outputs(model.base_model, batch).last_hidden_state[batch["masked"]]


@dataclass
class MaskedTokens(Objective):
    """For a language model: what it says of masked tokens."""

    teacher: PreTrainedModel
    words: str = (
        "distance to the source: mean Kullback-Leibler divergence of its distributions at masked tokens, in nats"
    )

    def prepared(self, batch: Batch) -> Batch:
        # The states, not the logits: a vocabulary's worth of numbers a token would fill the memory.
        return batch | {"target": _masked_states(self.teacher, batch)}

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
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

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
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

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        logits = _outputs(model, batch).logits
        if self.distils:
            return kullback_leibler(batch["target"], logits)
        return functional.cross_entropy(logits[:, self.classes], batch["labels"], reduction="none")

    def errors(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return (_outputs(model, batch).logits[:, self.classes].argmax(-1) != batch["labels"]).float()
