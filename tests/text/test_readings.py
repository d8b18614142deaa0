"""Ways to read a table, each followed until something contradicts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from subarch.text.delimited import Dialect, Way
from subarch.text.readings import Evidence, TableReading, evidence


def followed(text: str, way: Way = "doubled", delimiter: str = ",") -> TableReading:
    found = TableReading(way, delimiter)
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        found.take(number, f"{line}\n")
    found.finish()
    return found


def test_a_table_is_counted_and_nothing_contradicts_it() -> None:
    found = followed('text,label\n"one, two",a\n"three\nlines",b\nfour,a\n')
    assert found.holds and (found.rows, found.columns, found.second) == (4, 2, 2)
    assert found.proven and found.over_lines == 3 and not found.always


@pytest.mark.parametrize(
    ("text", "way", "row", "words"),
    [
        ("a,b\n1,2,3\n", "doubled", 2, "expected 2 columns as in the first row, got 3"),
        ('a,b\n"1,2\n', "doubled", 2, "a quote opens that nobody closes"),
        ('a,b\nx"y,2\n', "doubled", 2, "a quote stands inside of a field that has none around it"),
        ('a,b\n"1\n2"x,3\n', "doubled", 2, "in row 3 text follows the quote that closes it"),
        ("a,b\n1,2,\n1,2\n", "doubled", 3, "expected a ',' at the end as in the rows before, got none"),
        ("a,b\rc,d\n", "doubled", 1, "not with CR alone"),
        ('a,b\n"1,2"\n3,4,5\n', "none", 3, "expected 2 columns"),
    ],
)
def test_what_contradicts_a_reading_is_told_by_its_row(text: str, way: Way, row: int, words: str) -> None:
    found = followed(text, way)
    assert found.broken is not None and found.broken[0] == row and words in found.broken[1]


def test_lines_inside_of_quotes_that_may_be_rows_are_kept_as_evidence() -> None:
    found = followed('text,label\n"one\ntwo,b\nthree, and so on",a\n')
    assert found.suspects == [(2, ["two", "b"])]
    assert followed('text,label\n"one\ntwo\nthree, and so on",a\n').suspects == []


def test_blank_lines_and_delimiters_at_every_end() -> None:
    found = followed("a,b\n1,2,\n\n3,4,\n")
    assert found.trailing and found.blank == 3 and found.rows == 3
    assert followed("a,b\n1,2\n\n").blank is None  # behind the rows it says nothing
    assert followed("a\n1\n\n", delimiter="").blank == 3  # but in a single column


def test_quotes_around_everything_are_a_rule() -> None:
    assert followed('"a","b"\n"1","2"\n"3","4"\n').always
    assert not followed('"a","b"\n"1",2\n').always
    assert followed('a,b\n"1",2\nx,"3"\n').unruly == 3  # no program quotes so


def test_two_backslashes_where_there_is_none_alone() -> None:
    found = followed('a,b\n"x\\\\y",1\n', "backslash")
    assert found.doubled_backslash(inside=True) == 2 and found.doubled_backslash(inside=False) is None
    found = followed('a,b\n"x\\\\y",1\n"C:\\d",1\n')
    assert found.doubled_backslash(inside=True) is None


def seen(text: str, tmp_path: Path, *ways: Way, single: bool = False) -> Evidence:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    return evidence(path, Dialect(","), ways or ("doubled", "none"), single=single)


def test_of_all_readings_those_that_hold_are_known_at_the_end(tmp_path: Path) -> None:
    found = seen('text,label\n"one, two",a\nthree,b\n', tmp_path)
    assert found.readings["doubled"].holds and found.readings["doubled"].rows == 3
    assert not found.readings["none"].holds
    assert (found.seen.quote, found.seen.bare_quote, found.seen.backslash) == (2, 2, None)


def test_quiet_lines_are_counted_without_being_looked_at(tmp_path: Path) -> None:
    found = seen("text,label\n" + "".join(f"text {n},a\n" for n in range(1000)), tmp_path)
    assert found.readings["doubled"].rows == found.readings["none"].rows == 1001
    longer = seen("text,label\n" + "x,a\n" * 500 + "x,a,b\n", tmp_path)
    assert longer.readings["doubled"].broken == (502, "expected 2 columns as in the first row, got 3")


def test_forms_of_quotes_and_backslashes_have_their_first_rows(tmp_path: Path) -> None:
    found = seen('text,label\nC:\\dir,a\n"so \\"it\\"",b\nx\\\\y,a\n', tmp_path, "backslash").seen
    assert (found.backslash, found.escaped_quote, found.pair, found.quote) == (2, 3, 4, 3)


def test_line_ends_that_differ_and_columns_that_are_hidden(tmp_path: Path) -> None:
    assert seen("a,b\n1,2\r\n3,4\n", tmp_path).seen.other_end == 2
    ways: tuple[Way, ...] = ("doubled", "backslash", "none", "escaped")
    assert seen("a;b\n1;2\n3;4\n", tmp_path, *ways, single=True).seen.regular == {";": 1}
    assert seen("a;b\n1;2;3\n4;5\n", tmp_path, *ways, single=True).seen.regular == {}
