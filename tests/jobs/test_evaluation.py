"""Fine-tuning, evaluation and predictions on the command line: what a user of a CSV file sees, wrong input included."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny import encoder, reviews, write

from commands import Command, content, refused
from subarch.cli import main

QUICK = (
    *("--epochs", "2", "--seeds", "2", "--learning-rates", "3e-3", "--batch-size", "8", "--max-length", "32"),
    *("--threads", "1"),  # with other numbers of threads sums have another order
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, model: Path) -> tuple[Path, Path]:
    """A table, and a run that was fine-tuned on it."""
    folder = tmp_path_factory.mktemp("tuned")
    data = write(folder / "reviews.csv", [*reviews(300)])
    assert main(["finetune", "--model", str(model), "--data", str(data), "--run", str(folder / "run"), *QUICK]) == 0
    return data, folder / "run"


def test_finetune_reports_the_sealed_score_and_writes_a_stock_checkpoint(
    subarch: Command, tuned: tuple[Path, Path], model: Path
) -> None:
    data, run = tuned
    ran = subarch("finetune", "--model", model, "--data", data, "--run", run, *QUICK, "--json")
    result = ran.json
    assert (result["task"], result["metric"], result["kind"]) == (str(data), "accuracy", "classification")
    (row,) = result["rows"]
    assert {"method", "mean", "ci95", "seeds", "steps"} <= set(row)
    assert row["method"] == "plain" and row["seeds"] == 2 and row["mean"] > 0.7
    examples = result["data"]["examples"]
    assert sum(examples.values()) == 300 and examples["sealed"] == 45
    checkpoint = Path(result["checkpoint"])
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(content(checkpoint))
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["id2label"] == {"0": "blame", "1": "praise"}
    manifest = json.loads((run / "finetune" / "reviews" / "manifest.json").read_text())
    assert manifest["data"]["sealed"] and manifest["seeds"] == [0, 1] and manifest["hardware"]["cpu"]
    again = subarch("finetune", "--model", model, "--data", data, "--run", run, *QUICK, "--json").json
    assert again == result


@pytest.mark.parametrize("until", ["unfinished.pt", "record.json"])
def test_killed_the_same_command_ends_the_same(
    tuned: tuple[Path, Path], model: Path, tmp_path: Path, until: str
) -> None:
    data, undisturbed = tuned
    command = [sys.executable, "-m", "subarch", "finetune", "--model", str(model), "--data", str(data), *QUICK]
    command += ["--run", str(tmp_path / "run"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(tmp_path.rglob(until)):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "finetune" / "reviews" / "checkpoint").exists()
    assert subprocess.run(command, capture_output=True).returncode == 0
    folder = Path("finetune") / "reviews"
    result, wanted = (
        json.loads((run / folder / "finetune.json").read_text()) for run in (tmp_path / "run", undisturbed)
    )
    assert result["rows"] == wanted["rows"]
    weights = Path("checkpoint") / "model.safetensors"
    assert (tmp_path / "run" / folder / weights).read_bytes() == (undisturbed / folder / weights).read_bytes()


def test_evaluate_takes_the_sealed_rows_of_the_file_it_was_trained_on(
    subarch: Command, tuned: tuple[Path, Path], tmp_path: Path
) -> None:
    data, run = tuned
    checkpoint = run / "finetune" / "reviews" / "checkpoint"
    found = subarch("evaluate", checkpoint, "--data", data, "--json").json
    assert (found["split"], found["examples"]) == ("sealed", 45)
    result = json.loads((run / "finetune" / "reviews" / "finetune.json").read_text())
    assert found["metrics"]["accuracy"] in result["rows"][0]["scores"]
    # The same content under another name is the same file; other rows are all scored.
    copied = subarch("evaluate", checkpoint, "--data", shutil.copy(data, tmp_path / "copy.csv"), "--json").json
    assert copied["metrics"] == found["metrics"] and copied["split"] == "sealed"
    fresh = write(tmp_path / "fresh.csv", [*reviews(50, seed=9)])
    other = subarch("evaluate", checkpoint, "--data", fresh, "--json").json
    assert (other["split"], other["examples"]) == ("all", 50)
    assert other["metrics"]["accuracy"] > 0.7
    train = subarch("evaluate", checkpoint, "--data", data, "--split", "train", "--json").json
    assert train["examples"] == 210


def test_evaluation_knows_classes_by_name(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    only = [row for row in reviews(60, seed=9) if row[1] == "praise"] + [("bad bad bad film", "blame")]
    found = subarch("evaluate", checkpoint, "--data", write(tmp_path / "a.csv", only), "--json").json
    assert found["metrics"]["accuracy"] > 0.7
    refused(
        subarch("evaluate", checkpoint, "--data", write(tmp_path / "b.csv", [("good", "praise"), ("bad", "awful")])),
        "'awful'",
        "row 3",
    )
    loud = write(tmp_path / "c.csv", [(text, name.upper()) for text, name in only])
    assert subarch("evaluate", checkpoint, "--data", loud, "--json").json["metrics"] == found["metrics"]
    refused(subarch("evaluate", checkpoint, "--task", "demo/docs"), "['no', 'yes']", "['blame', 'praise']")


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_predict_keeps_order_and_names(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path, suffix: str) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    rows = [("a", "good good fine film"), ("b", "bad poor bad play"), ("c", "very good and fine story of the actor")]
    data = write(tmp_path / "new.csv", rows, ("id", "text"))
    output = tmp_path / f"out.{suffix}"
    found = subarch("predict", checkpoint, "--data", data, "--output", output, "--json").json
    assert found["path"] == str(output) and found["examples"] == 3
    if suffix == "csv":
        read: list[dict[str, Any]] = list(csv.DictReader(output.open()))
        assert float(read[0]["probability of praise"]) + float(read[0]["probability of blame"]) == pytest.approx(1)
    else:
        read = [json.loads(line) for line in output.read_text().splitlines()]
        assert sum(read[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert [row["id"] for row in read] == ["a", "b", "c"]
    assert [row["label"] for row in read] == ["praise", "blame", "praise"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_predict_keeps_the_place_of_a_row_without_a_text(
    subarch: Command, tuned: tuple[Path, Path], tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    rows = [("a", "good good fine film"), ("b", ""), ("c", "bad poor bad play"), ("d", "  ")]
    output = tmp_path / f"out.{suffix}"
    data = write(tmp_path / "new.csv", rows, ("id", "text"))
    assert subarch("predict", checkpoint, "--data", data, "--output", output).status == 0
    assert "row 3: no text" in caplog.text and "1 more rows (5): kept, without an answer" in caplog.text
    if suffix == "csv":
        read: list[dict[str, Any]] = list(csv.DictReader(output.open()))
    else:
        read = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["id"] for row in read] == ["a", "b", "c", "d"]
    assert [row["label"] or None for row in read] == ["praise", None, "blame", None]


def test_evaluate_remembers_columns_kind_and_seed(subarch: Command, model: Path, tmp_path: Path) -> None:
    rows = [(str(n), text, text[::-1], str(n % 4)) for n, (text, _) in enumerate(reviews(160))]
    data = write(tmp_path / "stars.csv", rows, ("id", "title", "text", "stars"))
    given = ("--text-columns", "title", "--label-column", "stars", "--kind", "regression", "--split-seed", "7")
    made = subarch("finetune", "--model", model, "--data", data, "--run", "run", *given, *QUICK, "--json").json
    assert (made["text_columns"], made["label_column"], made["max_length"], made["cut"]) == (["title"], "stars", 32, 0)
    found = subarch("evaluate", made["checkpoint"], "--data", data, "--json").json
    assert (found["split"], found["examples"]) == ("sealed", made["data"]["examples"]["sealed"])
    assert any(found["metrics"]["score"] == pytest.approx(score) for score in made["rows"][0]["scores"])
    refused(
        subarch("evaluate", made["checkpoint"], "--data", data, "--text-columns", "text"), "--text-columns", "title"
    )
    # Elsewhere too: what it was made for lies in the checkpoint.
    moved = shutil.copytree(made["checkpoint"], tmp_path / "moved")
    assert subarch("evaluate", moved, "--data", data, "--json").json["metrics"] == found["metrics"]
    said = subarch("predict", moved, "--data", data, "--output", "o.jsonl", "--json").json
    assert said["text_columns"] == ["title"]


def test_evaluate_with_a_test_file_of_its_own(subarch: Command, model: Path, tmp_path: Path) -> None:
    everything = reviews(160)
    data, test = write(tmp_path / "a.csv", [*everything[:100]]), write(tmp_path / "t.csv", [*everything[100:]])
    given = ("--data", data, "--test-data", test)
    made = subarch("finetune", "--model", model, *given, "--run", "run", *QUICK, "--json").json
    sealed, whole = (subarch("evaluate", made["checkpoint"], "--data", file, "--json").json for file in (data, test))
    assert sealed["split"] == "sealed" and whole["split"] == "all" and sealed["examples"] == whole["examples"] == 60
    assert sealed["metrics"] == whole["metrics"]
    test.write_text(test.read_text() + "one more,praise\n")
    refused(subarch("evaluate", made["checkpoint"], "--data", data), "--test-data", "changed")
    refused(subarch("evaluate", made["checkpoint"], "--data", test, "--split", "sealed"), "--split sealed", "t.csv")


def test_a_test_file_may_call_its_columns_otherwise(subarch: Command, model: Path, tmp_path: Path) -> None:
    everything = reviews(160)
    data = write(tmp_path / "a.csv", [*everything[:100]])
    test = write(tmp_path / "t.csv", [*everything[100:]], ("review", "sentiment"))
    given = ("--data", data, "--test-data", test)
    made = subarch("finetune", "--model", model, *given, "--run", "run", *QUICK, "--json").json
    assert subarch("evaluate", made["checkpoint"], "--data", data, "--json").json["examples"] == 60


def test_evaluate_says_where_rows_may_have_been_learned_from(
    subarch: Command, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write(tmp_path / "a.csv", [*reviews(120)])
    made = subarch("finetune", "--model", model, "--data", data, "--run", "run", *QUICK, "--json").json["checkpoint"]
    subarch("evaluate", made, "--data", data)
    assert "learned from" not in caplog.text
    subarch("evaluate", made, "--data", data, "--split", "all")
    assert "it has learned from most of its rows" in caplog.text and "changed" not in caplog.text
    data.write_text(data.read_text() + "one more,praise\n")
    subarch("evaluate", made, "--data", data)
    assert "which has changed" in caplog.text


def test_predictions_of_parts_do_not_overwrite_each_other(
    subarch: Command, tuned: tuple[Path, Path], tmp_path: Path
) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    for part in ("reviews.part1.csv", "reviews.part2.csv"):
        (tmp_path / part).write_text("text\na good film\n")
        subarch("predict", checkpoint, "--data", part)
    assert {file.name for file in tmp_path.glob("*.jsonl")} == {
        "reviews.part1.predictions.jsonl",
        "reviews.part2.predictions.jsonl",
    }


def test_a_model_of_another_kind_is_refused_before_it_is_asked(subarch: Command, model: Path, tmp_path: Path) -> None:
    rows = [(f"text {n}", f"{n}.5") for n in range(60)]
    data = write(tmp_path / "numbers.csv", rows)
    made = subarch("finetune", "--model", model, "--data", data, "--run", "run", *QUICK, "--json").json
    refused(subarch("evaluate", made["checkpoint"], "--task", "demo/docs"), "classification", "regression")


def test_predict_harms_no_file(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    data = write(tmp_path / "new.jsonl.csv", [("good film",)], ("text",))
    before = data.read_bytes()
    refused(subarch("predict", checkpoint, "--data", data, "--output", data), "another name")
    refused(subarch("predict", checkpoint, "--data", data, "--output", "nowhere/o.csv"), "no folder nowhere")
    pair = write(tmp_path / "pair.csv", [("good", "film")], ("sentence1", "sentence2"))
    refused(subarch("predict", checkpoint, "--data", pair), "'text'", "sentence1")
    assert data.read_bytes() == before


def test_where_predictions_cannot_go_is_told_before_the_network_is_asked(
    subarch: Command, tuned: tuple[Path, Path], tmp_path: Path
) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    data = write(tmp_path / "new.csv", [("good film",)], ("text",))
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for output, word in (("pipe.csv", "pipe"), ("folder.csv", "is a folder"), ("nowhere/o.csv", "no folder nowhere")):
        ran = subarch("predict", checkpoint, "--data", data, "--output", output)
        refused(ran, f"--output {output}", word)
        assert "opening the model" not in ran.err
    assert (tmp_path / "pipe.csv").is_fifo()  # not replaced by a file
    for given, word in (("pipe.csv", "pipe"), ("folder.csv", "a folder"), (".", "a folder")):
        refused(subarch("predict", checkpoint, "--data", given, "--output", "o.csv"), f"{given}: ", word)
        refused(subarch("predict", checkpoint, "--data", given), f"{given}: ", word)
