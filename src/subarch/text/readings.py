"""Ways to read a delimited table, each followed through the file until something in it contradicts it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from subarch.text.delimited import DELIMITERS, Dialect, Way, columnwise, content, exact, grammar_of
from subarch.text.files import MAX_LINE_BYTES

_SUSPECTS = 100  # lines inside of quotes that are kept as evidence


@dataclass
class TableReading:
    """One way to read a file, followed until something contradicts it."""

    way: Way
    delimiter: str
    columns: int | None = None
    rows: int = 0
    trailing: bool | None = None
    header: str = ""
    second: int = 0  # the row below the header
    broken: tuple[int, str] | None = None  # row, and what contradicts the reading there
    blank: int | None = None  # the first blank line between rows; in a single column also behind them
    _blank: int | None = None
    unruly: int | None = None  # the first row that no rule of a program explains
    over_lines: int | None = None  # the first row over several lines
    proven: bool = False  # whether a field on one line needs its quotes
    backslashes: dict[tuple[bool, str], int] = field(default_factory=dict[tuple[bool, str], int])
    suspects: list[tuple[int, list[str]]] = field(default_factory=list[tuple[int, list[str]]])
    _rules: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])
    _pending: list[str] = field(default_factory=list[str])
    _opened: int = 0
    _size: int = 0
    _exact: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        self._grammar = grammar_of(self.way, self.delimiter)

    @property
    def holds(self) -> bool:
        return self.broken is None

    @property
    def waits(self) -> bool:
        """Whether the last line ended inside of a field."""
        return bool(self._pending)

    @property
    def watches(self) -> bool:
        """Whether lines without quotes and backslashes tell anything but their number of columns."""
        restrictive = bool(self._rules) and self._rules != [self._grammar.rules[0]]
        return bool(self._pending) or self.rows < 2 or restrictive

    def overlook(self) -> None:
        """Lines without quotes are not shown any more: what they say of blanks at the ends of fields is not known."""
        if len(self._rules) > 1 and self._rules[0] is self._grammar.rules[0]:
            self._rules = [rule for rule in self._rules if rule not in self._grammar.rules[3::6]]
            self._settle()

    @property
    def always(self) -> bool:
        """Whether every field of every row stands in quotes."""
        return len(self._grammar.rules) > 1 and self._grammar.rules[1] in self._rules

    def take(self, number: int, line: str) -> None:
        """The next line, with its line break."""
        if self._pending:
            self._go_on(number, line)
        elif line in ("\n", "\r\n"):
            if self.rows:
                self._blank = self._blank or number
        elif self._exact is not None and self._exact.fullmatch(line) and "\\" not in line:
            self._sure(line)
        elif self._grammar.closed.fullmatch(line):
            self._end(number, line)
        elif self._grammar.opens.fullmatch(line):
            self._pending, self._opened, self._size = [line], number, len(line)
        else:
            self._break(number, self._reason(line))

    def _sure(self, line: str) -> None:
        """One more line as nearly all are: a record of the usual width, by the rules that hold."""
        self.rows += 1
        self.blank = self.blank or self._blank
        if not self.proven and '"' in line:
            bare = line.count(self.delimiter) + 1 if self.delimiter else 1
            self.proven = bare > (self.columns or 0) or self._grammar.escape.search(line) is not None

    def _settle(self) -> None:
        """Know the lines of which nothing is learned: by the narrowest rule that holds, which implies the others."""
        rules, known = self._rules, self._grammar.rules
        if self.trailing or self.columns is None or self.rows < 2:
            self._exact = None
        elif self.way not in ("doubled", "backslash") or not rules:
            self._exact = exact(self.way, self.delimiter, self.columns)
        elif rules == [known[0]]:
            self._exact = exact(self.way, self.delimiter, self.columns, 0)
        elif known[1] in rules:
            self._exact = exact(self.way, self.delimiter, self.columns, 1)
        else:
            self._exact = rules[0] if len(rules) == 1 and rules[0] not in known else None

    def _go_on(self, number: int, line: str) -> None:
        self._pending.append(line)
        self._size += len(line)
        if self._grammar.closes.fullmatch(line):
            record, self._pending = "".join(self._pending), []
            self._end(self._opened, record)
        elif self._size > MAX_LINE_BYTES:
            self._break(self._opened, f"a quote opens that nobody closes within {MAX_LINE_BYTES:,} characters")
        elif not (self._grammar.inside.fullmatch(line) or self._grammar.opens_again.fullmatch(line)):
            self._break(self._opened, f"a quote opens, and in row {number} text follows the quote that closes it")

    def finish(self) -> None:
        """The file has ended."""
        if self._pending:
            self._break(self._opened, "a quote opens that nobody closes")
        if not self.delimiter:
            self.blank = self.blank or self._blank

    def _reason(self, line: str) -> str:
        if "\r" in line.removesuffix("\n").removesuffix("\r"):
            return "lines must end with LF or CR LF, not with CR alone: is that a line break inside of a text?"
        return "a quote stands inside of a field that has none around it, or text follows the quote that closes one"

    def _break(self, number: int, reason: str) -> None:
        self.broken = self.broken or (number, reason)
        self._pending = []

    def cells(self, record: str) -> list[str]:
        """Fields of a whole record as they stand."""
        return self._grammar.token.findall(record)

    def _end(self, number: int, record: str) -> None:
        """A record is whole."""
        self.blank = self.blank or self._blank
        count = bare = record.count(self.delimiter) + 1 if self.delimiter else 1
        if count > 1 and self.way != "none" and ('"' in record or "\\" in record):
            count = len(self.cells(record))
        self._count(number, record, count)
        if self.broken is not None or self.rows < 2:
            return
        if self.way not in ("doubled", "backslash"):
            self._settle()
            return
        if record.count("\n") > 1:
            self.over_lines = self.over_lines or number
            if self.delimiter:
                self._suspect(number, record)
        elif not self.proven and '"' in record:
            self.proven = bare > count or self._grammar.escape.search(record) is not None
        if "\\" in record:
            for one in self.cells(record):
                for kind, pattern in _BACKSLASHES.items():
                    if "\\" in one and pattern.search(one):
                        self.backslashes.setdefault((one.startswith('"'), kind), number)
        self._follow_rules(number, record)

    def _count(self, number: int, record: str, count: int) -> None:
        """A record with so many fields."""
        if self.rows == 1:
            self.second = number
        if self.columns is None:
            self.columns, self.header = count, record
        elif count == self.columns + 1 and self.trailing is not False and _ends_empty(record, self.delimiter):
            self.trailing = True
        elif self.trailing:
            self._break(number, f"expected a {self.delimiter!r} at the end as in the rows before, got none")
        elif count != self.columns:
            self._break(number, f"expected {self.columns} columns as in the first row, got {count}")
        else:
            self.trailing = False
        self.rows += self.holds

    def _follow_rules(self, number: int, record: str) -> None:
        if self.rows == 2:
            self._rules = [*self._grammar.rules]
            if '"' in record:
                self._rules.append(columnwise(self.way, self.delimiter, record))
        if self._rules:
            self._rules = [rule for rule in self._rules if rule.fullmatch(record)]
            if not self._rules:
                self.unruly = number
        self._settle()

    def _suspect(self, number: int, record: str) -> None:
        """Keep lines inside of quotes that may be rows of the table."""
        for line in record.split("\n")[1:-1]:
            cells = line.removesuffix("\r").split(self.delimiter)
            if len(cells) == self.columns and len(self.suspects) < _SUSPECTS:
                self.suspects.append((number, cells))

    def doubled_backslash(self, *, inside: bool) -> int | None:
        """The first row with two backslashes inside of quotes, or outside, where there is none alone."""
        return None if (inside, "lone") in self.backslashes else self.backslashes.get((inside, "pair"))


_BACKSLASHES = {"lone": re.compile(r'(?<!\\)(?:\\\\)*+\\(?!["\\])'), "pair": re.compile(r"\\\\")}


def _ends_empty(record: str, delimiter: str) -> bool:
    return bool(delimiter) and record.removesuffix("\n").removesuffix("\r").endswith(delimiter)


@dataclass
class FirstSeen:
    """The first rows in which quotes and backslashes have one form or another."""

    quote: int | None = None
    backslash: int | None = None
    escaped_quote: int | None = None  # after a backslash
    bare_quote: int | None = None  # without one
    pair: int | None = None  # of backslashes
    enclosed: int | None = None  # a field between two quotes, where lines are rows
    num_enclosed: int = 0
    other_end: int | None = None  # a line that ends otherwise than the header does
    regular: dict[str, int] | None = None  # of a single column: delimiters of which every line has as many

    def look(self, number: int, line: str, enclosed: re.Pattern[str] | None) -> None:
        if '"' in line:
            self.quote = self.quote or number
            if enclosed is not None and enclosed.search(line):
                self.num_enclosed += 1
                self.enclosed = self.enclosed or number
            if self.bare_quote is None and _BARE_QUOTE.search(line):
                self.bare_quote = number
        if "\\" in line:
            self.backslash = self.backslash or number
            if self.escaped_quote is None and _ESCAPED_QUOTE.search(line):
                self.escaped_quote = number
            if self.pair is None and "\\\\" in line:
                self.pair = number


_ESCAPED_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*+\\"')


_BARE_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*+"')


@dataclass(frozen=True)
class Evidence:
    """What a pass over a file has found.

    Attributes:
        readings: as far as they hold.
        seen: where quotes and backslashes are.
        single: whether the header has one column.
    """

    readings: dict[Way, TableReading]
    seen: FirstSeen
    single: bool


def evidence(path: Path, dialect: Dialect, ways: Sequence[Way], *, single: bool) -> Evidence:
    """Follow several ways to read a file through all of it, in one pass.

    Args:
        path: of the table.
        dialect: its delimiter, and where it begins.
        ways: to be followed, each until something contradicts it.
        single: whether the header has one column.
    """
    delimiter = dialect.delimiter
    readings: dict[Way, TableReading] = {way: TableReading(way, "" if single else delimiter) for way in ways}
    seen, alive, total = FirstSeen(), list(readings.values()), 0
    d = re.escape("" if single else delimiter)
    enclosed = re.compile(rf'(?:^|{d or "(?!)"})"[^{d}\n]*"\r?(?:{d or "(?!)"}|$)')
    width, quiet, plain = -1, False, readings.get("none")
    line_end: str | None = None
    for number, line in content(path, dialect):
        if '"' in line or "\\" in line:
            seen.look(number, line, enclosed if plain is not None and plain.holds else None)
        elif (
            quiet
            and len(line) > 2
            and (single or line.count(delimiter) == width)
            and ("\r" in line) == (line_end == "\r\n")
        ):
            total += 1  # as nearly all lines of nearly all tables: no reading learns anything from it
            continue
        ends = "\r\n" if line.endswith("\r\n") else "\n"
        inside = any(reading.waits for reading in alive)
        if single and line_end is not None and seen.regular != {}:
            counts = {one: line.count(one) for one in DELIMITERS if one in line}
            seen.regular = dict((counts if seen.regular is None else seen.regular).items() & counts.items())
        if ends != (line_end or ends) and not inside:
            seen.other_end = seen.other_end or number
        line_end = line_end or ends
        for reading in alive:
            reading.take(number, line)
        alive = [reading for reading in alive if reading.holds]
        if not alive:
            break
        for reading in alive:
            reading.overlook()
        width = (alive[0].columns or 0) - 1
        quiet = line != ends and all(one.columns == width + 1 and not one.trailing and not one.watches for one in alive)
    for reading in readings.values():
        reading.finish()
        reading.rows += total
    return Evidence(readings, seen, single)
