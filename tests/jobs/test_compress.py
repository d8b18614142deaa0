"""The whole story in one command: what a user sees, what lies there afterwards, and what is refused early."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from compressing import SETTINGS, given
from tiny import config, reviews, tokenizer, write
from transformers import AutoModelForSequenceClassification, BertForMaskedLM

from commands import Command, content, refused
from subarch.cli import main
from subarch.jobs.plan import planned
from subarch.options.compression import CompressOptions
from subarch.pipeline import write_texts
from subarch.running.predictor import Predictor
from subarch.tasks.loading import load_task

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def compressed(inputs: Path) -> Path:
    assert main(given(inputs, inputs / "run")) == 0
    return inputs / "run"


def test_everything_that_was_promised_lies_in_the_folder(compressed: Path) -> None:
    result: dict[str, Any] = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    model: Any = AutoModelForSequenceClassification.from_pretrained(result["finetune"]["checkpoint"])
    assert model.config.num_hidden_layers == result["extract"]["architecture"]["num_hidden_layers"]
    assert {row["label"] for row in Predictor.from_pretrained(result["export"]["folder"])(["a good story"])} <= {
        "praise",
        "blame",
    }
    for name in (
        "certificate.json",
        "architecture.json",
        "report.html",
        "recipe.toml",
        "benchmark.json",
        "manifest.json",
    ):
        assert (compressed / name).is_file(), name
    assert result["verify"]["accepted"]
    assert (compressed / "teacher" / "finetune" / "reviews" / "checkpoint" / "model.safetensors").is_file()


def test_the_limit_of_the_search_is_the_users_own_in_the_form_that_is_served(compressed: Path) -> None:
    result: dict[str, Any] = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    certificate, timed = result["extract"]["certificate"], result["extract"]["timed_with"]
    table = json.loads((compressed / "latency.json").read_text(encoding="utf-8"))
    assert certificate["limits"] == {"speedup": 1.1} and certificate["latency_table"] == table
    assert table["settings"]["asked"] == "served" and timed["runtime"] == result["export"]["chosen"] == "onnx"
    assert result["extract"]["source"]["latency_ms"] / result["extract"]["latency_ms"] >= 1.1
    assert set(result["seconds"]) == {"timing", "search"} and min(result["seconds"].values()) > 0
    assert result["seconds"]["timing"] == pytest.approx(table["settings"]["seconds"], abs=0.01)
    assert result["export"]["threads"] == timed["threads"] == 1
    assert "the trainings of the search took" in (compressed / "report.html").read_text(encoding="utf-8")


def test_every_target_is_met_or_missed_with_what_was_measured(compressed: Path) -> None:
    result: dict[str, Any] = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    targets = {one["target"]: (word, one) for word in ("met", "not_shown", "missed") for one in result["targets"][word]}
    assert set(targets) == {"speedup", "drop"}
    word, speed = targets["speedup"]
    assert (word == "met") == (speed["got"] >= speed["asked"] == 1.1)
    word, drop = targets["drop"]
    rows = {row["method"]: row["mean"] for row in result["finetune"]["rows"]}
    assert drop["got"] == pytest.approx(100 * (rows["teacher"] - result["sealed"]["exported"]))
    assert (word == "missed") == (drop["got"] > 1)
    assert (word == "met") == (drop["ci95"][1] <= 1)
    promise = result["promise"]
    assert (promise["drop"], promise["drop_ci95"]) == (drop["got"], drop["ci95"])
    assert promise["agreement_lower"] <= promise["agreement"] and len(promise["per_class"]) == 2


def test_the_plainest_rivals_stand_beside_every_way_and_form(compressed: Path, subarch: Command, inputs: Path) -> None:
    result: dict[str, Any] = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    ladder = result["ladder"]
    kinds = {what: [one["name"] for one in ladder["rungs"] if one["what"] == what] for what in ("rung", "way", "form")}
    assert kinds["rung"] == ["constant", "tfidf", "teacher"] and kinds["form"] == ["onnx"]
    assert {"plain", "distilled", "agora"} <= set(kinds["way"])
    rungs = {one["name"]: one for one in ladder["rungs"]}
    assert rungs["onnx"]["quality"] == pytest.approx(result["sealed"]["exported"])
    assert rungs["teacher"]["quality"] == pytest.approx(result["sealed"]["teacher"])
    assert subarch("predict", rungs["tfidf"]["folder"], "--data", inputs / "reviews.csv").status == 0
    page = (compressed / "report.html").read_text(encoding="utf-8")
    assert page.index('id="targets"') < page.index('id="ladder-quality-time"') < page.index('id="front"')
    card = (compressed / "README.md").read_text(encoding="utf-8")
    assert "## The plainest rivals" in card and "| tfidf |" in card


def test_the_teachers_first_layers_are_cut_to_the_models_speed_and_nothing_else_is_made_again(
    compressed: Path, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    run = tmp_path / "run"
    shutil.copytree(compressed, run)
    before = (run / "ladder" / "tfidf" / "rung.json").read_bytes()
    weights = content(run / "export")
    found = subarch(*given(inputs, run), 'ladder.rungs=["tfidf", "first-layers"]', "--json").json
    rungs = {one["name"]: one for one in found["ladder"]["rungs"]}
    assert rungs["first-layers"]["drop"]["rows"] == rungs["onnx"]["drop"]["rows"] == found["ladder"]["sealed_rows"]
    assert "constant" not in rungs and content(run / "export") == weights
    assert (run / "ladder" / "tfidf" / "rung.json").read_bytes() == before


def test_a_cascade_serves_and_stays_told(compressed: Path, inputs: Path, tmp_path: Path, subarch: Command) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(compressed / "teacher", run / "teacher")
    shutil.copy(compressed / "asked.json", run / "asked.json")
    refused(subarch(*given(inputs, run, "--cascade")), "no such form (onnx): add one of onnx-int8")
    small = ('export.artifacts=["onnx-int8"]', 'bench.precision=["float32", "int8"]', "--json")
    found = subarch(*given(inputs, run, "--cascade"), *small).json["cascade"]
    assert 0 <= found["deferred"] <= 1 and 0 < found["quality"] <= 1 and found["mean_ms"] > 0
    predictor = Predictor.from_pretrained(found["folder"])
    assert {one["label"] for one in predictor(["a good film", "a dull book"])} <= {"praise", "blame"}
    done = subarch("predict", found["folder"], "--data", inputs / "reviews.csv")
    assert done.status == 0 and 'id="cascade"' in (run / "report.html").read_text(encoding="utf-8")
    assert subarch(*given(inputs, run), *small).json["cascade"] == found  # without asking for it again


def test_it_ends_with_a_rung_that_is_enough_where_that_is_asked_for(
    compressed: Path, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(compressed / "teacher", run / "teacher")
    shutil.copy(compressed / "asked.json", run / "asked.json")
    found = subarch(*given(inputs, run, "--max-drop", "30", "--stop-when-met"), "--json").json
    assert found["ladder"]["enough"] == "tfidf" and not (run / "study.db").exists()
    assert [one["target"] for word in found["targets"].values() for one in word] == ["speedup", "drop"]
    assert Predictor.from_pretrained(found["folder"])(["a good film"])[0]["label"] == "praise"


def test_the_card_has_what_the_hub_reads_and_every_row_of_the_tables(compressed: Path) -> None:
    result: dict[str, Any] = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    card = (Path(result["finetune"]["checkpoint"]) / "README.md").read_text(encoding="utf-8")
    yaml = pytest.importorskip("yaml")
    metadata = yaml.safe_load(card.split("---\n")[1])
    metric = metadata["model-index"][0]["results"][0]["metrics"][0]
    assert metric["value"] == pytest.approx(result["sealed"]["exported"], abs=1e-4)
    for row in result["finetune"]["rows"]:
        assert f"| {row['method']} | {100 * row['mean']:.1f} |" in card
    assert result["extract"]["certificate"]["verdict"] in card


def test_the_report_begins_with_the_targets(compressed: Path) -> None:
    page = (compressed / "report.html").read_text(encoding="utf-8")
    places = [
        page.index(f'id="{name}"') for name in ("targets", "front", "certificate", "pretraining", "export", "bench")
    ]
    assert places == sorted(places)


def test_its_certificate_stands_when_trials_are_trained_again(compressed: Path, subarch: Command) -> None:
    found = subarch("verify", compressed, "--retrain", "1", "--json").json
    assert found["accepted"] and len(found["retrained"]) == 1, found["reason"]


def test_search_and_pretraining_read_training_texts_alone(compressed: Path, inputs: Path) -> None:
    task = load_task(str(inputs / "reviews.csv"))
    read = {json.loads(line)["text"] for line in (compressed / "texts.jsonl").read_text(encoding="utf-8").splitlines()}
    assert read == set(task.train.texts)


def test_of_a_pool_they_read_what_is_no_copy_of_a_development_or_sealed_text(inputs: Path, tmp_path: Path) -> None:
    task = load_task(str(inputs / "reviews.csv"))
    copies = [task.sealed.unlabelled()[0].first, task.development[0].first.upper() + "!"]
    pool = tmp_path / "pool.txt"
    pool.write_text("\n".join(["Whatever else there is to say about it", *copies]), encoding="utf-8")
    asked = CompressOptions(data=str(inputs / "reviews.csv"), teacher=str(inputs / "encoder"), pool=pool)
    plan = planned(asked, tmp_path / "run")
    (tmp_path / "run").mkdir()
    write_texts(plan)
    read = {json.loads(line)["text"] for line in plan.texts.read_text(encoding="utf-8").splitlines()}
    assert read == {*task.train.texts, "Whatever else there is to say about it"}


def test_the_same_command_again_does_nothing_twice(compressed: Path, inputs: Path, subarch: Command) -> None:
    made = ("export", "finetune/reviews/checkpoint", "teacher/finetune/reviews/checkpoint", "finetune/reviews/students")

    def models() -> list[dict[str, bytes]]:  # the card names the command, which has --json now
        found = [content(compressed / name) for name in made]
        return [{name: one for name, one in files.items() if name != "README.md"} for files in found]

    before = models()
    trials = sqlite3.connect(compressed / "study.db").execute("select count(*) from trials").fetchone()
    documents = ("extract.json", "finetune/reviews/finetune.json")  # of times that were measured, and of students
    told = {name: (compressed / name).read_bytes() for name in documents}
    found = subarch(*given(inputs, compressed), "--json").json
    assert models() == before
    assert {name: (compressed / name).read_bytes() for name in documents} == told
    assert sqlite3.connect(compressed / "study.db").execute("select count(*) from trials").fetchone() == trials
    assert found["targets"] == json.loads((compressed / "compress.json").read_text(encoding="utf-8"))["targets"]


def test_rivals_may_be_asked_for_when_all_is_done_and_nothing_else_is_done_again(
    compressed: Path, inputs: Path, subarch: Command
) -> None:
    kept = ("extract.json", "certificate.json", "pretrain/model.safetensors", "finetune/reviews/finetune.json")
    kept = (*kept, "finetune/reviews/checkpoint/model.safetensors", "export/model.onnx", "asked.json")
    before = {name: (compressed / name).read_bytes() for name in kept}
    found = subarch(*given(inputs, compressed, "--confirm", "1"), "--json").json
    assert {name: (compressed / name).read_bytes() for name in kept} == before
    told = found["confirm"]
    pick, rival = told["networks"]
    assert pick["architecture"] == found["extract"]["architecture"] != rival["architecture"]
    (distilled,) = (row for row in found["finetune"]["rows"] if row["method"] == "distilled")
    assert pick["scores"] == distilled["scores"]
    assert (compressed / "confirm" / str(rival["number"]) / "pretrain" / "model.safetensors").is_file()
    page = (compressed / "report.html").read_text(encoding="utf-8")
    assert page.index('id="targets"') < page.index('id="confirm"') < page.index('id="pretraining"')
    assert "## Short against long" in (compressed / "README.md").read_text(encoding="utf-8")
    # What was found stays told, whoever asks.
    assert subarch(*given(inputs, compressed), "--json").json["confirm"] == told


def test_other_settings_in_the_same_folder_are_refused(compressed: Path, inputs: Path, subarch: Command) -> None:
    refused(subarch(*given(inputs, compressed), "finetune.epochs=2"), "begun with other settings")


def test_settings_of_a_stage_that_left_nothing_may_still_change(
    compressed: Path, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    run = tmp_path / "run"
    shutil.copytree(compressed, run, ignore=shutil.ignore_patterns("export", "benchmark.json", "compress.json"))
    before = (run / "finetune" / "reviews" / "checkpoint" / "model.safetensors").read_bytes()
    found = subarch(*given(inputs, run), "export.max_drop=3", "--json").json
    assert found["export"]["max_drop"] == 3
    assert (run / "finetune" / "reviews" / "checkpoint" / "model.safetensors").read_bytes() == before
    refused(subarch(*given(inputs, run), "export.max_drop=4"), "other settings ([export]")
    # A run's own recipe says what was given, and what was found here.
    line = [one for one in given(inputs, run) if one not in ("--set", *SETTINGS)]
    assert subarch(*line, "--recipe", run / "recipe.toml", "--json").json["export"] == found["export"]
    assert subarch(*given(inputs, run), "export.max_drop=3", "--json").json["export"] == found["export"]
    # What comes later was made of what came before.
    shutil.rmtree(run / "pretrain")
    refused(subarch(*given(inputs, run), "export.max_drop=3", "pretrain.steps=6"), "other settings ([pretrain]")
    refused(subarch(*given(inputs, run), "export.max_drop=3", "--threads", "2"), "--threads")


def test_other_rows_in_the_same_file_are_refused(compressed: Path, inputs: Path, subarch: Command) -> None:
    data = inputs / "reviews.csv"
    before = data.read_bytes()
    try:
        data.write_bytes(before + b"a good film of late,praise\n")
        refused(subarch(*given(inputs, compressed)), f"the rows of {data} changed")
    finally:
        data.write_bytes(before)


def test_a_run_of_another_command_and_a_teacher_inside_are_refused(
    compressed: Path, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "benchmark.json").write_text("{}")
    refused(subarch(*given(inputs, tmp_path / "run")), "benchmark.json of another command")
    checkpoint = compressed / "finetune" / "reviews" / "checkpoint"
    before = content(checkpoint)
    refused(subarch(*given(inputs, compressed, "--teacher", str(checkpoint))), "lies in the run directory")
    assert content(checkpoint) == before


def test_a_teacher_that_is_too_weak_is_refused_before_anything_is_built_on_it(
    inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    line = given(inputs, tmp_path / "run")
    refused(subarch(*line, "agora.weak_teacher=false", "teacher.learning_rates=[1e-9]"), "balanced accuracy", "weak")
    assert not (tmp_path / "run" / "study.db").exists()


@pytest.mark.slow
def test_the_same_run_goes_on_where_a_weak_teacher_is_allowed(inputs: Path, tmp_path: Path, subarch: Command) -> None:
    line = (*given(inputs, tmp_path / "run"), "teacher.learning_rates=[1e-9]")
    refused(subarch(*line, "agora.weak_teacher=false"), "weak")
    taught = tmp_path / "run" / "teacher" / "finetune" / "reviews" / "checkpoint" / "model.safetensors"
    before = taught.read_bytes()
    assert subarch(*line).status == 0
    assert taught.read_bytes() == before  # finished work is kept


def test_pairs_with_numbers_go_the_whole_way(inputs: Path, tmp_path: Path) -> None:
    texts = [text for text, _ in reviews(900, seed=1)]
    rows = [
        (one, other, f"{one.split()[0] == other.split()[0]:d}.5") for one, other in zip(texts, texts[::-1], strict=True)
    ]
    table = write(tmp_path / "pairs.csv", rows, ("sentence1", "sentence2", "score"))
    asked = [
        "--data",
        table,
        "--teacher",
        inputs / "encoder",
        "--run",
        tmp_path / "run",
        "--threads",
        "1",
        "--max-drop",
        "100",
    ]
    assert main(["compress", *map(str, asked), "--set", *SETTINGS, "task.kind=regression"]) == 0
    result = json.loads((tmp_path / "run" / "compress.json").read_text(encoding="utf-8"))
    assert result["sealed"]["metric"] == "mean of pearson and spearman"
    certificate = json.loads((tmp_path / "run" / "certificate.json").read_text(encoding="utf-8"))
    assert "numbers they predict" in json.dumps(certificate)
    judged = [
        json.loads(line) for line in (tmp_path / "run" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert all(set(row) == {"sentence1", "sentence2"} for row in judged)


@pytest.mark.slow
def test_a_language_model_is_learned_from_as_it_was_given(inputs: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    BertForMaskedLM(config()).save_pretrained(tmp_path / "speaks")
    tokenizer().save_pretrained(tmp_path / "speaks")
    line = given(inputs, tmp_path / "run")
    line[line.index("--teacher") + 1] = str(tmp_path / "speaks")
    # The recipe of the published settings, in little.
    little = ("pretrain.steps=5", "pretrain.warmup=0.2", "finetune.patience=1", "agora.refit=false")
    place = line.index("--set")
    assert main([*line[:place], "--recipe", "bort", *line[place:], *little]) == 0
    pretrained = json.loads((tmp_path / "run" / "compress.json").read_text(encoding="utf-8"))["pretrain"]
    assert pretrained["teacher"] == str(tmp_path / "speaks")
    assert (pretrained["losses"]["mlm"], pretrained["losses"]["logits"]) == (0.1, 0.5)


@pytest.mark.slow
def test_killed_in_every_stage_it_comes_to_the_same_end(inputs: Path, tmp_path: Path) -> None:
    def asked(run: Path) -> list[str]:
        """Without a target of time: two runs measure times of their own, and may pick what is as fast as needed."""
        plain = given(inputs, run)
        plain = plain[: plain.index("--speedup")]
        return [*plain, "--confirm", "1", "--set", *SETTINGS, "extract.max_parameters=20000"]

    compressed = tmp_path / "whole"
    assert main(asked(compressed)) == 0
    marks = (
        "teacher",
        "certificate.json",
        "pretrain/log.jsonl",
        "finetune",
        "export.unfinished",
        "benchmark.json",
        "confirm",
    )
    run = tmp_path / "run"
    line = [sys.executable, "-m", "subarch", *asked(run)]
    for mark in marks:
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (run / mark).exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(line, capture_output=True).returncode == 0
    whole = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    again = json.loads((run / "compress.json").read_text(encoding="utf-8"))
    assert again["extract"]["architecture"] == whole["extract"]["architecture"]
    assert again["finetune"]["rows"] == whole["finetune"]["rows"]
    scores = [[one["scores"] for one in found["confirm"]["networks"]] for found in (again, whole)]
    assert scores[0] == scores[1] and len(scores[0]) == 2
    for name in ("finetune/reviews/checkpoint/model.safetensors", "export/model.onnx", "pretrain/model.safetensors"):
        assert (run / name).read_bytes() == (compressed / name).read_bytes(), name
    shutil.rmtree(run)
