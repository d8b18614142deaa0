"""The front door: demos, tables and benchmarks become tasks whose splits share no text."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from subarch.tasks.loading import load_task
from subarch.tasks.relatives import LINKING_WORDS, normalised
from subarch.tasks.task import Task


def write(path: Path, rows: Sequence[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def share_no_text(task: Task) -> bool:
    splits = [task.train, task.development, task.sealed.open()]
    texts = [{normalised(" / ".join(example.texts)) for example in split} for split in splits]
    return not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "a.csv", [(f"text number {i}", "ab"[i % 2]) for i in range(100)])


def test_same_seed_same_task_other_seed_other_split(table: Path) -> None:
    first, again, other = (load_task(table, seed=seed) for seed in (0, 0, 1))
    assert first == again and first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint and first.train != other.train
    assert first.label_names == ("a", "b") and first.metrics == ("accuracy",)
    # 50 texts of each class: 35, 7.5 and 7.5, where one half is rounded up in each class.
    assert [len(first.train), len(first.development), len(first.sealed)] == [70, 16, 14]
    for split in (first.train, first.development, first.sealed.open()):
        assert all(int(example.first.split()[-1]) % 2 == example.label for example in split)
    assert share_no_text(first)


def test_numbers_are_dealt_out_by_quarters(tmp_path: Path) -> None:
    rows = [(f"text number {i}", f"{i}.5") for i in range(200)]
    task = load_task(write(tmp_path / "a.csv", rows))
    assert (task.kind, task.label_names, task.metrics) == ("regression", (), ("pearson", "spearman"))
    quarters = Counter(int(label // 50) for label in task.sealed.open().labels)
    assert set(quarters) == {0, 1, 2, 3} and max(quarters.values()) - min(quarters.values()) <= 1


def test_numbers_that_are_mostly_equal_can_be_dealt_out(tmp_path: Path) -> None:
    rows = [(f"text number {i}", "0.5" if i else "0.25") for i in range(100)]
    task = load_task(write(tmp_path / "a.csv", rows))
    assert [len(task.train), len(task.development), len(task.sealed)] == [68, 16, 16]  # of each quarter 17, 4 and 4


def test_given_files_are_whole_splits_and_nothing_of_them_is_learned(
    table: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    development = write(tmp_path / "d.csv", [("Text: number 1!", "b"), ("new one", "a"), ("both", "a")])
    sealed = write(tmp_path / "s.csv", [("text number 2", "a"), ("new two", "b"), ("both", "a")])
    with caplog.at_level(logging.WARNING):
        task = load_task(table, development_data=development, test_data=sealed)
    assert task.development.texts == ("Text: number 1!", "new one")  # what is sealed is not chosen on
    assert task.sealed.open().texts == ("text number 2", "new two", "both")
    assert len(task.train) == 98 and share_no_text(task)
    assert "2 of 100" in caplog.text

    alone = load_task(table, test_data=sealed)
    assert len(alone.sealed) == 3 and len(alone.train) + len(alone.development) == 99
    # 15 % of either class of this table, wherever the sealed split comes from: 7.35 of 49 and 7.5 of 50.
    assert len(alone.development) in (14, 15) and share_no_text(alone)


def test_labels_of_given_files_must_be_known(table: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "s.csv", [("new", "a"), ("newer", "c")])
    with pytest.raises(ValueError, match=r"s\.csv, row 3: expected a label that the training examples have .*got 'c'"):
        load_task(table, test_data=other)
    pair = write(tmp_path / "p.csv", [("new", "x", "a")], ("sentence1", "sentence2", "label"))
    with pytest.raises(ValueError, match="text column"):
        load_task(table, test_data=pair)
    with pytest.raises(ValueError, match="every example also occurs"):
        load_task(table, test_data=table)


def test_a_limit_keeps_the_proportions_and_the_other_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [(f"text {i}", "ab"[i % 5 == 0]) for i in range(500)])
    whole, part = load_task(path), load_task(path, limit=50)
    assert Counter(part.train.labels) == {0: 40, 1: 10}
    assert set(part.train) < set(whole.train)
    assert (part.development, part.sealed) == (whole.development, whole.sealed)
    assert load_task(path, limit=10_000) == whole
    assert set(load_task(path, limit=2).train.labels) == {0, 1}
    with pytest.raises(ValueError, match="at least 1"):
        load_task(path, limit=0)


def benchmark(folder: Path) -> Path:
    """RTE in its official layout, with sentences made up here."""
    rte = folder / "RTE"
    rte.mkdir()
    words = ("entailment", "not_entailment")
    for part, start, count in (("train", 0, 60), ("val", 50, 20)):  # ten of them in both
        lines = [
            f'{{"premise": "It was day {i}.", "hypothesis": "Day {i}?", "label": "{words[i % 2]}", "idx": {i}}}'
            for i in range(start, start + count)
        ]
        (rte / f"{part}.jsonl").write_text("\n".join(lines))
    return folder


def test_a_benchmark_seals_its_official_development_part(tmp_path: Path) -> None:
    task = load_task("SuperGLUE/RTE", task_data=benchmark(tmp_path))
    assert task.name == "superglue/rte" and task.label_names == ("entailment", "not_entailment")
    assert [example.id for example in task.sealed.open()] == list(range(50, 70))
    assert len(task.train) + len(task.development) == 50  # what also occurs in the sealed part is not learned from
    assert len(task.development) in (7, 8) and share_no_text(task)


@pytest.mark.parametrize("name", ["glue/mnli-mm", "glue/ax", "superglue/ax-b", "superglue/ax-g"])
def test_a_task_without_training_data_names_the_one_whose_model_answers_it(tmp_path: Path, name: str) -> None:
    source = {"glue": "glue/mnli-m", "superglue": "superglue/rte"}[name.partition("/")[0]]
    with pytest.raises(ValueError, match=f"fine-tune {source}, whose model answers it"):
        load_task(name, task_data=tmp_path)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("demo/nothing", {}, "demo/docs and demo/packages"),
        ("no-such.csv", {}, "there is no such file"),
        (".", {}, "that is a folder"),
        ("glue/rtx", {}, "glue/rte"),
        ("rubbish", {}, "such as"),
        ("demo/docs", {"label_column": "x"}, "no use for --label-column"),
        ("glue/rte", {"kind": "regression"}, "no use for --kind"),
    ],
)
def test_wrong_names_and_options(name: str, given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_task(name, **given)


def test_options_of_a_benchmark_do_not_fit_a_table(table: Path) -> None:
    with pytest.raises(ValueError, match="no use for --task-data"):
        load_task(table, task_data=table.parent)


def test_every_task_of_the_measurement_data_can_be_opened(measurement_data: Path) -> None:
    for name in ("glue/cola", "glue/sts-b", "superglue/multirc", "superglue/copa", "glue/mnli-m"):
        task = load_task(name, task_data=measurement_data)
        assert share_no_text(task), name
        assert 0 < len(task.development) <= 2100 and len(task.train) > len(task.development)
        sources = [
            {example.first for example in split if len(normalised(example.first).split()) >= LINKING_WORDS}
            for split in (task.train, task.development)
        ]
        if task.name in ("superglue/multirc", "glue/mnli-m"):  # passages and premises are not parted
            assert not sources[0] & sources[1]
