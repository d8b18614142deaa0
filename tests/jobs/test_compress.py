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
from tiny import config, reviews, tokenizer, write
from transformers import AutoModelForSequenceClassification, BertForMaskedLM, BertForSequenceClassification, BertModel

from commands import Command, content, refused
from subarch.cli import main
from subarch.jobs.plan import planned
from subarch.options.compression import CompressOptions
from subarch.pipeline import write_texts
from subarch.running.predictor import Predictor
from subarch.text.tasks import load_task

pytest.importorskip("onnxruntime")

SETTINGS = (
    "extract.steps=2",
    "extract.epsilon=0.5",
    "pretrain.steps=4",
    "pretrain.sequence_length=32",
    "pretrain.batch_size=4",
    "finetune.epochs=1",
    "finetune.seeds=1",
    "finetune.max_length=32",
    "finetune.learning_rates=[3e-3]",
    "teacher.max_length=32",
    "teacher.learning_rates=[3e-3]",
    "agora.weak_teacher=true",
    "agora.rounds=2",
    'export.artifacts=["onnx"]',
    'bench.runtime=["pytorch", "onnxruntime"]',
    'bench.precision=["float32"]',
    "bench.rounds=1",
    "bench.memory=false",
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder and a table."""
    folder = tmp_path_factory.mktemp("inputs")
    torch.manual_seed(0)
    BertModel(config()).save_pretrained(folder / "encoder")
    tokenizer().save_pretrained(folder / "encoder")
    write(folder / "reviews.csv", [*reviews(900)])
    return folder


def given(inputs: Path, run: Path, *more: str) -> list[str]:
    asked = ["--data", inputs / "reviews.csv", "--teacher", inputs / "encoder", "--run", run, "--threads", "1"]
    return ["compress", *map(str, asked), "--speedup", "1.1", *more, "--set", *SETTINGS]


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


def test_every_target_is_met_or_missed_with_what_was_measured(compressed: Path) -> None:
    result: dict[str, Any] = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    targets = {one["target"]: (word, one) for word in ("met", "missed") for one in result["targets"][word]}
    assert set(targets) == {"speedup", "drop"}
    word, speed = targets["speedup"]
    assert (word == "met") == (speed["got"] >= speed["asked"] == 1.1)
    word, drop = targets["drop"]
    rows = {row["method"]: row["mean"] for row in result["finetune"]["rows"]}
    assert drop["got"] == pytest.approx(100 * (rows["teacher"] - result["sealed"]["exported"]))
    assert (word == "met") == (drop["got"] <= 1)


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


def test_other_settings_in_the_same_folder_are_refused(compressed: Path, inputs: Path, subarch: Command) -> None:
    refused(subarch(*given(inputs, compressed), "finetune.epochs=2"), "begun with other settings")


def test_what_could_not_be_exported_or_timed_is_refused_at_once(
    inputs: Path, tmp_path: Path, subarch: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = given(inputs, tmp_path / "run")
    refused(subarch(*line, 'export.artifacts=["onnx-int8-static"]'), "onnx-int8-static", "would not be timed")
    refused(subarch(*line, 'bench.runtime=["pytorch"]'), "onnx, which may be chosen")
    monkeypatch.setattr("subarch.jobs.plan._is_there", lambda _: False)
    free = [one for one in line if not one.startswith("export.artifacts")]
    refused(subarch(*free), "pip install 'subarch[onnx]'")
    assert not (tmp_path / "run").exists()


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


def test_a_dry_run_tells_the_plan_and_writes_nothing(inputs: Path, tmp_path: Path, subarch: Command) -> None:
    plan = subarch(*given(inputs, tmp_path / "run", "--dry-run"), "--json").json["plan"]
    assert not (tmp_path / "run").exists()
    assert list(plan["stages"]) == ["teacher", "extract", "pretrain", "finetune", "export", "bench"]
    assert all(0 <= low <= high for low, high in plan["stages"].values())
    assert "max_length = 32" in plan["settings"]
    write(inputs / "long.csv", [(" ".join([text] * 12), label) for text, label in reviews(900)])
    free = [one for one in given(inputs, tmp_path / "run", "--dry-run") if "max_length" not in one]
    free[free.index("--data") + 1] = str(inputs / "long.csv")
    longer = subarch(*free, "--json").json["plan"]
    assert longer["sequence_length"] == 64  # positions of this teacher; the texts are longer
    assert all(0 <= low <= high for low, high in longer["stages"].values())
    assert "[pretrain]" in plan["settings"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data", "none.csv"], "no such file"),
        (["--data", "glue/copa"], "glue/copa"),
        (["--data", "superglue/copa"], ""),
        (["--teacher", "{}/none"], "none"),
        (["--teacher", "{}/empty"], "empty"),
        (["--pool", "{}/none.txt"], "none.txt"),
        (["--label-column", "stars"], "stars"),
        (["--text-columns", "words"], "words"),
        (["--recipe", "desktop"], "one of bort"),
        (["--max-latency-ms", "0.00001", "--speedup", "1.1"], "cannot be met"),
        (["--speedup", "100000"], "cannot be met"),
        (["--speedup", "100000", "--dry-run"], "cannot be met"),
        (["--speedup", "-1"], "--speedup"),
        (["--speedup", "0.5"], "--speedup must be a number from 1"),
        (["--max-drop", "200"], "--max-drop"),
        (["--data", "{}/few.csv"], "texts for the search"),
        (["--data", "{}/one.csv"], ""),
        (["--threads", "0"], "--threads"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    more: list[str], said: str, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    (inputs / "empty").mkdir(exist_ok=True)
    if not (inputs / "few.csv").is_file():
        write(inputs / "few.csv", [*reviews(60)])
        write(inputs / "one.csv", [row for row in reviews(300) if "praise" in row])
    line = given(inputs, tmp_path / "run")
    place = line.index("--set")
    refused(subarch(*line[:place], *(word.format(inputs) for word in more), *line[place:]), said)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pretrain.corpus=none.txt", "none.txt"),
        ("pretrain.mlm=1", "no loss learns from it"),
        ("pretrain.logits=0.5", "masked-language-model head"),
        ("pretrain.sequence_length=4096", "positions"),
        ("pretrain.tokenizer=nowhere", "nowhere"),
        ("agora.executor=process:4", "process:4"),
        ('agora.proposals=["mine:function"]', "mine:function"),
        ("agora.space=mine:space", "mine:space"),
        ("agora.language_model=nowhere", "nowhere"),
        ("bench.sequence_length=[8]", "which targets are judged at"),
        ("bench.batch_size=[32]", "which targets are judged at"),
        ("extract.start=scratch", "extract.corpus"),
        ("extract.corpus=none.txt", "none.txt"),
    ],
)
def test_settings_of_late_stages_are_refused_before_the_first(
    change: str, said: str, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    line = given(inputs, tmp_path / "run")
    refused(subarch(*line, change, "--dry-run"), said)
    refused(subarch(*line, change), said)
    assert not (tmp_path / "run").exists()


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


def test_a_teacher_with_as_many_classes_as_there_are_whole_numbers(
    inputs: Path, tmp_path: Path, subarch: Command, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"{text} number {n}", str(n % 25)) for n, (text, _) in enumerate(reviews(900))]
    write(tmp_path / "intents.csv", rows)
    BertForSequenceClassification(config(num_labels=25)).save_pretrained(tmp_path / "teacher")
    tokenizer().save_pretrained(tmp_path / "teacher")
    line = given(inputs, tmp_path / "run", "--dry-run", "--data", str(tmp_path / "intents.csv"))
    place = line.index("--set")
    found = subarch(*line[:place], "--teacher", str(tmp_path / "teacher"), "--json", *line[place:]).json
    assert "taken for classes" in caplog.text
    assert "teacher" not in found["plan"]["stages"]  # it knows them


@pytest.mark.parametrize(("names", "fits"), [(("spam", "ham"), False), (("PRAISE", "BLAME"), True)])
def test_a_teacher_of_other_classes_gets_a_new_head(
    names: tuple[str, str],
    fits: bool,
    inputs: Path,
    tmp_path: Path,
    subarch: Command,
    caplog: pytest.LogCaptureFixture,
) -> None:
    labels = dict(enumerate(names))
    other = BertForSequenceClassification(config(id2label=labels, label2id={name: n for n, name in labels.items()}))
    other.save_pretrained(tmp_path / "other")
    tokenizer().save_pretrained(tmp_path / "other")
    line = given(inputs, tmp_path / "run", "--dry-run", "--teacher", str(tmp_path / "other"))
    found = subarch(*line, "--json")
    assert ("teacher" in found.json["plan"]["stages"]) == (not fits)
    assert ("made for ['spam', 'ham']" in caplog.text and "new head" in caplog.text) == (not fits)


def test_a_teacher_that_is_too_weak_is_refused_before_anything_is_built_on_it(
    inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    line = given(inputs, tmp_path / "run")
    refused(subarch(*line, "agora.weak_teacher=false", "teacher.learning_rates=[1e-9]"), "balanced accuracy", "weak")
    assert not (tmp_path / "run" / "study.db").exists()
    taught = tmp_path / "run" / "teacher" / "finetune" / "reviews" / "checkpoint" / "model.safetensors"
    before = taught.read_bytes()
    # Finished work is kept: the same run goes on where a weak teacher is allowed.
    assert subarch(*line, "teacher.learning_rates=[1e-9]").status == 0
    assert taught.read_bytes() == before


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
        return [*plain[: plain.index("--speedup")], "--set", *SETTINGS, "extract.max_parameters=20000"]

    compressed = tmp_path / "whole"
    assert main(asked(compressed)) == 0
    marks = (
        "teacher",
        "certificate.json",
        "pretrain/log.jsonl",
        "finetune",
        "export.unfinished",
        "benchmark.json",
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
    for name in ("finetune/reviews/checkpoint/model.safetensors", "export/model.onnx", "pretrain/model.safetensors"):
        assert (run / name).read_bytes() == (compressed / name).read_bytes(), name
    shutil.rmtree(run)
