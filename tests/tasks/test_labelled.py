"""Tables: every format and delimiter gives the same examples, kinds of labels are seen, every mistake names its row."""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from subarch.tasks.kinds.table import kind_of
from subarch.tasks.labelled import Table, read_table


def names(table: Table) -> tuple[str, ...]:
    return tuple(table.label_names[int(label)] for label in table.examples.labels)


ROWS = [("fine, really; yes", "good"), ('he said "no"', "bad"), ("tab\tfree? café", "good")]


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    contents = {
        "a.csv": 'text,label\n"fine, really; yes",good\n"he said ""no""",bad\n"two\nlines",good\n',
        "b.csv": '\ufeffLabel;Review\ngood;"fine, really; yes"\nbad;"he said ""no"""\ngood;"two\nlines"\n',
        "c.csv": "sentence\tid\tclass\r\nfine, really; yes\t1\tgood\r\n"
        '"he said ""no"""\t2\tbad\r\n"two\nlines"\t3\tgood\r\n',
        "d.jsonl": "\n".join(
            json.dumps({"content": text, "Category": label})
            for text, label in [(ROWS[0]), ROWS[1], ("two\nlines", "good")]
        ),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content.encode())
        read = read_table(path)
        assert read.examples.texts == ("fine, really; yes", 'he said "no"', "two\nlines"), name
        assert names(read) == ("good", "bad", "good"), name


def test_tsv_with_lone_quotes_and_given_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('id\tphrase\tkind\n1\t"Lone quote\tx\n2\t"both ""ends"""\ty\n3\tplain\tx\n')
    read = read_table(path, text_columns=["Phrase"], label_column="kind")
    assert read.examples.texts == ('"Lone quote', 'both "ends"', "plain")
    assert names(read) == ("x", "y", "x")


def test_labels_of_other_types_keep_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"t{v}", "label": v}) for v in (1, 1.0, True, "None", 2.5, " x ")))
    assert names(read_table(path)) == ("1", "1", "true", "None", "2.5", "x")
    table = pyarrow.table({"text": ["a", "b"], "label": [0, 1]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert names(read_table(tmp_path / "a.parquet")) == ("0", "1")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"text,label\n", "the file is empty"),
        ("a.csv", b"a,b\nx,y\n", r"text column .* got \['a', 'b'\]"),
        ("a.csv", b"text,label\nx,a\ny,\n", r"row 3: expected a label in column 'label', got ''"),
        ("a.csv", b"text,label\nx,a\ny,NaN\n", r"row 3: expected a label"),
        ("a.csv", b"text,label\nx,a\n  ,b\n", r"row 3: expected a text in column 'text'"),
        ("a.csv", b"text,label\nx,a\ny,a\n", "at least two classes, got only 'a'"),
        ("a.csv", b"text,label\nx,a\ny,z,b\n", r"row 3: expected 2 columns as in the first row, got 3"),
        ("a.csv", b"text,label\nx,a\n\xff,b\n", r"row 3: expected UTF-8 text, got the byte b'\\xff'"),
        ("a.csv", "text,label\nx,a\n".encode("utf-16-le"), r"row 1: expected UTF-8 text, got binary data.*UTF-16LE"),
        ("a.tsv", b"text\tlabel\nx\ta\ty\n", r"row 2: expected 2 columns"),
        ("a.csv", b"text,label\n" + b"".join(b"t%d,w%d\n" % (i, i) for i in range(20)), "20 different labels in 20"),
        ("a.jsonl", b'{"text": "x", "label": "a"}\n{"text": ', r"row 2: expected a JSON object"),
        ("a.jsonl", b"[1, 2]\n", r"row 1: expected a JSON object"),
        ("a.jsonl", b'{"text": "x", "label": "a"}\n{"text": "y", "label": null}\n', r"row 2: expected a label"),
        ("a.parquet", b"PAR1 and nothing else", "not readable as Parquet"),
        ("a.docx", b"text", "expected a file of texts"),
    ],
)
def test_mistakes_name_their_row(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(path)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("labels", "kind", "label_names"),
    [
        (["b", "a", "b"], "classification", ("a", "b")),
        (["2", "10", "2"], "classification", ("2", "10")),  # in the order of numbers
        (["1.0", "0", "1"], "classification", ("0", "1")),
        (["0.5", "1", "2"], "regression", ()),
        ([str(n) for n in range(20)], "regression", ()),  # no class has a second text
        ([str(n) for n in range(60)], "regression", ()),
        ([str(n % 5) for n in range(60)], "classification", ("0", "1", "2", "3", "4")),
        (["-1e3", "2e-2", "0.1"], "regression", ()),
    ],
)
def test_kinds_are_seen_from_labels(tmp_path: Path, labels: list[str], kind: str, label_names: tuple[str, ...]) -> None:
    path = write(tmp_path / "a.csv", "text,label", *(f"t{n},{label}" for n, label in enumerate(labels)))
    table = read_table(path)
    assert (table.kind, table.label_names) == (kind, label_names)
    if kind == "regression":
        assert table.examples.labels == tuple(map(float, labels))


def test_decimal_commas_and_decimals_are_numbers(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "text;score", "one;1,5", "two;2,0", "three;-3"))
    assert (table.kind, table.examples.labels) == ("regression", (1.5, 2.0, -3.0))
    assert read_table(write(tmp_path / "b.csv", "text;label", "one;1,5", "two;x")).label_names == ("1,5", "x")
    thousands = write(tmp_path / "d.csv", "text;price", *(f"{n};1,{n % 3}00" for n in range(12)))
    assert read_table(thousands, label_column="price").label_names == ("1,000", "1,100", "1,200")
    several = write(tmp_path / "e.csv", "text,label", *(f'{n},"0,{n % 3}"' for n in range(12)))
    assert read_table(several).label_names == ("0,0", "0,1", "0,2")
    codes = write(tmp_path / "f.csv", "text;label", *(f"{n};2,{n % 2}" for n in range(12)))
    assert read_table(codes, kind=kind_of("classification")).label_names == ("2,0", "2,1")
    prices = pyarrow.table({"text": ["one", "two"], "score": [Decimal("1.5"), Decimal("2.25")]})
    pyarrow.parquet.write_table(prices, tmp_path / "c.parquet")
    assert read_table(tmp_path / "c.parquet").examples.labels == (1.5, 2.25)


def test_many_whole_numbers_are_numbers_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.csv", "text,label", *(f"t{n},{n % 77}" for n in range(770)))
    assert read_table(path).kind == "regression"
    assert "77 different whole numbers" in caplog.text and "--kind classification" in caplog.text
    caplog.clear()
    assert len(read_table(path, kind=kind_of("classification")).label_names) == 77 and not caplog.text


def test_a_kind_can_be_given(tmp_path: Path) -> None:
    stars = write(tmp_path / "a.csv", "review,stars", *(f"t{n},{n % 5}" for n in range(20)))
    assert read_table(stars, kind=kind_of("regression")).examples.labels[:5] == (0.0, 1.0, 2.0, 3.0, 4.0)
    prices = write(tmp_path / "b.csv", "text,label", *(f"t{n},{n % 2}.5" for n in range(20)))
    assert read_table(prices, kind=kind_of("classification")).label_names == ("0.5", "1.5")


def test_unlabelled_tables_need_no_label_and_ignore_one(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "text,label", "one,", "two,x"), labelled=False)
    assert [example.label for example in table.examples] == [None, None] and table.kind is None
    assert len(read_table(write(tmp_path / "b.csv", "text", "one"), labelled=False).examples) == 1


@pytest.mark.parametrize(
    ("lines", "given", "message"),
    [
        (["text,text,label", "a,b,x"], {}, "every column name once, got 'text' twice"),
        (["text,Text,label", "a,b,x"], {}, "one column 'text'"),
        (["sentence1,label", "a,x"], {}, "'sentence2' beside 'sentence1'"),
        (["text,label", "a,x", "b,y"], {"text_columns": ["words"]}, r"a column 'words', got \['text', 'label'\]"),
        (["text,label", "a,x", "b,y"], {"kind": "regression"}, "row 2: expected a finite number"),
        (["text,label", "a,1", "b,inf"], {"kind": "regression"}, "row 3: expected a finite number"),
        (["text,label", "a,1", "b,-Infinity", "c,0"], {}, "row 3: expected a finite number"),
        (["text,label", "a,1", "b,1e999", "c,0"], {"kind": "classification"}, "row 3: expected a finite label"),
        (["text,label", "a,1", "b,1"], {"kind": "regression"}, "different numbers"),
        (["text,label", *(f"t{n},{n}.5" for n in range(20)), "last,n/a"], {}, "row 22 has 'n/a'"),
        (["text,label", *(f"t{n},{n}" for n in range(20))], {"kind": "classification"}, "kind 'regression'"),
        (["text", '"a"', '""', '"c"'], {"labelled": False}, "row 3: expected a text in column 'text'"),
        (["text,label\rgood,pos\rbad,neg"], {}, "not with CR alone"),
        (["text,label", "a,x", "b,y"], {"kind": "choice"}, "'classification', 'multilabel', 'regression' or 'tokens'"),
        (["text,label", "a,x", "b,z"], {"classes": ["x", "y"]}, r"row 3: .*\('x', 'y'\), got 'z'"),
        (["text,label", "a,x", "b,y"], {"text_columns": ["text", "text"]}, "a column of its own"),
        (["text,label", "a,x", "b,y"], {"text_columns": ["a", "b", "c"]}, "got 3"),
    ],
)
def test_more_mistakes(tmp_path: Path, lines: list[str], given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path / "a.csv", *lines), **given)


def test_one_text_may_have_two_labels(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "text,label", "one,x", "one,y"))
    assert table.examples.texts == ("one", "one") and table.examples.labels == (0, 1)


def test_classes_of_another_table_keep_their_indices(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "text,label", "one,2", "two,2.0"), classes=["0", "1", "2"])
    assert table.label_names == ("0", "1", "2") and table.examples.labels == (2, 2)


def test_ids_are_kept_where_every_row_has_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"idx": 7, "text": "one", "label": "x"}, {"idx": 9, "text": "two", "label": "y"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [example.id for example in read_table(path).examples] == [7, 9]
    path.write_text("\n".join(map(json.dumps, [rows[0], {**rows[1], "idx": None}])))
    assert [example.id for example in read_table(path).examples] == [0, 1]


def test_parquet_compressed_as_a_whole_and_without_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b", "c"], "score": [0.5, 1.0, 2.0]}), path)
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    assert read_table(packed) == read_table(path) and read_table(path).kind == "regression"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"], "score": [0.5, float("nan")]}), path)
    with pytest.raises(ValueError, match="row 2: expected a label in column 'score', got nan"):
        read_table(path)
    broken = pyarrow.array([b"fine", b"\xff"], pyarrow.binary()).view(pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table({"text": broken, "label": ["x", "y"]}), path)
    with pytest.raises(ValueError, match="after row 0: expected UTF-8 text"):
        read_table(path)


def test_half_of_a_surrogate_pair_names_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "fine", "label": "x"}', '{"text": "cut \\ud83d", "label": "y"}')
    with pytest.raises(ValueError, match=r"row 2: .*surrogate"):
        read_table(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("12345", "number 12345"),
        ("1.5", "number 1.5"),
        ("true", "truth value True"),
        ('["a"]', "list"),
        ("{}", "object"),
    ],
)
def test_what_is_no_text_is_told_by_its_kind(tmp_path: Path, value: str, what: str) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text(f'{{"text": "one", "label": "a"}}\n{{"text": {value}, "label": "b"}}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=rf"row 2: .*{re.escape(what)}.*write it as a string"):
        read_table(path, text_columns=("text",))
