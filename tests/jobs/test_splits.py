"""Seals: whoever reads a table, for whatever purpose, deals it in one way, and nothing reads what is sealed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import encoder, reviews, write

from commands import Command, refused
from subarch.cli import main
from subarch.jobs.plan import planned
from subarch.jobs.splits import dealt_as_for, dealt_as_said, split_of, task_again, task_named
from subarch.jobs.verification import options_of
from subarch.learning.purposes import Purpose
from subarch.options.compression import CompressOptions
from subarch.options.search import ExtractOptions
from subarch.options.tasks import TaskOptions
from subarch.tasks.loading import load_task, opened_task
from subarch.tasks.task import Task

QUICK = ("--epochs", "1", "--seeds", "1", "--learning-rates", "3e-3", "--batch-size", "8", "--max-length", "32")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A table, an encoder, and the same fine-tuned on the table as seed 3 deals it."""
    folder = tmp_path_factory.mktemp("world")
    model, data = encoder(folder / "encoder"), write(folder / "reviews.csv", [*reviews(300)])
    run = folder / "run"
    asked = ["finetune", "--model", str(model), "--data", str(data), "--run", str(run), "--split-seed", "3", *QUICK]
    assert main([*asked, "--threads", "1"]) == 0
    return {"model": model, "data": data, "run": run, "tuned": run / "finetune" / "reviews" / "checkpoint"}


def purpose(world: dict[str, Path]) -> dict[str, Any]:
    return json.loads((world["tuned"] / "subarch.json").read_text())


def test_a_search_deals_a_table_as_every_other_command_does(world: dict[str, Path], tmp_path: Path) -> None:
    test = write(tmp_path / "test.csv", [*reviews(20, 9)])
    for given in ({}, {"split_seed": 3}, {"split_seed": 1, "test_data": test}, {"label_column": "label", "limit": 50}):
        where = ExtractOptions(source="x", data=str(world["data"]), **given).where
        assert where is not None
        assert opened_task(where) == opened_task(TaskOptions(data=world["data"], **given))
    with pytest.raises(ValueError, match=r"--split-seed says how --data is read, which is missing"):
        ExtractOptions(source="x", split_seed=1)


SEARCH = (
    "--steps",
    "1",
    "--held-out",
    "8",
    "--batch-size",
    "4",
    "--budget",
    "1",
    "--threads",
    "1",
    "--sequence-length",
    "32",
)


def test_a_search_on_what_its_source_has_learned_from_reads_no_row_that_is_sealed(
    subarch: Command, world: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    asked = ("extract", world["tuned"], "--data", world["data"], "--run", "searched", *SEARCH, "--json")
    _ = subarch(*asked).json
    assert "is dealt out as for" in caplog.text and "split seed 3" in caplog.text
    recorded = options_of(Path("searched"))
    assert recorded.where is not None and recorded.split_seed == 3
    assert opened_task(recorded.where).sealed.digest == purpose(world)["split"]["sealed"]
    refused(subarch(*asked[:-1], "--split-seed", "4"), "seed 3", "--split-seed")


def test_stages_of_one_run_seal_the_same_rows(subarch: Command, world: dict[str, Path], tmp_path: Path) -> None:
    """The run has sealed rows of seed 3: a search of another seed would learn from some of them."""
    asked = ("extract", world["model"], "--data", world["data"], "--run", world["run"], *SEARCH)
    refused(subarch(*asked), "sealed other rows", "seed 3", "here seed 0", "--split-seed")
    assert not (world["run"] / "study.db").exists()
    again = ("finetune", "--model", world["model"], "--data", world["data"], "--run", world["run"], *QUICK)
    refused(subarch(*again), "sealed other rows")


def test_a_network_that_has_learned_from_a_table_decides_how_it_is_dealt(
    world: dict[str, Path], tmp_path: Path
) -> None:
    where = TaskOptions(data=world["data"])
    assert dealt_as_for(where, world["model"]) == where  # it has learned from nothing
    assert dealt_as_for(where, world["tuned"]).split_seed == 3
    copy = tmp_path / "copy.csv"  # the same rows elsewhere
    copy.write_bytes(world["data"].read_bytes())
    assert dealt_as_for(TaskOptions(data=copy), world["tuned"]).split_seed == 3
    other = TaskOptions(data=write(tmp_path / "other.csv", [*reviews(60, 5)]))
    assert dealt_as_for(other, world["tuned"]) == other
    with pytest.raises(ValueError, match=r"seed 3: with another --split-seed it has learned from rows that are sealed"):
        dealt_as_for(TaskOptions(data=world["data"], split_seed=1), world["tuned"])
    plan = planned(CompressOptions(data=str(world["data"]), teacher=str(world["tuned"])), tmp_path / "run")
    assert plan.where.split_seed == 3 and plan.task.sealed.digest == purpose(world)["split"]["sealed"]


def test_demos_and_benchmarks_are_dealt_as_for_the_checkpoint_too(tmp_path: Path) -> None:
    said = {"task": "demo/docs", "split": {"seed": 3, "rule": "relatives", "files": {}, "sealed": "", "limit": None}}
    assert dealt_as_said(TaskOptions(task="demo/docs"), Purpose.from_json(said)).split_seed == 3
    assert dealt_as_said(TaskOptions(task="demo/packages"), Purpose.from_json(said)).split_seed == 0
    rows = [
        {"premise": f"It was {n}.", "hypothesis": f"Day {n}?", "label": ("entailment", "not_entailment")[n % 2]}
        for n in range(80)
    ]
    (tmp_path / "RTE").mkdir()
    for part, some in (("train", rows[:60]), ("val", rows[60:])):
        lines = [json.dumps({**row, "idx": n}) for n, row in enumerate(some)]
        (tmp_path / "RTE" / f"{part}.jsonl").write_text("\n".join(lines))
    dealt = [load_task("superglue/rte", task_data=tmp_path, seed=seed).development for seed in (0, 3)]
    assert dealt[0] != dealt[1]
    for name in ("superglue/rte", "SuperGLUE/RTE"):
        purposes = map(Purpose.from_json, ({}, {**said, "task": "superglue/rte"}))
        found = [task_named(name, known, task_data=tmp_path) for known in purposes]
        assert [task.development for task in found] == dealt


def test_evaluate_tells_relatives_and_the_score_without_them(subarch: Command, world: dict[str, Path]) -> None:
    asked = ("evaluate", world["tuned"], "--data", world["data"])
    found = subarch(*asked, "--json").json
    finetuned = json.loads((world["run"] / "finetune" / "reviews" / "finetune.json").read_text())
    assert found["split"] == "sealed" and found["related"] == finetuned["related"]
    assert found["apart"] == finetuned["rows"][0]["apart"]
    assert "sealed rows" in subarch(*asked).err
    assert "related" not in subarch(*asked, "--split", "train", "--json").json


def test_no_form_is_chosen_by_rows_that_are_sealed(subarch: Command, world: dict[str, Path], tmp_path: Path) -> None:
    test = write(tmp_path / "test.csv", [*reviews(40, 9)])
    asked = ("--model", world["model"], "--data", world["data"], "--test-data", test, "--run", "run", *QUICK)
    checkpoint = subarch("finetune", *asked, "--json").json["checkpoint"]
    refused(subarch("export", checkpoint, "--data", test, "--run", "out"), "test file of the fine-tuning", "--data")
    assert not Path("out").exists()


def planned_with(world: dict[str, Path], run: Path, *changes: str) -> Any:
    return planned(CompressOptions(data=str(world["data"]), teacher=str(world["model"]), set=changes), run)


def test_in_a_recipe_the_search_deals_as_the_task_does(world: dict[str, Path], tmp_path: Path) -> None:
    own = f"extract.data={json.dumps(str(world['data']))}"
    plan = planned_with(world, tmp_path / "run", own, "task.split_seed=5", "task.limit=100")
    where = plan.extraction().where
    assert where is not None and where.split_seed == 5
    assert opened_task(where).sealed == plan.task.sealed
    with pytest.raises(ValueError, match=r"extract\.split_seed deals .* in another way than the task's settings"):
        planned_with(world, tmp_path / "run", own, "extract.split_seed=2")


def test_a_recipe_whose_search_or_pretraining_would_read_sealed_rows_is_refused(
    world: dict[str, Path], tmp_path: Path
) -> None:
    task = load_task(world["data"])
    sealed = [(one.first + " !", "praise" if one.label else "blame") for one in task.sealed.open()]
    other = write(tmp_path / "other.csv", [*reviews(60, 5), *sealed])
    with pytest.raises(ValueError, match=r"extract\.data: \d+ rows .* are sealed rows"):
        planned_with(world, tmp_path / "run", f"extract.data={json.dumps(str(other))}")
    rows = [{"text": text, "label": label} for text, label in reviews(300)]
    table = tmp_path / "corpus" / "reviews.jsonl"
    table.parent.mkdir()
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for section in ("extract", "pretrain"):
        for corpus in (table, table.parent):
            with pytest.raises(ValueError, match=rf"{section}\.corpus: .* holds .*reviews\.jsonl, some of whose rows"):
                planned(
                    CompressOptions(
                        data=str(table),
                        teacher=str(world["model"]),
                        set=(f"{section}.corpus={json.dumps(str(corpus))}",),
                    ),
                    tmp_path / "run",
                )


def test_a_checkpoint_of_an_earlier_version_is_dealt_as_it_was_then(world: dict[str, Path]) -> None:
    """It says no rule, and its sealed rows are those of equal texts."""
    old: Task = load_task(world["data"], seed=3, rule="equal texts")
    assert old.sealed != load_task(world["data"], seed=3).sealed
    said = purpose(world)
    assert said["split"]["rule"] == "relatives"
    split = {name: value for name, value in said["split"].items() if name != "rule"}
    told = {**said, "split": {**split, "sealed": old.sealed.digest}}
    assert task_again(world["data"], Purpose.from_json(told), "m").sealed == old.sealed
    with pytest.raises(ValueError, match=r"seed 3, rule 'equal texts' .* take --split all"):
        other = Purpose.from_json({**told, "split": {**split, "sealed": "0" * 64}})
        task_again(world["data"], other, "m")
    where = TaskOptions(data=world["data"], split_seed=3)
    assert split_of(where, opened_task(where)).to_json() == said["split"]
