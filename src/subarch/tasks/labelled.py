"""The user's own tables: single texts or pairs of texts, with classes, with numbers, or with no labels at all.

Columns are found by their names, in any case, or given. What the file leaves open, and how it was read, is said.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from subarch.errors import InputError
from subarch.tasks.columns import LABEL_COLUMNS, SAMPLE, Columns, LabelsAt, Wanted
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of, kind_that_suits, kind_with_words, table_kinds
from subarch.tasks.labels import Labels
from subarch.tasks.listings import Several
from subarch.tasks.sentences import Sentences, holds_sentences
from subarch.text.delimited import Quoting
from subarch.text.dialects import delimiter_of
from subarch.text.examples import Example, Label, Split
from subarch.text.files import format_of, lines
from subarch.text.tables import class_names, rows

_LOG = logging.getLogger(__name__)

_SHOWN = 5  # rows that a message names; the others are counted


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as it was read.

    Args:
        examples: in the order of the file; labels are indices of classes, numbers, sets of indices, or None.
        kind: what the labels are; None where they were not asked for.
        label_names: names of the classes, sorted, by number where they are integers; empty for numbers.
        columns: where everything was found.
        without_text: places of the examples that have no text, where they were to be kept.
    """

    examples: Split
    kind: Kind | None
    label_names: tuple[str, ...]
    columns: Columns
    without_text: tuple[int, ...] = ()


def read_table(
    path: Path,
    *,
    text_columns: Sequence[str] = (),
    label_column: str | None = None,
    label_columns: Sequence[str] = (),
    label_separator: str | None = None,
    kind: Kind | str | None = None,
    labelled: bool = True,
    classes: Sequence[str] = (),
    quoting: Quoting | None = None,
    missing_label: Sequence[str] = (),
    without_text: Literal["refuse", "leave out", "keep"] = "refuse",
) -> Table:
    """Read single texts, pairs or tagged words from a CSV, TSV, JSONL, Parquet or CoNLL file, also compressed.

    Args:
        path: the file.
        text_columns: one, or two for pairs, where they have unusual names.
        label_column: likewise.
        label_columns: instead of it, a column for each label, in which 0 or 1 stands.
        label_separator: what stands between several labels in one cell.
        kind: what labels are, or its name; found by looking at them when not given.
        labelled: whether labels are read; a file to predict needs none.
        classes: names that labels must be of, for a file that belongs to another; any, when empty.
        quoting: of delimited text, what quotes and backslashes are; seen from the whole file when not given.
        missing_label: words that stand for no label, whose rows are left out, as those of empty labels; when not given,
            such rows are refused.
        without_text: what is to be done with rows whose text is empty.

    Raises:
        ValueError: naming the row, for a file that is empty, binary, damaged, in another encoding than UTF-8, without
            those columns, with empty texts, labels that are missing, infinite, unknown, several a row where
            one is expected, or no number, a single class, or hardly two texts of a class.
        ImportError: for Parquet without the extra ``parquet``.
        OSError: when the file cannot be opened.
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or a device, of which rows cannot be read twice"
        raise InputError(f"{path}: expected a file with texts, got {what}: give the path of a file")
    asked = _checked_kind(text_columns, kind)
    if sentences := _sentences(path, text_columns, label_column, asked, labelled=labelled):
        asked = asked or kind_with_words()
    at = LabelsAt(label_column, tuple(label_columns), label_separator).checked()
    wanted = Wanted(tuple(text_columns), label_column, labelled, at.label_columns)
    columns: Columns | None = None
    texts = _Texts(path)
    missing = tuple(missing_label)
    several = Several((), label_separator, missing)
    labels = Labels(path, label_column or LABEL_COLUMNS[0], missing, several)
    ids: list[object] = []
    given = rows(path, wanted.usual_names(), quoting=quoting)
    for number, values in given if sentences is None else sentences.rows(given):
        if columns is None and sentences is not None:
            wanted = Wanted((sentences.words,), sentences.tags, labelled)
        if columns is None:
            columns = wanted.found(path, list(values))
            texts.columns, several.columns = columns.texts, columns.labels
            labels.column = columns.label or " ".join(columns.labels) or labels.column
        texts.add(number, values)
        name = None if columns.id is None else values.get(columns.id)
        ids.append(_checked(f"{path}, row {number}", columns.id or "", name) if isinstance(name, str) else name)
        if labelled:
            labels.add(number, values)
    if columns is None:
        what = "a text and a label" if labelled else "a text"
        raise InputError(f"{path}: expected rows with {what}, got none: the file is empty, or has nothing but a header")
    there = texts.present(without_text)
    if sentences is None:
        texts.tell_unread((wanted.label_of(columns), *columns.labels))
    if labelled:
        there = [one and other for one, other in zip(there, labels.present(there), strict=True)]
        if (asked is None or asked.has_numbers) and not classes:
            labels.with_points(sure=asked is not None or _leaves_commas(path))
        asked = asked or kind_that_suits(labels)
    names: tuple[str, ...] = ()
    found: Sequence[Label | None] = [None] * sum(there)
    if labelled and asked:
        names, found = asked.parse(labels, classes, class_names(path).get(labels.column, ()))
    kept = [(row, name) for row, name, ok in zip(texts.rows, _ids(ids), there, strict=True) if ok]
    examples = Split(
        Example(first=row[0], seconds=row[1:], label=value, id=name)
        for (row, name), value in zip(kept, found, strict=True)
    )
    if sentences is not None:
        spans = [one for one, ok in zip(sentences.spans, there, strict=True) if ok]
        told = (names, ()) if names else None
        examples = Split(one._replace(words=s, answers=told) for one, s in zip(examples, spans, strict=True))
    empty = tuple(n for n, example in enumerate(examples) if not all(text.strip() for text in example.texts))
    return Table(examples=examples, kind=asked, label_names=names, columns=columns, without_text=empty)


def _leaves_commas(path: Path) -> bool:
    """Whether a delimited table has another delimiter than the comma, as where decimals have commas."""
    return format_of(path) == ".tsv" or (format_of(path) == ".csv" and delimiter_of(path) != ",")


def read_texts(path: Path, *, text_columns: Sequence[str] = ()) -> list[Example]:
    """Texts without labels: each different line of a ``.txt`` file, or each row of a table that has a text.

    Raises:
        ValueError: for a file that cannot be read, or holds nothing.
        ImportError, OSError: as for :func:`read_table`.
    """
    if ".txt" not in path.suffixes:
        return list(read_table(path, text_columns=text_columns, labelled=False, without_text="leave out").examples)
    found = [Example(line) for line in dict.fromkeys(line.strip() for _, line in lines(path)) if line]
    if not found:
        raise InputError(f"{path}: expected texts, one a line, got none")
    return found


def _checked_kind(text_columns: Sequence[str], kind: Kind | str | None) -> Kind | None:
    if len(text_columns) > 2:
        raise InputError(f"expected one text column, or two for pairs, got {len(text_columns)}: {[*text_columns]}")
    asked = None if kind is None else kind_of(kind)
    if asked is not None and not asked.of_tables:
        raise InputError(f"expected the kind {table_kinds()} for a table, got {kind!r}")
    return asked


def _sentences(
    path: Path, text_columns: Sequence[str], label_column: str | None, asked: Kind | None, *, labelled: bool
) -> Sentences | None:
    """The file as sentences whose words have tags, where that is asked for, or nothing is and it looks like that."""
    if not (holds_sentences(path) if asked is None else asked.has_words):
        return None
    return Sentences(path, text_columns=text_columns, label_column=label_column, labelled=labelled)


class _Texts:
    """Texts of every row, and what is wrong with those that have none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.columns: tuple[str, ...] = ()
        self.rows: list[tuple[str, ...]] = []
        self._empty: dict[int, tuple[int, str, object]] = {}  # by place: the row, the column, what is there
        self._sample: list[Mapping[str, object]] = []

    def add(self, row: int, values: Mapping[str, object]) -> None:
        """The next row.

        Raises:
            ValueError: for what is no text.
        """
        if len(self._sample) < SAMPLE:
            self._sample.append(values)
        found: list[str] = []
        for column in self.columns:
            text = values.get(column)
            if text is None or (isinstance(text, str) and not text.strip()) or text != text:
                self._empty.setdefault(len(self.rows), (row, column, text))
                text = ""
            found.append(_checked(f"{self._path}, row {row}", column, text))
        self.rows.append(tuple(found))

    def present(self, without: Literal["refuse", "leave out", "keep"]) -> list[bool]:
        """Which rows have their texts, or are kept without.

        Raises:
            ValueError: naming the first rows without a text, and how many there are.
        """
        if not self._empty:
            return [True] * len(self.rows)
        (row, column, text), *others = self._empty.values()
        more = f" and in {len(others)} more rows ({_some(others)})" if others else ""
        if without == "refuse":
            raise InputError(
                f"{self._path}, row {row}: expected a text in column {column!r}, got {text!r}{more}: fill it in, or "
                "remove these rows"
            )
        _LOG.warning(
            "%s, row %d: no text in column %r%s: %s",
            self._path,
            row,
            column,
            more,
            "left out" if without == "leave out" else "kept, without an answer",
        )
        there = [without == "keep" or place not in self._empty for place in range(len(self.rows))]
        if not any(there):
            raise InputError(f"{self._path}: expected texts in column {column!r}, got none in any row")
        return there

    def tell_unread(self, labels: Collection[str | None]) -> None:
        """Say which columns hold texts as well and are not read."""
        others = [name for name in self._sample[0] if name not in (*self.columns, *labels)]
        unread = [name for name in others if name and _is_prose([values.get(name) for values in self._sample])]
        if unread:
            both = " ".join(_shell(name) for name in (unread[0], *self.columns[:1]))
            how = f": --text-columns {both} reads both as a pair" if len(self.columns) == 1 else ""
            _LOG.warning(
                "%s: the text is read from %s alone; %s %s texts too, which are not used%s",
                self._path,
                " and ".join(map(repr, self.columns)),
                " and ".join(map(repr, unread)),
                "holds" if len(unread) == 1 else "hold",
                how,
            )


def _some(others: Sequence[tuple[int, str, object]]) -> str:
    return ", ".join(str(row) for row, _, _ in others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")


def _shell(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f"'{name}'"


_WORD = re.compile(r"[^\W\d_]{2,}")


def _is_prose(values: Sequence[object]) -> bool:
    """Whether a column holds texts that people wrote: mostly different, of two words and more on average."""
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    if len(texts) < len(values) / 2 or len(set(texts)) < max(2, len(texts) / 2):
        return False
    words = sum(len(_WORD.findall(text)) for text in texts) / len(texts)
    links = sum("://" in text for text in texts)
    return words >= 2 and links < len(texts) / 2


_KINDS: Mapping[type, str] = {
    **dict.fromkeys((int, float, Decimal), "number"),
    bool: "truth value",
    list: "list",
    dict: "object",
    bytes: "bytes",
}


def _checked(place: str, column: str, text: object) -> str:
    if not isinstance(text, str):
        what = _KINDS.get(type(text), "value of another kind")
        raise InputError(
            f"{place}: expected a text in column {column!r}, got the {what} {text!r:.60}: write it as a string, or "
            "name the column that holds the texts"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: expected text in column {column!r}, got half of a surrogate pair ({text[error.start]!a}) in "
            f"{text!a:.60}: it was cut in the middle of a character; mend or remove it"
        ) from error
    return text


def _ids(given: list[object]) -> list[str | int]:
    """Values of the column of identifiers where every row has one, otherwise rows counted from 0."""
    usable = [value for value in given if isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""]
    return usable if len(usable) == len(given) else list(range(len(given)))


# --- columns ----------------------------------------------------------------------------------------------------------
