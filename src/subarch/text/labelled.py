"""The user's own tables: single texts or pairs of texts, with classes, with numbers, or with no labels at all.

Columns are found by their names, in any case, or given. Classes are kept by name. Labels that are all numbers are
classes too where they are integers of up to twenty values (stars, 0 and 1), and otherwise numbers to predict.
"""

from __future__ import annotations

import logging
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from subarch.text.dialects import delimiter_of
from subarch.text.examples import Example, Kind, Split
from subarch.text.files import format_of, lines
from subarch.text.tables import rows

_LOG = logging.getLogger(__name__)

TEXT_COLUMNS = ("text", "sentence", "review", "content", "comment", "document", "body", "message", "tweet", "question")
PAIR_COLUMNS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "passage"),
    ("question", "context"),
    ("question", "sentence"),
    ("question", "answer"),
    ("query", "document"),
    ("query", "passage"),
    ("first", "second"),
)
# fmt: off
LABEL_COLUMNS = (
    "label", "labels", "class", "category", "sentiment", "target", "rating", "stars", "intent", "topic", "gold_label",
    "score", "similarity",
)
# fmt: on
ID_COLUMNS = ("id", "idx", "index")
MAX_INTEGER_CLASSES = 20


class Columns(NamedTuple):
    """What a table calls its texts (one or two), its label and its identifiers."""

    texts: tuple[str, ...]
    label: str | None
    id: str | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as it was read.

    Args:
        examples: in the order of the file; labels are indices of classes, numbers, or None.
        kind: what the labels are; None where they were not asked for.
        label_names: names of the classes, sorted, by number where they are integers; empty for numbers.
        columns: where everything was found.
    """

    examples: Split
    kind: Kind | None
    label_names: tuple[str, ...]
    columns: Columns


def read_table(
    path: Path,
    *,
    text_columns: Sequence[str] = (),
    label_column: str | None = None,
    kind: Kind | None = None,
    labelled: bool = True,
    classes: Sequence[str] = (),
) -> Table:
    """Read single texts or pairs from a CSV, TSV, JSONL or Parquet file, also compressed.

    Args:
        path: the file.
        text_columns: one, or two for pairs, where they have unusual names.
        label_column: likewise.
        kind: whether labels are classes or numbers to predict; found by looking at them when not given.
        labelled: whether labels are read; a file to predict needs none.
        classes: names that labels must be of, for a file that belongs to another; any, when empty.

    Raises:
        ValueError: naming the row, for a file that is empty, binary, damaged, in another encoding than UTF-8, without
            those columns, with an empty text, a label that is missing, infinite, unknown or no number, a single class,
            or hardly two texts of a class.
        ImportError: for Parquet without the extra ``parquet``.
        OSError: when the file cannot be opened.
    """
    _check_arguments(text_columns, kind)
    wanted = _Wanted(tuple(text_columns), label_column, labelled)
    columns: Columns | None = None
    texts: list[tuple[str, ...]] = []
    labels = _Labels(path, label_column or LABEL_COLUMNS[0], [], [])
    ids: list[object] = []
    for number, values in rows(path, wanted.usual_names()):
        if columns is None:
            columns = wanted.found(path, list(values))
            labels.column = columns.label or labels.column
        texts.append(tuple(_text(f"{path}, row {number}", column, values) for column in columns.texts))
        ids.append(None if columns.id is None else values.get(columns.id))
        if labelled:
            labels.add(number, values)
    if columns is None:
        what = "a text and a label" if labelled else "a text"
        raise ValueError(f"{path}: expected rows with {what}, got none: the file is empty, or has nothing but a header")
    if labelled:
        if kind != "classification" and not classes and format_of(path) == ".csv" and delimiter_of(path) == ";":
            labels.with_points()
        kind = kind or labels.kind()
    names, values = labels.parsed(kind, classes) if labelled and kind else ((), [None] * len(texts))
    examples = Split(
        Example(first=row[0], seconds=row[1:], label=value, id=name)
        for row, value, name in zip(texts, values, _ids(ids), strict=True)
    )
    return Table(examples=examples, kind=kind, label_names=names, columns=columns)


def read_texts(path: Path, *, text_columns: Sequence[str] = ()) -> list[Example]:
    """Texts without labels: each different line of a ``.txt`` file, or each row of a table.

    Raises:
        ValueError: for a file that cannot be read, or holds nothing.
        ImportError, OSError: as for :func:`read_table`.
    """
    if ".txt" not in path.suffixes:
        return list(read_table(path, text_columns=text_columns, labelled=False).examples)
    found = [Example(line) for line in dict.fromkeys(line.strip() for _, line in lines(path)) if line]
    if not found:
        raise ValueError(f"{path}: expected texts, one a line, got none")
    return found


def _check_arguments(text_columns: Sequence[str], kind: Kind | None) -> None:
    if len(text_columns) > 2:
        raise ValueError(f"expected one text column, or two for pairs, got {len(text_columns)}: {[*text_columns]}")
    if kind not in (None, "classification", "regression"):
        raise ValueError(f"expected the kind 'classification' or 'regression' for a table, got {kind!r}")


def _text(place: str, column: str, values: Mapping[str, object]) -> str:
    text = values.get(column)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{place}: expected a text in column {column!r}, got {text!r}: fill it in")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{place}: expected text in column {column!r}, got half of a surrogate pair ({text[error.start]!a}) in "
            f"{text!a:.60}: it was cut in the middle of a character; mend or remove it"
        ) from error
    return text


def _ids(given: list[object]) -> list[str | int]:
    """Values of the column of identifiers where every row has one, otherwise rows counted from 0."""
    usable = [value for value in given if isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""]
    return usable if len(usable) == len(given) else list(range(len(given)))


# --- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Wanted:
    """What the caller said about the columns."""

    texts: tuple[str, ...]
    label: str | None
    labelled: bool

    def usual_names(self) -> frozenset[str]:
        given = {name.casefold() for name in (*self.texts, *([self.label] if self.label else []))}
        return frozenset(given.union(TEXT_COLUMNS, LABEL_COLUMNS, ID_COLUMNS, chain.from_iterable(PAIR_COLUMNS)))

    def found(self, path: Path, names: list[str]) -> Columns:
        header = _Header(path, names)
        label = None
        if self.labelled:
            label = header.given(self.label) if self.label is not None else header.first(LABEL_COLUMNS)
        elif self.label is not None and self.label.casefold() in header.by_name:
            label = header.given(self.label)  # not read, and not taken for a text either
        texts = tuple(header.given(name) for name in self.texts) or header.texts(label)
        if not texts or (self.labelled and label is None):
            pair = "{!r} and {!r} for pairs".format(*PAIR_COLUMNS[0])
            needed = f"a text column ({_listed(TEXT_COLUMNS)}; {pair})"
            needed += f" and a label column ({_listed(LABEL_COLUMNS)})" if self.labelled else ""
            raise ValueError(
                f"{path}: expected {needed} in row 1, got {names[:12]}: rename the columns, or say which they are"
            )
        chosen = [*texts, *([label] if label is not None else [])]
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"{path}: expected a column of its own for each text and the label, got {chosen}")
        identifier = header.first(ID_COLUMNS)
        return Columns(texts, label if self.labelled else None, None if identifier in chosen else identifier)


class _Header:
    """Names of columns, looked up in any case."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.path = path
        self.names = names
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self.by_name[name.strip().casefold()].append(name)

    def given(self, name: str) -> str:
        if name in self.names:
            return name
        if name.casefold() not in self.by_name:
            raise ValueError(f"{self.path}: expected a column {name!r}, got {self.names[:12]}: name one of these")
        return self._only(name.casefold())

    def first(self, usual: Sequence[str]) -> str | None:
        return next((self._only(name) for name in usual if name in self.by_name), None)

    def texts(self, label: str | None) -> tuple[str, ...]:
        """A pair where there is one, otherwise a single text; none where there is neither."""
        free = {name for name, columns in self.by_name.items() if label not in columns}
        pair = next((names for names in PAIR_COLUMNS if free.issuperset(names)), None)
        if pair is not None:
            return self._only(pair[0]), self._only(pair[1])
        single = next((name for name in TEXT_COLUMNS if name in free), None)
        if single is not None:
            return (self._only(single),)
        half = next((names for names in PAIR_COLUMNS if not free.isdisjoint(names)), None)
        if half is not None:
            there, absent = sorted(half, key=lambda name: name not in free)
            raise ValueError(
                f"{self.path}: expected a column {absent!r} beside {there!r}, got {self.names[:12]}: add it, or say "
                "which columns hold the texts"
            )
        return ()

    def _only(self, name: str) -> str:
        columns = self.by_name[name]
        if len(columns) > 1:
            raise ValueError(f"{self.path}: expected one column {name!r}, got {columns}: rename one of them")
        return columns[0]


def _listed(names: Sequence[str]) -> str:
    return f"{names[0]!r}, or such as {', '.join(names[1:4])}"


# --- labels -----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.IGNORECASE | re.ASCII)
_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)
_POINT_ZERO = re.compile(r"(?<=\d)\.0*$", re.ASCII)


@dataclass
class _Labels:
    """Labels as they stand in the file, with the numbers of their rows."""

    path: Path
    column: str
    names: list[str]
    rows: list[int]

    def add(self, row: int, values: Mapping[str, object]) -> None:
        value = values.get(self.column)
        name = _label_name(value)
        if name is None:
            advice = "one label a row, several are not supported" if isinstance(value, list) else "fill it in"
            raise self._refusal(row, f"expected a label in column {self.column!r}, got {value!r}: {advice}")
        self.names.append(name)
        self.rows.append(row)

    def kind(self) -> Kind:
        """What the labels look like."""
        numbers = [_number(name) for name in self.names]
        if None in numbers:
            return "classification"
        whole = all(number is not None and number.is_integer() for number in numbers)
        different = len(set(numbers))
        rare = _hardly_twice(different, len(numbers))
        if whole and not rare and different > MAX_INTEGER_CLASSES:
            _LOG.warning(
                "%s: the %d different whole numbers in column %r are taken for numbers to predict; where they are "
                "classes, say so (--kind classification, or --set task.kind=classification for compress)",
                self.path,
                different,
                self.column,
            )
        return "classification" if whole and not rare and different <= MAX_INTEGER_CLASSES else "regression"

    def with_points(self) -> None:
        """Numbers with decimal commas, as semicolon-delimited tables have them, get decimal points.

        Where three digits follow every comma, they may as well be thousands, and are left as they are.
        """
        commas = [name for name in self.names if "," in name]
        if commas and all(map(_COMMA.fullmatch, self.names)) and not all(map(_THOUSANDS.fullmatch, commas)):
            _LOG.warning(
                "%s: %r and the like in column %r are read with decimal commas", self.path, commas[0], self.column
            )
            self.names = [name.replace(",", ".") for name in self.names]

    def parsed(self, kind: Kind, classes: Sequence[str]) -> tuple[tuple[str, ...], Sequence[int | float]]:
        """Names of the classes (none for numbers), and the value of every label."""
        if kind == "regression":
            return (), self._numbers()
        names = self._class_names(classes)
        known = tuple(classes) or _in_order(names)
        alike = {name.casefold(): name for name in classes}
        if len(alike) == len(classes):
            names = [alike.get(name.casefold(), name) for name in names]  # POSITIVE and positive are one class
        index = {name: n for n, name in enumerate(known)}
        for row, name in zip(self.rows, names, strict=True):
            if name not in index:
                some = ", ".join(map(repr, known[:12])) + (", ..." if len(known) > 12 else "")
                raise self._refusal(row, f"expected a label that the training examples have ({some}), got {name!r}")
        if not classes:
            self._check_classes(names, known)
        return known, [index[name] for name in names]

    def _numbers(self) -> list[float]:
        numbers: list[float] = []
        for row, name in zip(self.rows, self.names, strict=True):
            number = _number(name)
            if number is None or not math.isfinite(number):
                raise self._refusal(row, f"expected a finite number in column {self.column!r}, got {name!r}")
            numbers.append(number)
        if len(set(numbers)) == 1:
            raise ValueError(
                f"{self.path}: expected different numbers in column {self.column!r}, got {self.names[0]} in all "
                f"{len(numbers)} rows: name the right label column"
            )
        return numbers

    def _class_names(self, classes: Sequence[str]) -> list[str]:
        """Names as they stand, but 1.0 is the class 1 where all classes are numbers."""
        numbers = [_number(name) for name in classes or self.names]
        if None in numbers:
            return self.names
        for row, name in zip(self.rows, self.names, strict=True):
            if not math.isfinite(_number(name) or 0):
                raise self._refusal(row, f"expected a finite label in column {self.column!r}, got {name!r}")
        if any(number is not None and not number.is_integer() for number in numbers):
            return self.names
        return [_POINT_ZERO.sub("", name) if _number(name) is not None else name for name in self.names]

    def _check_classes(self, names: Sequence[str], known: Sequence[str]) -> None:
        if len(known) == 1:
            raise ValueError(
                f"{self.path}: expected at least two classes, got only {known[0]!r} in all {len(names)} rows: "
                "add examples of another class, or name the right label column"
            )
        if _hardly_twice(len(known), len(names)):
            raise ValueError(
                f"{self.path}: expected a few classes with several texts each, got {len(known)} different labels in "
                f"{len(names)} rows: is this the label column? {self._advice()}"
            )

    def _advice(self) -> str:
        """What may be wrong where there are nearly as many labels as rows."""
        words = [(row, name) for row, name in zip(self.rows, self.names, strict=True) if _number(name) is None]
        if not words:
            return "Numbers to predict are of the kind 'regression'"
        if len(words) < len(self.names) / 2:
            return f"Numbers to predict must be numbers in every row, but row {words[0][0]} has {words[0][1]!r}"
        return "Labels that are free text cannot be predicted"

    def _refusal(self, row: int, reason: str) -> ValueError:
        return ValueError(f"{self.path}, row {row}: {reason}")


def _hardly_twice(different: int, rows: int) -> bool:
    """Whether so many labels in so many rows can hardly be classes."""
    return rows >= 10 and different > rows / 2


def _label_name(value: object) -> str | None:
    """The label as text, None where it is missing ("none" and "na" can be real classes)."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, Decimal):
        return _label_name(float(value))
    if not isinstance(value, (str, int)):
        return None
    name = str(value).strip()
    return None if name.casefold() in ("", "nan", "null") else name


def _number(name: str) -> float | None:
    return float(name) if _NUMBER.fullmatch(name) else None


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once: by number where all are integers, otherwise as words."""
    numbers = {name: _number(name) for name in names}
    whole = all(number is not None and number.is_integer() for number in numbers.values())
    return tuple(sorted(numbers, key=lambda name: (numbers[name] or 0.0 if whole else 0.0, name)))
