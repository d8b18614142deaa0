"""A forger who knows the program: he changes a run, and makes whatever follows from that fit, digests included."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import digest
from subarch.extraction.points import Points
from subarch.extraction.question import Question
from subarch.extraction.statement import Made, Statement, e_min_of
from subarch.extraction.study import Ledger, Trial
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import import_family
from subarch.networks.space import Space
from subarch.results.extract import ExtractResult
from subarch.running.latency_table import LatencyTable
from subarch.running.stopwatch import timekeeper_of
from subarch.telling.report import write_report


def edit(path: Path, change: Callable[[dict[str, Any]], object], *, again: bool = False) -> None:
    """Change a JSON file; ``again`` makes the certificate's own digest fit the change, and the copy in extract.json."""
    data = json.loads(path.read_text())
    change(data)
    if again:
        data["digest"] = digest({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))
    if again and (told := path.with_name("extract.json")).is_file():
        edit(told, lambda result: result.update(certificate=data))


def setter(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one value; where that is a function, of the value that is there."""

    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        new = value(data[keys[-1]]) if callable(value) else value
        assert data[keys[-1]] != new
        data[keys[-1]] = new

    return change


def sql(run: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(run / "study.db") as connection:
        assert connection.execute(statement, values).rowcount != 0


def trials(run: Path) -> list[Trial]:
    certificate = json.loads((run / "certificate.json").read_text())
    return Ledger.reading(run, Space.from_json(certificate["space"]), certificate["steps"]).trials()


def measured(run: Path, trial: Trial, error: float) -> None:
    """Give a trial another error, and its trainings too."""
    runs = [{**one, "error": error} for one in trial.details["runs"]]
    sql(run, "update trial_values set value = ? where objective = 2 and trial_id = ?", error, trial.number + 1)
    attribute(run, trial, "details", {**trial.details, "runs": runs})


def attribute(run: Path, trial: Trial, name: str, value: Any) -> None:
    sql(
        run,
        "update trial_user_attributes set value_json = ? where trial_id = ? and key = ?",
        json.dumps(value),
        trial.number + 1,
        name,
    )


def drop(run: Path, number: int) -> None:
    """Leave a trial out, and close the gap."""
    for table in ("trial_values", "trial_params", "trial_user_attributes", "trials"):
        sql(run, f"delete from {table} where trial_id = ?", number + 1)
    sql(run, "update trials set number = number - 1 where number > ?", number) if number < len(trials(run)) else None


def resealed(run: Path) -> None:
    """Make digests fit the ledger, and nothing else."""
    told = json.loads((run / "certificate.json").read_text())
    ledger = Ledger.reading(run, Space.from_json(told["space"]), told["steps"])
    edit(run / "certificate.json", lambda data: data.update(ledger_hash=ledger.hash()), again=True)


def rewritten(run: Path) -> None:
    """Make everything fit the ledger: the certificate, what repeats it, and the report."""
    told = json.loads((run / "certificate.json").read_text())
    family, question = import_family("toy:Toy"), Question.from_json(told["question"])
    ledger = Ledger.reading(run, family.space, told["steps"])
    found, counts = ledger.trials(), fit_counts(family, question.sequence_length)
    latencies = told["latency_table"]
    if latencies is not None:
        latencies = json.loads((run / "latency.json").read_text())
        ledger.bind_latencies(digest(latencies))
    table = None if latencies is None else LatencyTable.from_json(latencies, family.space)
    problem = question.problem(family, counts, table, e_min_of(found))
    derived = derive(problem, ledger.errors(found, problem.e_min), ledger.failed(found))
    statement = Statement(
        family=family,
        family_json=told["family"],
        counts=counts,
        question=question,
        ask=next(one.details["ask"] for one in reversed(found) if "ask" in one.details),
        problem=problem,
        ledger=ledger,
        trials=found,
        derived=derived,
        latency_table=latencies,
    )
    made = Made(**{name: told[name] for name in ("strategy", "versions", "hardware", "created")})
    certificate = statement.certificate(made)
    points = Points.of(statement)
    if table is None:
        points.time(timekeeper_of(family, "pytorch", forms=(), threads=1, sequence_length=question.sequence_length))
    else:
        points.look_up(table)
    before = ExtractResult.from_json(json.loads((run / "extract.json").read_text()))
    progress = before.progress[: derived.evaluated]
    result = points.document(certificate, before.source.name, Path(before.run), progress, before.timed_with)
    (run / "certificate.json").write_text(json.dumps(certificate.to_json()))
    (run / "extract.json").write_text(json.dumps(result.to_json()))
    (run / "architecture.json").write_text(json.dumps(family.describe(certificate.best.architecture)))
    write_report(run)
