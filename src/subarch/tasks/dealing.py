"""How examples are dealt out to splits: what belongs together stays on one side, and nothing else decides.

Two examples belong together when they have a linking key in common: an equal text, an equal group
(:func:`linking_keys`). By the rule ``"relatives"`` they do, too, when their texts are near copies or lie in one
another (:mod:`~subarch.tasks.relatives`), as far as that makes no families that would fill a split; ``"equal texts"``
is the rule of checkpoints that were made before. :class:`Kinship` asks the same of examples on either side of a border:
what is left there is told beside the scores, and a guard refuses it.
"""

from __future__ import annotations

import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from subarch.errors import InputError
from subarch.tasks.relatives import NEAR, Families, Relatives, is_long, join_relatives, normalised
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split

_LOG = logging.getLogger(__name__)

Rule = Literal["relatives", "equal texts"]
RULE: Rule = "relatives"
_OF_A_SPLIT = 10  # families of relatives fill at most one part in so many of the smallest split,
_LEAST = 5  # but may always have so many examples


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
            raise InputError(
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
    rule: Rule = RULE,
) -> tuple[Split, ...]:
    """Deal examples out to splits: stratified, with a seed, and without parting what belongs together.

    Examples with an equal text (letters and digits alone, in any case; of pairs those of four words or more, of choices
    what the candidates share) or an equal group stay in one split, and so do relatives. Where relatives hang together
    in families of more than a tenth of a split (phrases of one pattern, forms with a number), these are parted again:
    by near copies alone, or else by equal texts; that is said. Within a split examples keep their order.

    Args:
        name: of the task, for messages.
        examples: all of them.
        shares: the fraction of each split, together 1.
        seed: of the choice.
        strata: for each example what it is counted under: the name of its class, a bin of its number.
        common: texts that keep nothing together, as :func:`common_texts` found them.
        rule: what belongs together.

    Raises:
        ValueError: when strata have fewer different texts than there are splits, naming all of them or ten.
    """
    equal = _equal(examples, common)
    if rule == "equal texts":
        by_stratum = _by_stratum(equal.all(), strata, [0] * len(examples))
    else:
        counts = Counter(strata)
        rarity = [counts[stratum] for stratum in strata]
        related = _related(name, examples, common, equal, max(_LEAST, min(shares) * len(examples) / _OF_A_SPLIT))
        by_stratum = _by_stratum(related, strata, rarity)
        # A class of few texts that are all relatives is rather parted than refused. One that has no family of its own
        # because all of its rows stand beside those of other classes is no matter.
        families = Counter(stratum for members in related for stratum in {strata[row] for row in members})
        least = len(shares)
        small = {s for s, count in families.items() if count < least or 0 < len(by_stratum.get(s, ())) < least}
        related = _parted(related, equal, lambda members: any(strata[row] in small for row in members))
        by_stratum = _by_stratum(related, strata, rarity)
    _require_enough(name, {stratum: len(clusters) for stratum, clusters in by_stratum.items()}, len(shares))
    chosen: tuple[list[int], ...] = tuple([] for _ in shares)
    for stratum in sorted(by_stratum):
        clusters = by_stratum[stratum]
        random.Random(f"{seed} {stratum}").shuffle(clusters)
        _hand_out(clusters, shares, chosen)
    return tuple(Split(examples[row] for row in sorted(rows)) for rows in chosen)


def _by_stratum(
    clusters: Sequence[list[int]], strata: Sequence[str], rarity: Sequence[int]
) -> dict[str, list[list[int]]]:
    """Clusters by the stratum of their first row among those of the rarest stratum in them."""
    found: dict[str, list[list[int]]] = defaultdict(list)
    for members in clusters:
        found[strata[min(members, key=lambda row: (rarity[row], row))]].append(members)
    return found


_NUMBERS: Mapping[int, str] = {2: "two", 3: "three"}
_NAMED = 10  # small classes that a message names; the others are counted


def _require_enough(name: str, texts: Mapping[str, int], least: int) -> None:
    """Refuse all strata at once that have fewer different texts than there are splits."""
    small = sorted((stratum for stratum, count in texts.items() if count < least), key=lambda one: (texts[one], one))
    if small:
        counted = ", ".join(f"{texts[stratum]} of {stratum!r}" for stratum in small[:_NAMED])
        more = f" and as few of {len(small) - _NAMED} more classes" if len(small) > _NAMED else ""
        raise InputError(
            f"{name}: expected at least {_NUMBERS.get(least, least)} different texts of every class, "
            f"got {counted}{more}: each split needs one; add texts, merge small classes (into one called "
            "other), remove them, or give the splits files of their own (--development-data, --test-data)"
        )


# --- what belongs together --------------------------------------------------------------------------------------------


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
        texts = [text for text in texts if is_long(text) and text not in common]
    for text in texts[: 2 if len(example.seconds) < 2 else 1]:
        yield "text", text
    if example.group is not None:
        yield "group", example.group


def relating_texts(example: Example, common: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """The texts by which an example has relatives, with what they are: those that link it, and of a pair both as one.

    Args:
        example: of any task.
        common: as :func:`common_texts` found them.
    """
    keys = list(linking_keys(example, common))
    yield from (key for key in keys if key[0] == "text")
    if len(example.seconds) == 1:
        # What stands beside every text makes no pairs alike.
        texts = [text for text in map(normalised, example.texts) if text not in common]
        yield "pair", "\n".join(texts)


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
    common = frozenset(text for text in frequent if is_long(text))

    def largest(common: frozenset[str]) -> int:
        return max(map(len, _equal(examples, common).all()))

    half = len(examples) / 2
    return common if common and largest(frozenset()) > half >= largest(common) else frozenset()


class Kinship:
    """Examples among which others are looked for that belong with them: those that :func:`deal` keeps in one split.

    Args:
        examples: that others are compared with.
        common: as :func:`common_texts` found them.
        near: the similarity of near copies; 1: equal texts alone belong together.
    """

    def __init__(
        self, examples: Sequence[Example], common: frozenset[str] = frozenset(), *, near: float = NEAR
    ) -> None:
        self._common = common
        self._keys = {key for example in examples for key in linking_keys(example, common)}
        self._relatives: dict[str, Relatives] = {}
        if near < 1:
            texts = {key: None for example in examples for key in relating_texts(example, common)}
            for kind in dict.fromkeys(kind for kind, _ in texts):
                alike = [text for other, text in texts if other == kind]
                self._relatives[kind] = Relatives(alike, near=near, contained=kind == "text")

    def of(self, examples: Sequence[Example]) -> list[bool]:
        """For each example whether one of those belongs with it."""
        found = [not self._keys.isdisjoint(linking_keys(example, self._common)) for example in examples]
        texts = [
            () if known else tuple(relating_texts(one, self._common))
            for one, known in zip(examples, found, strict=True)
        ]
        related: set[tuple[str, str]] = set()
        for kind, known in self._relatives.items():
            asked = list(dict.fromkeys(text for keys in texts for other, text in keys if other == kind))
            related |= {(kind, text) for text, there in zip(asked, known.of(asked), strict=True) if there}
        return [known or not related.isdisjoint(keys) for known, keys in zip(found, texts, strict=True)]


def related_to_others(task: Task) -> list[bool]:
    """For each sealed row whether a training or development row belongs with it: a score on those is too good."""
    return Kinship([*task.train, *task.development], task.common).of(task.sealed.unlabelled())


def _equal(examples: Sequence[Example], common: frozenset[str]) -> Families:
    """Rows that are linked by an equal text or group, over any number of steps."""
    families = Families(len(examples))
    first: dict[tuple[str, str], int] = {}
    for row, example in enumerate(examples):
        for key in linking_keys(example, common):
            families.join(row, first.setdefault(key, row))
    return families


def _related(
    name: str, examples: Sequence[Example], common: frozenset[str], equal: Families, most: float
) -> list[list[int]]:
    """Families of relatives; those of more than ``most`` rows are parted, by near copies alone or by equal texts."""
    texts: dict[tuple[str, str], int] = {}
    for row, example in enumerate(examples):
        for key in relating_texts(example, common):
            texts.setdefault(key, row)

    def joined(rows: Collection[int], *, contained: bool) -> list[list[int]]:
        families = equal.copy()
        for kind in ("text", "pair"):
            places = {text: row for (other, text), row in texts.items() if other == kind and row in rows}
            within = contained and kind == "text"
            join_relatives(list(places), list(places.values()), families, contained=within)
        return [members for members in families.all() if members[0] in rows]

    found = joined(range(len(examples)), contained=True)
    large = {row for members in found if len(members) > most for row in members}
    if not large:
        return found
    _LOG.warning(
        "%s: %d of %d examples hang together in large families of near copies and of texts that lie in one another: "
        "these are kept together by near copies alone, or else by equal texts",
        name,
        len(large),
        len(examples),
    )
    again = joined(large, contained=False)
    kept = [members for members in found if members[0] not in large]
    return [*kept, *_parted(again, equal, lambda members: len(members) > most)]


def _parted(families: Sequence[list[int]], equal: Families, which: Callable[[Sequence[int]], bool]) -> list[list[int]]:
    """Families of relatives, some of them as the families of equal texts that they are made of."""
    found: list[list[int]] = []
    for members in families:
        if which(members):
            parts: dict[int, list[int]] = defaultdict(list)
            for row in members:
                parts[equal.of[row]].append(row)
            found += parts.values()
        else:
            found.append(members)
    return sorted(found)


# --- handing out ------------------------------------------------------------------------------------------------------


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
