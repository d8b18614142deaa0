"""Sentences whose words have tags: CoNLL files of any columns, and tables with lists of words and of tags.

What comes out are rows of a table like any other: the words with blanks between as a text, their tags with blanks
between as a label. Where each word is in that text is kept beside.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import cast

from subarch.errors import InputError
from subarch.tasks.columns import TEXT_COLUMNS
from subarch.text.examples import Span, words_in
from subarch.text.files import CONLL, format_of, lines
from subarch.text.tables import Row, rows

_LOG = logging.getLogger(__name__)

WORD_COLUMNS = ("tokens", "words")
TAG_COLUMNS = ("ner_tags", "tags", "ner", "labels", "label", "pos_tags", "chunk_tags")
_TABLES = (".csv", ".json", ".jsonl", ".ndjson", ".parquet")
_UNIVERSAL = ".conllu"  # numbers before the words, and parts of speech in the fourth column
_PREFIX = re.compile(r"([a-z]{2,3}):")  # a language before every word
_SAMPLE = 50  # rows that are looked at for lists of words
_FEW = 20  # words; a prefix of fewer is chance


def holds_sentences(path: Path) -> bool:
    """Whether a file says by its name or its columns that each word of it has a tag."""
    if format_of(path) in CONLL:
        return True
    if format_of(path) not in _TABLES or format_of(path) == ".csv":
        return False
    first = next((values for _, values in rows(path)), {})
    names = {name.strip().casefold(): value for name, value in first.items()}
    return any(isinstance(names.get(name), list) for name in WORD_COLUMNS) and any(
        isinstance(names.get(name), list) for name in TAG_COLUMNS
    )


class Sentences:
    """The sentences of a file.

    Args:
        path: the file.
        text_columns: of a table, the one with the words, where it has an unusual name.
        label_column: with the tags, likewise; of a CoNLL file a number, counted from 1.
        labelled: whether tags are read.

    Attributes:
        words: name of the column with the words, known when the first row was read.
        tags: of that with the tags, likewise; None where tags are not read.
        spans: for each row that was read where its words are in its text; None where nobody says what its words are.
    """

    def __init__(
        self, path: Path, *, text_columns: Sequence[str] = (), label_column: str | None = None, labelled: bool = True
    ) -> None:
        if len(text_columns) > 1:
            raise InputError(f"{path}: expected one column of words, got {len(text_columns)}: {[*text_columns]}")
        self._path, self._given, self._label, self._labelled = path, tuple(text_columns), label_column, labelled
        self.words = ""
        self.tags: str | None = None
        self.spans: list[tuple[Span, ...] | None] = []

    def rows(self, given: Iterable[Row]) -> Iterator[Row]:
        """Rows with a text and a label each, as strings.

        Args:
            given: rows of the file, where it is a table; of others they are found here.

        Raises:
            ValueError: naming the row, for words that are none, and for another number of tags than of words.
        """
        for number, values in given if self._is_table() else self._of_lines():
            if not self.words:
                self._find(values)
            yield number, self._joined(number, values)

    def _is_table(self) -> bool:
        kind = format_of(self._path)
        if kind != ".tsv":
            return kind in _TABLES
        return not any(not line.strip() for _, line in lines(self._path))  # a table has no empty lines

    def _find(self, values: Mapping[str, object]) -> None:
        # A network that was taught on words is asked about whole texts as well.
        usual = WORD_COLUMNS if self._labelled else (*WORD_COLUMNS, *TEXT_COLUMNS)
        if self._labelled and not any(isinstance(value, list) for value in values.values()):
            usual = (*WORD_COLUMNS, *TEXT_COLUMNS)
        self.words = self._column(values, "words", self._given or usual)
        if self._labelled:
            self.tags = self._column(values, "tags", TAG_COLUMNS if self._label is None else (self._label,))

    def _column(self, values: Mapping[str, object], what: str, asked: Sequence[str]) -> str:
        names = {name.strip().casefold(): name for name in reversed(list(values))}
        found = next((names[name.casefold()] for name in asked if name.casefold() in names), None)
        if found is None:
            raise InputError(
                f"{self._path}: expected a column of {what} ({', '.join(asked[:4])}), got {list(values)[:12]}: say "
                "which it is (--text-columns, --label-column)"
            )
        return found

    def _joined(self, number: int, values: Mapping[str, object]) -> Mapping[str, object]:
        place = f"{self._path}, row {number}"
        given, found = values.get(self.words), dict(values)
        words: list[str] | None = None
        if isinstance(given, list):
            words = self._checked(place, self.words, cast("list[object]", given), "word")
            text, at = " ".join(words), 0
            spans: list[Span] = []
            for word in words:
                spans.append((at, at + len(word)))
                at += len(word) + 1
            found[self.words] = text
            self.spans.append(tuple(spans))
        elif isinstance(given, str) and self._labelled:
            self.spans.append(words_in(given))
        else:
            self.spans.append(None)
        tags = None if self.tags is None else values.get(self.tags)
        if self.tags is not None and isinstance(tags, list):
            tags = " ".join(self._checked(place, self.tags, cast("list[object]", tags), "tag"))
            found[self.tags] = tags
        count = len(self.spans[-1] or ())
        if isinstance(tags, str) and tags.strip() and self.spans[-1] is not None and len(tags.split()) != count:
            raise InputError(
                f"{place}: expected a tag for each of the {count} words, got {len(tags.split())} in column "
                f"{self.tags!r}: mend or remove the row"
            )
        return found

    @staticmethod
    def _checked(place: str, column: str, given: list[object], what: str) -> list[str]:
        found: list[str] = []
        for at, one in enumerate(given):
            name = str(one) if what == "tag" and isinstance(one, int) and not isinstance(one, bool) else one
            blank = not isinstance(name, str) or not name.strip() or (what == "tag" and len(name.split()) > 1)
            if blank:
                raise InputError(
                    f"{place}: expected a {what} at place {at + 1} of column {column!r}, got {one!r:.60}: mend or "
                    "remove the row"
                )
            found.append(cast("str", name))
        return found

    # --- CoNLL ---

    def _of_lines(self) -> Iterator[Row]:
        """A row a sentence, with the number of its first line; columns by number, and ``tokens`` and ``tags``."""
        universal = format_of(self._path) == _UNIVERSAL
        prefix = _prefix_of(self._path)
        left = 0
        for block in _blocks(self._path):
            kept = [(number, cells) for number, cells in block if not (universal and not cells[0].isdecimal())]
            left += len(block) - len(kept)
            if not kept:
                continue
            width, first = len(kept[0][1]), kept[0][0]
            words = [cells[1 if universal else 0].removeprefix(prefix) or cells[0] for _, cells in kept]
            columns = {str(n + 1): [cells[n] for _, cells in kept] for n in range(width)}
            tags = columns.get("4" if universal else str(width), []) if width > 1 else []
            if self._labelled and width < 2:
                raise InputError(
                    f"{self._path}, row {first}: expected a word and its tag, got {kept[0][1][0]!r:.60} alone: put "
                    "tabs or blanks between columns"
                )
            yield first, {"tokens": words, **columns, **({"tags": tags} if tags else {})}
        if left:
            _LOG.warning("%s: %d lines of words that are written as several are left out", self._path, left)


def _blocks(path: Path) -> Iterator[list[tuple[int, list[str]]]]:
    """Lines between empty ones, each as columns, with their numbers.

    Raises:
        ValueError: naming the row, for a line of another number of columns.
    """
    tabs = any("\t" in line.strip() for _, line in islice(lines(path), 1000))
    block: list[tuple[int, list[str]]] = []
    width: int | None = None
    documents = comments = 0
    for number, line in lines(path):
        cells = line.rstrip().split("\t") if tabs else line.split()
        if not line.strip():
            if block:
                yield block
            block = []
        elif cells[0].startswith("-DOCSTART-"):
            documents += 1
        elif not block and _is_comment(line, cells, width, tabs=tabs):
            comments += 1
        else:
            width = width or len(cells)
            if len(cells) != width or not cells[0].strip():
                raise InputError(
                    f"{path}, row {number}: expected {width} columns as in the rows before, got {len(cells)} "
                    f"({line.strip()[:60]!r}): mend or remove the row"
                )
            block.append((number, [cell.strip() for cell in cells]))
    if block:
        yield block
    if documents or comments:
        _LOG.info("%s: %d lines that begin documents and %d comments are left out", path, documents, comments)


def _is_comment(line: str, cells: Sequence[str], width: int | None, *, tabs: bool) -> bool:
    """Whether a line says something about its sentence: a word may begin with the same sign, as hashtags do."""
    if not line.startswith("#"):
        return False
    return len(cells) == 1 if tabs else line.startswith("# ") and len(cells) != width


def _prefix_of(path: Path) -> str:
    """What stands before every word of a file, such as ``en:``, which is no part of any; said where there is one."""
    found: set[str] = set()
    count = 0
    for block in _blocks(path):
        for _, cells in block:
            match = _PREFIX.match(cells[0])
            found.add(match[0] if match else "")
            count += 1
        if len(found) > 1 or "" in found:
            return ""
    if count < _FEW or not found:
        return ""
    (prefix,) = found
    _LOG.warning("%s: every word begins with %r, which is left out", path, prefix)
    return prefix
