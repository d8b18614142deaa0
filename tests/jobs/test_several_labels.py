"""Several labels a text, from a table to exports: the stock library, the usual metrics and every form say alike."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score
from tiny import WORDS, encoder, write
from transformers import pipeline

from commands import Command, refused
from subarch.cli import main
from subarch.learning.purposes import Purpose
from subarch.running.artifacts import FORMS
from subarch.running.predictor import Predictor
from subarch.tasks.loading import load_task

NAMES = ("praise", "blame", "length")
QUICK = (
    *("--metric", "macro_f1", "--seeds", "1", "--epochs", "8", "--learning-rates", "3e-3", "--batch-size", "8"),
    *("--max-length", "32", "--threads", "1"),  # with other numbers of threads sums have another order
)


def rows(count: int, seed: int = 0) -> list[tuple[str, list[str]]]:
    """Texts of the small language, and which of three words stand in each: none in some."""
    rng, made = random.Random(seed), dict[str, list[str]]()
    words = [word for word in WORDS if word not in ("fine", "poor", "short")]
    while len(made) < count:
        text = rng.choices(words, k=6)
        made[" ".join(text)] = [name for name, word in zip(NAMES, ("good", "bad", "long"), strict=True) if word in text]
    return list(made.items())


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels")
    encoder(folder / "encoder")
    lines = [json.dumps({"text": text, "labels": held}) for text, held in rows(240)]
    (folder / "reviews.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def asked(inputs: Path, run: Path) -> list[str]:
    data = ("--model", inputs / "encoder", "--data", inputs / "reviews.jsonl", "--run", run)
    return ["finetune", *map(str, data), *QUICK]


@pytest.fixture(scope="module")
def tuned(inputs: Path) -> Path:
    """The folder of a finished fine-tuning."""
    assert main(asked(inputs, inputs / "run")) == 0
    return inputs / "run" / "finetune" / "reviews"


def sealed(inputs: Path) -> tuple[list[str], np.ndarray]:
    """Texts of the sealed rows, and which labels hold: ``(rows, labels)``."""
    task = load_task(inputs / "reviews.jsonl")
    assert task.label_names == tuple(sorted(NAMES))
    split = task.sealed.open()
    held = np.zeros((len(split), 3), dtype=int)
    for row, label in zip(held, split.labels, strict=True):
        row[list(label)] = 1  # type: ignore[arg-type]
    return [one.first for one in split], held


def test_what_is_reported_is_what_the_stock_library_and_the_usual_metrics_say(inputs: Path, tuned: Path) -> None:
    found: dict[str, Any] = json.loads((tuned / "finetune.json").read_text())
    thresholds = np.array(Purpose.read(tuned / "checkpoint").thresholds)
    assert (found["kind"], found["metric"]) == ("multilabel", "macro_f1")
    assert found["holds_above"] == dict(zip(sorted(NAMES), thresholds.tolist(), strict=True))
    texts, held = sealed(inputs)
    stock: Any = pipeline("text-classification", model=str(tuned / "checkpoint"), top_k=None)
    said = [{one["label"]: one["score"] for one in answers} for answers in stock(texts)]
    shares = np.array([[one[name] for name in sorted(NAMES)] for one in said])
    answered = shares > thresholds
    assert found["rows"][0]["mean"] == pytest.approx(f1_score(held, answered, average="macro", zero_division=0))
    assert found["by_class"]["micro_f1"] == pytest.approx(f1_score(held, answered, average="micro", zero_division=0))
    assert found["by_class"]["exact_match"] == pytest.approx(accuracy_score(held, answered))
    assert [one["answered"] for one in found["classes"]] == answered.sum(0).tolist()


def test_predictions_are_the_stock_pipelines(subarch: Command, inputs: Path, tuned: Path, tmp_path: Path) -> None:
    texts = ["a good story", "the bad long play", "the actor"]
    new = write(tmp_path / "new.csv", [(text,) for text in texts], ("text",))
    for name in ("a.jsonl", "a.csv"):
        assert subarch("predict", tuned / "checkpoint", "--data", new, "--output", tmp_path / name).status == 0
    answers = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    stock: Any = pipeline("text-classification", model=str(tuned / "checkpoint"), top_k=None)
    thresholds = dict(zip(sorted(NAMES), Purpose.read(tuned / "checkpoint").thresholds or (), strict=True))
    for answer, theirs in zip(answers, stock(texts), strict=True):
        shares = {one["label"]: one["score"] for one in theirs}
        assert answer["probabilities"] == pytest.approx(shares, abs=2e-6)
        assert answer["labels"] == [name for name in sorted(NAMES) if shares[name] > thresholds[name]]
    with (tmp_path / "a.csv").open(newline="") as stream:
        cells = list(csv.DictReader(stream))
    assert [json.loads(cell["labels"]) for cell in cells] == [answer["labels"] for answer in answers]
    assert [cell["blame"] for cell in cells] == [str(int("blame" in answer["labels"])) for answer in answers]


def test_evaluation_goes_by_the_thresholds(subarch: Command, inputs: Path, tuned: Path, tmp_path: Path) -> None:
    found = json.loads((tuned / "finetune.json").read_text())
    on_sealed = subarch("evaluate", tuned / "checkpoint", "--data", inputs / "reviews.jsonl", "--json").json
    assert on_sealed["metrics"]["macro_f1"] == pytest.approx(found["rows"][0]["mean"])
    # Other files, in other shapes: columns in another order, joined cells.
    others, names = rows(60, seed=1), ("length", "praise", "blame")
    columns = [(text, *(int(name in held) for name in names)) for text, held in others]
    wide = write(tmp_path / "wide.csv", columns, ("text", *names))
    joined = write(tmp_path / "joined.csv", [(text, "|".join(held)) for text, held in others])
    scores = [
        subarch("evaluate", tuned / "checkpoint", "--data", path, *more, "--json").json["metrics"]
        for path, more in (
            (wide, ("--label-columns", *names)),
            (joined, ("--label-column", "label", "--label-separator", "|")),
        )
    ]
    assert scores[0] == scores[1]
    one = write(tmp_path / "one.csv", [(text, "praise" if held else "blame") for text, held in others])
    refused(
        subarch("evaluate", tuned / "checkpoint", "--data", one, "--label-column", "label", "--kind", "classification"),
        "was made for multilabel",
    )


def test_every_form_gives_the_same_labels_and_knows_the_thresholds(
    subarch: Command, tuned: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    asked = ("--run", tmp_path, "--max-drop", "5", "--threads", "1", "--json")
    made = subarch("export", tuned / "checkpoint", *asked).json
    thresholds = Purpose.read(tuned / "checkpoint").thresholds
    assert tuple(made["thresholds"]) == thresholds and made["head"] == "multilabel" and made["metric"] == "macro_f1"
    forms = {one["artifact"]: one for one in made["parity"]}
    texts = [text for text, _ in rows(40, seed=2)]
    stock: Any = pipeline("text-classification", model=str(tuned / "checkpoint"), top_k=None)
    shares = [{one["label"]: one["score"] for one in answers} for answers in stock(texts)]
    for name, one in forms.items():
        predictor = Predictor.from_pretrained(made["folder"], artifact=name, threads=1)
        answers = predictor(texts)
        if FORMS[name].precision != "float32":
            continue
        assert one["label_flips"] == 0 and one["passed"], one
        for answer, theirs in zip(answers, shares, strict=True):
            assert answer["probabilities"] == pytest.approx(theirs, abs=1e-4)
            held = [n for n, at in zip(sorted(NAMES), predictor.thresholds, strict=True) if theirs[n] > at]
            assert answer["labels"] == held
    document = json.loads((Path(made["folder"]) / "export.json").read_text())
    (Path(made["folder"]) / "export.json").write_text(json.dumps(document | {"thresholds": [0.5]}))
    with pytest.raises(ValueError, match="as many thresholds or none, got 1"):
        Predictor.from_pretrained(made["folder"])(texts)
    (Path(made["folder"]) / "export.json").write_text(json.dumps(document | {"thresholds": [0.5, 2.0, 0.5]}))
    with pytest.raises(ValueError, match="thresholds"):
        Predictor.from_pretrained(made["folder"])


def test_killed_and_called_again_it_ends_alike(inputs: Path, tuned: Path, tmp_path: Path) -> None:
    command = asked(inputs, tmp_path / "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "subarch", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not [*(tmp_path / "run").rglob("unfinished.pt")]:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not [*(tmp_path / "run").rglob("checkpoint")]
    assert main(command) == 0
    again = tmp_path / "run" / "finetune" / "reviews"
    calm, disturbed = (json.loads((one / "finetune.json").read_text()) for one in (tuned, again))
    for name in ("rows", "weights", "holds_above", "classes"):
        assert calm[name] == disturbed[name], name
    assert Purpose.read(tuned / "checkpoint").thresholds == Purpose.read(again / "checkpoint").thresholds


def test_agora_learns_from_wrong_sets_and_a_teachers_probabilities(
    subarch: Command, inputs: Path, tuned: Path, tmp_path: Path
) -> None:
    pool = tmp_path / "pool.txt"
    pool.write_text("\n".join(text for text, _ in rows(120, seed=3)))
    asked = ("--model", inputs / "encoder", "--data", inputs / "reviews.jsonl", "--run", tmp_path / "run", *QUICK)
    loop = ("--agora", "--teacher", tuned / "checkpoint", "--pool", pool, "--ways", "plain", "agora", "--rounds", "2")
    found = subarch("finetune", *asked, *loop, "--weak-teacher", "--refit", "--near", "all", "--json").json
    scores = {row["method"]: row["mean"] for row in found["rows"]}
    teacher = json.loads((tuned / "finetune.json").read_text())
    assert scores["teacher"] == pytest.approx(teacher["rows"][0]["mean"])  # with its thresholds
    checkpoint = Path(found["checkpoint"])
    assert scores[found["method"]] == pytest.approx(
        subarch("evaluate", checkpoint, "--data", inputs / "reviews.jsonl", "--json").json["metrics"]["macro_f1"]
    )
    assert Purpose.read(checkpoint).thresholds and set(found["holds_above"]) == set(NAMES)
    samples = found["rounds"][0]["samples"]
    assert samples and all("%" in one["label"] for one in samples)


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [([0.5], "a threshold between 0 and 1 for each of 3"), ([0.5, 0.5, 1.0], r"0.5, 1.0]")],
)
def test_thresholds_that_were_changed_are_refused(
    subarch: Command, tuned: Path, tmp_path: Path, thresholds: list[float], words: str
) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for file in (tuned / "checkpoint").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    said = json.loads((folder / "subarch.json").read_text())
    (folder / "subarch.json").write_text(json.dumps(said | {"thresholds": thresholds}))
    new = write(tmp_path / "new.csv", [("a film",)], ("text",))
    refused(subarch("predict", folder, "--data", new), words)
