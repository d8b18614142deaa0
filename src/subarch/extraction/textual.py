"""Texts as what candidates share: as tokens, of a corpus or whole, labelled or not; a checkpoint as the teacher."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from subarch.errors import InputError
from subarch.extraction.material import Build, Material
from subarch.learning.batches import drawn, masked
from subarch.learning.distances import (
    DISTANCES,
    TEXT,
    Answers,
    Batch,
    Imitation,
    Language,
    MaskedTokens,
    Objective,
    TaskLabels,
)
from subarch.networks.checkpoints import Checkpoint
from subarch.networks.encoder import EncoderFamily
from subarch.networks.inheritance import by_states, compared
from subarch.networks.layouts import tells_texts_apart
from subarch.networks.loading import encoder_alone, loaded
from subarch.networks.sources import Source
from subarch.networks.space import Value
from subarch.options.tasks import TaskOptions
from subarch.results.base import Json
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of
from subarch.tasks.labelled import read_texts
from subarch.tasks.loading import opened_task
from subarch.tasks.task import Task
from subarch.text.corpora import Corpus, blocks, is_held_out, open_corpus
from subarch.text.encoding import Tokens, tokenize
from subarch.text.examples import Example, places, words_in
from subarch.text.tokenizers import load_tokenizer, train_tokenizer

SCRATCH_VOCABULARY = 8192  # of a tokenizer trained for a preset; few steps learn nothing about rarer words
EVALUATION_BATCH = 32
LEAST_TEXTS = 16  # whole texts to judge by, and to learn from; so few are noisy, and the certificate says how much


class Texts(NamedTuple):
    """Texts without labels; which of them judge is decided by each text alone."""

    name: str
    fingerprint: str
    train: Sequence[Example]
    held_out: Sequence[Example]


@dataclass(kw_only=True)
class TextMaterial(Material):
    """Of an encoder that reads text.

    Args:
        source: where candidates come from.
        corpus: as for :func:`subarch.text.corpora.open_corpus`; None for installed documentation.
        texts: instead of a corpus, a file of texts as the network gets them.
        data: labelled text, a file or a task's name; or options that also say how it is dealt out.
        tokenizer: folder or name; None as :class:`~subarch.extraction.objectives.CandidateError` says.
        batch_size: sequences of a training batch; None for the objective's own.
        length: tokens of a sequence.
        calibration: sequences on which importance is measured.
        cache: folder for trained tokenizers.

    Raises:
        ValueError: for texts where they are of no use.
    """

    source: Source
    corpus: str | Path | None
    texts: Path | None
    data: str | Path | TaskOptions | None
    tokenizer: str | Path | None
    batch_size: int | None
    length: int
    calibration: int
    cache: Path | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.texts is not None:
            self._check_texts()

    def _check_texts(self) -> None:
        others = {"--corpus": self.corpus, "--data": self.data}
        for option, value in others.items():
            if value is not None:
                raise InputError(f"--texts and {option} were both given: the error is measured on one of them")
        if not self.inherits or self.source.kind == "masked-lm":
            raise InputError(
                "--texts are what a classifier or an encoder is distilled on; masked tokens are learned from --corpus"
            )

    # What is asked

    def aim(self, *, opened: bool) -> Objective:
        unknown = cast("PreTrainedModel", None)
        if self.data is not None:
            order, classes = self._order, range(len(cast("Task", self.task).label_names))
            teacher = self.teacher if opened and order is not None else unknown
            return TaskLabels(teacher, order is not None, torch.tensor(order or classes))
        if not self.inherits:
            return Language()
        teacher = self.teacher if opened else unknown
        if self.source.kind == "classifier":
            return Answers(teacher, self._kind)
        return MaskedTokens(teacher) if self.source.kind == "masked-lm" else Imitation(teacher, DISTANCES["states"])

    @property
    def _kind(self) -> Kind:
        """What a source with a head for a task answers."""
        return kind_of(cast("Checkpoint", self.source.opened).head.kind)

    @property
    def described(self) -> Json:
        """JSON data that tell this material from other; opens the text."""
        text: Task | Corpus | Texts | None = self.task
        if text is None:
            text = self._corpus if self.texts is None else self.opened_texts
        tokenizer = str(self.tokenizer or self.source.checkpoint or "trained on the corpus")
        return {
            "batch_size": self._batch_size,
            "length": self.length,
            "held_out": self.held_out or self.profile.held_out,
            "calibration": self.calibration if self.inherits else 0,
            "tokenizer": Path(tokenizer).name,
            "data": {"name": str(text.name), "fingerprint": text.fingerprint},
        }

    @property
    def _batch_size(self) -> int:
        return self.batch_size or self.profile.batch_size

    @property
    def _family(self) -> EncoderFamily:
        return cast("EncoderFamily", self.source.family)

    # Texts

    def read(self) -> Iterator[str]:
        """Every text that candidates and their source learn from; of labelled data those of the training split."""
        if self.task is None and self.texts is None:
            yield from self._corpus.documents()
        elif self.task is not None:
            yield from (text for one in self.task.train for text in one.texts)
        else:
            found = self.opened_texts
            yield from (text for side in (found.train, found.held_out) for one in side for text in one.texts)

    @cached_property
    def task(self) -> Task | None:
        """The labelled data, where there are any.

        Raises:
            ValueError: for labels that are no classes.
        """
        where = TaskOptions(task=str(self.data)) if isinstance(self.data, str | Path) else self.data
        task = None if where is None else opened_task(where)
        if task is not None and not task.kind.has_classes:
            raise InputError(
                f"the error of a candidate on labelled data is its error rate, but {task.name} is a {task.kind}: give "
                "data with classes, or leave --data away (--texts takes texts)"
            )
        return task

    @cached_property
    def opened_texts(self) -> Texts:
        """Whole texts, shared out.

        Raises:
            ValueError: when there are too few.
        """
        assert self.texts is not None
        found = read_texts(self.texts)
        sides = [[one for one in found if is_held_out("\n".join(one.texts)) == side] for side in (False, True)]
        if min(map(len, sides)) < LEAST_TEXTS:
            raise InputError(
                f"{self.texts}: expected at least {LEAST_TEXTS} texts to judge by (an eighth of all) and as many to "
                f"learn from, got {len(sides[1])} and {len(sides[0])}: give more of them"
            )
        lines = "\n\n".join("\n".join(one.texts) for one in found)
        return Texts(self.texts.name, hashlib.sha256(lines.encode()).hexdigest(), sides[0], sides[1])

    @cached_property
    def _tokens(self) -> tuple[Tokens, Tokens]:
        """What is learned from and what is judged by, as token ids."""
        types = tells_texts_apart(self._family.config)
        if self.task is not None:
            train, held_out = self.task.train, self.task.development
        else:
            train, held_out = self.opened_texts.train, self.opened_texts.held_out
        words = self.source.kind == "classifier" and self.task is None and self._kind.has_words
        if words:
            train, held_out = ([_in_words(one) for one in some] for some in (train, held_out))
        read = partial(tokenize, tokenizer=self._tokenizer, length=self.length, types=types, words=words)
        return read(train), read(held_out)

    @cached_property
    def _corpus(self) -> Corpus:
        return open_corpus(self.corpus)

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerFast:
        vocabulary = int(self._family.config["vocab_size"])
        name = self.tokenizer or self.source.checkpoint
        if name is None:
            return train_tokenizer(self._corpus, min(vocabulary, SCRATCH_VOCABULARY), cache=self.cache)
        tokenizer = load_tokenizer(name)
        if len(tokenizer) > vocabulary:
            raise InputError(
                f"the tokenizer {str(name)!r} has {len(tokenizer)} tokens, the network {vocabulary}: give its own one"
            )
        return tokenizer

    # The teacher

    @property
    def _distils(self) -> bool:
        """Whether labelled data meet a source that already knows their classes."""
        return self._order is not None

    @property
    def _order(self) -> list[int] | None:
        """For each class of the task the source's output; None where it has none for them."""
        if self.task is None or not self.inherits or self.source.kind != "classifier":
            return None
        if self._kind.head != self.task.kind.head:  # names may be the same
            return None
        return places(self.task.label_names, _class_names(self._family.config))

    @cached_property
    def teacher(self) -> PreTrainedModel:
        """The source's network. A head that it lacks has random weights: the same ones for every candidate and every
        process."""
        given, kind = cast("Checkpoint", self.source.opened), self.source.kind
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if self.task is not None and not self._distils:
                classes: dict[str, Any] = {"num_labels": len(self.task.label_names), "ignore_mismatched_sizes": True}
                return loaded(AutoModelForSequenceClassification, given, headless=True, **classes)
            if kind == "classifier":
                return loaded(self._kind.stock_class(), given)
            if kind == "masked-lm":
                return loaded(AutoModelForMaskedLM, given)
            return encoder_alone(given)

    # What candidates meet

    def build(self, repeat: int) -> Build:
        if self.inherits:
            # A head that has learned nothing says nothing of what matters.
            fresh = self.task is not None and not self._distils
            inheritance = self._inheritance(self.teacher, repeat, by_states if fresh else compared)
            return lambda architecture, _seed: inheritance.student(architecture)
        lock = self._lock

        def build(architecture: Mapping[str, Value], seed: int) -> PreTrainedModel:
            config = self._family.config_for(architecture)
            kind: Any = AutoModelForMaskedLM
            if self.task is not None:
                config.num_labels, kind = len(self.task.label_names), AutoModelForSequenceClassification
            with lock, torch.random.fork_rng(devices=[]):  # torch has one random state for all threads
                torch.manual_seed(seed)
                return kind.from_config(config, dtype=torch.float32).eval()

        return build

    def learned_from(self, steps: int, seed: int) -> list[Batch]:
        return self.batches(steps * self._batch_size, self._batch_size, held_out=False, seed=seed)

    def judged_by(self, seed: int) -> list[Batch]:
        return self.batches(self.held_out or self.profile.held_out, EVALUATION_BATCH, held_out=True, seed=seed)

    def calibrated_on(self, seed: int) -> list[Batch]:
        batches = self.batches(self.calibration, EVALUATION_BATCH, held_out=False, seed=seed)
        return [{name: batch[name] for name in TEXT if name in batch} for batch in batches]

    def batches(self, count: int, size: int, *, held_out: bool, seed: int) -> list[Batch]:
        """Batches of ``size`` sequences, ``count`` in all, of what is judged by or of what is learned from."""
        if self.task is not None or self.texts is not None:
            return drawn(self._tokens[held_out], count, size, held_out=held_out, seed=seed)
        rows = blocks(self._corpus, self._tokenizer, length=self.length, count=count, held_out=held_out, seed=seed)
        batches = [{"input_ids": part} for part in torch.from_numpy(rows).split(size)]
        if isinstance(self.profile, MaskedTokens | Language):
            return [masked(batch, self._tokenizer, seed + i) for i, batch in enumerate(batches)]
        return batches


def _in_words(example: Example) -> Example:
    return example if example.words is not None else example._replace(words=words_in(example.first))


def _class_names(config: Mapping[str, Any]) -> list[str]:
    """Of a classifier's outputs, in their order."""
    if named := config.get("id2label"):
        return [str(named[key]) for key in sorted(named, key=int)]
    # Two is what the stock library writes out by leaving the names away.
    return [f"LABEL_{n}" for n in range(int(config.get("num_labels") or 2))]


def require_inheritable(family: EncoderFamily) -> None:
    """Refuse a space whose larger networks have nothing to inherit, before they are met hours into a search.

    Raises:
        ValueError: naming the parameter.
    """
    for parameter in family.space.parameters:
        largest = parameter.choices[-1]
        if parameter.ordered and int(largest) > family.sizes[parameter.name]:
            raise InputError(
                f"the space has {parameter.name} up to {largest}, the source only {family.sizes[parameter.name]}: "
                "candidates inherit what is there; leave larger choices out, or use --start scratch"
            )
    if "num_attention_heads" in family.space.names:
        columns = family.space.columns(family.space.sample(4096, 0))
        hidden = columns.get("hidden_size", np.array([family.sizes["hidden_size"]]))
        if np.any(columns["num_attention_heads"] * family.head_size != hidden):
            raise InputError(
                f"the source's attention heads have size {family.head_size} and are inherited whole: leave "
                "num_attention_heads out of the space (it then follows hidden_size), add the constraint "
                f'"hidden_size == {family.head_size} * num_attention_heads", or use --start scratch'
            )
