"""The network that learns: its architecture, its tokenizer, and the weights that it begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.learning.teachers import Teacher, alike
from subarch.networks.checkpoints import Checkpoint
from subarch.networks.encoder import require_encoder
from subarch.networks.inheritance import Inheritance
from subarch.networks.layouts import layout_of, projected_from, sizes_in
from subarch.networks.loading import encoder_alone, loaded
from subarch.networks.sources import Source, open_source
from subarch.networks.stock import plain_config, positions, stock_config
from subarch.results.base import Json
from subarch.text.corpora import Corpus
from subarch.text.masking import IGNORED, Samples
from subarch.text.streaming import PackedRows
from subarch.text.tokenizers import load_tokenizer, train_tokenizer
from subarch.text.vocabulary import Vocabulary

Initialize = Literal["scratch", "inherit"]
_CALIBRATION = 64  # rows on which an inheriting student's importance is measured


@dataclass(frozen=True)
class Student:
    """What is needed to build the network that learns.

    Attributes:
        config: a stock config with all defaults written out.
        tokenizer: what it reads with.
        vocabulary: of the tokenizer.
        source: what it inherits from; None: its weights are random.
    """

    config: Json
    tokenizer: PreTrainedTokenizerFast
    vocabulary: Vocabulary
    source: Source | None

    @property
    def fingerprint(self) -> Json:
        """JSON data that determine the network before training, but for seed and text."""
        source = None if self.source is None else cast("Checkpoint", self.source.opened).fingerprint
        return {"architecture": self.config, "source": source, "tokenizer": self.vocabulary.fingerprint}

    @property
    def longest(self) -> int | None:
        """Tokens that it has positions for; None where there is no limit."""
        return positions(self.config)

    def built(self, rows: PackedRows, *, seed: int, dropout: float) -> PreTrainedModel:
        """A stock model with language-model head; a head that the source does not have is fresh.

        Args:
            rows: to measure on what is worth inheriting.
            seed: of the rows; random weights come from torch's own generator.
            dropout: while training; the config keeps its own.

        Raises:
            ValueError: when no part of the source has this shape.
        """
        model = self._fresh(self.config) if self.source is None else self._inherited(self.source, rows, seed)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
        return model

    @staticmethod
    def _fresh(config: Mapping[str, Any]) -> PreTrainedModel:
        return AutoModelForMaskedLM.from_config(stock_config({**config, "dtype": "float32"}), dtype=torch.float32)

    def _inherited(self, source: Source, rows: PackedRows, seed: int) -> PreTrainedModel:
        speaks = source.kind == "masked-lm"
        samples = Samples(rows, count=_CALIBRATION, seed=seed)
        tokens = torch.stack([_tokens(samples[n], masked=speaks) for n in range(_CALIBRATION)])
        batches = [{"input_ids": part} for part in tokens.split(32)]
        sizes = sizes_in(self.config)
        if speaks:
            return Inheritance(loaded(AutoModelForMaskedLM, cast("Checkpoint", source.opened)), batches).student(sizes)
        inherited = Inheritance(encoder_alone(cast("Checkpoint", source.opened)), batches).student(sizes)
        student = self._fresh(plain_config(inherited.config))
        student.base_model.load_state_dict(inherited.state_dict())
        return student


def _tokens(sample: Mapping[str, Any], masked: bool) -> Tensor:
    ids, labels = sample["input_ids"], sample["labels"]
    return torch.from_numpy(ids if masked else np.where(labels == IGNORED, ids, labels))


def open_student(
    architecture: Mapping[str, Any],
    *,
    initialize: Initialize,
    source: str | None,
    teacher: Teacher | None,
    tokenizer: str | Path | None,
    corpus: Corpus,
    cache: Path,
) -> Student:
    """Open what a student is built from; no weights are loaded.

    Args:
        architecture: a stock config.
        initialize: random weights, or the part of ``source`` that fits.
        source: the checkpoint that is inherited from; the teacher when not given.
        teacher: what the student learns from.
        tokenizer: folder or name. When not given: the source's where the student inherits, else the teacher's where its
            vocabulary fits the architecture, else one trained on the corpus.
        corpus: what is read.
        cache: folder of trained tokenizers.

    Raises:
        ValueError: for an architecture, a source and a tokenizer that do not fit together.
    """
    config = plain_config(architecture)
    require_encoder(config)
    origin = None
    if initialize == "inherit":
        origin = _opened_source(source or (teacher and teacher.name), config)
    elif source is not None:
        raise InputError(
            f"a source is there to inherit from, but initialize is {initialize!r}: leave one of the two out"
        )
    chosen = _chosen_tokenizer(tokenizer, origin, teacher, corpus, cache, int(config["vocab_size"]))
    vocabulary = Vocabulary.of(chosen)
    if vocabulary.size > config["vocab_size"]:
        raise InputError(
            f"the tokenizer has {vocabulary.size} tokens, the architecture's vocab_size is {config['vocab_size']}: "
            "give the architecture's own one"
        )
    if origin is None:
        config = {**config, "pad_token_id": vocabulary.padding}  # this token's embedding is never learned
    return Student(config, chosen, vocabulary, origin)


def _opened_source(name: str | None, config: Mapping[str, Any]) -> Source:
    if name is None:
        raise InputError("to inherit, a source with weights is needed, got none: name it, or a teacher to inherit from")
    source = open_source(name)
    if source.checkpoint is None:
        raise InputError(f"expected a source with weights, got the preset {name!r}: use initialize 'scratch'")
    theirs: dict[str, Any] = cast("Any", source.family).config
    for field in ("model_type", "vocab_size", "max_position_embeddings", "type_vocab_size"):
        if theirs.get(field) != config.get(field):
            raise InputError(
                f"an architecture that inherits from {name} has its {field} {theirs.get(field)!r}, got "
                f"{config.get(field)!r}: use initialize 'scratch', or an architecture extracted from it"
            )
    widths = [_embedded(one) for one in (theirs, config)]
    if widths[0] != widths[1]:
        raise InputError(
            f"an architecture that inherits from {name} has embeddings of its width {widths[0]}, got {widths[1]}: use "
            "initialize 'scratch', or an architecture extracted from it"
        )
    return source


def _embedded(config: Mapping[str, Any]) -> int | None:
    """The width of token embeddings, where that is not the hidden size by its make."""
    return projected_from(config) if layout_of(config).projected else config.get("embedding_size")


def _chosen_tokenizer(
    given: str | Path | None, source: Source | None, teacher: Teacher | None, corpus: Corpus, cache: Path, size: int
) -> PreTrainedTokenizerFast:
    if source is not None:
        own = load_tokenizer(cast("Path", source.checkpoint))
        if given is not None and not alike(Vocabulary.of(own), Vocabulary.of(load_tokenizer(given))):
            raise InputError(
                f"a student that inherits reads with its source's tokenizer, got another one, {str(given)!r}"
            )
        return own
    if given is not None:
        return load_tokenizer(given)
    if teacher is not None and teacher.vocabulary.size <= size:
        return load_tokenizer(teacher.folder)
    return train_tokenizer(corpus, size, cache=cache)
