"""Tables whose rows have several labels: every shape reads the same, and ten that are hopeless name their row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from subarch.tasks.labelled import Table, read_table
from subarch.tasks.loading import load_task
from subarch.tasks.task import Task

SETS = [["toxic", "insult"], ["insult"], []] * 4


def csv(folder: Path, header: str, cells: list[str]) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([f"text,{header}", *(f"text no {n},{cell}" for n, cell in enumerate(cells))]) + "\n")
    return path


def jsonl(folder: Path, labels: list[Any]) -> Path:
    path = folder / "table.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"text no {n}", "label": one}) for n, one in enumerate(labels)))
    return path


def held(table: Table) -> list[list[str]]:
    return [sorted(table.label_names[n] for n in label) for label in table.examples.labels]  # type: ignore[union-attr]


def test_every_shape_reads_the_same(tmp_path: Path) -> None:
    rows = pyarrow.table({"text": [f"text no {n}" for n in range(12)], "labels": SETS})
    pyarrow.parquet.write_table(rows, tmp_path / "table.parquet")
    quoted = ['"' + json.dumps(one).replace('"', '""') + '"' for one in SETS]
    columns = [f"{int('toxic' in one)},{int('insult' in one)}" for one in SETS]
    made: list[tuple[Path, dict[str, Any]]] = [
        (jsonl(tmp_path, SETS), {}),
        (tmp_path / "table.parquet", {}),
    ]
    tables = [read_table(path, **options) for path, options in made]
    tables.append(read_table(csv(tmp_path, "labels", quoted)))
    tables.append(read_table(csv(tmp_path, "labels", [f'"{one}"' for one in SETS])))
    tables.append(read_table(csv(tmp_path, "toxic,insult", columns), label_columns=("insult", "toxic")))
    tables.append(read_table(csv(tmp_path, "label", ["|".join(one) for one in SETS]), label_separator="|"))
    for table in tables:
        assert table.kind == "multilabel" and table.label_names == ("insult", "toxic")
        assert held(table) == [sorted(one) for one in SETS]


def test_numbers_beside_names_are_places(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = csv(tmp_path, "label", ['"1,0"', "1", ""] * 4)
    table = read_table(path, label_separator=",", classes=("insult", "toxic"), kind="multilabel")
    assert held(table) == [["insult", "toxic"], ["toxic"], []] * 4
    assert "0 for insult, 1 for toxic" in caplog.text and "4 rows have nothing in column 'label'" in caplog.text
    assert read_table(path, label_separator=",", missing_label=("null",)).label_names == ("0", "1")


def test_names_in_the_schema_of_a_parquet_file_count_in_lists_too(tmp_path: Path) -> None:
    feature = {"feature": {"names": ["toxic", "insult"], "_type": "ClassLabel"}, "_type": "Sequence"}
    rows = pyarrow.table({"text": ["a", "b", "c"], "labels": [[0, 1], [1], []]})
    info = json.dumps({"info": {"features": {"labels": feature}}})
    pyarrow.parquet.write_table(rows.replace_schema_metadata({"huggingface": info}), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table.label_names == ("toxic", "insult") and table.examples.labels == ((0, 1), (1,), ())


def test_names_that_look_alike_are_one_and_twice_is_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = read_table(jsonl(tmp_path, [["caf\u00e9", "cafe\u0301", "tea"], ["tea", "tea"], []] * 3))
    assert table.label_names == ("caf\u00e9", "tea") and table.examples.labels[0] == (0, 1)
    assert "look the same" in caplog.text and "3 rows name a label twice" in caplog.text


def test_a_column_that_never_holds_is_an_output_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = csv(tmp_path, "a,b,c", ["1,0,0", "0,1,0", "1,1,0"] * 4)
    assert read_table(path, label_columns=("a", "b", "c")).label_names == ("a", "b", "c")
    assert "'c' is 0 in every row" in caplog.text


@pytest.mark.parametrize(
    ("made", "options", "message"),
    [
        (
            lambda f: csv(f, "a,b", ["1,0", "0,0.33"]),
            {"label_columns": ("a", "b")},
            "row 3: expected 0 or 1 in column 'b'.*0.33",
        ),
        (lambda f: csv(f, "a,b", ["1,0", "0,"]), {"label_columns": ("a", "b")}, "row 3: expected 0 or 1 in column 'b'"),
        (lambda f: csv(f, "a,b", ["1,0"]), {"label_columns": ("a", "d")}, "expected a column 'd'"),
        (lambda f: csv(f, "a,b", ["1,0"]), {"label_columns": ("a",)}, "two different columns or more"),
        (lambda f: csv(f, "a,b", ["1,0"]), {"label_columns": ("a", "b"), "label_column": "a"}, "both given"),
        (lambda f: jsonl(f, [["a"], ["b", None]]), {}, "row 2: expected a list of labels .* got None in it"),
        (lambda f: jsonl(f, [["a"], ["b", ["c"]]]), {}, r"row 2: .* got \['c'\] in it"),
        (lambda f: jsonl(f, [["a"], ["b"], None]), {}, "row 3: expected a label in column 'label', got None"),
        (
            lambda f: jsonl(f, [["a"], ["b"], "c"]),
            {},
            "row 3: expected a list .* as in the other rows, got 'c'",
        ),
        (lambda f: jsonl(f, [{"a": 1}, {"a": 0}]), {}, "row 1: .*scores of several labels"),
        (lambda f: jsonl(f, [["a"], ["a"], []]), {}, "at least two labels .* got only 'a', in 2 of 3 rows"),
        (lambda f: jsonl(f, [[], [], []]), {}, "at least two labels .* none in any of 3 rows"),
        (lambda f: csv(f, "label", ["['a']", "\"['b', c']\"", "['b']"]), {}, "row 3: expected a list of labels"),
        (
            lambda f: jsonl(f, [["a"], ["b"]]),
            {"classes": ("a", "c"), "kind": "multilabel"},
            "row 2: .*'c'.*got 'b'",
        ),
        (
            lambda f: jsonl(f, [["a"], ["b"]]),
            {"label_separator": "|"},
            "row 1: expected text .* --label-separator",
        ),
        (lambda f: jsonl(f, [["a"], ["b"]]), {"label_separator": ""}, "what stands between labels"),
        (lambda f: jsonl(f, [["a"], ["b"]]), {"kind": "regression"}, "row 1: expected a finite number"),
    ],
)
def test_what_is_hopeless_is_refused_by_its_row(made: Any, options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(made(tmp_path), **options)


def task(folder: Path, rows: int = 120, **options: Any) -> Task:
    labels = [["c", "a"] if n % 20 == 0 else ["a"] if n % 2 else ["b"] if n % 3 else [] for n in range(rows)]
    words = ["apple", "river", "stone", "cloud", "table", "green", "horse", "light", "music", "paper"]
    path = folder / "table.jsonl"
    lines = [
        {"text": " ".join(words[(n * k + k * k) % 10] for k in range(1, 7)) + f" {n * 7919}", "labels": one}
        for n, one in enumerate(labels)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return load_task(path, **options)


def test_rare_labels_are_in_every_split(tmp_path: Path) -> None:
    made = task(tmp_path)
    for split in (made.train, made.development, made.sealed.open()):
        assert {n for label in split.labels for n in label} == {0, 1, 2}  # type: ignore[union-attr]
    few = task(tmp_path, limit=10)
    assert len(few.train) == 10 and {n for label in few.train.labels for n in label} == {0, 1, 2}  # type: ignore[union-attr]


def test_another_metric_is_chosen_by_name(tmp_path: Path) -> None:
    assert task(tmp_path).metrics == ("micro_f1",)
    assert task(tmp_path, metric="macro_f1").metrics == ("macro_f1",)
    with pytest.raises(ValueError, match="--metric: expected one of micro_f1, macro_f1, exact_match for a multilabel"):
        task(tmp_path, metric="accuracy")
    with pytest.raises(ValueError, match="has no use for --metric"):
        load_task("demo/docs", metric="macro_f1")
