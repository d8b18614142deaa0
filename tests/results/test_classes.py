"""How each class fares."""

from __future__ import annotations

from examples import BY_CLASS, CLASSES
from laws import goes_through_json

from subarch.results.base import Line, Rows
from subarch.results.classes import ByClass, ClassScore, points


def test_the_worst_class_goes_first_and_classes_without_examples_are_left_out() -> None:
    nobody = ClassScore(name="nobody", examples=0, answered=3, right=0)
    table, line = ByClass(classes=(*CLASSES, nobody), by_class=BY_CLASS).told_by_class()
    assert isinstance(table, Rows) and isinstance(line, Line)
    assert table.columns == ("class", "examples", "answered", "rightly", "recall", "F1")
    assert table.rows == [
        ("praise", "60", "58", "54", "0.900", "0.915"),
        ("blame", "40", "42", "38", "0.950", "0.927"),
    ]
    assert line.words == "balanced accuracy 0.9250, macro F1 0.9200"


def test_of_many_classes_the_worst_twenty_are_shown() -> None:
    many = tuple(ClassScore(name=f"c{n}", examples=30, answered=10, right=n) for n in range(23))
    table, more, _ = ByClass(classes=many[::-1], by_class=BY_CLASS).told_by_class()
    assert isinstance(table, Rows) and isinstance(more, Line)
    assert [row[0] for row in table.rows] == [f"c{n}" for n in range(20)]
    assert more.words == "and 3 classes with a recall of 0.633 or more"  # 19 of 30


def test_thresholds_are_told_after_the_labels() -> None:
    *_, last = ByClass(classes=CLASSES, by_class={}, holds_above={"blame": 0.35, "praise": 0.5}).told_by_class()
    assert isinstance(last, Line) and last.words.endswith("development rows: blame 0.35, praise 0.5")


def test_without_classes_nothing_is_said() -> None:
    assert [*ByClass().told_by_class()] == [*ByClass(classes=(), by_class={}).told_by_class()] == []


def test_recall_stands_in_the_json_form_and_follows_from_counts() -> None:
    goes_through_json(ByClass(classes=CLASSES, by_class=BY_CLASS))
    blame, nobody = CLASSES[0], ClassScore(name="nobody", examples=0, answered=3, right=0)
    assert blame.to_json() == {"name": "blame", "examples": 40, "answered": 42, "right": 38, "recall": 0.95}
    assert nobody.to_json()["recall"] is None and ClassScore.from_json(nobody.to_json()) == nobody
    assert ClassScore(name="never", examples=2, answered=0, right=0).is_missed
    assert not blame.is_missed and not nobody.is_missed


def test_points_are_of_a_hundred() -> None:
    assert (points(0.91235), points(1.0), points(0.0), points(None)) == ("91.23", "100.00", "0.00", "")
