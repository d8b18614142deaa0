"""Which columns hold what: by their usual names, or as named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subarch.tasks.columns import Columns, LabelsAt, Wanted
from subarch.tasks.labelled import read_table


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "header",
    [
        "sentence1,sentence2",
        "premise,hypothesis",
        "Question,Answer",
        "text_a,text_b",
        "question1,question2",
        "query,document",
    ],
)
def test_pairs_are_found(tmp_path: Path, header: str) -> None:
    table = read_table(write(tmp_path / "a.csv", f"{header},label", "one,two,x", "three,four,y"))
    assert [example.texts for example in table.examples] == [("one", "two"), ("three", "four")]


def test_columns_can_be_given_in_any_case_and_ids_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ID,Left,Right,Mark", "a7,one,two,x", "a9,three,four,y")
    table = read_table(path, text_columns=["left", "RIGHT"], label_column="mark")
    assert table.columns.texts == ("Left", "Right") and table.columns.label == "Mark"
    assert [example.id for example in table.examples] == ["a7", "a9"]
    plain = read_table(write(tmp_path / "b.csv", "text,label", "one,x", "two,y"))
    assert [example.id for example in plain.examples] == [0, 1]


def test_a_label_column_is_never_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "question,passage,answer", "is it,it is,yes", "is it,it was,no")
    assert read_table(path, label_column="answer").columns.texts == ("question", "passage")
    path = write(tmp_path / "b.csv", "question,answer", "is it,yes", "was it,no")
    table = read_table(path, label_column="Answer")
    assert table.columns.texts == ("question",) and table.label_names == ("no", "yes")


def found(
    names: list[str], tmp_path: Path, *, texts: tuple[str, ...] = (), label: str | None = None, **given: bool
) -> Columns:
    return Wanted(texts, label, given.get("labelled", True)).found(tmp_path / "a.csv", names)


@pytest.mark.parametrize(
    ("names", "texts", "label", "identifier"),
    [
        (["id", "text", "label"], ("text",), "label", "id"),
        (["Review", "Stars"], ("Review",), "Stars", None),
        (["sentence1", "sentence2", "text", "score"], ("sentence1", "sentence2"), "score", None),  # a pair goes first
        (["question", "label"], ("question",), "label", None),
        ([" text ", "LABEL", "index"], (" text ",), "LABEL", "index"),
    ],
)
def test_usual_names_in_any_case(
    names: list[str], texts: tuple[str, ...], label: str, identifier: str | None, tmp_path: Path
) -> None:
    assert found(names, tmp_path) == Columns(texts, label, identifier)


@pytest.mark.parametrize(
    ("names", "given", "words"),
    [
        (["a", "b"], {}, "expected a text column .* and a label column .*or is the header line missing?"),
        (["a", "b"], {"labelled": False}, r"expected a text column \('text', or such as sentence"),
        (["premise", "label"], {}, "expected a column 'hypothesis' beside 'premise'"),
        (["text", "Text", "label"], {}, r"expected one column 'text', got \['text', 'Text'\]"),
        (["text", "label"], {"label": "mood"}, r"expected a column 'mood', got \['text', 'label'\]: name one"),
        (["text", "label"], {"texts": ("text", "text")}, "a column of its own for each text and the label"),
    ],
)
def test_columns_that_are_not_found_are_told(
    names: list[str], given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(",".join(names) + "\n")
    with pytest.raises(ValueError, match=words):
        found(names, tmp_path, **given)


def test_a_label_that_is_not_read_is_no_text_either(tmp_path: Path) -> None:
    wanted = Wanted((), "question", False)
    made = wanted.found(tmp_path / "a.csv", ["question", "passage", "text"])
    assert made == Columns(("text",), None, None) and wanted.label_of(made) == "question"
    assert {"question", "text", "premise", "id"} <= wanted.usual_names()


def test_labels_stand_in_one_place() -> None:
    assert LabelsAt(label_columns=("a", "b")).checked().label_columns == ("a", "b")
    for wrong, words in (
        (LabelsAt("label", ("a", "b")), "--label-columns and --label-column were both given"),
        (LabelsAt(None, ("a", "b"), "|"), "--label-columns and --label-separator were both given"),
        (LabelsAt(None, ("a", "a")), "two different columns or more"),
        (LabelsAt("label", (), ""), "what stands between labels"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong.checked()
