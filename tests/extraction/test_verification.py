"""``verify`` accepts real runs and refuses those that were tampered with; a forged ledger is found by retraining."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from subarch.extraction.conclusions import digest
from subarch.jobs.extraction import extract, verify_run
from subarch.options.search import ExtractOptions


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "toy"
    result = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.1))
    assert result["certificate"]["verdict"] == "certified"
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_real_run_is_accepted_and_bears_out_the_epsilon_it_claims(finished: Path) -> None:
    found = verify_run(finished, family="toy:Toy")
    assert found.accepted, found.reason
    certificate = json.loads((finished / "certificate.json").read_text())
    assert found.achieved == certificate["achieved"] <= 0.1
    assert verify_run(finished, retrain=3, family="toy:Toy", start="toy:error").accepted


@pytest.mark.parametrize("options", [{"claim": "front"}, {"max_macs": 9000.0}, {"strategy": "exhaustive"}])
def test_runs_of_every_kind_are_accepted(tmp_path: Path, options: dict[str, Any]) -> None:
    result = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=tmp_path / "run", **options))
    assert result["certificate"]["verdict"] == "certified"
    found = verify_run(tmp_path / "run", family="toy:Toy")
    assert found.accepted, found.reason


def test_a_speedup_is_recorded_as_it_was_asked_for_and_decided_on_the_latency_table(tmp_path: Path) -> None:
    result = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=tmp_path / "run", speedup=1.05, threads=1))
    certificate = result["certificate"]
    assert certificate["claim"] == "constrained"
    assert certificate["limits"] == {"speedup": 1.05}
    table = {
        tuple(row): ms
        for row, ms in zip(*(certificate["latency_table"][k] for k in ("indices", "fitted")), strict=True)
    }
    index = tuple(
        choices.index(result["architecture"][name])
        for name, choices in (("depth", [1, 2, 3, 4]), ("width", [8, 16, 24, 32, 48]), ("inner", [8, 16, 32, 64]))
    )
    assert certificate["latency_table"]["reference_ms"] / table[index] >= 1.05
    assert verify_run(tmp_path / "run", family="toy:Toy").accepted
    edit(tmp_path / "run" / "certificate.json", setter("latency_table", "reference_ms", value=1e6), again=True)
    assert "latency table" in verify_run(tmp_path / "run", family="toy:Toy").reason


def edit(path: Path, change: Callable[[dict[str, Any]], None], *, again: bool = False) -> None:
    """Change a JSON file; ``again`` makes the certificate's own digest fit the change, as a careful forger would."""
    data = json.loads(path.read_text())
    change(data)
    if again:
        data["digest"] = digest({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))
    if again and (told := path.with_name("extract.json")).is_file():
        edit(told, lambda result: result.update(certificate=data))


def sql(run: Path, statement: str) -> None:
    with sqlite3.connect(run / "study.db") as connection:
        assert connection.execute(statement).rowcount != 0


def setter(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        for key in keys[:-1]:
            data = data[key]
        assert data[keys[-1]] != value
        data[keys[-1]] = value

    return change


def shrink_space(data: dict[str, Any]) -> None:
    data["space"]["parameters"][0]["choices"].pop(0)


TAMPERING: dict[str, Callable[[Path], None]] = {
    "an error in the ledger": lambda run: sql(
        run, "update trial_values set value = value * 0.9 where objective = 2 and trial_id = 7"
    ),
    "a parameter count in the ledger": lambda run: sql(
        run, "update trial_values set value = value + 1 where objective = 0 and trial_id = 8"
    ),
    "an architecture in the ledger": lambda run: sql(
        run, "update trial_params set param_value = 8 where param_name = 'width' and param_value != 8 and trial_id > 6"
    ),
    "a dropped trial": lambda run: (
        [sql(run, f"delete from {table} where trial_id = 9") for table in ("trial_values", "trial_params", "trials")]
        and None
    ),
    "the noise repeats": lambda run: sql(
        run,
        "update trial_user_attributes set value_json = '\"search\"' where value_json = '\"repeat\"' and trial_id = 3",
    ),
    "the ledger of another run": lambda run: (run / "study.db").write_bytes(b""),
    "a missing ledger": lambda run: (run / "study.db").unlink(),
    "the verdict": lambda run: edit(run / "certificate.json", setter("verdict", value="unresolved")),
    "the verdict, carefully": lambda run: edit(
        run / "certificate.json", setter("verdict", value="unresolved"), again=True
    ),
    "the epsilon reached": lambda run: edit(run / "certificate.json", setter("achieved", value=0.0), again=True),
    "the pick": lambda run: edit(
        run / "certificate.json",
        setter("best", "architecture", value={"depth": 4, "width": 48, "inner": 64}),
        again=True,
    ),
    "the violations": lambda run: edit(run / "certificate.json", setter("delta", value=0.05), again=True),
    "another T": lambda run: edit(
        run / "certificate.json", setter("question", "reference", "depth", value=3), again=True
    ),
    "another T everywhere": lambda run: edit(
        run / "certificate.json",
        lambda data: (
            data["question"]["reference"].update(depth=3),
            data["family"]["reference"].update(depth=3),
            None,
        )[-1],
        again=True,
    ),
    "the counts of T": lambda run: edit(
        run / "certificate.json", setter("reference", "parameters", value=1e9), again=True
    ),
    "another space": lambda run: edit(run / "certificate.json", shrink_space, again=True),
    "epsilon asked": lambda run: edit(run / "certificate.json", setter("epsilon", value=0.3), again=True),
    "the number trained": lambda run: edit(run / "certificate.json", setter("evaluated", value=3), again=True),
    "e_min": lambda run: edit(run / "certificate.json", setter("e_min", value=0.5), again=True),
    "the noise repeats' number": lambda run: edit(run / "certificate.json", setter("repeats", value=9), again=True),
    "the operations' polynomial": lambda run: edit(
        run / "certificate.json", setter("objectives", "cost", "polynomial", value=None), again=True
    ),
    "an epsilon out of range": lambda run: edit(
        run / "certificate.json", setter("question", "epsilon", value=2.0), again=True
    ),
    "the definition of the error": lambda run: edit(
        run / "certificate.json", setter("objectives", "error", "steps", value=1), again=True
    ),
    "the hardware": lambda run: edit(run / "certificate.json", setter("hardware", "cpu", value="a faster one")),
    "architecture.json": lambda run: edit(run / "architecture.json", setter("architecture", "depth", value=9)),
    "a missing architecture.json": lambda run: (run / "architecture.json").unlink(),
    "extract.json": lambda run: edit(run / "extract.json", setter("architecture", "depth", value=9)),
    "a truncated extract.json": lambda run: (run / "extract.json").write_text("{"),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_refused_with_the_reason(run: Path, kind: str) -> None:
    TAMPERING[kind](run)
    found = verify_run(run, family="toy:Toy")
    assert not found.accepted, kind
    assert len(found.reason) > 20


def test_a_ledger_forged_as_a_whole_is_found_by_training_again(tmp_path: Path) -> None:
    """The forger ran the search with an error function of his own and says it was the public one."""
    run = tmp_path / "run"
    extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.1))
    sql(run, "update trial_values set value = value * 1.5 where objective = 2")
    from subarch.extraction.study import Ledger
    from subarch.networks.space import Space

    certificate = json.loads((run / "certificate.json").read_text())
    ledger = Ledger.reading(run, Space.from_json(certificate["space"]), certificate["steps"])
    shutil.copy(run / "study.db", tmp_path / "forged.db")
    for path in run.glob("*.json"):
        path.unlink()
    # Going on with the forged ledger trains nothing anew and writes a certificate that fits it.
    again = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.1))
    assert again["certificate"]["ledger_hash"] == ledger.hash()
    assert verify_run(run, family="toy:Toy").accepted
    found = verify_run(run, retrain=2, family="toy:Toy", start="toy:error")
    assert not found.accepted
    assert "training it again gives" in found.reason


@pytest.mark.parametrize("content", [None, "not json", "[]", "{}"])
def test_what_is_no_run_is_wrong_input(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "certificate.json").write_text(content)
    with pytest.raises(ValueError, match="certificate"):
        verify_run(tmp_path, family="toy:Toy")
