"""Examples and splits of them, as pure data.

An :class:`Example` has a first text and any number of second ones: none for a single text, one for a pair, and one for
each candidate of a choice (the first text is what they share). Where each word is answered by itself, it says where the
words of its text are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

from subarch.errors import InputError

_LOG = logging.getLogger(__name__)

Span = tuple[int, int]
"""Where something begins and ends in a text, in characters."""

Label = int | float | tuple[int, ...]
"""Index of a class or a candidate, a number, the indices of all labels that hold, in their order (none may), or of each
word the index of its tag."""

_WORD = re.compile(r"\S+")


def words_in(text: str) -> tuple[Span, ...]:
    """Where the words of a text are: what stands between blanks.

    >>> from subarch.text.examples import words_in
    >>> words_in("in New  York")
    ((0, 2), (3, 6), (8, 12))
    """
    return tuple(found.span() for found in _WORD.finditer(text))


class Example(NamedTuple):
    """One thing to predict.

    Attributes:
        first: the single text, the first of a pair, or what all candidates of a choice share.
        seconds: none, the second text of a pair, or the candidates of a choice.
        label: index of the class, the number, the index of a right candidate, the indices of all labels that hold, or
            of each word the index of its tag; None where it is not known.
        right: further candidates of a choice that are right as well.
        id: what the data call the example, in submissions and predictions.
        group: examples of one group are scored together: answers to one question, sentences of one pair.
        answers: names of the candidates and of everything that counts as right, for metrics that compare words; of
            words the names of all tags, and nothing.
        words: where its words are in the first text, if each of them is answered by itself.
    """

    first: str
    seconds: tuple[str, ...] = ()
    label: Label | None = None
    right: tuple[int, ...] = ()
    id: str | int | tuple[int, ...] | None = None
    group: str | None = None
    answers: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    words: tuple[Span, ...] | None = None

    @property
    def bare(self) -> Example:
        """The same without label, name and answers: what a network reads of it."""
        return Example(self.first, self.seconds, words=self.words)

    def with_text(self, side: int, text: str) -> Example:
        """What a network reads, with another text in place of one; of a text that is read by its words they are found
        anew.

        Args:
            side: 0 for the first text, else which of the second ones, from 1.
            text: the new one.
        """
        if side == 0:
            return Example(text, self.seconds, words=None if self.words is None else words_in(text))
        return Example(self.first, (*self.seconds[: side - 1], text, *self.seconds[side:]), words=self.words)

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
    def labels(self) -> tuple[Label, ...]:
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
            # Of texts that are read as a whole as it was before there were others.
            sha.update(json.dumps(example if example.words is not None else example[:-1]).encode())
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
        return tuple(example.bare for example in self.__split)

    def open(self) -> Split:
        """The examples. Whoever calls this has made all choices already."""
        return self.__split


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
