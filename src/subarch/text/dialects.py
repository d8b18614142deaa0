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
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from subarch.errors import InputError
from subarch.text.delimited import DELIMITERS, Dialect, Quoting, Way, records
from subarch.text.files import format_of, lines
from subarch.text.readings import Evidence, FirstSeen, TableReading, evidence

_LOG = logging.getLogger(__name__)

_FEW_VALUES, _SHORT = 100, 60  # different values of a column that has classes, and characters of each
_CURE = (
    "write the table with a program that puts fields with quotes into quotes and doubles the quotes inside, or as JSON "
    "lines"
)
_CHOICE = "say which is meant: --quoting doubled or --quoting none"


# --- readings ---------------------------------------------------------------------------------------------------------


# --- one pass over a file ---------------------------------------------------------------------------------------------


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
    found = evidence(path, dialect, ways, single=columns == 1)
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


def _decided(path: Path, dialect: Dialect, found: Evidence) -> Way:
    readings, seen = found.readings, found.seen
    held: dict[Way, TableReading] = {way: reading for way, reading in readings.items() if reading.holds}
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
    more = evidence(path, dialect, ("blanks", "loose"), single=found.single).readings
    if more["blanks"].holds and (seen.enclosed is not None or "none" not in held):
        return _leniently(path, found, more["blanks"])
    if "none" in held and seen.num_enclosed <= held["none"].rows / 2:
        _tell_characters(path, found)
        return "none"
    if more["loose"].holds:
        return _leniently(path, found, more["loose"])
    raise _refusal(path, dialect, found)


def _leniently(path: Path, found: Evidence, reading: TableReading) -> Way:
    """A reading that is not as programs write tables, which is said."""
    row, reason = found.readings["doubled"].broken or (0, "")
    _LOG.warning("%s, row %d: %s: %s", path, row, reason, _LENIENT[reading.way])
    found.readings[reading.way] = reading
    return reading.way


def _tell_characters(path: Path, found: Evidence) -> None:
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


def _tell_doubts(path: Path, dialect: Dialect, found: Evidence, way: Way) -> None:
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


def _with_quotes(path: Path, held: dict[Way, TableReading], seen: FirstSeen) -> Way:
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


def _of_backslashes(path: Path, dialect: Dialect, found: Evidence) -> Way | None:
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


def _escaped(path: Path, found: Evidence) -> Way:
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


def _require_apart(path: Path, dialect: Dialect, found: Evidence, chosen: TableReading) -> None:
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


def _swallowing(path: Path, dialect: Dialect, reading: TableReading) -> int | None:
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


def _refusal(path: Path, dialect: Dialect, found: Evidence) -> InputError:
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
