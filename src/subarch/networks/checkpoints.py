"""A checkpoint, opened once: is there anything in this folder that would be ignored?

Whoever opens a checkpoint comes here first. Every key of its config, every tensor (by name and shape, off the heads of
the files) and every side file that is known is used, known to be harmless, or refused by name before any work. The
stock library itself is asked which tensors a network wants and which it leaves: the network is built without memory,
on the meta device.

What nothing here reads is refused by whoever needs the checkpoint whole (:meth:`Checkpoint.whole`), and said once by
whoever takes its encoder alone (:meth:`Checkpoint.encoder`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, cast

from transformers import PretrainedConfig

from subarch.errors import InputError
from subarch.networks.auditing import audit
from subarch.networks.comparing import compared
from subarch.networks.configs import built, raw_config, read_config, require_stock
from subarch.networks.folders import HEAD_FILES, find_checkpoint, remarks
from subarch.networks.outputs import Head, head_of
from subarch.networks.positions import Positions, positions_of
from subarch.networks.sentences import (
    MODULES,
    Activation,
    Embedding,
    activation_of,
    read_activation,
    read_sentence_folder,
)
from subarch.networks.stock import class_of, stock_config
from subarch.networks.weights import digest_of, read_tensors, weights_fingerprint
from subarch.progress import say_once

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a stock network, every part of which is accounted for.

    Attributes:
        name: as it was asked for.
        folder: of config, weights and tokenizer.
        config: with all defaults written out.
        head: what it has behind its encoder.
        label_names: of its classes, in the order of its outputs.
        shapes: of all tensors by their names in the files.
        positions: where they begin, and how many tokens it has them for.
        embedding: what a folder of sentence-transformers makes of the encoder's states.
        activation: what the one output of a cross-encoder goes through.
        left: what nothing here reads, in words.
        remarks: what holds for every use.
        files: beside config and weights, of which the meaning depends.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    head: Head
    label_names: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    positions: Positions
    embedding: Embedding | None
    activation: Activation | None
    left: tuple[str, ...]
    remarks: tuple[str, ...]
    files: tuple[Path, ...]

    @property
    def longest(self) -> int | None:
        """Tokens that it has positions for; None: any number."""
        return self.positions.longest

    @property
    def stock(self) -> PretrainedConfig:
        """The stock library's config object, each time a new one."""
        return stock_config(self.config)

    @property
    def fingerprint(self) -> str:
        """Digest of config, weights, and of what else decides on its answers."""
        weights = weights_fingerprint(self.folder)
        return weights if not self.files else f"{weights} {digest_of(self.files)}"

    @property
    def speaks(self) -> bool:
        """Whether it can be asked about masked words: all of such a head is there."""
        if self.head.stock not in ("AutoModelForMaskedLM", "AutoModelForPreTraining"):
            return False
        kind = class_of("AutoModelForMaskedLM", self.stock)
        return kind is not None and not compared(kind, self.stock, self.shapes).missing

    def whole(self) -> Self:
        """The same, for whoever runs the network as it is.

        Raises:
            ValueError: naming what would be left out, and what works.
        """
        if self.left:
            raise InputError(f"{self.name}: {self.left[0]}. {_WORKS}")
        return self

    def encoder(self) -> Self:
        """The same, for whoever takes the encoder and leaves the rest, which is said once."""
        left = list(self.left)
        if self.embedding is not None:
            left.append(f"the pooling ({_pooled(self.embedding)}) of sentence-transformers")
        if left:
            say_once(
                _LOG, f"{self.folder}: the encoder alone is taken from it, and this is not used: {'; '.join(left)}"
            )
        return self


_WORKS = (
    "What is read whole: heads for sequence classification (one label a text), one number, multiple choice, tags of "
    "tokens and masked words, and encoders with mean, first-token or maximum pooling. The encoder alone can be saved "
    "and used: AutoModel.from_pretrained(FOLDER).save_pretrained(OTHER)"
)


def _pooled(embedding: Embedding) -> str:
    words = {"mean": "mean of all tokens", "cls": "first token", "max": "largest of each unit"}[embedding.pooling]
    return words + (", scaled to unit length" if embedding.normalize else "")


# --- opening ----------------------------------------------------------------------------------------------------------


def open_checkpoint(given: str | Path | Checkpoint, *, encoder: bool = False) -> Checkpoint:
    """Open a checkpoint by its folder or Hugging Face name; weights are not read.

    Args:
        given: its name; one that is open already is given back.
        encoder: refuse whatever no search can cut, before its weights are fetched.

    Raises:
        ValueError: for whatever is no checkpoint, cannot be read, or holds what would change its answers and is not
            computed here: an adapter, quantised weights, own code, tensors of the encoder that nothing asks for, sizes
            that disagree with the config; the message names it and says what to do.
    """
    if isinstance(given, Checkpoint):
        return given
    folder = find_checkpoint(str(given), encoder=encoder)
    opened = _opened(str(given), folder, tuple(_state(folder)))
    for words in opened.remarks:
        say_once(_LOG, f"{opened.folder}: {words}")
    return opened


def _state(folder: Path) -> Iterator[tuple[str, int, int]]:
    """What shows whether a folder has changed."""
    above = [folder.parent / MODULES] if (folder.parent / MODULES).is_file() else []
    for path in sorted([*folder.glob("*"), *folder.glob("*/*.json"), *above]):
        if path.is_file():
            found = path.stat()
            yield str(path), found.st_size, found.st_mtime_ns


@lru_cache(maxsize=32)
def _opened(name: str, folder: Path, _: tuple[tuple[str, int, int], ...]) -> Checkpoint:
    raw = raw_config(folder)
    require_stock(name, raw)
    config = read_config(folder)
    sentences = read_sentence_folder(folder)
    stock = built(name, raw)
    shapes = read_tensors(folder).shapes
    word = read_activation(raw, folder)
    head, left = head_of(raw, stock, shapes, sentences, word)
    left += audit(name, config, stock, head, shapes)
    if sentences is not None and sentences.refused is not None and head.kind in ("encoder", "masked-lm", "other"):
        left.append(f"as a folder of sentence-transformers it asks for {sentences.refused}, which is not computed here")
    activation: Activation | None = None
    if head.kind == "regression":
        try:
            activation = activation_of(word)
        except ValueError as error:
            left.append(str(error))
    left += [words for file, words in HEAD_FILES.items() if (folder / file).is_file()]
    return Checkpoint(
        name=name,
        folder=folder,
        config=config,
        head=head,
        label_names=_label_names(stock) if head.names_outputs else (),
        shapes=shapes,
        positions=positions_of(stock),
        embedding=None if sentences is None or head.kind != "encoder" else sentences.embedding,
        activation=activation,
        left=tuple(left),
        remarks=tuple(remarks(folder, raw, sentences)),
        files=() if sentences is None else sentences.files,
    )


def _label_names(config: PretrainedConfig) -> tuple[str, ...]:
    names: Any = config.id2label
    return tuple(str(names[n]) for n in range(int(cast("Any", config).num_labels)))
