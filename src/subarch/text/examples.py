"""What a labelled task is, as pure data, and how examples are dealt out to splits that never share a text.

An :class:`Example` has a first text and any number of second ones: none for a single text, one for a pair, and one for
each candidate of a choice (the first text is what they share). A :class:`Task` has three splits: networks learn from
``train``, choices are made on ``development``, and the ``sealed`` split is opened for the final score alone.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["classification", "regression", "choice"]

LINKING_WORDS = 4  # a text of a pair with so many words is taken for the same wherever it occurs


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
            raise ValueError(f"expected labelled examples, got {len(self) - len(found)} of {len(self)} without a label")
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


class Shares(NamedTuple):
    """How large the development and the sealed split are, as fractions of all examples."""

    development: float = 0.15
    sealed: float = 0.15

    def checked(self) -> Shares:
        """Itself.

        Raises:
            ValueError: unless both are above 0 and leave something to learn from.
        """
        if not (self.development > 0 and self.sealed > 0 and sum(self) < 1):
            raise ValueError(
                f"expected shares above 0 that leave something to learn from, got {self.development} for development "
                f"and {self.sealed} for the sealed split"
            )
        return self


def deal(
    name: str,
    examples: Sequence[Example],
    shares: Sequence[float],
    *,
    seed: int,
    strata: Sequence[str],
    common: frozenset[str] = frozenset(),
) -> tuple[Split, ...]:
    """Deal examples out to splits: stratified, with a seed, and without parting what belongs together.

    Examples with an equal text (letters and digits alone, in any case; of pairs those of four words or more, of choices
    what the candidates share) or an equal group stay in one split. Within a split examples keep their order.

    Args:
        name: of the task, for messages.
        examples: all of them.
        shares: the fraction of each split, together 1.
        seed: of the choice.
        strata: for each example what it is counted under: the name of its class, a bin of its number.
        common: texts that keep nothing together, as :func:`common_texts` found them.

    Raises:
        ValueError: when strata have fewer different texts than there are splits, naming all of them or ten.
    """
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for members in _connected(examples, common):
        by_stratum[strata[members[0]]].append(members)
    _require_enough(name, {stratum: len(clusters) for stratum, clusters in by_stratum.items()}, len(shares))
    chosen: tuple[list[int], ...] = tuple([] for _ in shares)
    for stratum in sorted(by_stratum):
        clusters = by_stratum[stratum]
        random.Random(f"{seed} {stratum}").shuffle(clusters)
        _hand_out(clusters, shares, chosen)
    return tuple(Split(examples[row] for row in sorted(rows)) for rows in chosen)


_NUMBERS: Mapping[int, str] = {2: "two", 3: "three"}
_NAMED = 10  # small classes that a message names; the others are counted


def _require_enough(name: str, texts: Mapping[str, int], least: int) -> None:
    """Refuse all strata at once that have fewer different texts than there are splits."""
    small = sorted((stratum for stratum, count in texts.items() if count < least), key=lambda one: (texts[one], one))
    if small:
        counted = ", ".join(f"{texts[stratum]} of {stratum!r}" for stratum in small[:_NAMED])
        more = f" and as few of {len(small) - _NAMED} more classes" if len(small) > _NAMED else ""
        raise ValueError(
            f"{name}: expected at least {_NUMBERS.get(least, least)} different texts of every class, "
            f"got {counted}{more}: each split needs one; add texts, merge small classes (into one called "
            "other), remove them, or give the splits files of their own (--development-data, --test-data)"
        )


def nameless(names: Sequence[str]) -> bool:
    """Whether classes have the names that the stock library gives where nobody did: nothing but their numbers."""
    return all(name == f"LABEL_{n}" for n, name in enumerate(names))


def places(names: Sequence[str], among: Sequence[str]) -> list[int] | None:
    """Where each class stands among the outputs of a model; None where the two are not the same classes.

    Names decide, whatever their case where that leaves them apart; of a model that never named its classes the order.
    """
    for alike in (str, str.casefold):  # POSITIVE and positive are one class, where both are not there
        asked, theirs = [alike(name) for name in names], [alike(name) for name in among]
        if len(set(theirs)) == len(theirs) == len(asked) and set(theirs) == set(asked):
            return [theirs.index(name) for name in asked]
    return list(range(len(names))) if nameless(among) and len(among) == len(names) else None


UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Kana and Chinese characters, which are written without spaces between words."""


def normalised(text: str) -> str:
    """Letters and digits alone, lower case: texts that differ in nothing else count as the same."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _is_long(text: str) -> bool:
    """Whether a normalised text has four words or more; two characters of a script without spaces count as one."""
    words = text.split(" ", LINKING_WORDS)
    if len(words) >= LINKING_WORDS:
        return True
    return sum(max(1.0, len(UNSPACED.findall(word)) / 2) for word in words) >= LINKING_WORDS


def _connected(examples: Sequence[Example], common: frozenset[str]) -> list[list[int]]:
    """Rows that must not be parted: linked by an equal text or group, over any number of steps."""
    leader = list(range(len(examples)))

    def root(row: int) -> int:
        while leader[row] != row:
            leader[row] = row = leader[leader[row]]
        return row

    first: dict[tuple[str, str], int] = {}
    for row, example in enumerate(examples):
        for key in linking_keys(example, common):
            low, high = sorted((root(row), root(first.setdefault(key, row))))
            leader[high] = low
    members: dict[int, list[int]] = defaultdict(list)
    for row in range(len(examples)):
        members[root(row)].append(row)
    return list(members.values())


def common_texts(examples: Sequence[Example]) -> frozenset[str]:
    """Second texts that link most of the pairs into one piece: a few questions, asked of every text, part nothing.

    They do not keep pairs together; first texts, and pairs as a whole, still do. Mostly there are none: only where more
    than half of all pairs hang together, and fall apart without them, are those left out that a twentieth of them has.

    Args:
        examples: all of them, whatever file they came from.
    """
    if not examples or len(examples[0].seconds) != 1:
        return frozenset()
    counts = Counter(example.seconds[0] for example in examples)
    frequent = {normalised(text) for text, count in counts.items() if count > max(2, len(examples) / 20)}
    common = frozenset(text for text in frequent if _is_long(text))

    def largest(common: frozenset[str]) -> int:
        return max(map(len, _connected(examples, common)))

    half = len(examples) / 2
    return common if common and largest(frozenset()) > half >= largest(common) else frozenset()


def linking_keys(example: Example, common: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """What keeps examples in one split: two with an equal key are never parted.

    Args:
        example: of any task.
        common: as :func:`common_texts` found them.
    """
    texts = [normalised(text) or text for text in example.texts]
    if len(texts) == 2:
        # Short ones ("yes", "Why?") would link half of all pairs; the pair as a whole counts whatever its length.
        yield "pair", "\n".join(texts)
        texts = [text for text in texts if _is_long(text) and text not in common]
    for text in texts[: 2 if len(example.seconds) < 2 else 1]:
        yield "text", text
    if example.group is not None:
        yield "group", example.group


def _hand_out(clusters: list[list[int]], shares: Sequence[float], chosen: tuple[list[int], ...]) -> None:
    """Hand clusters out, each to the split that lacks most of its share; every split gets one."""
    total, dealt = sum(map(len, clusters)), [0] * len(shares)

    def give(cluster: list[int], split: int) -> None:
        chosen[split].extend(cluster)
        dealt[split] += len(cluster)

    # What is larger than a whole split is learned from, while enough is left for the others: no one text may decide a
    # score.
    spare = len(clusters) - (len(shares) - 1)
    large = [n for n, cluster in enumerate(clusters) if len(cluster) > max(2, min(shares) * total)]
    huge = set(sorted(large, key=lambda n: -len(clusters[n]))[:spare])
    for n in sorted(huge):
        give(clusters[n], 0)
    rest = [cluster for n, cluster in enumerate(clusters) if n not in huge]
    # The first ones go one to each split that has none yet, the largest of them to the first.
    empty = range(1 if huge else 0, len(shares))
    for split, cluster in zip(empty, sorted(rest[: len(empty)], key=len, reverse=True), strict=True):
        give(cluster, split)
    for cluster in rest[len(empty) :]:
        give(cluster, max(range(len(shares)), key=lambda split: shares[split] * total - dealt[split]))
