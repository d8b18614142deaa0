"""What a checkpoint says it was made for: read as it was written, by versions that say less as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subarch.learning.purposes import PURPOSE, Dealt, DealtFile, DealtReading, Purpose
from subarch.tasks.columns import LabelsAt


def test_what_is_written_is_read_and_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text("text,label\na,b\n", encoding="utf-8")
    made = Purpose(task=str(table), label_names=("b", "c"), split=Dealt(seed=3, files={"data": DealtFile.of(table)}))
    assert Purpose.read(tmp_path) == Purpose()
    (tmp_path / PURPOSE).write_text(json.dumps(made.to_json()), encoding="utf-8")
    assert Purpose.read(tmp_path) == made
    assert made.learned_from(table) and not made.learned_from(table, "test_data") and not made.judged_by(table)
    table.write_text("text,label\na,c\n", encoding="utf-8")
    assert not made.learned_from(table)


@pytest.mark.parametrize("content", ["", "[]", '{"split": {"rule": "relatives"}}', "{"])
def test_what_says_nothing_of_use_is_read_as_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / PURPOSE).write_text(content, encoding="utf-8")
    assert Purpose.read(tmp_path) == Purpose()


def test_an_earlier_version_says_no_rule_and_no_columns() -> None:
    said = Purpose.from_json({"task": "a.csv", "split": {"seed": 0, "limit": None, "sealed": "x", "files": {}}})
    assert said.split is not None and said.split.rule == "equal texts" and said.split.columns is None
    assert "rule" in said.to_json()["split"] and "method" not in said.to_json()


def test_labels_are_looked_for_where_they_were_unless_somebody_says_so() -> None:
    split = Dealt(seed=0, reading=DealtReading(label_separator="|"))
    joined, wide = Purpose(label_column="tags", split=split), Purpose(label_columns=("a", "b"))
    assert joined.labels_at(LabelsAt()) == ("tags", (), "|") and wide.labels_at(LabelsAt()) == (None, ("a", "b"), None)
    assert joined.labels_at(LabelsAt(label_separator=";")) == ("tags", (), ";")
    assert wide.labels_at(LabelsAt("label")) == ("label", (), None)
    assert joined.labels_at(LabelsAt(None, ("c", "d"))) == (None, ("c", "d"), None)
    said = wide.to_json()
    assert "thresholds" not in said and Purpose.from_json(said) == wide
    assert "label_separator" not in Dealt(seed=0).to_json()["reading"]
