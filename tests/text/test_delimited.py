"""Delimited text of a known dialect: rows as another program wrote them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.text.delimited import DELIMITERS, Dialect, content, exact, grammar_of, records

CELLS = st.text(st.sampled_from("ab \"'\\,;|\t\n\r1é"), max_size=6)


def rows(tmp_path: Path, text: str, dialect: Dialect) -> list[tuple[int, list[str]]]:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    return [*records(path, dialect)]


@given(
    table=st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=5),
    delimiter=st.sampled_from(DELIMITERS),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_standard_library_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], delimiter: str, quoting: int
) -> None:
    table = [[cell.replace("\r", "") for cell in row] for row in table]
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(table)
    found = rows(tmp_path_factory.mktemp("t"), stream.getvalue(), Dialect(delimiter))
    assert [cells for _, cells in found] == table


@given(table=st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=5))
def test_backslashes_before_quotes_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    table = [[cell.replace("\r", "") for cell in row] for row in table]

    def cell(text: str) -> str:
        for sign in '\\"\n':
            text = text.replace(sign, f"\\{sign}")
        return f'"{text}"'

    text = "".join(",".join(map(cell, row)) + "\n" for row in table)
    found = rows(tmp_path_factory.mktemp("t"), text, Dialect(",", "backslash"))
    assert [cells for _, cells in found] == table


@pytest.mark.parametrize(
    ("dialect", "text", "expected"),
    [
        (Dialect(","), 'a,b\n"1\n2",x\n\n3,y\n', [(1, ["a", "b"]), (2, ["1\n2", "x"]), (5, ["3", "y"])]),
        (Dialect(",", "none"), 'a,b\n"1,2"\n', [(1, ["a", "b"]), (2, ['"1', '2"'])]),
        (Dialect("\t", "none"), 'a\tb\n"so ""it"" is"\t"x"\n', [(1, ["a", "b"]), (2, ['so "it" is', '"x"'])]),
        (Dialect("", "none"), "a\n1,2\n", [(1, ["a"]), (2, ["1,2"])]),
        (Dialect(",", "escaped"), "a,b\n1\\,2,x\\\ny\n", [(1, ["a", "b"]), (2, ["1,2", "x\ny"])]),
        (Dialect("\t", "escaped"), "a\tb\n1\\t2\t\\N\n", [(1, ["a", "b"]), (2, ["1\t2", r"\N"])]),
        (Dialect(",", "blanks"), 'a, b\n "1,2" , x\n', [(1, ["a", " b"]), (2, ["1,2", " x"])]),
        (Dialect(",", skipped=2), "title\n\na,b\n1,2\n", [(3, ["a", "b"]), (4, ["1", "2"])]),
        (Dialect(",", trailing=True), "a,b\n1,2,\n", [(1, ["a", "b"]), (2, ["1", "2"])]),
        (Dialect(","), "a,b\r\n1,2", [(1, ["a", "b"]), (2, ["1", "2"])]),  # and no break at the end
    ],
)
def test_rows_of_every_dialect_with_the_line_they_begin_in(
    dialect: Dialect, text: str, expected: list[tuple[int, list[str]]], tmp_path: Path
) -> None:
    assert rows(tmp_path, text, dialect) == expected


def test_long_fields_are_read_and_the_limit_of_the_process_is_put_back(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "x" * 300_000
    assert rows(tmp_path, f'a,b\n"{long}",1\n', Dialect(","))[1] == (2, [long, "1"])
    assert csv.field_size_limit() == before


def test_lines_from_the_header_on_end_in_a_break(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"title\na,b\r\n1,2")
    assert [*content(path, Dialect(",", skipped=1))] == [(2, "a,b\r\n"), (3, "1,2\n")]


@pytest.mark.parametrize(
    ("line", "whole", "opens"),
    [
        ('a,"b"\n', True, False),
        ('a,"b\n', False, True),
        ('a,b"c\n', False, False),  # a lone quote
        ('"a""b",c\n', True, False),
        (",\n", True, False),
    ],
)
def test_a_line_is_a_record_or_opens_one(line: str, whole: bool, opens: bool) -> None:
    grammar = grammar_of("doubled", ",")
    assert bool(grammar.closed.fullmatch(line)) is whole
    assert bool(grammar.opens.fullmatch(line)) is opens


def test_records_of_so_many_fields() -> None:
    two: Any = exact("doubled", ",", 2)
    assert two.fullmatch('a,"b,c"\n') and not two.fullmatch("a,b,c\n") and not two.fullmatch("a\n")
    assert two.fullmatch('a,"b\nc"\r\n')
