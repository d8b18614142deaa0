"""Files: lines and rows of every format as a stream; every mistake names its row."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from subarch.tasks.labelled import read_table
from subarch.text.files import MAX_LINE_BYTES, lines
from subarch.text.tables import rows


def test_compressed_files_and_files_cut_short(tmp_path: Path) -> None:
    content = b"text,label\none,a\ntwo,b\n"
    packers = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
    for suffix, compress in packers.items():
        path = tmp_path / f"a.csv{suffix}"
        path.write_bytes(compress(content))
        assert list(lines(path)) == [(1, "text,label"), (2, "one,a"), (3, "two,b")]
        assert [(n, dict(row)) for n, row in rows(path)] == [
            (2, {"text": "one", "label": "a"}),
            (3, {"text": "two", "label": "b"}),
        ]
        path.write_bytes(compress(content)[:-6])
        with pytest.raises(ValueError, match="damaged or cut short"):
            list(lines(path))


def test_rows_are_numbered_as_an_editor_numbers_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"two\nlines",a\n\nnext,b\n')
    assert [(number, row["text"]) for number, row in rows(path)] == [(2, "two\nlines"), (5, "next")]


def test_an_endless_line_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b"text,label\nx,")
        file.truncate(3_000_000_000)  # a sparse file: 3 GB that nobody stores
    with pytest.raises(ValueError, match=f"row 2: longer than {MAX_LINE_BYTES:,} bytes"):
        list(lines(path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(rows(tmp_path / "none.csv"))


def test_a_first_line_that_is_blank_does_not_hide_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n\ntext;label\none, two;a\n", encoding="utf-8")
    assert [row for _, row in rows(path, {"text", "label"})] == [{"text": "one, two", "label": "a"}]


def test_a_tsv_has_quotes_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"two\nlines"\ta\n"so ""it"" is"\tb\n', encoding="utf-8")
    assert [tuple(row.values()) for _, row in rows(path)] == [("two\nlines", "a"), ('so "it" is', "b")]


def test_labels_that_are_lists_are_not_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one", "labels": ["a", "b"]}\n', encoding="utf-8")
    assert read_table(path).label_names == ("a", "b")
