"""Fine-tuned networks as stock checkpoints: saved with what they were made for, and opened to answer."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.learning.heads import TaskNetwork, fitting_length
from subarch.learning.purposes import PURPOSE, Purpose
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.layouts import tells_texts_apart
from subarch.networks.loading import whole_network
from subarch.plugins import NAME
from subarch.storage import put_in_place, write_json
from subarch.tasks.kinds.base import Kind, Thresholds, in_order_of
from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.tasks.metrics import Outputs
from subarch.text.encoding import Tokens, tokenize
from subarch.text.examples import Example, Label
from subarch.text.tokenizers import load_tokenizer, save_tokenizer

LONGEST = 512  # tokens of a sequence, where a checkpoint's tokenizer knows no limit
_NO_LIMIT = 1_000_000  # what such a tokenizer says is far beyond this


def save_checkpoint(model: PreTrainedModel, learner: TaskNetwork, folder: Path, purpose: Purpose | None = None) -> None:
    """A stock checkpoint with its tokenizer and what it was made for: whole or absent, in place of an older one."""
    part = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    save_tokenizer(learner.tokenizer, part, length=learner.length)
    if purpose is not None:
        write_json(part / PURPOSE, purpose.to_json())
    put_in_place(part, folder)


@dataclass(frozen=True)
class Fitted:
    """A fine-tuned model, ready to answer.

    Args:
        checkpoint: with all of its weights, which are read when they are first asked for.
        tokenizer: its own.
        kind: what its head predicts.
        label_names: of its classes, in the order of its outputs.
        length: tokens that a sequence is cut to.
        task: what it was fine-tuned on, where its config says so.
        thresholds: above which each label holds, where it has some.
    """

    checkpoint: Checkpoint
    tokenizer: PreTrainedTokenizerFast
    kind: Kind
    label_names: tuple[str, ...]
    length: int
    task: str | None
    thresholds: Thresholds = ()

    @cached_property
    def model(self) -> PreTrainedModel:
        """The network as it answers, in evaluation mode."""
        return whole_network(self.checkpoint)

    def tokens(self, examples: Sequence[Example]) -> Tokens:
        """The examples as the network reads them."""
        types = tells_texts_apart(self.checkpoint.config)
        return tokenize(
            examples,
            self.tokenizer,
            length=self.length,
            choice=self.checkpoint.head.scores_candidates,
            types=types,
            words=self.kind.has_words,
        )

    def decide(self, found: Outputs, order: Sequence[int] | None = None) -> Sequence[Label]:
        """What its outputs say, with its thresholds, in the order of a task's names."""
        return self.kind.decide(*in_order_of(order, found, self.thresholds))

    def order_for(self, task: str, kind: Kind, label_names: tuple[str, ...]) -> list[int] | None:
        """For every class of a task the model's output; None where there are no classes.

        Raises:
            ValueError: when the model predicts something else.
        """
        return kind.places(task, label_names, of=self.kind, among=self.label_names)

    @property
    def is_nameless(self) -> bool:
        """Whether the checkpoint says nothing about its classes but their number."""
        return self.kind.is_nameless(self.label_names)


def kind_of_head(folder: Path, head: str, asked: Kind | None = None) -> Kind:
    """The kind that a network was fine-tuned for: what was asked for or its folder says, where its head is of that one.

    Args:
        folder: of a checkpoint or an export.
        head: which of the kinds that stock networks know.
        asked: by whoever opens it.

    Raises:
        ValueError: for a kind of the user's that was not asked for, since code that a file names is not run, and for
            another one than was asked for.
    """
    said = Purpose.read(folder).kind or head
    if asked is not None and (asked == said or (not NAME.fullmatch(said) and asked.head == head)):
        return asked
    if NAME.fullmatch(said):
        raise InputError(f"{folder} was made for the kind {said}, whose code is not run unasked: give --kind {said}")
    return kind_of(said) if said in KINDS and kind_of(said).head == head else kind_of(head)


def require_asked(found: Kind, asked: Kind | None, name: str) -> None:
    """Refuse a kind that was asked for where what is there is of another.

    Raises:
        ValueError: as said.
    """
    if asked is not None and found != asked:
        raise InputError(f"--kind {asked}: {name} was made for {found}: leave --kind away")


def open_fitted(given: Checkpoint | Path | str, kind: Kind | None = None) -> Fitted:
    """A fine-tuned checkpoint, every part of which is known; its weights are yet to be read.

    Args:
        given: the checkpoint.
        kind: that it was fine-tuned for, where that is one of the user's.

    Raises:
        ValueError: when it has no head for a task, or one that nothing here reads, or cannot be read.
    """
    checkpoint = open_checkpoint(given).whole()
    if checkpoint.head.kind in ("masked-lm", "encoder"):
        raise InputError(
            f"{checkpoint.folder} has no head for a task (its config names {checkpoint.head.name}): fine-tune it first"
        )
    tokenizer = load_tokenizer(checkpoint.folder)
    length = longest_text(checkpoint, tokenizer)
    found = kind_of_head(checkpoint.folder, checkpoint.head.kind, kind)
    task: str | None = checkpoint.config.get("finetuning_task")
    thresholds = thresholds_in(checkpoint.folder, found, checkpoint.label_names)
    return Fitted(checkpoint, tokenizer, found, checkpoint.label_names, length, task, thresholds)


def thresholds_in(folder: Path, kind: Kind, label_names: Sequence[str]) -> Thresholds:
    """Above which each label holds, as a checkpoint says; none where it does not, or there is nothing to decide.

    Raises:
        ValueError: for other thresholds than one between 0 and 1 for each label.
    """
    found = Purpose.read(folder).thresholds
    if not kind.has_thresholds or not found:
        return ()
    if len(found) != len(label_names) or not all(0 < one < 1 for one in found):
        raise InputError(
            f"{folder / PURPOSE}: expected a threshold between 0 and 1 for each of {len(label_names)} labels, got "
            f"{list(found[:12])}: it was changed; take them out, and a half holds for all"
        )
    return found


def longest_text(checkpoint: Checkpoint, tokenizer: PreTrainedTokenizerFast) -> int:
    """Tokens that a text is cut to: what the folder says, or the tokenizer, as far as the network has positions."""
    asked = None if checkpoint.embedding is None else checkpoint.embedding.length
    longest = int(tokenizer.model_max_length)
    wanted = asked or (longest if longest < _NO_LIMIT else LONGEST)
    return fitting_length(wanted, tokenizer, checkpoint.stock, checkpoint.positions)
