"""Labels of a table: which are missing, which look alike, what they are, and the value of each.

Classes are kept by name. Labels that are all numbers are classes too where they are integers of up to twenty values
(stars, 0 and 1), and otherwise numbers to predict; codes with leading zeros and versions are names.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from subarch.errors import InputError
from subarch.tasks.listings import NO_WORDS, Several, is_list, joint_in
from subarch.tasks.names import (
    MAX_INTEGER_CLASSES,
    are_codes,
    hardly_twice,
    in_order,
    key,
    likeness,
    name_of,
    number_in,
)
from subarch.text.examples import places

_LOG = logging.getLogger(__name__)

_SHOWN = 5  # rows, or pairs of labels, that a message names; the others are counted
_PERHAPS_NONE = ("NA", "N/A", "None", "NaT", "#NULL!")  # likewise, but names of classes as well
_LEAST_OF_A_WORD = 5  # rows in which such a word stands, where it is a class

_SURROGATE = re.compile("[\ud800-\udfff]")
_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)
_POINT_ZERO = re.compile(r"(?<=\d)\.0*$", re.ASCII)


@dataclass
class Labels:
    """Labels as they stand in the file, with the numbers of their rows.

    Args:
        path: of the table, for messages.
        column: that they stand in.
        missing: words that stand for no label, whose rows are left out; where there are none, such rows are refused.
        several: how several labels may stand in a row.
    """

    path: Path
    column: str
    missing: tuple[str, ...] = ()
    several: Several = field(default_factory=Several)
    names: list[str | None] = field(default_factory=list[str | None])
    rows: list[int] = field(default_factory=list[int])
    _values: dict[int, object] = field(default_factory=dict[int, object])  # of rows without a name

    def add(self, row: int, values: Mapping[str, object]) -> None:
        """The label of the next row.

        Raises:
            ValueError: for what is no label and no list of labels: bytes, dates, half of a character, scores.
        """
        value, reason = self.several.read(self.column, values)
        if reason is not None:
            raise self._refusal(row, reason)
        name = name_of(value)
        if name is None:
            if value is not None and not isinstance(value, (str, float, Decimal)):
                what = "bytes" if isinstance(value, bytes) else "value of another kind"
                raise self._refusal(
                    row,
                    f"expected a label in column {self.column!r}, got the {what} {value!r:.60}: write it as a string",
                )
            self._values[row] = value
        elif _SURROGATE.search(name):
            raise self._refusal(
                row,
                f"expected a label in column {self.column!r}, got half of a surrogate pair in {name!a:.60}: it was cut "
                "in the middle of a character; mend it",
            )
        self.names.append(name)
        self.rows.append(row)

    def are_sets(self) -> bool:
        """Whether a row may have several labels: lists, written or not, or because that was said."""
        names = self._given
        return self.several.is_meant or 2 * sum(map(is_list, names)) > len(names)

    def present(self, wanted: Sequence[bool]) -> list[bool]:
        """Which rows have a label; the others are left out where :attr:`missing` says so.

        Args:
            wanted: which rows are looked at; the others are left out.

        Raises:
            ValueError: naming the first rows without a label, and how many there are.
        """
        words = self._words_for_none()
        there = [name is not None and name.casefold() not in words for name in self.names]
        without = [
            (row, self._values.get(row, name))
            for (row, name, ok), asked in zip(self._with(there), wanted, strict=True)
            if asked and not ok
        ]
        if not without:
            pass
        elif self.missing:
            _LOG.warning(
                "%s: %d of %d rows have no label (the first is row %d); they are left out",
                self.path,
                len(without),
                len(there),
                without[0][0],
            )
        else:
            raise self._refusal(without[0][0], self._without(without))
        there = [ok and asked for ok, asked in zip(there, wanted, strict=True)]
        kept = [(row, name) for row, name, ok in self._with(there) if ok]
        self.rows, self.names = [row for row, _ in kept], [name for _, name in kept]
        return there

    def _with(self, there: Sequence[bool]) -> list[tuple[int, str | None, bool]]:
        return list(zip(self.rows, self.names, there, strict=True))

    def _without(self, without: Sequence[tuple[int, object]]) -> str:
        more = ""
        if len(without) > 1:
            rows = ", ".join(str(row) for row, _ in without[1 : _SHOWN + 1])
            others = ", ..." if len(without) > _SHOWN + 1 else ""
            more = f", and none in {len(without) - 1} more rows ({rows}{others})"
        words = dict.fromkeys(str(value).strip() for _, value in without if isinstance(value, str) and value.strip())
        advice = f"fill them in, or leave such rows out with --missing-label {' '.join(words) or 'null'}"
        if words:
            advice += "; where that word is a class, give --missing-label with another one, such as -"
        return f"expected a label in column {self.column!r}, got {without[0][1]!r}{more}: {advice}"

    def _words_for_none(self) -> set[str]:
        """Words that say that there is no label. One that is as common as a class is one, which is told."""
        if self.missing:
            return {word.casefold() for word in self.missing}
        names = self._given
        counts = Counter(name.casefold() for name in names)
        words = {word for word in NO_WORDS if word in counts}
        others = [count for name, count in counts.items() if name not in words]
        numbers = all(number_in(name) is not None for name in counts if name not in words)
        least = max(_LEAST_OF_A_WORD, sum(others) / len(others) / 2) if others and not numbers else math.inf
        for word in (word for word in NO_WORDS if counts.get(word, 0) >= least):
            written = next(name for name in names if name.casefold() == word)
            _LOG.warning(
                "%s: %r in column %r is taken for a class: it stands in %d of %d rows; where it says that there is no "
                "label, say so: --missing-label %s",
                self.path,
                written,
                self.column,
                counts[word],
                len(self.names),
                written,
            )
            words.discard(word)
        for word in (word for word in _PERHAPS_NONE if 0 < counts.get(word.casefold(), 0) < least and word in names):
            _LOG.warning(
                "%s: %r in column %r (%d of %d rows) is taken for a class; where it says that there is no label, say "
                "so: --missing-label %s",
                self.path,
                word,
                self.column,
                names.count(word),
                len(self.names),
                word,
            )
        return words

    # --- what they are ---

    def look_like_numbers(self) -> bool:
        """Whether they are numbers to predict, and not numbers of classes."""
        names = self._given
        numbers = [number_in(name) for name in names]
        if None in numbers or are_codes(names):
            return False
        whole = all(number is not None and number.is_integer() for number in numbers)
        different = len(set(numbers))
        rare = hardly_twice(different, len(numbers))
        if whole and not rare and different > MAX_INTEGER_CLASSES:
            _LOG.warning(
                "%s: the %d different whole numbers in column %r are taken for numbers to predict; where they are "
                "classes, say so (--kind classification, or --set task.kind=classification for compress)",
                self.path,
                different,
                self.column,
            )
        return not whole or rare or different > MAX_INTEGER_CLASSES

    @property
    def _given(self) -> list[str]:
        return [name for name in self.names if name is not None]

    def with_points(self, *, sure: bool) -> None:
        """Numbers with decimal commas get decimal points.

        Where three digits follow every comma, they may as well be thousands, and are left as they are, which is told.

        Args:
            sure: whether they are numbers to predict, or of a table whose delimiter leaves commas to numbers; others
                may be names of several classes.
        """
        names = self._given
        commas = [] if self.are_sets() else [name for name in names if "," in name]
        if not commas or not all(map(_COMMA.fullmatch, names)):
            return
        if not sure or all(map(_THOUSANDS.fullmatch, commas)):
            _LOG.warning(
                "%s: %r and the like in column %r are no numbers as they stand, and are taken for words; where the "
                "commas are decimal points or stand between thousands, write them so (1.5, 1500)",
                self.path,
                commas[0],
                self.column,
            )
            return
        _LOG.warning("%s: %r and the like in column %r are read with decimal commas", self.path, commas[0], self.column)
        self.names = [name.replace(",", ".") for name in names]

    # --- their values ---

    def as_classes(self, classes: Sequence[str], declared: Sequence[str]) -> tuple[tuple[str, ...], Sequence[int]]:
        """Names of the classes, and the index of every label.

        Args:
            classes: names that labels must be of; any, when empty.
            declared: names in the order that the table itself gives them.

        Raises:
            ValueError: naming the row, for labels that are no such classes.
        """
        self._require_single()
        names = self._merged(self._class_names(classes))
        if classes:
            return tuple(classes), self._places_of(names, classes)
        known = tuple(name for name in declared if name in set(names))
        known = known if len(known) == len(set(names)) else in_order(names)
        self._check_classes(names, known)
        self._tell_alike(Counter(names))
        self._tell_joined(Counter(names))
        index = {name: n for n, name in enumerate(known)}
        return known, [index[name] for name in names]

    def _places_of(self, names: Sequence[str], classes: Sequence[str]) -> list[int]:
        """For every label its place among the classes: by name, in another case, or where numbers stand for places."""
        index: dict[str, int] = {}
        for alike in (str.casefold, key, str):  # the nearest likeness decides
            found = {alike(name): n for n, name in enumerate(classes)}
            if len(found) == len(classes):
                index |= {name: found[alike(name)] for name in set(names) if alike(name) in found}
        if not index:
            whole = {name: _POINT_ZERO.sub("", name) for name in set(names)}
            different = sorted(set(whole.values()))
            if (order := places(different, classes)) is not None:
                index = {name: order[different.index(number)] for name, number in whole.items()}
        for row, name in zip(self.rows, names, strict=True):
            if name not in index:
                some = ", ".join(map(repr, classes[:12])) + (", ..." if len(classes) > 12 else "")
                raise self._refusal(
                    row,
                    f"expected a label that the training examples have ({some}), got {name!r}: write one of these "
                    "instead of it, or leave the row out",
                )
        return [index[name] for name in names]

    def as_numbers(self) -> list[float]:
        """The number of every label.

        Raises:
            ValueError: naming the row, for one that is no finite number; for numbers that are all the same.
        """
        numbers: list[float] = []
        for row, name in zip(self.rows, self._given, strict=True):
            number = number_in(name)
            if number is None or not math.isfinite(number):
                raise self._refusal(row, f"expected a finite number in column {self.column!r}, got {name!r}")
            numbers.append(number)
        if len(set(numbers)) == 1:
            raise InputError(
                f"{self.path}: expected different numbers in column {self.column!r}, got {self._given[0]} in all "
                f"{len(numbers)} rows: name the right label column"
            )
        return numbers

    def _class_names(self, classes: Sequence[str]) -> list[str]:
        """Names as they stand, but 1.0 is the class 1 where all classes are numbers."""
        given = self._given
        numbers = [number_in(name) for name in classes or given]
        if None in numbers or are_codes(classes or given):
            return given
        for row, name in zip(self.rows, given, strict=True):
            if not math.isfinite(number_in(name) or 0):
                raise self._refusal(row, f"expected a finite label in column {self.column!r}, got {name!r}")
        if any(number is not None and not number.is_integer() for number in numbers):
            return given
        return [_POINT_ZERO.sub("", name) if number_in(name) is not None else name for name in given]

    def _merged(self, names: list[str]) -> list[str]:
        """One name for labels that differ in nothing that can be seen: the most frequent of them."""
        counts = Counter(names)
        same: dict[str, list[str]] = defaultdict(list)
        for name, _ in counts.most_common():
            same[key(name)].append(name)
        kept: dict[str, str] = {}
        for first, *others in same.values():
            for other in others:
                kept[other] = first
                _LOG.warning(
                    "%s: the labels %s (%d rows) and %s (%d rows) look the same and differ in invisible characters or "
                    "their composition: they are taken for one class",
                    self.path,
                    ascii(first),
                    counts[first],
                    ascii(other),
                    counts[other],
                )
        return [kept.get(name, name) for name in names]

    def _tell_alike(self, counts: Counter[str]) -> None:
        """Say which classes look alike: in another case, in quotes, with a full stop."""
        alike: dict[str, list[str]] = defaultdict(list)
        for name, _ in counts.most_common():
            alike[likeness(name)].append(name)
        groups = [group for group in alike.values() if len(group) > 1]
        for group in groups[:_SHOWN]:
            named = " and ".join(f"{name!r} ({counts[name]} rows)" for name in group)
            _LOG.warning(
                "%s: the labels %s look alike, but for case, quotes, blanks, full stops or alphabets, or true for 1: "
                "they are classes of their own; write them alike where they are one",
                self.path,
                named,
            )
        if len(groups) > _SHOWN:
            _LOG.warning("%s: so do %d more groups of labels", self.path, len(groups) - _SHOWN)

    def _require_single(self) -> None:
        """Refuse labels that are written lists."""
        names = self._given
        lists = [(row, name) for row, name in zip(self.rows, names, strict=True) if is_list(name)]
        if lists and self.are_sets():
            row, name = lists[0]
            raise self._refusal(
                row,
                f"expected one label a row in column {self.column!r}, got a list, {name!r:.60} (as in {len(lists)} of "
                f"{len(names)} rows): several labels a row (multi-label) are read with --kind multilabel",
            )

    def _tell_joined(self, counts: Counter[str]) -> None:
        """Say where names seem to be several joined."""
        if (found := joint_in(counts)) is not None:
            joint, joined = found
            _LOG.warning(
                "%s: some labels of column %r, such as %s, seem to be several labels joined by %r, whose parts recur "
                "in other combinations; each combination is taken for a class of its own: --label-separator '%s' reads "
                "several labels a row (multi-label)",
                self.path,
                self.column,
                ", ".join(map(repr, joined[:3])),
                joint,
                joint,
            )

    def _check_classes(self, names: Sequence[str], known: Sequence[str]) -> None:
        if len(known) == 1:
            raise InputError(
                f"{self.path}: expected at least two classes, got only {known[0]!r} in all {len(names)} rows: "
                "add examples of another class, or name the right label column"
            )
        if hardly_twice(len(known), len(names)):
            raise InputError(
                f"{self.path}: expected a few classes with several texts each, got {len(known)} different labels in "
                f"{len(names)} rows: is this the label column? {self._advice()}"
            )

    def _advice(self) -> str:
        """What may be wrong where there are nearly as many labels as rows."""
        names = self._given
        words = [(row, name) for row, name in zip(self.rows, names, strict=True) if number_in(name) is None]
        if not words:
            return "Numbers to predict are of the kind 'regression'"
        if len(words) < len(names) / 2:
            return f"Numbers to predict must be numbers in every row, but row {words[0][0]} has {words[0][1]!r}"
        return "Labels that are free text cannot be predicted"

    def _refusal(self, row: int, reason: str) -> InputError:
        return InputError(f"{self.path}, row {row}: {reason}")
