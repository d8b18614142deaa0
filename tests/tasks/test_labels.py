"""Labels: which are missing, which are one class, which are no numbers, and which are several."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from subarch.tasks.labelled import Table, read_table


def table(tmp_path: Path, labels: list[str], header: str = "label") -> Path:
    path = tmp_path / "a.csv"
    path.write_text(f"text,{header}\n" + "".join(f"t{n},{one}\n" for n, one in enumerate(labels)), encoding="utf-8")
    return path


def given(read: Table) -> list[str]:
    return [read.label_names[int(label)] for label in read.examples.labels]


# --- missing ----------------------------------------------------------------------------------------------------------


def test_missing_labels_are_told_at_once_with_the_option(tmp_path: Path) -> None:
    labels = ["good", "bad"] * 20
    for row in (3, 7, 8, 9, 11, 13, 20):
        labels[row] = "" if row % 2 else "NaN"
    with pytest.raises(
        ValueError, match=r"row 5: .* got ''.* none in 6 more rows \(9, 10, 11, 13, 15, \.\.\.\)"
    ) as error:
        read_table(table(tmp_path, labels))
    assert "--missing-label NaN" in str(error.value)


def test_rows_without_a_label_are_left_out_where_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path, ["good", "unknown", "bad", "", "null", "good", "bad", "null"])
    read = read_table(path, missing_label=["Unknown"])
    assert given(read) == ["good", "bad", "null", "good", "bad", "null"]
    assert [example.first for example in read.examples] == ["t0", "t2", "t4", "t5", "t6", "t7"]
    assert "2 of 8 rows have no label (the first is row 3)" in caplog.text


@pytest.mark.parametrize(("times", "is_class"), [(20, True), (4, False), (1, False)])
def test_a_word_for_nothing_that_is_as_common_as_classes_is_one(
    tmp_path: Path, times: int, is_class: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path, [*["order", "refund", "hello"] * 20, *["null"] * times])
    if is_class:
        assert read_table(path).label_names == ("hello", "null", "order", "refund")
        assert "'null' in column 'label' is taken for a class: it stands in 20 of 80 rows" in caplog.text
    else:
        with pytest.raises(ValueError, match=r"got 'null'.*--missing-label null"):
            read_table(path)


def test_no_number_is_never_a_class_among_numbers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"row 22: expected a label"):
        read_table(table(tmp_path, [*[str(n % 3) for n in range(20)], *["nan"] * 20]))


# --- alike ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["positive\u200b", "\ufeffpositive", "positive\u00a0", "posi\u00adtive"])
def test_invisible_characters_make_no_class(tmp_path: Path, other: str) -> None:
    read = read_table(table(tmp_path, ["positive", "positive", other, "negative"] * 5))
    assert read.label_names == ("negative", "positive")


def test_composition_makes_no_class_and_that_is_said_with_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = read_table(table(tmp_path, ["caf\u00e9", "caf\u00e9", "cafe\u0301", "bar"] * 3))
    assert read.label_names == ("bar", "caf\u00e9")
    assert r"'caf\xe9' (6 rows) and 'cafe\u0301' (3 rows) look the same" in caplog.text


@pytest.mark.parametrize("other", ["Positive", "'positive'", "positive.", "\uff50ositive"])
def test_labels_that_look_alike_are_told_with_counts(
    tmp_path: Path, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    read = read_table(table(tmp_path, ["positive", "positive", other, "negative"] * 3))
    assert len(read.label_names) == 3
    assert f"'positive' (6 rows) and {other!r} (3 rows) look alike" in caplog.text


def test_classes_of_a_model_are_found_whatever_cannot_be_seen(tmp_path: Path) -> None:
    path = table(tmp_path, ["Good\u200b", "BAD", "good"])
    assert read_table(path, classes=["bad", "good"]).examples.labels == (1, 0, 1)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [[f"{n % 25 + 1:03d}" for n in range(75)], ["01001", "1001", "02139"] * 5, ["1.1", "1.10", "1.2"] * 5],
)
def test_codes_and_versions_are_names(tmp_path: Path, labels: list[str]) -> None:
    read = read_table(table(tmp_path, labels))
    assert (read.kind, set(read.label_names)) == ("classification", set(labels))
    assert given(read) == labels


def test_numbers_for_names_are_places_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = table(tmp_path, ["1", "0", "0", "1.0"])
    read = read_table(path, classes=["NEGATIVE", "POSITIVE"])
    assert read.examples.labels == (1, 0, 0, 1) and read.label_names == ("NEGATIVE", "POSITIVE")
    assert "0 for NEGATIVE, 1 for POSITIVE" in caplog.text


@pytest.mark.parametrize("labels", [["1", "2"], ["true", "false"], ["0", "1", "2"], ["0", "0"], ["yes", "no"]])
def test_what_may_mean_anything_is_refused_with_a_way_out(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(ValueError, match=r"NEGATIVE.*write one of these instead"):
        read_table(table(tmp_path, labels), classes=["NEGATIVE", "POSITIVE"])


def test_names_in_the_schema_of_a_parquet_file_count_in_their_order(tmp_path: Path) -> None:
    features = {"label": {"names": ["positive", "negative", "mixed"], "_type": "ClassLabel"}}
    rows = pyarrow.table({"text": ["a", "b", "c", "d"], "label": [0, 1, 1, 0]})
    rows = rows.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(rows, tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet")
    assert read.label_names == ("positive", "negative") and read.examples.labels == (0, 1, 1, 0)
    assert read_table(tmp_path / "a.parquet", classes=["NEGATIVE", "POSITIVE"]).examples.labels == (1, 0, 0, 1)


# --- several ----------------------------------------------------------------------------------------------------------


def test_several_labels_a_row_are_refused_by_their_shape(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"row 2: expected one label a row .*a list.*\(as in 9 of 9 rows\).*multi-label"
    ):
        read_table(
            table(tmp_path, ["\"['toxic', 'insult']\"", "['insult']", "[]"] * 3, "labels"), kind="classification"
        )
    path = tmp_path / "b.jsonl"
    path.write_text('{"text": "one", "label": {"toxic": 0.9}}\n{"text": "two", "label": {"toxic": 0.1}}\n')
    with pytest.raises(ValueError, match=r"row 1: .*scores of several labels"):
        read_table(path)
    path = tmp_path / "c.csv"
    path.write_text("text,toxic,insult\none,1,0\ntwo,1,1\nthree,0,0\n")
    with pytest.raises(ValueError, match=r"columns of 0 and 1 \(toxic, insult\).*multi-label"):
        read_table(path)


@pytest.mark.parametrize("joint", ["|", "#", ";"])
def test_joined_labels_are_told_by_their_parts(tmp_path: Path, joint: str, caplog: pytest.LogCaptureFixture) -> None:
    read_table(table(tmp_path, ["toxic", "insult", f"toxic{joint}insult", "threat", f"toxic{joint}threat"] * 4))
    assert "several labels joined" in caplog.text
    caplog.clear()
    read_table(table(tmp_path, [f"sport{joint}tennis", f"sport{joint}football", f"news{joint}local"] * 4))
    assert not caplog.text


# --- texts ------------------------------------------------------------------------------------------------------------


def test_empty_texts_are_told_at_once_left_out_or_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\none,x\n,y\n  ,x\nfour,y\n")
    with pytest.raises(ValueError, match=r"row 3: expected a text in column 'text', got '' and in 1 more rows \(4\)"):
        read_table(path)
    assert [one.first for one in read_table(path, without_text="leave out").examples] == ["one", "four"]
    kept = read_table(path, labelled=False, without_text="keep")
    assert [one.first for one in kept.examples] == ["one", "", "", "four"] and kept.without_text == (1, 2)
    assert caplog.text.count("row 3: no text in column 'text'") == 2


def test_texts_that_nobody_reads_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,text,label,when\n" + "".join(f"a title no {n},text {n},{n % 2},May {n}\n" for n in range(6)))
    read_table(path)
    assert caplog.text.count("--text-columns title text") == 1 and "'when'" not in caplog.text
    caplog.clear()
    read_table(path, text_columns=["title", "text"])
    assert not caplog.text


def test_a_label_among_several_that_could_be_one_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label,score\none,x,1\ntwo,y,2\n")
    assert read_table(path).columns.label == "label" and "'score' could be it as well" in caplog.text
    caplog.clear()
    assert read_table(path, label_column="score").columns.label == "score" and not caplog.text


# --- what is written otherwise ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.tsv", "bars.csv", "semicolons.csv"])
def test_decimal_commas_are_numbers_where_commas_delimit_nothing(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    between = {"a.tsv": "\t", "bars.csv": "|", "semicolons.csv": ";"}[name]
    lines = [("text", "score"), ("good", "1,5"), ("bad", "-2,25"), ("fair", "3")]
    (tmp_path / name).write_text("".join(between.join(line) + "\n" for line in lines))
    read = read_table(tmp_path / name)
    assert (read.kind, read.examples.labels) == ("regression", (1.5, -2.25, 3.0))
    assert "decimal commas" in caplog.text


def test_commas_that_may_be_anything_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = table(tmp_path, ['"1,5"', '"2,25"', '"3,1"'])
    assert read_table(path).kind == "classification" and "'1,5' and the like" in caplog.text
    caplog.clear()
    assert read_table(path, kind="regression").examples.labels == (1.5, 2.25, 3.1)
    path = tmp_path / "b.csv"
    path.write_text("text;score\na;1,500\nb;2,250\n")
    read_table(path)
    assert "'1,500' and the like" in caplog.text and "thousands" in caplog.text


@pytest.mark.parametrize("word", ["NA", "N/A", "None", "NaT"])
def test_other_words_for_nothing_are_classes_which_is_told_where_they_are_rare(
    tmp_path: Path, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    rare = table(tmp_path, [*["good", "bad"] * 10, word])
    assert word in read_table(rare).label_names
    assert f"{word!r} in column 'label' (1 of 21 rows)" in caplog.text and f"--missing-label {word}" in caplog.text
    caplog.clear()
    read_table(table(tmp_path, ["good", "bad", word] * 10))
    assert not caplog.text


@pytest.mark.parametrize("word", ["#N/A", "<NA>"])
def test_what_programs_write_for_nothing_is_none(tmp_path: Path, word: str) -> None:
    with pytest.raises(ValueError, match=f"row 22: .*--missing-label {word}"):
        read_table(table(tmp_path, [*["good", "bad"] * 10, word]))


def test_truths_beside_numbers_and_other_alphabets_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_table(table(tmp_path, ["True", "1", "False", "0"] * 3))
    assert "'True' (3 rows) and '1' (3 rows) look alike" in caplog.text
    caplog.clear()
    read_table(table(tmp_path, ["pos", "p\u043es", "neg"] * 3))  # a Cyrillic letter
    assert "(3 rows) and 'p\u043es' (3 rows) look alike" in caplog.text


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ([b"good", b"bad"], "the bytes b'good'"),
        ([date(2020, 1, 1), date(2021, 1, 1)], "the value of another kind datetime.date"),
    ],
)
def test_what_is_no_label_is_told_by_its_kind(tmp_path: Path, labels: list[object], what: str) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": labels}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=rf"row 1: .*got {re.escape(what)}.*write it as a string"):
        read_table(tmp_path / "a.parquet")


def test_long_decimals_are_read_digit_by_digit(tmp_path: Path) -> None:
    numbers = [Decimal("12345678901234567890"), Decimal("12345678901234567891")]
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": numbers}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").label_names == tuple(map(str, numbers))


@pytest.mark.parametrize("column", ["label", "id"])
def test_half_a_character_is_refused_in_every_column_that_is_read(tmp_path: Path, column: str) -> None:
    row = {"id": "1", "text": "a", "label": "x"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, column: "\ud83d"}) + "\n")
    with pytest.raises(ValueError, match=r"row 2: .*half of a surrogate pair"):
        read_table(tmp_path / "a.jsonl")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_tables_that_were_joined_lose_the_marks_before_them(tmp_path: Path, encoding: str) -> None:
    whole = "\ufefftext,label\ngood,x\nbad,y\n" * 2 + "\ufefffine,x\n"
    (tmp_path / "a.csv").write_bytes(whole.encode(encoding))
    read = read_table(tmp_path / "a.csv")
    assert read.examples.texts == ("good", "bad", "good", "bad", "fine") and read.label_names == ("x", "y")
