"""``subarch verify``: derive a run's certificate again and compare, sharing nothing with the search.

What is read: ``certificate.json``, the ledger, and the files that repeat the pick. What is done anew: the family is
made from its JSON, its networks are counted again, every trial's p and i are compared with those counts, the noise and
e_min are computed from the ledger, and the whole conclusion is derived and compared field by field. A run is thereby
tamper-*evident*; against a ledger forged as a whole only training again helps (``retrain``).
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from subarch.errors import InputError
from subarch.extraction.abnc import check_abnc
from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import conclusions, differences, digest
from subarch.extraction.problem import Problem
from subarch.extraction.question import Question
from subarch.extraction.study import Ledger, Trial
from subarch.networks.countmodels import CountModel, CountsDisagreeError
from subarch.networks.family import Family
from subarch.networks.fitting import fit_counts
from subarch.networks.polynomials import Polynomial
from subarch.networks.sources import CodeNeededError, family_from_json
from subarch.networks.space import Architecture, Space
from subarch.running.timing import LatencyTable

SMALLEST_SHARE = 0.01
"""e_min is at least this share of the smallest candidate's distance before training."""
NOISE_FACTOR = 2.0
"""e_min is at least this many times the repeat noise."""

OTHERS = 12
"""Networks that are built and counted in the end, besides all that was trained."""
FROM_POLYNOMIALS = "polynomials"

Retrain = Callable[[Architecture], float]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Whether the certificate holds, why (not), and the epsilon that the ledger proves."""

    accepted: bool
    reason: str
    achieved: float | None
    retrained: tuple[Mapping[str, Any], ...] = ()


class Refused(Exception):  # noqa: N818 - a verdict, not an error
    """The run does not bear out its certificate."""


def noise_of(trials: list[Trial]) -> float:
    """Standard deviation of the error of one architecture over other seeds and batches."""
    repeats = [trial.error for trial in trials if trial.purpose == "repeat"]
    return float(np.std(repeats, ddof=1)) if len(repeats) > 1 else 0.0


def calibrations(trials: list[Trial]) -> int:
    """Trainings that fixed the scale and the noise."""
    return sum(trial.purpose in ("repeat", "floor") for trial in trials)


def counted(counts: CountModel, trials: list[Trial], ledger_hash: str) -> dict[str, Any]:
    """How the counts are known, as the certificate says it: of all that was trained by building it."""
    trained = len({tuple(trial.architecture.values()) for trial in trials})
    polynomials = counts.parameters is not None and counts.macs is not None
    built = [*(trial.architecture for trial in trials), *_others(counts, ledger_hash)]
    confirmed = counts.confirmed_with(built)
    words = f"confirmed on {confirmed} networks, among them all {trained} that were trained"
    return {
        "from": FROM_POLYNOMIALS if polynomials else "each network, built",
        "confirmed": confirmed if polynomials else None,
        "trained": trained,
        "words": words if polynomials else "no polynomials: each network was built and counted",
    }


def confirm_others(counts: CountModel, ledger_hash: str) -> None:
    """Build and count networks that were not trained: drawn by the ledger, so that nobody knew before which they are.

    Raises:
        CountsDisagreeError: where one is not as the polynomials say.
    """
    for architecture in _others(counts, ledger_hash):
        counts.confirm(architecture)


def _others(counts: CountModel, ledger_hash: str) -> list[Architecture]:
    return [counts.space.architecture(row) for row in counts.space.sample(OTHERS, int(ledger_hash[:8], 16))]


def e_min_of(trials: list[Trial]) -> float:
    """The constant to which errors are clamped.

    The larger of 1 % of the smallest candidate's distance before training, and twice the repeat noise.
    """
    smallest = [trial.error for trial in trials if trial.purpose == "floor"]
    return max([SMALLEST_SHARE * error for error in smallest] + [NOISE_FACTOR * noise_of(trials)])


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


def verify(
    run: Path,
    *,
    retrain: int = 0,
    retrainer: Callable[[dict[str, Any]], Retrain] | None = None,
    tolerance: float = 1e-3,
    custom: Family | None = None,
) -> Verification:
    """Verify a run.

    Args:
        run: its directory.
        retrain: this many random trials are trained again and compared.
        retrainer: makes the function that trains one architecture again, from the certificate; needed for ``retrain``.
        tolerance: relative difference to be granted to a retrained error, besides three times the noise.
        custom: the family, where the run is of one of a user's own; what the run's files name is not imported.

    Raises:
        ValueError: when the directory holds no certificate at all, or needs a family that was not given.
    """
    certificate = load_certificate(run)
    try:
        family = _family(run, certificate, custom)
        achieved, trials, problem, noise = _derived_again(run, certificate, family)
        _files_agree(run, certificate, family)
    except Refused as refusal:
        return Verification(accepted=False, reason=str(refusal), achieved=None)
    except (KeyError, TypeError, AttributeError) as error:
        return Verification(accepted=False, reason=f"the certificate is not whole: {error!r}", achieved=None)
    retrained: list[Mapping[str, Any]] = []
    if retrain:
        assert retrainer is not None
        try:
            retrained = _retrained(trials, problem.e_min, noise, retrain, retrainer(certificate), tolerance)
        except Refused as refusal:
            return Verification(accepted=False, reason=str(refusal), achieved=None)
    return Verification(
        accepted=True,
        reason=f"The ledger bears out the certificate: {certificate['verdict']}.",
        achieved=achieved,
        retrained=tuple(retrained),
    )


def _family(run: Path, certificate: dict[str, Any], custom: Family | None) -> Family:
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


def _derived_again(
    run: Path, certificate: dict[str, Any], family: Family
) -> tuple[float | None, list[Trial], Problem, float]:
    body = {key: value for key, value in certificate.items() if key != "digest"}
    _expect(
        certificate.get("digest") == digest(body), "the certificate was edited: its digest does not match its content"
    )
    try:
        question = Question.from_json(certificate["question"])
        space = Space.from_json(certificate["space"])
        ledger = Ledger.reading(run, space, int(certificate["steps"]))
        identity = ledger.identity
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from error
    _expect(space.hash == certificate["space_hash"] == family.space.hash, "the space is not the one the family has")
    _expect(dict(question.reference) == dict(family.reference), "the reference T is not the family's")
    _expect(identity.get("space") == space.hash, "the ledger belongs to another space")
    _expect(identity.get("reference") == dict(question.reference), "the ledger was made with another reference T")
    _expect(identity.get("error") == certificate["objectives"]["error"], "the ledger measured another error")
    _expect(identity.get("family") == digest(certificate["family"]), "the ledger belongs to another family")
    try:
        trials = ledger.trials()
    except (KeyError, TypeError, IndexError, OSError) as error:
        raise Refused(f"the ledger was damaged: {error!r}") from error
    _expect(
        ledger.hash() == certificate["ledger_hash"],
        "the ledger is not the one the certificate was made from: a trial was changed, added or dropped",
    )
    _expect([trial.number for trial in trials] == list(range(len(trials))), "trials are missing from the ledger")
    noise = noise_of(trials)
    try:
        counts = _counts(family, question, trials, certificate)
        table = _latency_table(run, certificate, space)
        problem = question.problem(family, counts, table, e_min_of(trials))
        _counts_agree(trials, problem, counts, certificate)
        derived = derive(problem, ledger.errors(trials, problem.e_min), ledger.failed(trials))
    except ValueError as error:
        raise Refused(str(error)) from error
    expected = conclusions(problem, derived, noise, counts_hold(family, counts))
    expected["repeats"] = calibrations(trials)
    if "excluded" not in certificate and not expected["excluded"]:
        del expected["excluded"]  # of an earlier version, which left nothing out
    if found := differences(expected, certificate, list(expected)):
        raise Refused("the ledger does not give what the certificate says: " + "; ".join(found))
    return derived.achieved, trials, problem, noise


def _latency_table(run: Path, certificate: dict[str, Any], space: Space) -> LatencyTable | None:
    """The table that limits were decided on: the run's own, and monotone, as the bounds need it."""
    if not certificate.get("latency_table"):
        return None
    table = LatencyTable.from_json(certificate["latency_table"], space)
    path = run / "latency.json"
    _expect(path.is_file(), "latency.json is missing")
    measured = json.loads(path.read_text(encoding="utf-8"))
    _expect(measured == certificate["latency_table"], "the latency table is not the one that the run measured")
    rows = space.sample(500, 0)
    values = table.predict(rows)
    falls = space.leq(rows[:, None, :], rows[None, :, :]) & (values[:, None] > values[None, :] * (1 + 1e-9))
    _expect(bool((values >= 0).all()) and not falls.any(), "the latency table falls along the order")
    return table


def counts_hold(family: Family, counts: CountModel) -> bool:
    """Whether the clauses that a program can check all hold: polynomial counts, growth, order."""
    return check_abnc(family, counts).verdict in ("strong", "weak")


def _counts(family: Family, question: Question, trials: list[Trial], certificate: Mapping[str, Any]) -> CountModel:
    """Counts of our own: all that was trained is built, and other networks than the search confirmed them on."""
    counts, told = fit_counts(family, question.sequence_length), certificate.get("counts")
    if told is not None and told.get("from") != FROM_POLYNOMIALS:
        counts = counts.by_building()  # the search met a network that refuted them, maybe none that it trained
        counts.require_countable()
    try:
        for trial in trials:
            counts.confirm(trial.architecture)
        confirm_others(counts, str(certificate["ledger_hash"]))
    except CountsDisagreeError as refuted:
        raise Refused(str(refuted)) from refuted
    expected = counted(counts, trials, str(certificate["ledger_hash"]))
    _expect(told in (None, expected), f"the certificate says of its counts {told}, they are {expected}")
    return counts


def _counts_agree(trials: list[Trial], problem: Problem, counts: CountModel, certificate: dict[str, Any]) -> None:
    recorded = certificate["reference"]
    _expect(
        (recorded["parameters"], recorded["cost"]) == problem.reference,
        f"the reference counts {problem.reference}, the certificate says {recorded['parameters'], recorded['cost']}",
    )
    _expect(recorded["architecture"] == dict(certificate["question"]["reference"]), "another reference T is named")
    for trial in trials:
        _expect(problem.space.contains(trial.architecture), f"trial {trial.number} is outside the space")
        index = problem.space.index(trial.architecture)
        p, i = problem.costs(np.array([index], dtype=np.int16))[0]
        _expect(
            (trial.parameters, trial.cost) == (float(p), float(i)),
            f"trial {trial.number} records p, i = {trial.parameters, trial.cost}, its network has {float(p), float(i)}",
        )
    stored = certificate["objectives"]["parameters"].get("polynomial")
    _expect(_same_values(stored, counts.parameters, problem.space), "the counts' polynomial differs")
    stored = certificate["objectives"]["cost"].get("polynomial")
    _expect(_same_values(stored, counts.macs, problem.space), "the operations' polynomial differs")


def _same_values(stored: Mapping[str, Any] | None, ours: Polynomial | None, space: Space) -> bool:
    """Whether two polynomials are the same function on the space: small spaces leave room for several of its forms."""
    if stored is None or ours is None:
        return stored is None and ours is None
    columns = space.columns(space.sample(4096, 0))
    return bool(np.array_equal(Polynomial.from_json(stored).evaluate(columns), ours.evaluate(columns)))


def _files_agree(run: Path, certificate: dict[str, Any], family: Family) -> None:
    """The files that repeat the pick must repeat it rightly."""
    best = certificate["best"]["architecture"]
    path = run / "extract.json"
    if path.is_file():
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise Refused(f"extract.json is not JSON: {error}") from error
        _expect(told.get("certificate") == certificate, "extract.json carries another certificate")
        _expect(best is None or told.get("architecture") == best, "extract.json names another architecture")
    path = run / "architecture.json"
    if best is not None:
        _expect(path.is_file(), "architecture.json is missing")
        described = family.describe(best)
        try:
            written = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise Refused(f"architecture.json is not JSON: {error}") from error
        _expect(
            json.dumps(written, sort_keys=True) == json.dumps(described, sort_keys=True),
            "architecture.json is not the certified architecture",
        )


def _retrained(
    trials: list[Trial], e_min: float, noise: float, number: int, train: Retrain, tolerance: float
) -> list[Mapping[str, Any]]:
    candidates = [trial for trial in trials if trial.purpose in ("search", "failed")]
    # Drawn afresh each time: a forger must not know which trials will be looked at.
    chosen = random.SystemRandom().sample(candidates, min(number, len(candidates)))
    rows: list[Mapping[str, Any]] = []
    for trial in sorted(chosen, key=lambda trial: trial.number):
        again = train(trial.architecture)
        if trial.purpose == "failed":
            rows.append({"trial": trial.number, "recorded": None, "again": again if again < math.inf else None})
            slow = any("training-seconds" in str(run.get("failure")) for run in trial.details.get("runs", []))
            _expect(
                slow or again == math.inf, f"trial {trial.number} is left out as failed, training it again succeeds"
            )
            continue
        allowed = max(3 * noise, tolerance * trial.error)
        rows.append({"trial": trial.number, "recorded": trial.error, "again": again, "allowed": allowed})
        _expect(
            abs(max(again, e_min) - max(trial.error, e_min)) <= allowed,
            f"trial {trial.number} records an error of {trial.error:.6g}, training it again gives {again:.6g} "
            f"(a difference of {allowed:.2g} is granted)",
        )
    return rows


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Refused(otherwise)
