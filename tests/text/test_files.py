"""Labelled files: every format and delimiter gives the same rows; every mistake names its row."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from subarch.text.files import MAX_LINE_BYTES, lines, read_labelled

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
        read = read_labelled(path)
        assert read.texts == ("fine, really; yes", 'he said "no"', "two\nlines"), name
        assert read.labels == ("good", "bad", "good"), name


def test_tsv_with_lone_quotes_and_given_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('id\tphrase\tkind\n1\t"Lone quote\tx\n2\t"both ""ends"""\ty\n3\tplain\tx\n')
    read = read_labelled(path, text_column="Phrase", label_column="kind")
    assert read.texts == ('"Lone quote', 'both "ends"', "plain")
    assert read.labels == ("x", "y", "x")


def test_compressed_files(tmp_path: Path) -> None:
    content = b"text,label\none,a\ntwo,b\n"
    packers = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
    for suffix, compress in packers.items():
        path = tmp_path / f"a.csv{suffix}"
        path.write_bytes(compress(content))
        assert read_labelled(path).labels == ("a", "b")
        path.write_bytes(compress(content)[:-6])
        with pytest.raises(ValueError, match="damaged or cut short"):
            read_labelled(path)


def test_labels_of_other_types_keep_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"t{v}", "label": v}) for v in (1, 1.0, True, "None", 2.5, " x ")))
    assert read_labelled(path).labels == ("1", "1", "true", "None", "2.5", "x")
    table = pyarrow.table({"text": ["a", "b"], "label": [0, 1]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read_labelled(tmp_path / "a.parquet").labels == ("0", "1")


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
        ("a.csv", "text,label\nx,a\n".encode("utf-16"), r"row 1: expected UTF-8 text, got binary data"),
        ("a.tsv", b"text\tlabel\nx\ta\ty\n", r"row 2: expected 2 columns"),
        ("a.csv", b"text,label\n" + b"".join(b"t%d,%d\n" % (i, i) for i in range(20)), "20 different labels"),
        ("a.jsonl", b'{"text": "x", "label": "a"}\n{"text": ', r"row 2: expected a JSON object"),
        ("a.jsonl", b"[1, 2]\n", r"row 1: expected a JSON object"),
        ("a.jsonl", b'{"text": "x", "label": "a"}\n{"text": "y", "label": null}\n', r"row 2: expected a label"),
        ("a.parquet", b"PAR1 and nothing else", "not readable as Parquet"),
        ("a.docx", b"text", "expected a file of labelled texts"),
    ],
)
def test_mistakes_name_their_row(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_labelled(path)


def test_an_endless_line_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b"text,label\nx,")
        file.truncate(3_000_000_000)  # a sparse file: 3 GB that nobody stores
    with pytest.raises(ValueError, match=f"row 2: longer than {MAX_LINE_BYTES:,} bytes"):
        list(lines(path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_labelled(tmp_path / "none.csv")
