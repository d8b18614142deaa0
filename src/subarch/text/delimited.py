"""Delimited text whose dialect is known: its grammar as regular expressions, and its rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from subarch.text.files import MAX_LINE_BYTES, raw_lines

DELIMITERS = (",", ";", "\t", "|")
Quoting = Literal["doubled", "backslash", "none", "escaped"]
"""Quotes are the table's and those inside are doubled, or have a backslash before them; or they are characters like
others, and backslashes too, or stand before delimiters and line breaks that are characters."""
Way = Literal["doubled", "backslash", "none", "escaped", "blanks", "loose"]


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Args:
        delimiter: between fields; empty where a line is one field.
        way: what quotes and backslashes are.
        skipped: lines before the header.
        trailing: whether every row but the header has a delimiter at its end.
    """

    delimiter: str
    way: Way = "doubled"
    skipped: int = 0
    trailing: bool = False


# --- grammar ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grammar:
    """Regular expressions of one reading. Whole lines are matched, with their line break."""

    closed: re.Pattern[str]  # a line that is a record
    opens: re.Pattern[str]  # a line that ends inside of a field
    inside: re.Pattern[str]  # a line that begins and ends inside of a field
    closes: re.Pattern[str]  # a line that begins inside of a field and ends a record
    opens_again: re.Pattern[str]  # one that ends inside of another field
    token: re.Pattern[str]  # a field and what ends it, in a whole record
    escape: re.Pattern[str]  # a quote inside of a field in quotes
    rules: tuple[re.Pattern[str], ...]  # records as programs write them, each by its rule


_END = r"\r?\n"
_INNER = (r'[^"]*+(?:""[^"]*+)*+', r'[^"\\]*+(?:\\[\s\S][^"\\]*+)*+')  # between quotes: doubled ones, or backslashes
_NUMBER = r"(?:[+-]?[\d.,]+(?:[eE][+-]?\d+)?|[Tt]rue|TRUE|[Ff]alse|FALSE|NA|NaN|nan|NULL|null|None|\\N)?+"
_ESCAPED = r"[\\\"']"
_ESCAPED_TAB = r"[\\\"'ntr0NbfvZ]"  # as MySQL, PostgreSQL and Hive have them


def _fields(way: Way, delimiter: str) -> tuple[str, str]:
    """A field in quotes, and one without."""
    each = re.escape(delimiter)
    inner, quote, closing = _INNER[way == "backslash"], '"', '"'
    if way in ("blanks", "loose"):
        quote, closing = ' *+"', '" *+'
    quoted, plain = f"{quote}{inner}{closing}", rf'[^"{each}\r\n]*+'
    if way in ("none", "escaped"):
        quoted, plain = "(?!)", rf"[^{each}\r\n]*+"
    if way == "escaped":
        after = _ESCAPED if delimiter and delimiter != "\t" else _ESCAPED_TAB
        others = each or f"[{''.join(map(re.escape, DELIMITERS))}]"
        plain = rf"[^{each}\\\r\n]*+(?:\\(?:{after}|{others}|\r?\n)[^{each}\\\r\n]*+)*+"
    elif way == "loose":
        plain = rf'(?! *")[^{each}\r\n]*+'
    return quoted, plain


@lru_cache(maxsize=64)
def exact(way: Way, delimiter: str, columns: int, rule: int | None = None) -> re.Pattern[str]:
    """Records of so many fields, of any kind or by a rule of the grammar's."""
    quoted, plain = _fields(way, delimiter) if rule is None else [*_rules(way, delimiter or ",")][rule]
    d = re.escape(delimiter) or "(?!)"
    return re.compile(f"(?:{quoted}|{plain})" + f"(?:{d}(?:{quoted}|{plain})){{{columns - 1}}}" + _END)


@lru_cache(maxsize=64)
def grammar_of(way: Way, delimiter: str) -> Grammar:
    """What records look like; without a delimiter a record is one field."""
    end, d = _END, re.escape(delimiter) or "(?!)"
    inner = _INNER[way == "backslash"]
    quote, closing = (' *+"', '" *+') if way in ("blanks", "loose") else ('"', '"')
    one = "(?:{}|{})".format(*_fields(way, delimiter))
    never = re.compile("(?!)")
    if way == "escaped":
        # A line that ends in an escaped line break is taken whole by its last field, with nothing left to end it.
        opens = inside = re.compile(f"{one}(?:{d}{one})*+(?<=\n)")
        closes, again = re.compile(f"{one}(?:{d}{one})*+{end}"), never
    elif way == "none":
        opens = inside = closes = again = never
    else:
        opens, inside = re.compile(f"(?:{one}{d})*+{quote}{inner}"), re.compile(inner)
        closes = re.compile(f"{inner}{closing}(?:{d}{one})*+{end}")
        again = re.compile(f"{inner}{closing}{d}(?:{one}{d})*+{quote}{inner}")
    rules = [rule for one in (delimiter or DELIMITERS) for rule in _rules(way, one)]
    return Grammar(
        closed=re.compile(f"{one}(?:{d}{one})*+{end}"),
        opens=opens,
        inside=inside,
        closes=closes,
        opens_again=again,
        token=re.compile(f"({one})(?:{d}|{end})"),
        escape=re.compile(r'\\"' if way == "backslash" else f'(?:^|{d}){quote}[^"]*+""'),
        rules=tuple(re.compile(f"(?:{q}|{u})(?:{d}(?:{q}|{u}))*+{end}") for q, u in rules),
    )


_WRITTEN = (_INNER[0], r'[^"\\]*+(?:\\["\\\r\n][^"\\]*+)*+')  # between quotes, as programs write it


def _rules(way: Way, delimiter: str) -> Iterator[tuple[str, str]]:
    """Fields in quotes and fields without them, as programs write them; the first rule is: as needed."""
    if way not in ("doubled", "backslash"):
        return
    d = re.escape(delimiter)
    if way == "doubled":
        needed = rf'"(?=[^"{d}\r\n]*+(?:""|[{d}\r\n]))'
    else:
        needed = rf'"(?=(?:[^"\\{d}\r\n]++|\\[^"{d}\r\n])*+(?:\\"|\\?[{d}\r\n]))'
    close, plain = _WRITTEN[way == "backslash"] + '"', rf'[^"{d}\r\n]*+'
    as_needed = rf'(?:{needed}{close}|""(?!"))'
    yield as_needed, plain
    yield f'"{close}', r"(?!)"  # always
    yield f'"{close}', _NUMBER
    # Also where blanks are at an end (Ruby, Go, CsvHelper), or anywhere (PHP), or a comma (Excel's Unicode text).
    yield rf'(?:{as_needed}|"(?=\s){close}|"(?=[^"]*\s"(?!")){close})', rf'(?!\s)[^"{d}\r\n]*+'
    yield rf'(?:{as_needed}|"(?=[^"]*?[\s\\]){close})', rf'[^"{d}\s\\]*+'
    if delimiter != ",":
        yield rf'(?:{as_needed}|"(?=[^"]*?,){close})', rf'[^"{d},\r\n]*+'


def columnwise(way: Way, delimiter: str, record: str) -> re.Pattern[str]:
    """The rule that some columns stand in quotes always and the others as needed, by the first row of all."""
    as_needed, plain = next(_rules(way, delimiter))
    columns = [
        f'(?:"{_WRITTEN[way == "backslash"]}"|)' if one.startswith('"') else f"(?:{as_needed}|{plain})"
        for one in grammar_of(way, delimiter).token.findall(record)
    ]
    return re.compile(re.escape(delimiter).join(columns) + _END)


# --- rows -------------------------------------------------------------------------------------------------------------


def content(path: Path, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Lines from the header on, each with a line break."""
    for number, line in raw_lines(path):
        if number > dialect.skipped:
            yield number, line if line.endswith("\n") else line + "\n"


def records(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Fields of every row, the header's first, with the number of the line that it begins in; blank lines are none."""
    read = _ROWS.get(dialect.way, _assembled) if dialect.delimiter or dialect.way == "none" else _assembled
    for number, cells in read(path, dialect):
        yield number, cells[:-1] if dialect.trailing and len(cells) > 1 and not cells[-1] else cells


def _quoted(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """As RFC 4180 has it: the standard library's reader, on a file that has been seen to be so."""
    numbers = _Numbered(content(path, dialect), dialect.skipped)
    with _long_fields():
        reader = csv.reader(numbers, delimiter=dialect.delimiter, strict=True)
        while True:
            start = numbers.last + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            if cells:
                yield start, cells


class _Numbered:
    """Lines, and the number of the last one that was taken; of those ``before`` them, while none was."""

    def __init__(self, content: Iterator[tuple[int, str]], before: int) -> None:
        self._content = content
        self.last = before

    def __iter__(self) -> _Numbered:
        return self

    def __next__(self) -> str:
        self.last, line = next(self._content)
        return line


@contextmanager
def _long_fields() -> Generator[None]:
    """Lift the csv module's limit of 131,072 characters a field; the limit is the process's, so put it back."""
    before = csv.field_size_limit(10 * MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


_DOUBLED_INSIDE = re.compile(r'"[^"]*+(?:""[^"]*+)++"')


def _plain(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Lines are rows; of fields in quotes only those that double quotes inside are taken for the table's."""
    delimiter = dialect.delimiter
    for number, line in content(path, dialect):
        text = line[:-2] if line.endswith("\r\n") else line[:-1]
        if not text:
            continue
        cells = text.split(delimiter) if delimiter else [text]
        if '""' in text:
            cells = [one[1:-1].replace('""', '"') if _DOUBLED_INSIDE.fullmatch(one) else one for one in cells]
        yield number, cells


def _assembled(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Rows of the other ways, piece by piece."""
    grammar, cleaned = grammar_of(dialect.way, dialect.delimiter), _CLEANED[dialect.way]
    pending, start = "", 0
    for number, line in content(path, dialect):
        if not pending and line in ("\n", "\r\n"):
            continue
        whole = grammar.closes if pending else grammar.closed
        start = start if pending else number
        pending += line
        if whole.fullmatch(line):
            yield start, [cleaned(one) for one in grammar.token.findall(pending)]
            pending = ""


def _without_quotes(one: str) -> str:
    return one[1:-1].replace('""', '"') if one.startswith('"') else one


def _without_blanks(one: str) -> str:
    return _without_quotes(one.strip(" ")) if one.lstrip(" ").startswith('"') else one


def _without_backslashes(one: str) -> str:
    return re.sub(r'\\(["\\\n]|\r\n)', r"\1", one[1:-1]) if one.startswith('"') else one


_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "v": "\v", "Z": "\x1a"}


def _unescaped(one: str) -> str:
    """``\\N`` as a whole stays: it says that there is no value."""
    return one if one == NOTHING else re.sub(r"\\([\s\S])", lambda found: _LETTERS.get(found[1], found[1]), one)


NOTHING = r"\N"
_CLEANED: dict[str, Callable[[str], str]] = {
    "doubled": _without_quotes,
    "blanks": _without_blanks,
    "loose": _without_blanks,
    "backslash": _without_backslashes,
    "escaped": _unescaped,
}
_ROWS: dict[str, Callable[[Path, Dialect], Iterator[tuple[int, list[str]]]]] = {"doubled": _quoted, "none": _plain}
