"""Submission archives out of real, small networks: made, accepted, and refused when something is missing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tiny import encoder

from commands import Command, refused
from subarch.cli import main
from subarch.learning.checkpoints import save_checkpoint
from subarch.learning.heads import Target, from_checkpoint
from subarch.tasks.suites import SUITES

PLACEHOLDERS = {  # the data at hand lack the test parts of these tasks
    "glue": {"QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv"},
    "superglue": {"ReCoRD.jsonl"},
    "race": set[str](),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, measurement_data: Path, model: Path) -> Path:
    """A run with a network for every task: CB's and COPA's are trained, the others have the heads they start with."""
    folder = tmp_path_factory.mktemp("runs") / "all"
    quick = ("--epochs", "1", "--seeds", "1", "--batch-size", "16", "--max-length", "48", "--threads", "1")
    common = ("--model", str(model), "--task-data", str(measurement_data), "--run", str(folder), *quick)
    for task in (task for suite in SUITES.values() for task in suite if task.trained_on is None):
        if task.name in ("superglue/cb", "superglue/copa"):
            assert main(["finetune", "--task", task.name, *common]) == 0
        else:
            learner = from_checkpoint(model, Target(task.kind, task.label_names), task.name, 48)
            (folder / "finetune" / task.name).mkdir(parents=True)
            save_checkpoint(learner.make(0), learner, folder / "finetune" / task.name / "checkpoint")
    return folder


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory, run: Path, measurement_data: Path) -> Path:
    """What ``subarch submit`` makes of that run, SUITE.zip."""
    folder = tmp_path_factory.mktemp("archives")
    for suite in SUITES:
        given = ["--suite", suite, "--task-data", str(measurement_data), "--threads", "1"]
        output = ["--placeholders", "--output", str(folder / f"{suite}.zip")]
        assert main(["submit", str(run), *given, *output]) == 0
    return folder


@pytest.mark.parametrize("suite", SUITES)
def test_an_archive_of_every_suite_is_accepted(
    subarch: Command, archives: Path, measurement_data: Path, suite: str
) -> None:
    path = archives / f"{suite}.zip"
    names = zipfile.ZipFile(path).namelist()
    assert len(names) == {"glue": 11, "superglue": 10, "race": 2}[suite]
    for given in ((), ("--task-data", measurement_data)):
        checked = subarch("submit", "--suite", suite, "--check", path, *given, "--json").json
        assert checked["accepted"] and checked["files"] == names
    # A placeholder says one thing everywhere; a network, even one that knows nothing, does not.
    for name in names:
        body = zipfile.ZipFile(path).read(name).decode().splitlines()
        said = {line.partition("\t")[2] if name.endswith(".tsv") else line.partition("label")[2] for line in body[1:]}
        if name in PLACEHOLDERS[suite]:
            assert len(said) == 1, name


@pytest.mark.parametrize("suite", ["glue", "superglue"])
def test_missing_test_parts_are_refused_unless_placeholders_are_asked_for(
    subarch: Command, run: Path, measurement_data: Path, tmp_path: Path, suite: str
) -> None:
    data = ("--task-data", measurement_data)
    refused(subarch("submit", run, "--suite", suite, *data, "--output", "b.zip"), "--placeholders")
    assert not (tmp_path / "b.zip").exists()


def test_the_archive_says_what_the_model_says(
    subarch: Command, run: Path, archives: Path, measurement_data: Path, tmp_path: Path
) -> None:
    lines = zipfile.ZipFile(archives / "superglue.zip").read("CB.jsonl").decode().splitlines()
    texts = (measurement_data / "superglue" / "CB" / "test.jsonl").read_text().splitlines()
    (tmp_path / "cb.jsonl").write_text("\n".join(texts))
    checkpoint = run / "finetune" / "superglue" / "cb" / "checkpoint"
    subarch("predict", checkpoint, "--data", "cb.jsonl", "--output", "said.jsonl")
    said = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert [json.loads(line) for line in lines] == [{"idx": row["id"], "label": row["label"]} for row in said]


def test_one_checkpoint_answers_its_own_tasks(
    subarch: Command, run: Path, measurement_data: Path, tmp_path: Path
) -> None:
    checkpoint = run / "finetune" / "superglue" / "rte" / "checkpoint"
    data = ("--task-data", measurement_data, "--placeholders", "--output", "a.zip", "--json")
    made = subarch("submit", checkpoint, "--suite", "superglue", *data).json
    assert sorted(set(made["files"]) - set(made["placeholders"])) == ["AX-b.jsonl", "AX-g.jsonl", "RTE.jsonl"]


def test_evaluation_on_public_labels(subarch: Command, run: Path, measurement_data: Path) -> None:
    data = ("--task-data", measurement_data, "--json")
    rte = run / "finetune" / "superglue" / "rte" / "checkpoint"
    found = subarch("evaluate", rte, "--task", "superglue/ax-g", *data).json
    assert found["examples"] == 356 and found["split"] == "test"
    assert set(found["metrics"]) == {"accuracy", "gender_parity", "score"}
    race = run / "finetune" / "race" / "middle" / "checkpoint"
    assert subarch("evaluate", race, "--task", "race/middle", "--split", "test", *data).json["examples"] == 1436
    refused(subarch("evaluate", rte, "--task", "superglue/rte", "--split", "test", *data[:2]), "no labels", "submit")
    refused(subarch("evaluate", rte, "--task", "superglue/cb", *data[:2]), "'contradiction'", "'not_entailment'")


def test_wrong_requests(subarch: Command, model: Path, tmp_path: Path) -> None:
    refused(subarch("submit", "--suite", "glue"), "MODEL", "--check")
    refused(subarch("submit", model, "--suite", "glue", "--check", "a.zip"), "--check")
    refused(subarch("submit", model, "--suite", "glue"), "no head")
    refused(subarch("submit", tmp_path, "--suite", "glue"), "finetune/glue/cola/checkpoint")
    refused(subarch("submit", "--suite", "glue", "--check", "absent.zip"), "absent.zip")
    (tmp_path / "a.zip").write_bytes(b"no zip")
    refused(subarch("submit", "--suite", "glue", "--check", "a.zip"), "a.zip", "refused")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("CoLA.tsv", "index\tprediction\n0\t2\n")
    refused(subarch("submit", "--suite", "glue", "--check", "b.zip"), "CoLA.tsv", "SST-2.tsv")
