"""A run's certificate, derived again and compared, sharing nothing with the search.

What is read: ``certificate.json``, the ledger, and the files that repeat what these say. What is done anew: the family
is made from its JSON, its networks are counted again, every trial's p and i are compared with those counts, its error
with the trainings that it is the mean of, the repeats with the rule that asks for them, and the latency table with its
readings; the whole certificate is put together again, and so is what the other files repeat of it. A run is thereby
tamper-*evident*; against a ledger forged as a whole only training again helps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from subarch.errors import InputError
from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import differences, digest
from subarch.extraction.points import Points, timed_by
from subarch.extraction.question import Question
from subarch.extraction.rules import Refused, expect, require_rules
from subarch.extraction.statement import FROM_POLYNOMIALS, Made, Statement, confirm_others, e_min_of
from subarch.extraction.study import Ledger, Trial
from subarch.networks.countmodels import CountModel, CountsDisagreeError
from subarch.networks.family import Family
from subarch.networks.fitting import fit_counts
from subarch.networks.polynomials import Polynomial
from subarch.networks.sources import CodeNeededError, family_from_json
from subarch.networks.space import Space
from subarch.results.base import Json
from subarch.results.extract import ExtractResult
from subarch.running.latency_table import LatencyTable

FIRST_EDITION = (
    "it is of the first edition, which called errors resolved by their spread alone: noise could decide where epsilon "
    "was small. Run the same extraction again with this --run: what was trained is kept, and a few repeats are added"
)
AGAIN = "run the same extraction again with this --run: what was trained is kept"


@dataclass(frozen=True, kw_only=True)
class Rederived:
    """A certificate that its ledger bears out.

    Attributes:
        told: the certificate as it stands in its file.
        statement: what it is about, read and derived again.
        counted_anew: whether counts were found to be no polynomials while the search went on.
    """

    told: Json
    statement: Statement
    counted_anew: bool


def load_certificate(run: Path) -> dict[str, Any]:
    """``certificate.json`` of a run.

    Raises:
        ValueError: when the directory is no run, or the file is no certificate.
    """
    path = run / "certificate.json"
    if not run.is_dir() or not path.is_file():
        raise InputError(
            f"expected the directory of a finished extraction, found no {path}: run `subarch extract` first"
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}): it was damaged; run the extraction again") from error
    if not isinstance(document, dict) or "verdict" not in document:
        raise InputError(f"{path} is no certificate: run the extraction again")
    return cast("dict[str, Any]", document)


def rederived(run: Path, certificate: Json, ask: str, custom: Family | None = None) -> Rederived:
    """Derive a run's certificate again.

    Args:
        run: its directory.
        certificate: as it stands there.
        ask: digest of the question and the strategy, which its trials carry.
        custom: the family, where the run is of one of a user's own; what the run's files name is not imported.

    Raises:
        Refused: when the run does not bear it out.
        ValueError: when it needs a family that was not given.
    """
    try:
        family = _family(run, certificate, custom)
        body = {key: value for key, value in certificate.items() if key != "digest"}
        expect(certificate.get("digest") == digest(body), "its digest does not match its content: it was edited")
        expect("relative_noise" in certificate, FIRST_EDITION)
        try:
            found = _statement(run, certificate, ask, family)
        except ValueError as error:
            raise Refused(str(error)) from error
        _compared(found, certificate)
        return found
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise Refused(f"the certificate is not whole: {error!r}") from error


def _family(run: Path, certificate: Json, custom: Family | None) -> Family:
    """The run's family, made again.

    Raises:
        ValueError: when that is code which nobody named: wrong input, not a certificate that does not hold.
    """
    if custom is not None and certificate["family"].get("kind") != "custom":
        raise InputError(f"--family {custom.name} was given, but {run} was made with no family of somebody's own")
    try:
        return family_from_json(certificate["family"], custom)
    except CodeNeededError as needed:
        raise InputError(
            f"{run} was made with a family of somebody's own, {needed.name!r}. Its code is never run because a file "
            f"says so: if you trust it, give --family {needed.name}"
        ) from needed
    except ValueError as error:
        raise Refused(str(error)) from error


def _statement(run: Path, certificate: Json, ask: str, family: Family) -> Rederived:
    question = Question.from_json(certificate["question"])
    space = Space.from_json(certificate["space"])
    expect(space.hash == certificate["space_hash"] == family.space.hash, "the space is not the one the family has")
    expect(dict(question.reference) == dict(family.reference), "the reference T is not the family's")
    ledger, trials = _ledger(run, certificate, question, space)
    counts, counted_anew = _counts(family, question, trials, certificate)
    table = _latency_table(run, certificate, question, ledger, space)
    problem = question.problem(family, counts, table, e_min_of(trials))
    statement = Statement(
        family=family,
        family_json=certificate["family"],
        counts=counts,
        question=question,
        ask=ask,
        problem=problem,
        ledger=ledger,
        trials=trials,
        derived=derive(problem, ledger.errors(trials, problem.e_min), ledger.failed(trials)),
        latency_table=None if table is None else table.to_json(),
    )
    require_rules(statement, counted_anew=counted_anew)
    return Rederived(told=certificate, statement=statement, counted_anew=counted_anew)


def _ledger(run: Path, certificate: Json, question: Question, space: Space) -> tuple[Ledger, list[Trial]]:
    try:
        ledger = Ledger.reading(run, space, int(certificate["steps"]))
        identity, trials = ledger.identity, ledger.trials()
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from error
    except (KeyError, TypeError, IndexError) as error:
        raise Refused(f"the ledger was damaged: {error!r}") from error
    expect(identity.get("space") == space.hash, "the ledger belongs to another space")
    expect(identity.get("reference") == dict(question.reference), "the ledger was made with another reference T")
    expect(identity.get("error") == certificate["objectives"]["error"], "the ledger measured another error")
    expect(identity.get("family") == digest(certificate["family"]), "the ledger belongs to another family")
    costs = (identity.get("cost"), identity.get("sequence_length"))
    expect(costs == (question.cost, question.sequence_length), "the ledger was made with another cost")
    expect(identity.get("version") == certificate["versions"]["subarch"], "the ledger is of another version")
    expect(
        ledger.hash() == certificate["ledger_hash"],
        "the ledger is not the one the certificate was made from: a trial was changed, added or dropped, or another "
        f"question was begun and not finished; then {AGAIN}",
    )
    expect([trial.number for trial in trials] == list(range(len(trials))), "trials are missing from the ledger")
    return ledger, trials


def _latency_table(
    run: Path, certificate: Json, question: Question, ledger: Ledger, space: Space
) -> LatencyTable | None:
    """The table that limits were decided on: the run's own, as its readings give it, and monotone as bounds need."""
    told = certificate.get("latency_table")
    expect((told is not None) == question.needs_latency, "it has a latency table where none decides, or none where one")
    if told is None:
        return None
    table = LatencyTable.from_json(told, space)
    path = run / "latency.json"
    expect(path.is_file(), "latency.json is missing")
    expect(json.loads(path.read_text(encoding="utf-8")) == told, "the latency table is not the one in latency.json")
    expect(
        ledger.latencies == digest(told),
        f"the latency table is not the one that the ledger records; if the run is of an earlier version, {AGAIN}",
    )
    fault = table.fault(question.reference)
    expect(fault is None, f"the latency table is not what its readings give: {fault}")
    rows = space.sample(500, 0)
    values = table.predict(rows)
    falls = space.leq(rows[:, None, :], rows[None, :, :]) & (values[:, None] > values[None, :] * (1 + 1e-9))
    expect(bool((values >= 0).all()) and not falls.any(), "the latency table falls along the order")
    return table


def _counts(family: Family, question: Question, trials: Sequence[Trial], certificate: Json) -> tuple[CountModel, bool]:
    """Counts of our own: all that was trained is built, and other networks than the search confirmed them on.

    Returns:
        The counts, and whether the search met a network that refuted its polynomials (maybe none that it trained).
    """
    counts, told = fit_counts(family, question.sequence_length), certificate["counts"]
    polynomial = counts.parameters is not None and counts.macs is not None
    counted_anew = polynomial and told["from"] != FROM_POLYNOMIALS
    if counted_anew:
        counts = counts.by_building()
    counts.require_countable()
    try:
        for trial in trials:
            counts.confirm(trial.architecture)
        confirm_others(counts, str(certificate["ledger_hash"]))
    except CountsDisagreeError as refuted:
        raise Refused(str(refuted)) from refuted
    for name, ours in (("parameters", counts.parameters), ("cost", counts.macs)):
        stored = certificate["objectives"][name]["polynomial"]
        expect(_same_values(stored, ours, family.space), f"the polynomial of the {name} differs")
    return counts, counted_anew


def _same_values(stored: Mapping[str, Any] | None, ours: Polynomial | None, space: Space) -> bool:
    """Whether two polynomials are the same function on the space: small spaces leave room for several of its forms."""
    if stored is None or ours is None:
        return stored is None and ours is None
    columns = space.columns(space.sample(4096, 0))
    return bool(np.array_equal(Polynomial.from_json(stored).evaluate(columns), ours.evaluate(columns)))


# ------------------------------------------------------------------------------------------------ what is told of it


def _compared(found: Rederived, told: Json) -> None:
    """The whole certificate, put together again."""
    made = Made(**{name: told[name] for name in ("strategy", "versions", "hardware", "created")})
    ours: dict[str, Any] = json.loads(json.dumps(found.statement.certificate(made).to_json()))
    theirs = dict(told)
    for name in ("parameters", "cost"):  # compared as functions already
        stored = theirs["objectives"][name]["polynomial"]
        if found.counted_anew or ours["objectives"][name]["polynomial"] != stored:
            ours["objectives"][name]["polynomial"] = stored
            ours["abnc"], theirs["abnc"] = (_without_counts(one["abnc"]) for one in (ours, theirs))
            ours["assumptions"], theirs["assumptions"] = (one["assumptions"][1:] for one in (ours, theirs))
    ours["digest"] = theirs["digest"]  # which is of numbers as another machine has them
    if faults := list(differences(ours, theirs)):
        raise Refused("the ledger does not give what the certificate says: " + "; ".join(faults))


def _without_counts(abnc: Json) -> Json:
    """The check without the words in which it tells polynomials, of which there are several forms."""
    clauses = [
        {**clause, "evidence": clause["evidence"] if clause["name"].startswith("4") else None}
        for clause in abnc["clauses"]
    ]
    return {**abnc, "clauses": clauses}


def require_files(run: Path, found: Rederived) -> None:
    """The files that repeat what was found must repeat it rightly.

    Raises:
        Refused: when one of them does not.
    """
    statement, certificate = found.statement, found.told
    told = _read(run / "extract.json")
    expect(told.get("certificate") == certificate, "extract.json carries another certificate")
    try:
        result = ExtractResult.from_json(told)
    except InputError as error:
        raise Refused(f"extract.json is not whole: {error}") from error
    points = Points.of(statement)
    timed = result.timed_with
    if statement.latency_table is None:
        expect(points.timed_as(result), "extract.json tells other latencies than those that are measured")
    else:
        table = LatencyTable.from_json(statement.latency_table, statement.family.space)
        points.look_up(table)
        timed = timed_by(table)
    expected = points.document(result.certificate, result.source.name, Path(result.run), result.progress, timed)
    if faults := list(differences(json.loads(json.dumps(expected.to_json())), told)):
        raise Refused("extract.json does not tell what was found: " + "; ".join(faults[:4]))
    path, best = run / "architecture.json", certificate["best"]["architecture"]
    if best is not None:
        described = json.loads(json.dumps(statement.family.describe(best)))
        expect(_read(path) == described, "architecture.json is not the certified architecture")
    else:
        expect(not path.exists(), "architecture.json names an architecture, where none was chosen")


def _read(path: Path) -> Json:
    expect(path.is_file(), f"{path.name} is missing: {AGAIN}")
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path.name} is not JSON: {error}") from error
    expect(isinstance(found, dict), f"{path.name} holds no object")
    return found
