"""Tags of words: what is written before a type, which words an entity has, and what breaks a scheme.

Four ways of writing entities are known: BIO (IOB2), where each entity begins with ``B-``; IOB1, where ``B-`` stands
between neighbours of one type alone; BIOES (also BILOU, BMEWO), which marks ends and single words as well; and plain
tags, where neighbours of one type are one entity. Entities are told from tags by the rules of the CoNLL-2000 shared
task (E. Tjong Kim Sang and S. Buchholz), which also say what a malformed sequence means, so that scores are those of
seqeval.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

OUTSIDE = "O"
"""The tag of words that belong to no entity."""

_MARKED = re.compile(r"([BIEMSLUW])-(.+)", re.DOTALL)
_ALIKE: Mapping[str, str] = {"L": "E", "U": "S", "W": "S", "M": "I"}  # of other alphabets
_ORDER = "BIES"


class Tag(NamedTuple):
    """What a tag says.

    Attributes:
        mark: ``B``, ``I``, ``E`` or ``S``; ``O`` outside of entities.
        type: of the entity; empty outside.
    """

    mark: str
    type: str


class Entity(NamedTuple):
    """Words that are one thing.

    Attributes:
        type: of it.
        start: its first word.
        end: the word behind its last one.
    """

    type: str
    start: int
    end: int


_OUT = Tag(OUTSIDE, "")


def read_tag(name: str) -> Tag:
    """What a tag says; a plain one goes on while it is the same.

    >>> from subarch.tasks.tags import read_tag
    >>> tuple(read_tag("B-PER")), tuple(read_tag("NOUN")), tuple(read_tag("O"))
    (('B', 'PER'), ('I', 'NOUN'), ('O', ''))
    """
    if name == OUTSIDE:
        return _OUT
    if (found := _MARKED.fullmatch(name)) is None:
        return Tag("I", name)
    return Tag(_ALIKE.get(found[1], found[1]), found[2])


def types_of(names: Sequence[str]) -> tuple[str, ...]:
    """The entity type of every tag; empty for the one outside of entities."""
    return tuple(read_tag(name).type for name in names)


def entities(tags: Iterable[Tag]) -> list[Entity]:
    """The entities of a sentence, also where its tags break their scheme.

    >>> from subarch.tasks.tags import entities, read_tag
    >>> [tuple(one) for one in entities(map(read_tag, ["I-PER", "I-LOC", "O", "B-LOC", "I-LOC"]))]
    [('PER', 0, 1), ('LOC', 1, 2), ('LOC', 3, 5)]
    """
    found: list[Entity] = []
    before, begun = _OUT, 0
    for at, tag in enumerate([*tags, _OUT]):
        other = tag.type != before.type
        if before.mark != OUTSIDE and (before.mark in "ES" or tag.mark in "BSO" or other):
            found.append(Entity(before.type, begun, at))
        if tag.mark in "BS" or (tag.mark != OUTSIDE and (before.mark in "ESO" or other)):
            begun = at
        before = tag
    return found


class EntityCounts(NamedTuple):
    """Entities that there are, that are said, and that are both, by type."""

    true: Mapping[str, int]
    said: Mapping[str, int]
    right: Mapping[str, int]


@lru_cache(maxsize=1 << 16)
def counts(names: tuple[str, ...], labels: tuple[int, ...], said: tuple[int, ...]) -> EntityCounts:
    """How well the tags of one sentence are met, entity by entity: type and both ends must be right.

    Args:
        names: of all tags.
        labels: for each word the index of its tag; -1 for one outside of entities.
        said: likewise, as predicted.
    """
    known = _read(names)
    true, found = ({*entities([known[n] if n >= 0 else _OUT for n in tags])} for tags in (labels, said))
    by_type = [Counter(one.type for one in some) for some in (true, found, true & found)]
    return EntityCounts(*by_type)


@lru_cache(maxsize=64)
def _read(names: tuple[str, ...]) -> tuple[Tag, ...]:
    return tuple(map(read_tag, names))


def at_words(logits: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Logits at the first tokens of words, and which words have one.

    Args:
        logits: ``(examples, tokens, tags)``.
        batch: with ``places``, ``(examples, words)``.

    Returns:
        ``(examples, words, tags)`` and ``(examples, words)``.
    """
    at = batch["places"]
    where = at.clamp_min(0).unsqueeze(-1).expand(-1, -1, logits.shape[-1])
    return logits.gather(1, where), at >= 0


def neighbours_of_one_type(tags: Sequence[str]) -> list[tuple[int, int]]:
    """First and last place of the neighbours that the stock pipeline takes together: of one type, unless one begins."""
    found: list[tuple[int, int]] = []
    for at, tag in enumerate(tags):
        if found and not tag.startswith("B-") and tag.removeprefix("I-") == _bare(tags[at - 1]):
            found[-1] = found[-1][0], at
        else:
            found.append((at, at))
    return found


def _bare(tag: str) -> str:
    return tag[2:] if tag.startswith(("B-", "I-")) else tag


# --- schemes ----------------------------------------------------------------------------------------------------------


class Scheme(NamedTuple):
    """How a table writes its entities.

    Attributes:
        name: for people.
        marks: that it may write before a type; none of plain tags.
        broken: how many tags are not as it has them.
        first: the sentence of the first of these, its place in it, and the tag.
    """

    name: str
    marks: str
    broken: int
    first: tuple[int, int, str] | None


def scheme_of(sentences: Sequence[Sequence[str]]) -> Scheme:
    """The scheme that all tags of a table follow best.

    Args:
        sentences: for each word of every sentence its tag.
    """
    names = {tag for tags in sentences for tag in tags} - {OUTSIDE}
    if not names or not all(map(_MARKED.fullmatch, names)):
        return Scheme("plain tags, neighbours of which are one", "", 0, None)
    marks = {read_tag(name).mark for name in names}
    if marks & set("ES"):
        return _followed("BIOES", "BIES", sentences)
    two = _followed("BIO (IOB2)", "BI", sentences)
    one = _followed("IOB1", "BI", sentences)
    return one if one.broken < two.broken else two


def _followed(name: str, marks: str, sentences: Sequence[Sequence[str]]) -> Scheme:
    broken, first = 0, None
    for row, tags in enumerate(sentences):
        known = [_OUT, *map(read_tag, tags), _OUT]
        for at, tag in enumerate(tags):
            if _breaks(name, known[at], known[at + 1], known[at + 2]):
                broken += 1
                first = first or (row, at, tag)
    return Scheme(name, marks, broken, first)


def _breaks(scheme: str, before: Tag, tag: Tag, after: Tag) -> bool:
    """Whether a tag is not what its scheme has between its neighbours."""
    if tag.mark == OUTSIDE:
        return False
    same = before.type == tag.type
    if scheme == "IOB1":
        return tag.mark == "B" and not same
    if scheme == "BIOES":
        goes_on = after.mark in "IE" and after.type == tag.type
        return goes_on != (tag.mark in "BI") or (tag.mark in "IE" and not (before.mark in "BI" and same))
    return tag.mark == "I" and not same


def all_tags(scheme: Scheme, names: Iterable[str]) -> tuple[str, ...]:
    """The tags that such a table may have, in order: outside, then by type all marks of the scheme.

    Args:
        scheme: of the table.
        names: of its tags.
    """
    there = set(names)
    outside = (OUTSIDE,) if OUTSIDE in there or scheme.marks else ()
    if not scheme.marks:
        return (*outside, *sorted(there - {OUTSIDE}))
    written = {name[0] for name in there - {OUTSIDE}}
    # Another alphabet stays what it is.
    marks = [next((w for w in sorted(written) if _ALIKE.get(w) == mark), mark) for mark in scheme.marks]
    marks = sorted(set(marks), key=lambda mark: _ORDER.index(_ALIKE.get(mark, mark)))
    return (*outside, *(f"{mark}-{kind}" for kind in sorted({*types_of([*there])} - {""}) for mark in marks))
