"""Fine-tuning on the command line: what a user of a CSV file sees, wrong input included."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from tiny import WORDS, encoder, reviews, write

from commands import Command, refused
from subarch.jobs.finetuning import folder_of

QUICK = (
    *("--epochs", "2", "--seeds", "2", "--learning-rates", "3e-3", "--batch-size", "8", "--max-length", "32"),
    *("--threads", "1"),  # with other numbers of threads sums have another order
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("encoder"))


def test_two_files_of_one_name_are_two_tasks(subarch: Command, model: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "train.2024.csv", [*reviews(60)])
    common = ("--model", model, "--run", "run", *QUICK)
    made = subarch("finetune", "--data", "a/train.2024.csv", *common, "--json").json
    assert made["checkpoint"] == "run/finetune/train.2024/checkpoint"
    refused(subarch("finetune", "--data", "b/train.2024.csv", *common), "a/train.2024.csv", "--run")


def test_names_with_brackets_are_shown_as_they_are(subarch: Command, model: Path, tmp_path: Path) -> None:
    (tmp_path / "data[old]").mkdir()
    write(tmp_path / "data[old]" / "a[b].csv", [*reviews(60)])
    ran = subarch("finetune", "--model", model, "--data", "data[old]/a[b].csv", "--run", "run[x]", *QUICK)
    assert ran.status == 0 and "data[old]/a[b].csv" in ran.err and "run[x]/finetune" in ran.err


def test_numbers_pairs_and_given_columns(subarch: Command, model: Path, tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = []
    for _ in range(200):
        one, other = (" ".join(rng.choices(WORDS, k=6)) for _ in range(2))
        rows.append((one, other, f"{1000 + 250.5 * (one.count('good') - other.count('bad')):.1f}"))
    data = write(tmp_path / "pairs.csv", rows, ("left", "right", "price"))
    columns = ("--text-columns", "left", "right", "--label-column", "price")
    result = subarch(
        "finetune", "--model", model, "--data", data, "--run", tmp_path / "run", *columns, *QUICK, "--json"
    )
    found = result.json
    assert (found["kind"], found["metric"]) == ("regression", "mean of pearson and spearman")
    assert found["rows"][0]["mean"] > 0.1
    new = write(tmp_path / "new.csv", [row[:2] for row in rows], ("left", "right"))
    subarch(
        "predict",
        found["checkpoint"],
        "--data",
        new,
        "--text-columns",
        "left",
        "right",
        "--output",
        tmp_path / "o.jsonl",
    )
    values = [json.loads(line)["value"] for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert len(values) == 200 and 600 < sum(values) / 200 < 1400  # in the units of the file


def test_a_config_alone_starts_from_random_weights(subarch: Command, model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "reviews.csv", [*reviews(60)])
    config = shutil.copy(model / "config.json", tmp_path / "architecture.json")
    ran = subarch("finetune", "--model", config, "--data", data, "--run", tmp_path / "run", *QUICK, "--json")
    assert ran.status == 0
    assert "random weights" in ran.json["model"]


def labels(*values: str) -> list[tuple[str, str]]:
    return [(f"text number {n}", value) for n, value in enumerate(values)]


WRONG: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "missing columns": (b"a,b\nx,y\n", ("text column", "['a', 'b']")),
    "one class": (b"text,label\n" + b"x,a\ny,a\nz,a\n", ("two classes", "'a'")),
    "a label is missing": (b"text,label\nx,a\ny,NaN\nz,b\n", ("row 3", "label")),
    "a number is not one": (
        b"text,label\n" + b"".join(b"t%d,%d.5\n" % (n, n) for n in range(30)) + b"x,nan\n",
        ("row 32",),
    ),
    "another encoding": (b"text,label\nx,a\n" + "é,b\n".encode("latin-1"), ("row 3", "UTF-8")),
    "empty": (b"", ("empty",)),
    "no rows": (b"text,label\n", ("empty", "header")),
    "ragged": (b"text,label\nx,a\ny,b,c\n", ("row 3", "2 columns")),
    "too few of a class": (b"text,label\n" + b"".join(b"t %d,a\n" % n for n in range(9)) + b"u,b\n", ("'b'",)),
    "half a character": (b'text,label\n"bad \xed\xa0\xbd",a\ny,b\n', ("row 2", "UTF-8")),
    "binary": (b"\x00\x01\x02", ("row 1", "binary")),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_refused_before_anything_is_written(
    subarch: Command, model: Path, tmp_path: Path, name: str
) -> None:
    raw, words = WRONG[name]
    (tmp_path / "data.csv").write_bytes(raw)
    refused(subarch("finetune", "--model", model, "--data", "data.csv", "--run", tmp_path / "run"), "data.csv", *words)
    assert not (tmp_path / "run").exists()


def test_a_label_that_training_does_not_have(subarch: Command, model: Path, tmp_path: Path) -> None:
    write(tmp_path / "train.csv", [*reviews(60)])
    write(tmp_path / "test.csv", [("good film", "praise"), ("bad film", "fury")])
    refused(
        subarch("finetune", "--model", model, "--data", "train.csv", "--test-data", "test.csv", "--run", "run"),
        "test.csv",
        "row 3",
        "'fury'",
    )


ARGUMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no task": ((), ("--task", "--data")),
    "task and data": (("--task", "glue/rte", "--data", "good.csv"), ("both",)),
    "unknown task": (("--task", "glue/rtx"), ("glue/rtx", "glue/rte")),
    "no such file": (("--data", "absent.csv"), ("absent.csv",)),
    "no such folder": (("--task", "glue/rte", "--task-data", "absent"), ("absent",)),
    "nothing to learn from": (("--task", "glue/ax", "--task-data", "."), ("glue/ax", "glue/mnli-m", "submit")),
    "no rate": (("--data", "good.csv", "--learning-rates"), ("--learning-rates",)),
    "zero rate": (("--data", "good.csv", "--learning-rates", "0"), ("--learning-rates", "positive")),
    "no seed": (("--data", "good.csv", "--seeds", "0"), ("--seeds",)),
    "no epoch": (("--data", "good.csv", "--epochs", "0"), ("--epochs",)),
    "three columns": (("--data", "good.csv", "--text-columns", "a", "b", "c"), ("--text-columns", "got 3")),
    "no such column": (("--data", "good.csv", "--label-column", "mood"), ("'mood'", "['text', 'label']")),
    "numbers out of words": (("--data", "good.csv", "--kind", "regression"), ("row 2", "number")),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_wrong_arguments(subarch: Command, model: Path, tmp_path: Path, name: str) -> None:
    write(tmp_path / "good.csv", [*reviews(40)])
    given, words = ARGUMENTS[name]
    refused(subarch("finetune", "--model", model, "--run", "run", *given), *words)
    assert not (tmp_path / "run").exists()


def test_wrong_models(subarch: Command, model: Path, tmp_path: Path) -> None:
    write(tmp_path / "good.csv", [*reviews(40)])
    common = ("--data", "good.csv", "--run", "run")
    refused(subarch("finetune", *common[:2]), "--model", "--run")
    refused(subarch("finetune", "--model", "nowhere/at-all", *common), "nowhere/at-all")
    refused(subarch("finetune", *common), "architecture.json")
    cut = Path(shutil.copytree(model, tmp_path / "cut"))
    raw = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(raw[: len(raw) // 2])
    refused(subarch("finetune", "--model", cut, *common), "cannot be loaded")
    refused(subarch("evaluate", model, "--data", "good.csv"), "no head")
    refused(subarch("predict", model, "--data", "good.csv"), "no head")
    refused(subarch("predict", model, "--data", "good.csv", "--output", "x.txt"), ".jsonl or .csv")


def test_a_task_has_a_folder_of_its_name_and_a_file_one_without_its_format(tmp_path: Path) -> None:
    assert folder_of("glue/mnli-m") == Path("glue/mnli-m")
    assert folder_of("/nowhere/../at/all.csv") == Path("nowhere/at/all.csv")  # no file: a name, kept below the folder
    for name, folder in (("a.csv", "a"), ("train.2024.csv", "train.2024"), ("b.jsonl.gz", "b")):
        (tmp_path / name).write_bytes(b"")
        assert folder_of(str(tmp_path / name)) == Path(folder)
