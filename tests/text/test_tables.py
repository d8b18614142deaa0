"""Rows of tables of every format; what is wrong is told by file and row."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.text import tables
from subarch.text.tables import class_names, jsonl_rows, parquet_rows, rows

TABLE = [{"text": "one", "label": "a"}, {"text": "zwei\nlines", "label": "b"}, {"text": "trois é", "label": "a"}]
JSON = st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=8), min_size=1, max_size=3)


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parquet(path: Path, table: list[dict[str, Any]], features: Any = None) -> Path:
    arrow, library = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    made = arrow.Table.from_pylist(table)
    if features is not None:
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    library.write_table(made, path)
    return path


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in TABLE)
    files = [
        put(tmp_path / "a.csv", 'text,label\none,a\n"zwei\nlines",b\ntrois é,a\n'),
        put(tmp_path / "a.tsv", 'text\tlabel\none\ta\n"zwei\nlines"\tb\ntrois é\ta\n'),
        put(tmp_path / "a.jsonl", lines),
        put(tmp_path / "a.json", json.dumps(TABLE, indent=2)),
        put(tmp_path / "b.json", lines),
        put(tmp_path / "a.jsonl.gz", gzip.compress(lines.encode())),
        parquet(tmp_path / "a.parquet", TABLE),
    ]
    for file in files:
        assert [dict(row) for _, row in rows(file)] == TABLE, file.name


@given(table=st.lists(JSON, min_size=1, max_size=6), indent=st.sampled_from([None, 1]))
def test_an_array_of_objects_is_read_whatever_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, table: list[dict[str, Any]], indent: int | None
) -> None:
    file = put(tmp_path_factory.mktemp("t") / "a.json", json.dumps(table, indent=indent))
    assert [(number, dict(row)) for number, row in rows(file)] == [*enumerate(table, 1)]


def test_an_array_larger_than_a_block_is_read_piece_by_piece(tmp_path: Path) -> None:
    table = [{"text": "ä" * 999, "n": n} for n in range(300)]
    assert [dict(row) for _, row in rows(put(tmp_path / "a.json", json.dumps(table, ensure_ascii=False)))] == table


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.zip", "", "an archive: unpack it"),
        ("a.xlsx", "", "a workbook: save it as CSV UTF-8"),
        ("a.doc", "", r"\(\.csv, \.tsv, \.jsonl, \.json or \.parquet\), got '\.doc'"),
        ("a.csv", "text,text\na,b\n", "row 1: expected every column name once, got 'text' twice"),
        ("a.jsonl", '{"a": 1}\n[1]\n', r"row 2: expected a JSON object a line, got '\[1\]'"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', "row 1: expected every name once in an object, got 'a' twice"),
        ("a.jsonl", '{"text": {"0": "x"}, "label": {"0": "y"}}\n', "got an object for every column.*orient='records'"),
        ("a.json", '[{"a": 1}', "row 2: expected a JSON object a line .or an array"),
        ("a.json", '[{"a": 1} {"a": 2}]', "row 2"),
        ("a.json", '[{"a": 1}] more', "expected nothing behind the array, got 'more'"),
        ("a.json", '[{"a": 1, "a": 2}]', "row 1: expected every name once"),
        ("a.json", "[1]", "row 1: expected a JSON object"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xe9"}\n', "row 2.*UTF-8"),
        ("a.parquet", "no parquet at all", "not readable as Parquet"),
    ],
)
def test_what_cannot_be_read_is_told_by_file_and_row(
    name: str, content: str | bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words) as told:
        list(rows(put(tmp_path / name, content)))
    assert str(tmp_path / name) in str(told.value)


def test_blank_lines_are_no_rows_but_count(tmp_path: Path) -> None:
    file = put(tmp_path / "a.jsonl", '\n{"a": 1}\n  \n{"a": 2}\n')
    assert [number for number, _ in jsonl_rows(file)] == [2, 4]


def test_what_is_left_out_is_said_once_with_its_first_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = put(tmp_path / "a.csv", "text,label\none,a\n,\n,\ntext,label\ntwo,\\N\nthree,b\n")
    with caplog.at_level(logging.WARNING):
        found = [(number, tuple(row.values())) for number, row in rows(file)]
    assert found == [(2, ("one", "a")), (6, ("two", None)), (7, ("three", "b"))]
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "row 3: 2 rows without anything in them" in said and "row 5: 1 rows that repeat the names" in said
    assert r"row 6: 1 rows with \N as a field" in said and len(caplog.records) == 3


def test_classes_of_a_parquet_file_are_their_names(tmp_path: Path) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["bad", "good"]}, "text": {"_type": "Value"}}
    table = [{"text": str(n), "label": n} for n in (1, 0, -1, 7)]
    file = parquet(tmp_path / "a.parquet", table, features)
    assert [row["label"] for _, row in parquet_rows(file)] == ["good", "bad", None, 7]
    assert class_names(file) == {"label": ("bad", "good")}
    assert class_names(put(tmp_path / "a.csv", "a\n")) == class_names(parquet(tmp_path / "b.parquet", table)) == {}


def test_columns_of_a_parquet_file_that_are_asked_for(tmp_path: Path) -> None:
    file = parquet(tmp_path / "a.parquet", TABLE)
    assert [dict(row) for _, row in parquet_rows(file, ["label"])] == [{"label": row["label"]} for row in TABLE]
    with pytest.raises(ValueError, match=r"expected a column 'none', got \['text', 'label'\]: rename it"):
        list(parquet_rows(file, ["none"]))
    packed = put(tmp_path / "b.parquet.gz", gzip.compress(file.read_bytes()))
    assert [dict(row) for _, row in rows(packed)] == TABLE


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = parquet(tmp_path / "a.parquet", TABLE)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs pyarrow: pip install 'subarch\[parquet\]'"):
        list(tables.rows(file))
