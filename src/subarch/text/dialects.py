"""Which dialect a delimited table is written in, by evidence in the whole file.

A quote can be three things: the table's own (RFC 4180, quotes inside doubled), the table's own with backslashes before
quotes inside (Spark, MySQL), or a character like others (tables that a script joins). Which of them holds is decided
by one pass over the file, in which every reading is followed until something in the file contradicts it. Where two of
them hold to the end and give different rows, and nothing decides between them, the file is refused: nobody could know.

A reading that holds may still be a coincidence. Every program that writes tables puts fields into quotes by a rule: as
needed, always, all but numbers, some columns. Where no such rule explains the quotes of a file, that is said.
"""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from subarch.errors import InputError
from subarch.text.delimited import DELIMITERS, Dialect, Quoting, Way, columnwise, content, exact, grammar_of, records
from subarch.text.files import MAX_LINE_BYTES, format_of, lines

_LOG = logging.getLogger(__name__)

_SUSPECTS = 100  # lines inside of quotes that are kept as evidence
_FEW_VALUES, _SHORT = 100, 60  # different values of a column that has classes, and characters of each
_CURE = (
    "write the table with a program that puts fields with quotes into quotes and doubles the quotes inside, or as JSON "
    "lines"
)
_CHOICE = "say which is meant: --quoting doubled or --quoting none"


# --- readings ---------------------------------------------------------------------------------------------------------


@dataclass
class _Reading:
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


# --- one pass over a file ---------------------------------------------------------------------------------------------


@dataclass
class _Seen:
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
class _Evidence:
    """What a pass over a file has found.

    Attributes:
        readings: as far as they hold.
        seen: where quotes and backslashes are.
        single: whether the header has one column.
    """

    readings: dict[Way, _Reading]
    seen: _Seen
    single: bool


def _evidence(path: Path, dialect: Dialect, ways: Sequence[Way], *, single: bool) -> _Evidence:
    delimiter = dialect.delimiter
    readings: dict[Way, _Reading] = {way: _Reading(way, "" if single else delimiter) for way in ways}
    seen, alive, total = _Seen(), list(readings.values()), 0
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
    return _Evidence(readings, seen, single)


# --- the decision -----------------------------------------------------------------------------------------------------


def dialect_of(path: Path, expected: Collection[str] = (), *, quoting: Quoting | None = None) -> Dialect:
    """How a delimited file is written; doubts that something in the file decided are told.

    Args:
        path: the file.
        expected: names of columns in lower case; the delimiter that finds most of them in the header is the file's.
        quoting: what quotes and backslashes are, where it is known.

    Raises:
        ValueError: naming the row, where no reading holds, or two that differ.
    """
    delimiter, skipped, columns = _header(path, expected)
    dialect = Dialect(delimiter, skipped=skipped)
    ways: tuple[Way, ...] = ("doubled", "backslash", "none", "escaped") if quoting is None else (quoting,)
    found = _evidence(path, dialect, ways, single=columns == 1)
    way = quoting if quoting is not None and found.readings[quoting].holds else _decided(path, dialect, found)
    reading = found.readings[way]
    if reading.blank is not None:
        _LOG.warning("%s, row %d: blank lines are left out", path, reading.blank)
    if found.seen.other_end is not None:
        _LOG.warning(
            "%s, row %d: the line ends otherwise than the first one (LF or CR LF); both are taken for line ends",
            path,
            found.seen.other_end,
        )
    if reading.trailing:
        _LOG.warning(
            "%s, row %d: this row and all below end in a %r, with nothing behind it: it is left out",
            path,
            reading.second,
            delimiter,
        )
    return replace(dialect, delimiter=reading.delimiter, way=way, trailing=bool(reading.trailing))


def _decided(path: Path, dialect: Dialect, found: _Evidence) -> Way:
    readings, seen = found.readings, found.seen
    held: dict[Way, _Reading] = {way: reading for way, reading in readings.items() if reading.holds}
    if seen.quote is None:
        way = _of_backslashes(path, dialect, found) if seen.backslash is not None else None
        if way is None and "none" not in held:
            raise _refusal(path, dialect, found)
        if seen.regular:
            one, count = next(iter(seen.regular.items()))
            _LOG.warning(
                "%s: the first row has one column, every other one has %d %r, which is taken for a part of the text: "
                "are names missing in the first row?",
                path,
                count,
                one,
            )
        return way or "none"
    if "doubled" in held or "backslash" in held:
        way = _with_quotes(path, held, seen)
        _require_apart(path, dialect, found, held[way])
        _tell_doubts(path, dialect, found, way)
        return way
    if "escaped" in held and seen.backslash is not None and ("none" not in held or seen.bare_quote is None):
        return _escaped(path, found)
    more = _evidence(path, dialect, ("blanks", "loose"), single=found.single).readings
    if more["blanks"].holds and (seen.enclosed is not None or "none" not in held):
        return _leniently(path, found, more["blanks"])
    if "none" in held and seen.num_enclosed <= held["none"].rows / 2:
        _tell_characters(path, found)
        return "none"
    if more["loose"].holds:
        return _leniently(path, found, more["loose"])
    raise _refusal(path, dialect, found)


def _leniently(path: Path, found: _Evidence, reading: _Reading) -> Way:
    """A reading that is not as programs write tables, which is said."""
    row, reason = found.readings["doubled"].broken or (0, "")
    _LOG.warning("%s, row %d: %s: %s", path, row, reason, _LENIENT[reading.way])
    found.readings[reading.way] = reading
    return reading.way


def _tell_characters(path: Path, found: _Evidence) -> None:
    """Say what could be otherwise where quotes are characters like others."""
    seen, (row, reason) = found.seen, found.readings["doubled"].broken or (0, "")
    if found.readings["escaped"].holds and seen.backslash is not None:
        _LOG.warning("%s, row %d: backslashes are taken for characters of the text", path, seen.backslash)
    if seen.enclosed is not None:
        _LOG.warning(
            "%s, row %d: %s: quotes are taken for characters of the text, also those around the whole field in row %d "
            "(those with doubled quotes inside are read as in other tables)",
            path,
            row,
            reason,
            seen.enclosed,
        )


_UNRULY: Mapping[str, str] = {
    "doubled": "some fields stand in quotes that they do not need, and others like them do not; quotes around a field "
    "are taken for the table's own, and are no part of its text",
    "backslash": "quotes around fields and backslashes before quotes are taken for the table's own, though some quotes "
    "are not needed, or other backslashes stand alone",
}
_LENIENT: Mapping[str, str] = {
    "blanks": "blanks between a delimiter and a quote are left out",
    "loose": "quotes inside of a field without quotes around it are taken for characters of the text",
}


def _tell_doubts(path: Path, dialect: Dialect, found: _Evidence, way: Way) -> None:
    """Say what could be otherwise where quotes are the table's."""
    chosen, seen, others = found.readings[way], found.seen, found.readings
    always = chosen.always and chosen.header.startswith('"')
    if (
        dialect.delimiter == "\t"
        and others["none"].holds
        and not chosen.proven
        and not always
        and chosen.unruly is None
    ):
        _LOG.warning(
            "%s, row %d: quotes around a field are taken for the table's own, and are no part of its text; where "
            "they are, say so: --quoting none",
            path,
            seen.quote,
        )
    if dialect.delimiter == "\t" and way == "doubled" and others["escaped"].holds and seen.pair is not None:
        _LOG.warning(
            "%s, row %d: quotes are taken for the table's own, and backslashes for characters of the text; where "
            "they escape others, say so: --quoting escaped",
            path,
            seen.pair,
        )
    if (row := chosen.unruly) is not None:
        _LOG.warning("%s, row %d: %s", path, row, _UNRULY[way])


def _with_quotes(path: Path, held: dict[Way, _Reading], seen: _Seen) -> Way:
    """Quotes that are the table's: with those inside doubled, or after backslashes."""
    if "doubled" not in held:
        if (row := held["backslash"].doubled_backslash(inside=False)) is not None:
            _LOG.warning("%s, row %d: two backslashes outside of quotes are taken for two, inside for one", path, row)
        return "backslash"
    if "backslash" in held and seen.escaped_quote is not None:
        raise InputError(
            f"{path}, row {seen.escaped_quote}: a backslash stands before a quote, which ends the field where quotes "
            "inside are doubled, and does not where they have backslashes: both readings hold for the whole file; say "
            "which is meant: --quoting doubled or --quoting backslash"
        )
    rows = (held["doubled"].doubled_backslash(inside=inside) for inside in (True, False))
    if (row := next(filter(None, rows), None)) is not None:
        _LOG.warning(
            "%s, row %d: two backslashes are taken for two; where they stand for one, say so: --quoting backslash",
            path,
            row,
        )
    return "doubled"


def _of_backslashes(path: Path, dialect: Dialect, found: _Evidence) -> Way | None:
    """What backslashes are in a file without quotes; None where no reading holds."""
    plain, escaped, row = found.readings["none"], found.readings["escaped"], found.seen.backslash
    if not escaped.holds:
        return None
    if not plain.holds:
        return _escaped(path, found)
    if plain.rows != escaped.rows:
        raise InputError(
            f"{path}, row {row}: a backslash ends a line, which goes on in the next one where backslashes escape line "
            "breaks: both readings hold for the whole file; say which is meant: --quoting escaped or --quoting none"
        )
    if dialect.delimiter == "\t" and found.seen.pair is not None:
        return _escaped(path, found)
    _LOG.warning(
        "%s, row %s: backslashes are taken for characters of the text; where they escape others, say so: --quoting "
        "escaped",
        path,
        row,
    )
    return "none"


def _escaped(path: Path, found: _Evidence) -> Way:
    """Backslashes escape what follows; said, unless lines that are rows would not fit."""
    letters = found.readings["escaped"].delimiter == "\t"  # MySQL, PostgreSQL and Hive do not agree on those
    if found.readings["none"].holds or found.seen.bare_quote is not None or letters:
        _LOG.warning(
            "%s, row %s: backslashes are taken for marks before characters of the text (quotes, delimiters, line "
            "breaks, backslashes), and are no part of it; where they are, say so: --quoting none",
            path,
            found.seen.backslash,
        )
    return "escaped"


def _require_apart(path: Path, dialect: Dialect, found: _Evidence, chosen: _Reading) -> None:
    """Refuse, or tell, quotes that seem to have swallowed rows of the table.

    Raises:
        ValueError: where lines are rows just as well.
    """
    if chosen.over_lines is None:
        return
    if found.single:
        if not chosen.proven:
            _LOG.warning(
                "%s, row %d: a quote opens, and what follows up to the next one, over several lines, is taken for one "
                "text; where quotes are characters of the text, say so: --quoting none",
                path,
                chosen.over_lines,
            )
        return
    row = _swallowing(path, replace(dialect, way=chosen.way, trailing=bool(chosen.trailing)), chosen)
    if row is None:
        return
    if found.readings["none"].holds:
        raise InputError(
            f"{path}, row {row}: a quote opens here and closes lines below, behind what looks like rows of the table; "
            f"read without quoting, every line is a row: {_CHOICE}"
        )
    _LOG.warning(
        "%s, row %d: a field in quotes goes over several lines, and what looks like a row of the table stands in it: "
        "is a quote left open there?",
        path,
        row,
    )


def _swallowing(path: Path, dialect: Dialect, reading: _Reading) -> int | None:
    """The first row whose quotes hold a line that looks like a row: in columns of few values, or of numbers, too."""
    if not reading.suspects:
        return None
    counts: list[Counter[str] | None] = []
    numbers: list[bool] = []
    total = 0
    for _, cells in islice(records(path, dialect), 1, None):
        if not counts:
            counts, numbers = [Counter() for _ in cells], [True for _ in cells]
        if any("\n" in cell for cell in cells):
            continue
        total += 1
        for n, cell in enumerate(cells):
            numbers[n] = numbers[n] and _IS_NUMBER.fullmatch(cell) is not None
            if (count := counts[n]) is not None:
                count[cell] += 1
                if len(count) > _FEW_VALUES or len(cell) > _SHORT:
                    counts[n] = None

    def fits(cells: list[str]) -> bool:
        return all(
            (count is None or len(count) >= total / 2 or cell.strip().strip('"') in count)
            and (not (number and total) or _IS_NUMBER.fullmatch(cell.strip()) is not None)
            for cell, count, number in zip(cells, counts, numbers, strict=True)
        )

    return next((number for number, cells in reading.suspects if fits(cells)), None)


_IS_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")


def _refusal(path: Path, dialect: Dialect, found: _Evidence) -> InputError:
    """No reading holds: where each of them fails first."""
    quoted = next((found.readings[way] for way in ("doubled", "backslash") if way in found.readings), None)
    plain = found.readings.get("none") or next(iter(found.readings.values()))
    row, reason = plain.broken or (0, "")
    if quoted is None or quoted.broken is None or quoted.broken == plain.broken or found.seen.quote is None:
        if "columns" not in reason:
            return InputError(f"{path}, row {row}: {reason}")
        if dialect.delimiter == "\t":
            advice = "a field that holds a tab or a line break must stand in quotes; save the table as .csv"
        else:
            advice = "quote the fields that hold the delimiter or a line break"
        if (plain.rows, reason.rpartition(" ")[2]) == (1, str((plain.columns or 0) + 1)):
            advice += "; or is a name missing in the first row?"
        return InputError(f"{path}, row {row}: {reason}: {advice}")
    opened, why = quoted.broken
    without = f"; read without quoting, row {row}: {reason}" if plain.broken is not None else ""
    return InputError(f"{path}, row {opened}: {why}{without}: {_CURE}")


def delimiter_of(path: Path, expected: Collection[str] = ()) -> str:
    """What stands between the fields of a file: the delimiter that finds most expected names in its header."""
    return _header(path, expected)[0]


_TOLD = re.compile(r"sep=(.)", re.IGNORECASE)


def _header(path: Path, expected: Collection[str]) -> tuple[str, int, int]:
    """The delimiter, how many lines stand before the header, and its number of columns."""
    skipped, told = 0, None
    header = ""
    for number, line in lines(path):
        if number == 1 and (told := _TOLD.fullmatch(line.strip('"'))) is not None:
            skipped = 1  # Excel's own way to say it
        elif line.strip():
            header = line
            break

    def cells(delimiter: str) -> list[str]:
        return next(csv.reader([header], delimiter=delimiter), [])

    def score(delimiter: str) -> tuple[int, int]:
        return sum(cell.strip().casefold() in expected for cell in cells(delimiter)), len(cells(delimiter))

    if "\r" in header:
        raise InputError(
            f"{path}, row 1: lines must end with LF or CR LF, not with CR alone: save the table with other line ends"
        )
    delimiter = "\t" if format_of(path) == ".tsv" else max(DELIMITERS, key=score)
    if told is not None:
        delimiter = told[1]
    return delimiter, skipped, len(cells(delimiter))
