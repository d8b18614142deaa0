"""Which texts are relatives: near copies of one another, and texts that contain or lie in one another.

A network that has learned from a text answers its relatives better than other texts, so a score on these is too good.
Texts are compared by their letters and digits alone (:func:`normalised`).

*Near copies* have nearly all of their words in common: the Jaccard similarity of the two sets of words is at least
:data:`NEAR`. At 0.8 one word of nine may be another one, or one of five be missing; lower values take sentences of one
pattern for copies of each other. *A text lies in another* when its words, four or more, are a run of the other's words.
Where a script has no spaces, characters are taken for words, runs of three of them in sets.

Both are found exactly, without comparing all with all. A text that holds another one holds each of its runs of four
words, so the rarest of these says where to look. A near copy shares one of the few rarest words, at a place among the
sorted words that leaves room for what must be shared (prefix and position filters: Bayardo, Ma and Srikant, 2007; Xiao
et al., 2008), and nearly all bits of a sketch.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LINKING_WORDS = 4  # a text of so many words is taken for the same wherever it occurs, also within another one
NEAR = 0.8
"""Jaccard similarity of sets of words from which on texts are near copies."""

UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters, which are written without spaces between words."""

Ints = NDArray[np.int64]

_PIECE = re.compile(f"{UNSPACED.pattern}|[^\\s{UNSPACED.pattern[1:-1]}]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")  # soft hyphens, joiners, directions: nobody sees them
_LITTLE = 1e-9  # products of fractions are not exact
_SKETCH_BITS = 128
_MANY = 200  # from so many on, arrays are faster than a loop
_PART = 1_000_000  # candidates at a time


def normalised(text: str) -> str:
    """Letters and digits alone, lower case: texts that differ in nothing else count as the same."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(_words().findall(text.casefold()))


@cache
def _words() -> re.Pattern[str]:
    """Letters, digits, and the marks that Indian and other scripts write vowels with, which ``\\w`` leaves out."""
    marks = [n for n in range(0x300, 0x10000) if unicodedata.category(chr(n))[0] == "M"]
    first = [n for n in marks if n - 1 not in set(marks)]
    last = [n for n in marks if n + 1 not in set(marks)]
    ranges = "".join(f"{chr(low)}-{chr(high)}" for low, high in zip(first, last, strict=True))
    return re.compile(rf"[\w{ranges}]+")


def is_long(text: str) -> bool:
    """Whether a normalised text has four words or more; two characters of a script without spaces count as one."""
    words = text.split(" ", LINKING_WORDS)
    if text.isascii() or not UNSPACED.search(text):
        return len(words) >= LINKING_WORDS
    return sum(max(1.0, len(UNSPACED.findall(word)) / 2) for word in words) >= LINKING_WORDS


class Relatives:
    """Texts among which relatives of others are looked for.

    Args:
        texts: normalised ones.
        near: the similarity of near copies, in (0, 1]; 1 asks for the same words.
        contained: whether texts that contain or lie in one another are relatives, too.
    """

    def __init__(self, texts: Sequence[str], *, near: float = NEAR, contained: bool = True) -> None:
        self._near_copies = _NearCopies([_shingles(text) for text in texts], near)
        self._runs = _Runs(texts if contained else ())

    def of(self, texts: Sequence[str]) -> list[bool]:
        """For each of some normalised texts whether it has a relative here, the very same text included."""
        runs = _Runs(texts)
        found = {text for text, _ in _lying_in(runs, self._runs)} | {text for _, text in _lying_in(self._runs, runs)}
        return [n in found or self._near_copies.has(_shingles(text)) for n, text in enumerate(texts)]


class Families:
    """What belongs together, over any number of steps.

    Attributes:
        of: for each of the things the number of its family.
    """

    def __init__(self, count: int) -> None:
        self.of = list(range(count))
        self._array: Ints = np.arange(count)
        self._members = [[n] for n in range(count)]

    def copy(self) -> Families:
        """The same, apart from these."""
        families = Families(0)
        families.of, families._array = list(self.of), self._array.copy()
        families._members = [list(members) for members in self._members]
        return families

    def of_many(self, things: Ints) -> Ints:
        """Numbers of their families."""
        return self._array[things]

    def join(self, one: int, other: int) -> None:
        """Let two things, and all that belong to either, belong together; the family of fewer moves."""
        large, small = sorted((self.of[one], self.of[other]), key=lambda n: (-len(self._members[n]), n))
        if large != small:
            moved = self._members[small]
            for n in moved:
                self.of[n] = large
            self._array[moved] = large
            self._members[large] += moved
            self._members[small] = []

    def all(self) -> list[list[int]]:
        """Members of every family in order, by their first ones."""
        return sorted(sorted(members) for members in self._members if members)


def join_relatives(texts: Sequence[str], places: Sequence[int], families: Families, *, contained: bool) -> None:
    """Join the families of all texts that are relatives.

    Args:
        texts: different normalised ones.
        places: of each the thing in ``families`` that it belongs to.
        families: joined here.
        contained: whether texts that contain or lie in one another are relatives, too.
    """
    if contained:
        runs = _Runs(texts)
        for one, other in _lying_in(runs, runs):
            families.join(places[one], places[other])
    _NearCopies([_shingles(text) for text in texts], NEAR).join(places, families)


# --- near copies ------------------------------------------------------------------------------------------------------


def _shingles(text: str) -> frozenset[str]:
    """Words; where a script has no spaces, runs of three characters."""
    run = "" if text.isascii() else "".join(UNSPACED.findall(text))
    if not run:
        return frozenset(text.split())
    return frozenset([*UNSPACED.sub(" ", text).split(), *(run[n : n + 3] for n in range(max(1, len(run) - 2)))])


class _Listed(NamedTuple):
    """Sets that have one word among their rarest ones, the smallest first."""

    sizes: Ints
    rows: Ints
    positions: Ints
    """Of the word among those of the set, the rarest of which is 0."""
    entries: list[tuple[int, int, int]]
    """The same again, where they are few."""


class _NearCopies:
    """Sets of words, listed under the few rarest words of each: near copies have one of these in common."""

    def __init__(self, sets: Sequence[frozenset[str]], near: float) -> None:
        self._sets, self._near = sets, near
        counts = Counter(chain.from_iterable(sets))
        self._rank = {word: n for n, word in enumerate(sorted(counts, key=lambda word: (counts[word], word)))}
        self._sketches = [self._sketch(words) for words in sets]
        self._halves = np.array([_halves(sketch) for sketch in self._sketches], np.uint64).reshape(-1, 2)
        self._rarest_words = [self._rarest(words) for words in sets]
        self._order = sorted(range(len(sets)), key=lambda n: (len(sets[n]), n))
        entries: dict[int, list[tuple[int, int, int]]] = {}
        for n in self._order:
            for position, rank in enumerate(self._rarest_words[n]):
                entries.setdefault(rank, []).append((len(sets[n]), n, position))
        self._lists: dict[int, _Listed] = {}
        for rank, found in entries.items():
            sizes, rows, positions = np.array(found, np.int64).T
            self._lists[rank] = _Listed(sizes, rows, positions, found if len(found) < _MANY else [])

    def _sketch(self, words: Iterable[str]) -> int:
        """A bit for each word that is known: sets that differ in few words differ in few bits."""
        bits = 0
        for word in words:
            if (rank := self._rank.get(word)) is not None:
                bits |= 1 << rank % _SKETCH_BITS
        return bits

    def _rarest(self, words: frozenset[str]) -> list[int]:
        """Ranks, ascending, of the words of which a near copy has at least one; -1 for words that no set has."""
        ranks = sorted(self._rank.get(word, -1) for word in words)
        return ranks[: len(words) - math.ceil(self._near * len(words) - _LITTLE) + 1] if words else []

    def has(self, words: frozenset[str]) -> bool:
        """Whether there is a near copy of a set of words."""
        sketch = self._sketch(words)
        lists = ((self._lists.get(rank), position) for position, rank in enumerate(self._rarest(words)))
        candidates = (self._fitting(listed, len(words), position, sketch) for listed, position in lists if listed)
        return any(self._alike(words, self._sets[n]) for n in chain.from_iterable(candidates))

    def join(self, places: Sequence[int], families: Families) -> None:
        """Join the families of all near copies; ``places``: of each set the thing in ``families``."""
        things = np.asarray(places, np.int64)
        settled: set[int] = set()  # words whose list one family has alone
        for row in self._order:
            words, own, sketch = self._sets[row], places[row], self._sketches[row]
            for position, rank in enumerate(self._rarest_words[row]):
                listed = self._lists[rank]
                if rank in settled or len(listed.rows) == 1:
                    continue
                found = self._fitting(listed, len(words), position, sketch, after=row)
                if not listed.entries and len(found):
                    # What hangs together is not compared: a letter's thousand forms cost no million comparisons.
                    kept = np.array(found, np.int64)
                    found = kept[families.of_many(things[kept]) != families.of[own]].tolist()
                    if not found and (families.of_many(things[listed.rows]) == families.of[own]).all():
                        settled.add(rank)
                for n in found:
                    if families.of[places[n]] != families.of[own] and self._alike(words, self._sets[n]):
                        families.join(own, places[n])

    def _fitting(
        self, listed: _Listed, count: int, position: int, sketch: int, after: int | None = None
    ) -> Sequence[int]:
        """Rows of a list that may be near copies, by their sizes, the word's position in both, and their sketches.

        Words that stand before this one are not shared, or the pair is found by one of those; and so many must be.

        Args:
            listed: rows.
            count: of the words of a set.
            position: of the word that the list is of among these.
            sketch: of the set.
            after: where the set is one of the rows itself, its number: those that come after it will do.
        """
        near = self._near
        least, most = near * count - _LITTLE, count / near + _LITTLE
        ratio = near / (1 + near)  # of both numbers of words, how many are shared by near copies
        room = count - position
        if after is not None and room < ratio * 2 * count - _LITTLE:
            return ()  # those that come after it are not smaller
        if listed.entries:
            low, high = bisect_left(listed.entries, (least,)), bisect_left(listed.entries, (most,))
            if after is not None:
                low = bisect_right(listed.entries, (count, after, len(self._rank)))
            return [
                n
                for size, n, at in listed.entries[low:high]
                if (room if room < size - at else size - at) >= (shared := ratio * (count + size) - _LITTLE)
                and (self._sketches[n] ^ sketch).bit_count() <= count + size - 2 * shared
            ]
        low, high = np.searchsorted(listed.sizes, [least if after is None else count - 0.5, most])
        sizes, rows, positions = (one[low:high] for one in listed[:3])
        shared = ratio * (count + sizes) - _LITTLE
        fits = np.minimum(room, sizes - positions) >= shared
        if after is not None:
            fits &= (sizes > count) | (rows > after)
        sizes, rows, shared = sizes[fits], rows[fits], shared[fits]
        differing = np.bitwise_count(self._halves[rows] ^ np.array(_halves(sketch), np.uint64)).sum(1)
        return rows[differing <= count + sizes - 2 * shared].tolist()

    def _alike(self, one: frozenset[str], other: frozenset[str]) -> bool:
        shared = len(one & other)
        return shared >= self._near * (len(one) + len(other) - shared) - _LITTLE


def _halves(sketch: int) -> tuple[int, int]:
    return sketch & (1 << 64) - 1, sketch >> 64


# --- texts within texts -----------------------------------------------------------------------------------------------


class _Runs:
    """Texts as words between spaces, so that a run of words is a part of a text, and the hashes of their runs of four.

    Attributes:
        texts: with a space at both ends.
        hashes: of all runs, text after text.
        owners: of each run the position of its text.
        long: for each text whether it may lie in another one.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        pieces = [text.split() if text.isascii() else _PIECE.findall(text) for text in texts]
        self.texts = [f" {' '.join(words)} " for words in pieces]
        self.long = np.array([is_long(text) for text in texts], np.bool_)
        sizes = np.array([len(words) for words in pieces], np.int64)
        words = np.fromiter(map(hash, chain.from_iterable(pieces)), np.int64, int(sizes.sum())).view(np.uint64)
        owners = np.repeat(np.arange(len(texts)), sizes)
        whole = slice(0, max(0, len(words) - LINKING_WORDS + 1))
        mixed = np.zeros(whole.stop, np.uint64)
        for n in range(LINKING_WORDS):
            mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + words[n : n + whole.stop]
        inside = owners[whole] == owners[LINKING_WORDS - 1 :][whole]  # no run goes on in the next text
        self.hashes, self.owners = mixed[inside], owners[whole][inside]


def _lying_in(needles: _Runs, holders: _Runs) -> Iterator[tuple[int, int]]:
    """Positions of every text of four words or more and of each text that it lies in, but itself.

    A holder has all runs of a needle: those are looked at that have its rarest one.
    """
    order = np.argsort(holders.hashes, kind="stable")
    keys, owners = holders.hashes[order], holders.owners[order]
    asked = needles.long[needles.owners]
    hashes, rows = needles.hashes[asked], needles.owners[asked]
    low = np.searchsorted(keys, hashes)
    counts = np.searchsorted(keys, hashes, "right") - low
    rarest = np.lexsort((counts, rows))
    first = rarest[np.flatnonzero(np.diff(rows[rarest], prepend=-1))]  # of each needle's runs the rarest
    first = first[counts[first] > (needles is holders)]
    ends = np.cumsum(counts[first])
    for part in np.array_split(first, 1 + int(ends[-1] // _PART) if len(ends) else 1):
        sizes = counts[part]
        at = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(low[part], sizes)
        for needle, holder in zip(np.repeat(rows[part], sizes).tolist(), owners[at].tolist(), strict=True):
            same = needles is holders and needle == holder
            if not same and needles.texts[needle] in holders.texts[holder]:
                yield needle, holder
