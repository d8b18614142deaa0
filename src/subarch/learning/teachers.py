"""What a student can learn from which teacher: the losses of pre-training, chosen or refused before it starts."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from transformers import AutoModelForMaskedLM, PreTrainedModel

from subarch.errors import InputError
from subarch.networks.checkpoints import Checkpoint
from subarch.networks.layouts import layout_of, sizes_in
from subarch.networks.loading import encoder_alone, loaded
from subarch.networks.sources import open_source
from subarch.results.base import Json
from subarch.text.tokenizers import load_tokenizer
from subarch.text.vocabulary import Vocabulary

MOST_HEADS = 12


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What a student learns: the weight of each loss, 0 for none.

    Args:
        mlm: of masked language modelling.
        logits: of the teacher's distributions of masked tokens.
        relations: of the teacher's attention relations.
        states: of the teacher's last hidden states.
        temperature: of ``logits``.
        relation_heads: into how many heads relations are cut; it divides both hidden sizes. The largest such number of
            at most 12 when not given.
        teacher_layer: whose relations the student's last layer learns, from 1; the teacher's last when not given.

    Raises:
        ValueError: for a value out of its range, or nothing that the head would learn from.
    """

    mlm: float = 0.0
    logits: float = 0.0
    relations: float = 0.0
    states: float = 0.0
    temperature: float = 2.0
    relation_heads: int | None = None
    teacher_layer: int | None = None

    def __post_init__(self) -> None:
        for name in ("mlm", "logits", "relations", "states"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"the weight of the loss {name!r} must be 0 or more, got {getattr(self, name)}")
        if not 0 < self.temperature < math.inf:
            raise InputError(f"the temperature must be above 0, got {self.temperature}")
        if not self.mlm and not self.logits:
            raise InputError(
                "expected a weight for 'mlm' or 'logits': without both the language-model head stays random"
            )

    @property
    def distils(self) -> bool:
        """Whether a teacher is needed."""
        return bool(self.logits or self.relations or self.states)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Teacher:
    """A checkpoint that can be learned from; its weights are loaded when they are asked for.

    Attributes:
        name: as it was asked for.
        checkpoint: with all of its weights.
        config: with all defaults written out.
        speaks: whether it has a masked-language-model head.
        vocabulary: of its tokenizer.
    """

    name: str
    checkpoint: Checkpoint
    config: Json
    speaks: bool
    vocabulary: Vocabulary

    @property
    def fingerprint(self) -> str:
        """Digest of its weights and config."""
        return self.checkpoint.fingerprint

    @property
    def folder(self) -> Path:
        """Of the checkpoint."""
        return self.checkpoint.folder

    @property
    def longest(self) -> int | None:
        """Tokens that it has positions for; None where there is no limit."""
        return self.checkpoint.longest

    def load(self, losses: Losses) -> PreTrainedModel:
        """In evaluation mode and frozen; without its head where that is not learned from."""
        model = loaded(AutoModelForMaskedLM, self.checkpoint) if losses.logits else encoder_alone(self.checkpoint)
        return model.requires_grad_(False)


def open_teacher(given: str | Checkpoint) -> Teacher:
    """A checkpoint folder or a Hugging Face name, or one that is open already.

    Raises:
        ValueError: when there is no checkpoint of a known layout with a fast tokenizer.
    """
    source = open_source(given)
    if source.opened is None:
        raise InputError(
            f"expected a teacher with weights, got the preset {given!r}: give a checkpoint's folder or name"
        )
    config = cast("dict[str, Any]", cast("Any", source.family).config)
    vocabulary = Vocabulary.of(load_tokenizer(source.opened.folder))
    return Teacher(source.name, source.opened, config, source.kind == "masked-lm", vocabulary)


def alike(one: Vocabulary, other: Vocabulary) -> bool:
    """Whether two tokenizers make the same tokens of every text."""
    parts = ("normalizer", "pre_tokenizer", "model", "added_tokens")
    first, second = (json.loads(vocabulary.backend) for vocabulary in (one, other))
    same = all(first.get(part) == second.get(part) for part in parts)
    return same and (one.start, one.end, one.mask) == (other.start, other.end, other.mask)


def settled(losses: Losses | None, teacher: Teacher | None, config: Json, vocabulary: Vocabulary) -> Losses:
    """The losses as they will be computed: those asked for if they can be, or what the teacher offers.

    By default: 0.1 mlm + 0.5 logits at T = 2 (the published weights) where the teacher has a masked-language-model head
    and the student's tokenizer; mlm + relations where it has not; mlm without a teacher.

    Args:
        losses: as asked for, or None.
        teacher: or None.
        config: the student's.
        vocabulary: of the student's tokenizer.

    Raises:
        ValueError: with the reason, for a loss that is impossible between these two.
    """
    if teacher is None:
        losses = losses or Losses(mlm=1.0)
        if losses.distils:
            raise InputError("expected a teacher for the losses 'logits', 'relations' and 'states', got none: name one")
        return losses
    same = alike(teacher.vocabulary, vocabulary)
    if losses is None:
        losses = Losses(mlm=0.1, logits=0.5) if teacher.speaks and same else Losses(mlm=1.0, relations=1.0)
    elif not losses.distils:
        raise InputError("a teacher was given, but no loss learns from it: leave it out, or weigh such a loss")
    if losses.logits and not teacher.speaks:
        raise InputError(
            f"the loss 'logits' needs a teacher with a masked-language-model head, {teacher.name} has none: use "
            "'relations' or 'states'"
        )
    if losses.logits and not same:
        raise InputError(
            f"the loss 'logits' needs one vocabulary, but the tokenizer of {teacher.name} ({teacher.vocabulary.size} "
            f"tokens) and the student's ({vocabulary.size} tokens) differ: use the teacher's tokenizer, or 'relations' "
            "or 'states'"
        )
    if not losses.relations:
        return losses
    sizes = [int(sizes_in(one)["hidden_size"]) for one in (config, teacher.config)]
    shared = math.gcd(*sizes)
    heads = losses.relation_heads or max(n for n in range(1, MOST_HEADS + 1) if shared % n == 0)
    if shared % heads:
        raise InputError(f"relation_heads must divide the hidden sizes {sizes[0]} and {sizes[1]}, got {heads}")
    layers = int(sizes_in(teacher.config)["num_hidden_layers"])
    layer = losses.teacher_layer or layers
    if layout_of(teacher.config).shared and layer != layers:
        raise InputError(f"the teacher's layers are one, passed {layers} times, of which the last is read: got {layer}")
    if not 1 <= layer <= layers:
        raise InputError(f"teacher_layer must lie in 1..{layers}, got {layer}")
    return replace(losses, relation_heads=heads, teacher_layer=layer)
