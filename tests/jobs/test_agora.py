"""``finetune --agora`` on the command line: six rows on a sealed split, the same after a kill, and clear refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import encoder, reviews, write

from commands import Command, refused
from subarch.cli import main
from subarch.jobs.agora import divided
from subarch.tasks.task import Task
from subarch.text.examples import Example, SealedSplit, Split

COMMON = ("--batch-size", "8", "--max-length", "32", "--threads", "1")
METHODS = ["plain", "plain on D and E", "distilled", "augmented", "agora", "teacher"]
WITH_POOL = [*METHODS[:4], "pool", *METHODS[4:]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A teacher that has seen much, and a student that is to see little."""
    folder = tmp_path_factory.mktemp("world")
    large, small = encoder(folder / "large"), encoder(folder / "small", num_hidden_layers=1)
    much = write(folder / "much.csv", [*reviews(600, 1)])
    options = ("--epochs", "4", "--seeds", "1", "--learning-rates", "3e-3", "--run", str(folder / "teacher"))
    assert main(["finetune", "--model", str(large), "--data", str(much), *options, *COMMON]) == 0
    return {
        "teacher": folder / "teacher" / "finetune" / "much" / "checkpoint",
        "student": small,
        "little": write(folder / "little.csv", [*reviews(120, 2)]),
        "pool": write(folder / "pool.csv", [(text,) for text, _ in reviews(300, 3)], ("text",)),
    }


def given(world: dict[str, Path], run: str) -> tuple[str | Path, ...]:
    return (
        *("--model", world["student"], "--data", world["little"], "--run", run, "--seeds", "2", "--epochs", "6"),
        *("--learning-rates", "3e-3", "1e-3", "--agora", "--teacher", world["teacher"], "--pool", world["pool"]),
        *("--per-mistake", "5", "--rounds", "3", *COMMON),
    )


def test_rounds_read_half_of_the_development_rows_and_ways_are_chosen_by_the_others() -> None:
    rows = [Example(f"row {n} of {'good' if n % 3 else 'bad'} words number{n}", (), n % 3 > 0) for n in range(90)]
    rows[40] = rows[40]._replace(first=rows[41].first + " more")  # relatives stay on one side
    task = Task(
        name="rows",
        label_names=("bad", "good"),
        train=Split(rows),
        development=Split(rows),
        sealed=SealedSplit(Split(rows)),
    )
    read, choice = divided(task)
    others = [rows[row] for row in choice]
    assert set(read.development) | set(others) == set(rows) and not set(read.development) & set(others)
    assert 35 <= len(choice) <= 55
    for side in (read.development, others):
        assert 0.5 < sum(bool(one.label) for one in side) / len(side) < 0.8
    assert (rows[40] in others) == (rows[41] in others)


def test_of_too_few_development_rows_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    rows = Split([Example("a good one", (), 1), Example("bad", (), 0)])
    task = Task(name="few", label_names=("bad", "good"), train=rows, development=rows, sealed=SealedSplit(rows))
    read, choice = divided(task)
    assert read is task and list(choice) == [0, 1]
    assert "few has too few development rows to compare ways on others than those near which Agora" in caplog.text


def test_what_is_kept_may_learn_from_the_development_rows_too(
    subarch: Command, world: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = subarch("finetune", *given(world, "refitted"), "--refit", "--json").json
    assert result["method"].endswith(" on D and E") and result["method"].startswith(result["chosen"]["way"])
    kept = next(row for row in result["rows"] if row["method"] == result["method"])
    assert kept["seeds"] == 2
    checkpoint = result["checkpoint"]
    evaluated = subarch("evaluate", checkpoint, "--data", world["little"], "--json").json
    assert evaluated["metrics"]["accuracy"] in kept["scores"] and not caplog.text
    subarch("evaluate", checkpoint, "--data", world["little"], "--split", "development", "--json")
    assert "has learned from these rows" in caplog.text


def test_chosen_ways_alone_and_the_whole_pool_in_as_many_steps_as_it_takes(
    subarch: Command, world: dict[str, Path], tmp_path: Path
) -> None:
    asked = (*given(world, "run"), "--ways", "pool", "plain", "--epochs", "1", "--seeds", "1", "--json")
    result = subarch("finetune", *asked).json
    assert [row["method"] for row in result["rows"]] == ["plain", "pool", "teacher"]
    assert result["rounds"] == [] and result["teacher"]["quality"] > 2 / 3
    steps = {row["method"]: row["steps"] for row in result["rows"]}
    train = result["data"]["examples"]["train"]
    assert steps["plain"] == -(-train // 8)
    # Copies of development and sealed texts are left out of the 300; the others come once each.
    assert steps["plain"] < steps["pool"] <= -(-(train + 300) // 8)
    refused(subarch("finetune", *given(world, "other"), "--ways", "guess"), "guess")
    without = [word for word in given(world, "other") if word not in ("--pool", world["pool"])]
    refused(subarch("finetune", *without, "--ways", "pool"), "--ways pool", "--pool FILE")


def test_a_row_for_each_way_and_a_checkpoint(subarch: Command, world: dict[str, Path], tmp_path: Path) -> None:
    result = subarch("finetune", *given(world, "run"), "--json").json
    assert [row["method"] for row in result["rows"]] == WITH_POOL
    for row in result["rows"]:
        assert {"mean", "ci95", "seeds", "steps", "scores"} <= set(row)
        assert row["seeds"] == (1 if row["method"] == "teacher" else 2)
    steps = {row["steps"] for row in result["rows"] if row["method"] != "teacher"}
    assert len(steps) == 1  # ways are compared at equal steps
    assert result["teacher"]["quality"] > 2 / 3
    for loop in result["rounds"]:
        best = [one["best_so_far"] for one in loop["rounds"]]
        assert best == sorted(best)
    evaluated = subarch("evaluate", result["checkpoint"], "--data", world["little"], "--json").json
    scores = {row["method"]: row["scores"] for row in result["rows"]}
    development = {row["method"]: row["development"] for row in result["rows"] if row["development"] is not None}
    assert set(development) == {"plain", "distilled", "augmented", "pool", "agora"}
    assert result["method"] == result["chosen"]["way"] == max(development, key=development.__getitem__)
    assert evaluated["split"] == "sealed"
    assert min(abs(evaluated["metrics"]["accuracy"] - one) for one in scores[result["method"]]) < 1e-9
    assert subarch("finetune", *given(world, "run"), "--json").json == result
    # Proposals of another pool are not taken for these.
    other = write(tmp_path / "other.csv", [(text,) for text, _ in reviews(100, 8)], ("text",))
    refused(subarch("finetune", *given(world, "run"), "--pool", other), "proposals", "another folder")


def test_after_a_kill_the_same_command_comes_to_the_same_end(
    subarch: Command, world: dict[str, Path], tmp_path: Path
) -> None:
    options = [str(one) for one in given(world, "killed")]
    students = tmp_path / "killed" / "finetune" / "little" / "students"
    for count in (1, 7):
        process = subprocess.Popen(
            [sys.executable, "-m", "subarch", "finetune", *options], cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(list(students.glob("*.safetensors"))) < count:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    killed = subarch("finetune", *options, "--json").json
    whole = subarch("finetune", *given(world, "whole"), "--json").json
    assert killed["rows"] == whole["rows"]
    assert killed["rounds"] == whole["rounds"]
    weights = [
        tmp_path / run / "finetune" / "little" / "checkpoint" / "model.safetensors" for run in ("killed", "whole")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def copa(folder: Path, train: int, development: int, seed: int) -> Path:
    """COPA's official files, in the small language: the right choice is the one that praises."""
    rows = reviews(8 * (train + development), seed)
    praise, blame = ([text for text, label in rows if label == name] for name in ("praise", "blame"))
    questions = [
        {"premise": p, "choice1": (b, a)[n % 2], "choice2": (a, b)[n % 2], "question": "cause", "label": 1 - n % 2}
        for n, (p, a, b) in enumerate(zip(praise[::2], praise[1::2], blame, strict=False))
    ]
    (folder / "superglue" / "COPA").mkdir(parents=True)
    for name, part in {"train": questions[:train], "val": questions[train : train + development]}.items():
        lines = "".join(json.dumps({**one, "idx": n}) + "\n" for n, one in enumerate(part))
        (folder / "superglue" / "COPA" / f"{name}.jsonl").write_text(lines)
    return folder


def test_a_choice_among_candidates(subarch: Command, world: dict[str, Path], tmp_path: Path) -> None:
    much, little = copa(tmp_path / "much", 300, 40, 1), copa(tmp_path / "little", 160, 60, 2)
    common = ("--task", "superglue/copa", "--seeds", "1", *COMMON)
    taught = (
        "--model",
        world["student"],
        "--task-data",
        much,
        "--run",
        "teacher",
        "--learning-rates",
        "3e-3",
        "--epochs",
        "8",
    )
    teacher = subarch("finetune", *taught, *common, "--json").json
    assert teacher["rows"][0]["mean"] > 0.8
    asked = (
        "--model",
        world["student"],
        "--task-data",
        little,
        "--run",
        "student",
        "--learning-rates",
        "2e-4",
        "--epochs",
        "1",
        "--rounds",
        "2",
    )
    agora = ("--agora", "--teacher", teacher["checkpoint"], "--per-mistake", "4", "--near", "all")
    found = subarch("finetune", *asked, *agora, *common, "--json").json
    assert [row["method"] for row in found["rows"]] == METHODS and found["metric"] == "accuracy"
    (loop,) = found["rounds"]
    assert loop["rounds"][0]["near"] and loop["samples"], loop
    for sample in loop["samples"]:
        (premise, *candidates), (new, *others) = sample["mistake"], sample["proposal"]
        assert len(candidates) == len(others) == 2
        assert premise != new and candidates == others  # what the candidates share is what links a choice
        assert sample["label"].rpartition(" (")[0] in others
    evaluated = subarch(
        "evaluate", found["checkpoint"], "--task", "superglue/copa", "--task-data", little, "--json"
    ).json
    kept = next(row for row in found["rows"] if row["method"] == found["method"])
    assert evaluated["metrics"]["accuracy"] == pytest.approx(kept["mean"])
    refused(subarch("finetune", *asked, *agora, *common, "--pool", world["pool"]), "candidates", "mask_fill")


OWN = """
import numpy as np
from subarch.text.examples import Example

NEW = "film play story actor scene long short good bad".split()

def longer(examples, count, rng):
    for n, example in enumerate(examples):
        words = example.first.split()
        for _ in range(count):
            kept = rng.permutation(words)[: len(words) // 2]
            yield n, Example(" ".join([*kept, *rng.choice(NEW, len(words) + 1 - len(kept))]))

def length(examples):
    return np.array([[len(example.first.split())] for example in examples], float)
"""


def test_functions_spaces_and_executors_of_ones_own(
    subarch: Command, world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    given = ("--model", world["student"], "--data", world["little"], "--seeds", "1", "--epochs", "3", "--rounds", "2")
    asked = (
        *given,
        "--near",
        "all",
        "--learning-rates",
        "3e-3",
        "1e-3",
        "--agora",
        "--teacher",
        world["teacher"],
        *COMMON,
    )
    own = (*asked, "--proposals", "own:longer", "--space", "own:length")
    found = subarch("finetune", *own, "--run", "own", "--min-distance", "0.5", "--max-distance", "1.5", "--json").json
    for sample in found["rounds"][0]["samples"]:
        assert len(sample["proposal"][0].split()) == 1 + len(sample["mistake"][0].split())
    assert found["rounds"][0]["samples"]
    far = subarch("finetune", *own, "--run", "far", "--min-distance", "1.5", "--json").json["rounds"][0]
    assert far["samples"] == [] and "too near" in json.dumps(far["rounds"])
    # Two processes come to what one comes to.
    pool = ("--pool", world["pool"], "--space", "student", "--max-distance", "0.9", "--json")
    one = subarch("finetune", *asked, *pool, "--run", "one").json
    two = subarch("finetune", *asked, *pool, "--run", "two", "--executor", "processes:2").json
    assert one["rows"] == two["rows"] and one["rounds"] == two["rounds"]
    for words, *wrong in (
        ("could not be imported", "--proposals", "own:missing"),
        ("could not be imported", "--space", "own:missing"),
        ("--space is teacher", "--space", "moon"),
        ("--proposals are mask_fill, recombine, retrieve", "--proposals", "made_up"),
        ("processes:N", "--executor", "threads:2"),
        ("unknown executor", "--executor", "moon"),
        ("above --min-distance", "--min-distance", "1", "--max-distance", "0.5"),
        ("--min-distance", "--min-distance", "-1"),
        ("--budget", "--budget", "0"),
    ):
        refused(subarch("finetune", *asked, "--run", "wrong", *wrong), words)


def test_wrong_input(subarch: Command, world: dict[str, Path], tmp_path: Path) -> None:
    common = ("--model", world["student"], "--data", world["little"], "--run", "run", "--epochs", "1", *COMMON)
    refused(subarch("finetune", *common, "--agora"), "--teacher")
    refused(subarch("finetune", *common, "--teacher", world["teacher"]), "--agora")
    agora = (*common, "--agora", "--teacher")
    refused(subarch("finetune", *agora, world["student"]), "no head", "fine-tune it first")
    refused(subarch("finetune", *agora, world["teacher"], "--proposals", "retrieve"), "--pool")
    refused(subarch("finetune", *agora, world["teacher"], "--proposals", "mask_fill"), "--language-model")
    refused(subarch("finetune", *agora, world["teacher"], "--rounds", "0"), "--rounds")
    three = write(tmp_path / "three.csv", [(f"good film {n}", "abc"[n % 3]) for n in range(60)])
    other = ("--model", world["student"], "--data", three, "--run", "other", "--agora", "--teacher", world["teacher"])
    refused(subarch("finetune", *other, *COMMON), "classes")
    pairs = write(tmp_path / "pairs.csv", [("a", "b")], ("sentence1", "sentence2"))
    refused(subarch("finetune", *agora, world["teacher"], "--pool", pairs), "pairs.csv")
    wrong = [(text, "blame" if label == "praise" else "praise") for text, label in reviews(120, 2)]
    flipped = write(tmp_path / "flipped.csv", wrong)
    weak = ("--model", world["student"], "--data", flipped, "--run", "weak", "--agora", "--teacher", world["teacher"])
    refused(subarch("finetune", *weak, "--epochs", "1", *COMMON), "balanced accuracy", "expected above 0.667")
    assert not (tmp_path / "weak" / "finetune" / "flipped" / "manifest.json").exists()


def test_a_rate_that_diverges_is_dropped_and_only_all_of_them_end_the_work(
    subarch: Command, world: dict[str, Path], tmp_path: Path
) -> None:
    common = ("--model", world["student"], "--data", world["little"], "--seeds", "1", "--epochs", "2", "--rounds", "2")
    asked = (*common, "--agora", "--teacher", world["teacher"], "--pool", world["pool"], *COMMON)
    found = subarch("finetune", *asked, "--run", "one", "--learning-rates", "1e30", "3e-3", "--json").json
    (loop,) = found["rounds"]
    assert loop["rounds"][0]["diverged"] == [0] and set(loop["rounds"][0]["scores"]) == {"1"}
    assert [row["method"] for row in found["rows"]] == WITH_POOL
    file = tmp_path / "one" / "finetune" / "little" / "manifest.json"
    manifest = file.read_text()
    assert json.loads(manifest)["options"]["agora"] is True
    other = [world["little"] if word == world["pool"] else word for word in asked]
    refused(
        subarch("finetune", *other, "--run", "one", "--learning-rates", "1e30", "3e-3"), "was begun with other values"
    )
    assert file.read_text() == manifest  # it tells what lies there, not what was refused
    refused(
        subarch("finetune", *asked, "--run", "all", "--learning-rates", "1e30", "1e31"), "lower the", "1e+30", status=1
    )
