"""Dialects: what five kinds of writers leave is read as it was written, or it is said by the row that it may not be."""

from __future__ import annotations

import csv
import io
import logging
import random
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import pytest

from subarch.text.tables import rows

Table = list[list[str]]
ROW = re.compile(r"\brow \d+")
NUMBER = re.compile(r"\d+")
EMPTY = re.compile(
    r'(?:^|(?<=[,;\t|]))""(?=[,;\t|\n])', re.MULTILINE
)  # what has nothing in it, where others have no value


class Heard(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


# --- writers, by what their manuals say -------------------------------------------------------------------------------


def by_csv(table: Table, delimiter: str, *, quoting: int = csv.QUOTE_MINIMAL, end: str = "\n", **more: object) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=end, **more).writerows(table)  # type: ignore[arg-type]
    return stream.getvalue()


def quoted(cell: str, escape: str = '"') -> str:
    if escape == "\\":
        cell = cell.replace("\\", "\\\\")
    return '"' + cell.replace('"', f'{escape}"') + '"'


def needs_quotes(cell: str, delimiter: str) -> bool:
    return any(one in cell for one in (delimiter, '"', "\n", "\r"))


def by_spark(table: Table, delimiter: str) -> str:
    """escape=backslash, quotes where they are needed, nothing at all as two quotes."""

    def cell(one: str) -> str:
        return quoted(one, "\\") if not one or needs_quotes(one, delimiter) else one

    return "".join(delimiter.join(map(cell, row)) + "\n" for row in table)


def by_excel(table: Table, delimiter: str, *, more: str = "") -> str:
    """CR LF, line feeds inside of cells; a comma needs quotes also where tabs delimit."""

    def cell(one: str) -> str:
        return quoted(one) if needs_quotes(one, delimiter) or any(c in one for c in more) else one

    return "".join(delimiter.join(map(cell, row)) + "\r\n" for row in table)


def by_database(table: Table) -> str:
    """Tabs, with a backslash before what would be mistaken (MySQL's and Hive's text)."""

    def cell(one: str) -> str:
        return one.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

    return "".join("\t".join(map(cell, row)) + "\n" for row in table)


def by_hand(table: Table, delimiter: str, quotes: Sequence[bool] = ()) -> str:
    """What a script joins, with quotes around some columns or none, and nothing escaped."""
    quotes = quotes or [False] * len(table[0])
    body = (delimiter.join(f'"{one}"' if q else one for one, q in zip(row, quotes, strict=True)) for row in table[1:])
    return "\n".join([delimiter.join(table[0]), *body]) + "\n"


def documented(table: Table, delimiter: str) -> Iterator[str]:
    """The same table by every writer that has rules."""
    for quoting, end in product((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC), ("\n", "\r\n")):
        yield by_csv(table, delimiter, quoting=quoting, end=end)
        yield by_csv(table[:1], delimiter, end=end) + by_csv(table[1:], delimiter, quoting=quoting, end=end)
    if [""] not in table:  # which that writer refuses
        yield by_csv(table, delimiter, quoting=csv.QUOTE_NONE, escapechar="\\")
    yield by_spark(table, delimiter)
    yield by_excel(table, delimiter)
    yield by_excel(table, delimiter, more=",")
    yield by_excel(table, delimiter, more=" \t\\").replace("\r\n", "\n")  # PHP's rule
    numbers = "".join(
        delimiter.join(one if NUMBER.fullmatch(one) else quoted(one) for one in row) + "\n" for row in table[1:]
    )
    yield delimiter.join(table[0]) + "\n" + numbers
    ends = [[quoted(c) if needs_quotes(c, delimiter) or c != c.strip() else c for c in row] for row in table]  # Ruby's
    yield "".join(delimiter.join(row) + "\n" for row in ends)
    masks = product((False, True), repeat=len(table[0]))
    for columns, escape, empty, missing in product(masks, ('"', "\\"), (False, True), ((), ("",), ("NULL", "NA"))):
        # Some columns always, as databases put strings into quotes (PostgreSQL also what is empty), but for no value.
        always = [[q and c not in missing for c, q in zip(row, columns, strict=True)] for row in table[1:]]
        body = [
            delimiter.join(
                quoted(c, escape) if q or needs_quotes(c, delimiter) or (empty and not c) else c
                for c, q in zip(row, quotes, strict=True)
            )
            for row, quotes in zip(table[1:], always, strict=True)
        ]
        yield "\n".join([delimiter.join(table[0]), *body]) + "\n"


# --- tables -----------------------------------------------------------------------------------------------------------

PIECES = (
    *['"', '""', "\\", '\\"', "\\\\", ",", ";", "\t", "|", "\n", " ", "'", '",', ',"', '"\n', '\n"'],
    *[
        "a",
        "it is",
        "5",
        "é",
        "e\u0301",
        "😀",
        "\u200b",
        "\u00a0",
        "\u2028",
        "good",
        "bad",
        ",good",
        "good,",
        "\\n",
        "\\t",
    ],
)
WHOLE = ("", '"', '"quoted"', "plain text", "1,5", "\\N", "NULL", "#x", "=1+1", "-", "C:\\new\\dir\\", 'a 5" disk')
HEADERS = (["text", "label"], ["label", "text"], ["text"], ["id", "text", "label"], ["sentence1", "sentence2", "label"])


def text_of(rng: random.Random) -> str:
    if rng.random() < 0.35:
        return rng.choice(WHOLE)
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 5)))


def table_of(rng: random.Random) -> Table:
    header = rng.choice(HEADERS)
    plain = rng.random() < 0.3  # fields without line breaks and delimiters, as joined tables need them
    body: Table = []
    for n in range(rng.randint(1, 6)):
        row = []
        for name in header:
            one = {"label": rng.choice(("good", "bad")), "id": str(n)}.get(name) or text_of(rng)
            row.append(re.sub(r"[\n,;\t|]", " ", one) if plain else one)
        body.append(row)
    return [header, *body]


def written(rng: random.Random, table: Table) -> tuple[str, bytes, str]:
    """The name of the writer, what it leaves, and the suffix."""
    delimiter = rng.choice(",;\t|") if rng.random() < 0.5 else ","
    which = rng.choice(("csv", "pandas", "spark", "excel", "hand", "database"))
    suffix = ".tsv" if delimiter == "\t" and rng.random() < 0.5 else ".csv"
    if which == "csv":
        quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))
        content = by_csv(table, delimiter, quoting=quoting, end=rng.choice(("\n", "\r\n")))
    elif which == "pandas":
        if rng.random() < 0.5 or [""] in table:  # with its index
            table = [["", *table[0]], *([str(n), *row] for n, row in enumerate(table[1:]))]
        quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE, csv.QUOTE_NONE))
        more = {"escapechar": "\\"} if quoting == csv.QUOTE_NONE or rng.random() < 0.3 else {}
        if more and quoting != csv.QUOTE_NONE and rng.random() < 0.7:
            more["doublequote"] = False  # type: ignore[assignment]
        content = by_csv(table, delimiter, quoting=quoting, **more)
    elif which == "spark":
        content = by_spark(table, delimiter)
    elif which == "excel":
        if rng.random() < 0.3:
            return which, by_excel(table, "\t", more=",").encode("utf-16"), rng.choice((".csv", ".tsv"))
        told = f"sep={delimiter}\r\n" if rng.random() < 0.3 and suffix == ".csv" else ""
        return which, (told + by_excel(table, delimiter)).encode(rng.choice(("utf-8", "utf-8-sig"))), suffix
    elif which == "database":
        content, suffix = by_database(table), ".tsv"
    else:
        quotes = [rng.random() < 0.2 for _ in table[0]]
        content = by_hand(table, delimiter, quotes)
    return which, content.encode(), suffix


def wrong(rng: random.Random, path: Path, heard: Heard) -> str | None:
    """What a random table is read as, where it is something else and nobody says so."""
    table = table_of(rng)
    which, content, suffix = written(rng, table)
    path = path.with_suffix(suffix)
    path.write_bytes(content)
    heard.messages.clear()
    try:
        read = [[str(row[name] or "") for name in table[0]] for _, row in rows(path, set(table[0]))]
    except KeyError as error:
        return f"{which}: no column {error} in {content!r}"
    except ValueError as error:
        return None if ROW.search(str(error)) else f"{which}: refused without a row: {error} for {content!r}"
    if read == table[1:] or any(map(ROW.search, heard.messages)):
        return None
    if which in ("hand", "database"):  # what another writer would have left byte by byte cannot be told apart
        text = content.decode()
        others = {one for delimiter in ",;\t|" for one in documented([table[0], *read], delimiter)}
        broken = any("\n" in one or any(c in one for c in ",;\t|") for row in table[1:] for one in row)
        if broken:  # texts that joining alone cannot keep whole: another table, joined in the same way
            others |= {by_hand([table[0], *read], delimiter) for delimiter in ",;\t|"}
            text = re.sub("\n\n+$", "\n", text)
        if text in others or EMPTY.sub("", text) in {EMPTY.sub("", one) for one in others}:
            return None
    return f"{which}: {table[1:]!r}\nwritten as {content!r}\nread as    {read!r}\nand said {heard.messages}"


def mistakes(seed: int, count: int, folder: Path) -> list[str]:
    rng, heard = random.Random(seed), Heard()
    log = logging.getLogger("subarch.text")
    log.addHandler(heard)
    before, log.propagate = log.propagate, False
    try:
        found = (wrong(rng, folder / "table", heard) for _ in range(count))
        return [one for one in found if one is not None]
    finally:
        log.removeHandler(heard)
        log.propagate = before


@pytest.mark.parametrize(("seed", "count"), [(1, 10_000), pytest.param(2, 100_000, marks=pytest.mark.slow)])
def test_no_table_of_any_writer_is_read_wrongly_in_silence(seed: int, count: int, tmp_path: Path) -> None:
    found = mistakes(seed, count, tmp_path)
    assert not found, f"{len(found)} of {count}, such as\n{found[0]}"


# --- single files -----------------------------------------------------------------------------------------------------


def read(tmp_path: Path, content: str | bytes, name: str = "a.csv") -> list[tuple[object, ...]]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [tuple(row.values()) for _, row in rows(path, {"text", "label"})]


def test_a_lone_quote_is_a_character_where_lines_are_rows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = ["label,text", "a,fine", 'b,"Alien was long', 'a,"Up" is short: fine', "b,dull"]
    assert read(tmp_path, "\n".join(lines)) == [tuple(line.split(",", 1)) for line in lines[1:]]
    assert not caplog.text


def test_quotes_that_may_have_swallowed_rows_are_refused_by_the_row(tmp_path: Path) -> None:
    lines = ["label,text", "a,fine", "b,dull", 'b,"Alien was long', "a,so so", 'a,the screen has 5"', "b,bad"]
    with pytest.raises(ValueError, match=r"row 4: a quote opens here .*--quoting none"):
        read(tmp_path, "\n".join(lines))


def test_rows_inside_of_quotes_are_told_where_lines_are_no_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["label,text", "a,fine", "b,dull", 'a,"yes, and no"', 'b,"Alien', "a,so so", 'b,5"', "a,x"]
    assert len(read(tmp_path, "\n".join(lines))) == 5
    assert "row 5: a field in quotes goes over several lines" in caplog.text


@pytest.mark.parametrize("quoting", ["doubled", "none"])
def test_what_quotes_are_can_be_said(tmp_path: Path, quoting: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text('label,text\na,x\na,y\nb,"one\nb,two"\n')
    found = [tuple(row.values()) for _, row in rows(path, {"text"}, quoting=quoting)]  # type: ignore[arg-type]
    assert found[2:] == ([("b", "one\nb,two")] if quoting == "doubled" else [("b", '"one'), ("b", 'two"')])


def test_backslashes_before_quotes(tmp_path: Path) -> None:
    assert read(tmp_path, 'text,label\n"he said \\"no, never\\" twice",a\nplain,b\n') == [
        ('he said "no, never" twice', "a"),
        ("plain", "b"),
    ]


def test_blanks_before_quotes_are_no_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read(tmp_path, 'text, label\n"one", "a"\ntwo, b\n"three, four", "a"\n') == [
        ("one", "a"),
        ("two", " b"),
        ("three, four", "a"),
    ]
    assert "row 2" in caplog.text
    assert read(tmp_path, 'text, label\n"one", "a"\n"two", "b"\nthree, b\n')[0] == ("one", "a")


def test_tables_of_offices(tmp_path: Path) -> None:
    expected = [("one, two", "a"), ("three", "b")]
    assert read(tmp_path, 'sep=;\r\ntext;label\r\n"one, two";a\r\nthree;b\r\n') == expected
    assert read(tmp_path, "text|label\none, two|a\nthree|b\n") == expected
    assert read(tmp_path, 'text,label\n"one, two",a,\nthree,b,\n') == expected
    assert read(tmp_path, 'text\tlabel\r\n"one, two"\ta\r\nthree\tb\r\n'.encode("utf-16")) == expected
    assert read(tmp_path, b'text,label\r"one, two",a\rthree,b\r') == expected
    assert read(tmp_path, 'text,label\n"one, two",a\ntext,label\n,\nthree,b\n') == expected
    array = '[{"text": "one, two", "label": "a"},\n {"text": "three", "label": "b"}]'
    assert read(tmp_path, array, "a.json") == expected == read(tmp_path, array, "a.jsonl")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\ncaf\u00e9,a\n".encode("cp1252"), r"row 2: .*iconv -f CP1252"),
        ("a.csv.zip", b"PK\x03\x04", "unzip"),
        ("a.csv", b"PK\x03\x04 and more", "a ZIP archive: unpack it"),
        ("a.csv", b"\x1f\x8b and more", r"add \.gz"),
        ("a.xlsx", b"PK\x03\x04", "save it as CSV UTF-8"),
        ("a.csv", b'text,label\n"open,a\nx,b\ny,z,c\n', r"row 2: a quote opens that nobody closes.*row 4"),
        ("a.csv", b"text,label\n1,x,a\n2,y,b\n", "a name missing in the first row"),
        ("a.jsonl", b'{"text": "x", "label": "a", "text": "y"}\n', r"row 1: .*'text' twice"),
        ("a.json", b'{"text": {"0": "x"}, "label": {"0": "a"}}', r"orient='records'"),
        ("a.json", b'[{"text": "x"}, 5]', "row 2: expected a JSON object"),
        ("a.json", b'[{"text": "x"}', "row 2: expected a JSON object"),
        ("a.json", b'[{"text": "x"}] more', "nothing behind the array"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_cure(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content, name)


def test_random_bytes_are_refused_or_read(tmp_path: Path) -> None:
    rng = random.Random(0)
    for n in range(500):
        alphabet = b'",;\t\r\n\\ab' if n % 2 else bytes(range(256))
        content = bytes(rng.choice(alphabet) for _ in range(rng.randint(0, 60)))
        try:
            read(tmp_path, b"text,label\n" + content)
        except ValueError as error:
            assert str(tmp_path) in str(error)
