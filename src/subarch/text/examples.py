"""What a labelled task is, as pure data.

An :class:`Example` has a first text and any number of second ones: none for a single text, one for a pair, and one for
each candidate of a choice (the first text is what they share). A :class:`Task` has three splits: networks learn from
``train``, choices are made on ``development``, and the ``sealed`` split is opened for the final score alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from subarch.errors import InputError

_LOG = logging.getLogger(__name__)

Kind = Literal["classification", "regression", "choice"]


class Example(NamedTuple):
    """One thing to predict.

    Attributes:
        first: the single text, the first of a pair, or what all candidates of a choice share.
        seconds: none, the second text of a pair, or the candidates of a choice.
        label: index of the class, the number, or the index of a right candidate; None where it is not known.
        right: further candidates of a choice that are right as well.
        id: what the data call the example, in submissions and predictions.
        group: examples of one group are scored together: answers to one question, sentences of one pair.
        answers: names of the candidates and of everything that counts as right, for metrics that compare words.
    """

    first: str
    seconds: tuple[str, ...] = ()
    label: int | float | None = None
    right: tuple[int, ...] = ()
    id: str | int | tuple[int, ...] | None = None
    group: str | None = None
    answers: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All of its texts."""
        return (self.first, *self.seconds)


class Split(tuple[Example, ...]):
    """Examples in order."""

    __slots__ = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The first text of every example."""
        return tuple(example.first for example in self)

    @property
    def labels(self) -> tuple[int | float, ...]:
        """The label of every example.

        Raises:
            ValueError: when an example has none.
        """
        found = tuple(example.label for example in self if example.label is not None)
        if len(found) < len(self):
            raise InputError(f"expected labelled examples, got {len(self) - len(found)} of {len(self)} without a label")
        return found

    @property
    def digest(self) -> str:
        """sha256 (hex) of everything in it."""
        sha = hashlib.sha256()
        for example in self:
            sha.update(json.dumps(example).encode())
        return sha.hexdigest()


class SealedSplit:
    """Examples that no choice may be made on: they are read by opening the seal, for the final score alone."""

    __slots__ = ("__split", "digest")

    def __init__(self, split: Split) -> None:
        self.__split = split
        self.digest = split.digest

    def __len__(self) -> int:
        return len(self.__split)

    def __repr__(self) -> str:
        return f"SealedSplit({len(self)} examples, {self.digest[:12]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SealedSplit) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def unlabelled(self) -> tuple[Example, ...]:
        """Its texts alone, without labels and answers: for keeping copies of them out of what is learned from."""
        return tuple(Example(example.first, example.seconds) for example in self.__split)

    def open(self) -> Split:
        """The examples. Whoever calls this has made all choices already."""
        return self.__split


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task with its data.

    Args:
        name: the task's name or the file's path.
        kind: what is predicted: a class, a number, or one of several candidates.
        label_names: names of the classes in the order of their indices; empty for numbers and choices.
        metrics: names of the metrics; the score is their mean.
        length: tokens of a sequence that do for nearly all of its examples.
        text_columns: what a table calls its texts; empty for other tasks.
        label_column: what a table calls its label.
        common: texts that keep nothing together (:func:`subarch.text.dealing.common_texts`).
        train: what a network learns from.
        development: what choices are made on.
        sealed: for the final score alone.
    """

    name: str
    kind: Kind = "classification"
    label_names: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("accuracy",)
    length: int = 128
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    common: frozenset[str] = frozenset()
    train: Split
    development: Split
    sealed: SealedSplit

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of names, examples and splits."""
        content = [self.kind, self.label_names, self.train.digest, self.development.digest, self.sealed.digest]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def metric(self) -> str:
        """What the score is called."""
        *others, last = self.metrics
        return f"mean of {', '.join(others)} and {last}" if others else last


def nameless(names: Sequence[str]) -> bool:
    """Whether classes have the names that the stock library gives where nobody did: nothing but their numbers."""
    return all(name == f"LABEL_{n}" for n, name in enumerate(names))


def places(names: Sequence[str], among: Sequence[str]) -> list[int] | None:
    """Where each class stands among the outputs of a model; None where the two are not the same classes.

    Names decide, whatever their case where that leaves them apart; of a model that never named its classes the order.
    Whole numbers from 0 beside as many names are places among the outputs, which is said.
    """
    for alike in (str, str.casefold):  # POSITIVE and positive are one class, where both are not there
        asked, theirs = [alike(name) for name in names], [alike(name) for name in among]
        if len(set(theirs)) == len(theirs) == len(asked) and set(theirs) == set(asked):
            return [theirs.index(name) for name in asked]
    if len(among) != len(names):
        return None
    if nameless(among):
        if set(names) != {str(n) for n in range(len(names))} and not nameless(names):
            taken = ", ".join(f"{name} for {number}" for name, number in zip(names[:12], among, strict=False))
            _LOG.warning("the model's classes have no names: %s is taken by its place, which is a guess", taken)
        return list(range(len(names)))
    numbers = [str(n) for n in range(len(among))]
    if len(among) > 1 and set(names) == set(numbers) and not any(name.strip().isdigit() for name in among):
        taken = ", ".join(f"{number} for {name}" for number, name in zip(numbers[:12], among, strict=False))
        _LOG.warning("the labels are numbers and the model's classes have names: %s is taken by its place", taken)
        return [int(name) for name in names]
    return None


def required_places(
    task: str, kind: Kind, names: Sequence[str], *, model_kind: Kind, among: Sequence[str]
) -> list[int] | None:
    """As :func:`places`; None where there are no classes.

    Args:
        task: that is asked, for messages.
        kind: of the task.
        names: of its classes.
        model_kind: what a model predicts.
        among: names of its outputs.

    Raises:
        ValueError: when the model predicts something else.
    """
    if model_kind != kind:
        one = model_kind == "regression" and set(names) == {"0", "1"}  # as of cross-encoders
        word = " (it has one output: a number from 0 to 1, which finetune and compress learn with --kind regression)"
        raise InputError(
            f"{task} is a {kind}, the model's head is made for {model_kind}{word if one else ''}: take the task it was "
            "fine-tuned on"
        )
    if kind != "classification":
        return None
    if (found := places(names, among)) is not None:
        return found
    raise InputError(
        f"{task} has the classes {list(names)}, the model {list(among)}: take the task it was fine-tuned on; or, where "
        "these are the same classes, write the model's names instead of them"
    )
