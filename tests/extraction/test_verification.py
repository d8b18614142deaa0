"""``verify`` refuses what was tampered with, by the command that the guarantee's page names for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from forger import attribute, drop, edit, measured, resealed, rewritten, setter, sql, trials

from subarch.extraction import verification
from subarch.extraction.study import Trial
from subarch.jobs.extraction import extract
from subarch.jobs.verification import verify_run
from subarch.networks.countmodels import CountModel
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import import_family
from subarch.options.search import ExtractOptions
from subarch.results.verify import VerifyResult

Forgery = Callable[[Path], object]
EVERYTHING = 999


def made(run: Path, **options: Any) -> Path:
    extract(ExtractOptions(**{"source": "toy:Toy", "start": "toy:error", "run": run, "threads": 1} | options))
    return run


def verified(run: Path, retrain: int = 0, start: str = "toy:error") -> VerifyResult:
    return verify_run(run, retrain=retrain, family="toy:Toy", start=start)


@pytest.fixture(autouse=True)
def _counts_are_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second each would be too much for so many verifications of one family."""
    monkeypatch.setattr(verification, "fit_counts", lambda family, length: _fitted(length))


@cache
def _fitted(length: int) -> CountModel:
    return fit_counts(import_family("toy:Toy"), length)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("runs") / "toy")


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("runs") / "timed", speedup=1.05)


@pytest.fixture(scope="module")
def unresolved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("runs") / "loud", start="toy:loud")


def test_a_real_run_is_accepted_and_bears_out_the_epsilon_it_claims(finished: Path) -> None:
    found = verified(finished, EVERYTHING)
    assert found.accepted, found.reason
    certificate = json.loads((finished / "certificate.json").read_text())
    assert found.achieved == certificate["achieved"] <= 0.1
    assert len(found.retrained) == len(trials(finished))
    assert all(one.again == one.recorded for one in found.retrained)  # on the same machine


def test_a_speedup_is_recorded_as_it_was_asked_for_and_decided_on_the_latency_table(timed: Path) -> None:
    assert verified(timed).accepted, verified(timed).reason
    result = json.loads((timed / "extract.json").read_text())
    certificate = result["certificate"]
    assert certificate["claim"] == "constrained" and certificate["limits"] == {"speedup": 1.05}
    table = {
        tuple(row): ms
        for row, ms in zip(*(certificate["latency_table"][k] for k in ("indices", "fitted")), strict=True)
    }
    index = tuple(
        choices.index(result["architecture"][name])
        for name, choices in (("depth", [1, 2, 3, 4]), ("width", [8, 16, 24, 32, 48]), ("inner", [8, 16, 32, 64]))
    )
    assert certificate["latency_table"]["reference_ms"] / table[index] >= 1.05


# ----------------------------------------------------------------------------------------------------- the forgeries


def certificate(*keys: str | int, value: Any) -> Forgery:
    """Another value in the certificate, and in the copy that extract.json has."""
    return lambda run: edit(run / "certificate.json", setter(*keys, value=value), again=True)


def result(*keys: str | int, value: Any) -> Forgery:
    return lambda run: edit(run / "extract.json", setter(*keys, value=value))


def manifest(*keys: str | int, value: Any) -> Forgery:
    return lambda run: edit(run / "manifest.json", setter(*keys, value=value))


def half(value: float) -> float:
    return value / 2


def of(run: Path, purpose: str) -> list[Trial]:
    return [trial for trial in trials(run) if trial.purpose == purpose]


def report(old: str, new: str) -> Forgery:
    def change(run: Path) -> None:
        page = (run / "report.html").read_text()
        assert old in page
        (run / "report.html").write_text(page.replace(old, new))

    return change


def dropped(number: int) -> Forgery:
    def change(run: Path) -> None:
        drop(run, of(run, "search")[number].number)
        rewritten(run)

    return change


def labelled(purpose: str) -> Forgery:
    def change(run: Path) -> None:
        attribute(run, of(run, "search")[2], "purpose", purpose)
        resealed(run)

    return change


def less(change: Callable[[Path], None]) -> Forgery:
    def both(run: Path) -> None:
        change(run)
        rewritten(run)

    return both


def quieter(run: Path) -> None:
    """Repeats a hundredth as far from each other."""
    by_network: dict[str, list[Trial]] = {}
    for trial in of(run, "repeat"):
        by_network.setdefault(str(trial.architecture), []).append(trial)
    own = {str(trial.architecture): trial.error for trial in of(run, "search")}
    for name, found in by_network.items():
        centre = own.get(name, found[0].error)
        for trial in found:
            measured(run, trial, centre + (trial.error - centre) / 100)


def another_pick(run: Path) -> None:
    """The pick and the next best, each moved a little."""
    told = json.loads((run / "extract.json").read_text())
    first, second = sorted(told["trained"], key=lambda row: -row["w"])[:2]
    numbered = {trial.number: trial for trial in trials(run)}
    measured(run, numbered[first["number"]], first["error"] * 1.0029)
    measured(run, numbered[second["number"]], second["error"] * 0.9971)


def one_is_lower(run: Path) -> None:
    measured(run, trial := of(run, "search")[-1], trial.error * 0.99)


def a_scale(run: Path) -> None:
    attribute(run, of(run, "repeat")[0], "purpose", "floor")


def slower_reference(run: Path) -> None:
    edit(run / "latency.json", setter("reference_ms", value=lambda ms: 4 * ms))


def faster_readings(run: Path) -> None:
    edit(run / "latency.json", lambda data: data.update(fitted=[ms * 0.5 for ms in data["fitted"]]))


def both_tables(run: Path) -> None:
    slower_reference(run)
    certificate("latency_table", "reference_ms", value=lambda ms: 4 * ms)(run)


DERIVED: dict[str, tuple[str, Forgery]] = {
    "a trial for something else": ("is for 'aside'; purposes are", labelled("aside")),
    "a trial as failed": ("is for 'failed', its error", labelled("failed")),
    "a trial as an audit": ("its details are of something else", labelled("audit")),
    "the first trial dropped": ("the search asks for", dropped(0)),
    "a trial dropped": ("the search asks for", dropped(2)),
    "a scale that nobody asked for": ("the rule asks for []", less(a_scale)),
    "a repeat dropped": ("was not repeated 4 times", less(lambda run: drop(run, of(run, "repeat")[5].number))),
    "a repeat in the middle dropped": (
        "is not the one that was repeated first",
        less(lambda run: drop(run, of(run, "repeat")[0].number)),
    ),
    "an error, its trainings left as they are": (
        "its trainings have",
        lambda run: (
            sql(run, "update trial_values set value = value * 0.99 where objective = 2 and trial_id = 7"),
            rewritten(run),
        ),
    ),
    "an error in the ledger": (
        "not the one the certificate was made from",
        lambda run: sql(run, "update trial_values set value = value * 0.9 where objective = 2 and trial_id = 7"),
    ),
    "a parameter count in the ledger": (
        "not the one the certificate was made from",
        lambda run: sql(run, "update trial_values set value = value + 1 where objective = 0 and trial_id = 8"),
    ),
    "an architecture in the ledger": (
        "not the one the certificate was made from",
        lambda run: sql(
            run,
            "update trial_params set param_value = 8 where param_name = 'width' and param_value != 8 and trial_id > 6",
        ),
    ),
    "the ledger of another run": ("no study named", lambda run: (run / "study.db").write_bytes(b"")),
    "a missing ledger": ("found none", lambda run: (run / "study.db").unlink()),
    "the verdict, carelessly": (
        "it was edited",
        lambda run: edit(run / "certificate.json", setter("verdict", value="unresolved")),
    ),
    "the verdict": ("verdict: told", certificate("verdict", value="unresolved")),
    "the epsilon reached": ("achieved: told", certificate("achieved", value=0.0)),
    "the pick": (
        "best.architecture",
        certificate("best", "architecture", value={"depth": 4, "width": 48, "inner": 64}),
    ),
    "the violations": ("delta: told", certificate("delta", value=0.05)),
    "the relative noise": ("relative_noise: told", certificate("relative_noise", value=0.01)),
    "another T": ("not the family's", certificate("question", "reference", "depth", value=3)),
    "another T everywhere": (
        "another reference T",
        lambda run: edit(
            run / "certificate.json",
            lambda data: (data["question"]["reference"].update(depth=3), data["family"]["reference"].update(depth=3)),
            again=True,
        ),
    ),
    "the counts of T": ("reference.parameters", certificate("reference", "parameters", value=1e9)),
    "another space": (
        "the space is not",
        lambda run: edit(
            run / "certificate.json", lambda data: data["space"]["parameters"][0]["choices"].pop(0), again=True
        ),
    ),
    "epsilon asked": ("epsilon: told", certificate("epsilon", value=0.3)),
    "an epsilon out of range": ("strictly between 0 and 1", certificate("question", "epsilon", value=2.0)),
    "the number trained": ("evaluated: told", certificate("evaluated", value=3)),
    "e_min": ("e_min: told", certificate("e_min", value=0.5)),
    "the repeats' number": ("repeats: told", certificate("repeats", value=9)),
    "the operations' polynomial": (
        "polynomial of the cost",
        certificate("objectives", "cost", "polynomial", value=None),
    ),
    "what the size is": (
        "objectives.parameters.definition",
        certificate("objectives", "parameters", "definition", value="all parameters"),
    ),
    "what the cost is": (
        "objectives.cost.definition",
        certificate("objectives", "cost", "definition", value="seconds"),
    ),
    "what the error is": ("measured another error", certificate("objectives", "error", "steps", value=1)),
    "an assumption": ("assumptions[1].status", certificate("assumptions", 1, "status", value="checked")),
    "the evidence of an assumption": (
        "assumptions[1].evidence",
        certificate("assumptions", 1, "evidence", value="none needed"),
    ),
    "an assumption left out": (
        "assumptions: told",
        lambda run: edit(run / "certificate.json", lambda data: data["assumptions"].pop(), again=True),
    ),
    "a clause of the check": ("abnc.clauses[3].verdict", certificate("abnc", "clauses", 3, "verdict", value="checked")),
    "the evidence of a clause": (
        "abnc.clauses[0].evidence",
        certificate("abnc", "clauses", 0, "evidence", value="proved"),
    ),
    "the check's verdict": ("abnc.verdict", certificate("abnc", "verdict", value="strong")),
    "the seeds": ("seeds: told", certificate("seeds", value=[0, 1])),
    "the hardware": ("tells other hardware", certificate("hardware", "cpu", value="a faster one")),
    "the versions": ("tells other versions", certificate("versions", "numpy", value="9.9")),
    "when it was made": ("tells other created", certificate("created", value="2020-01-01T00:00:00Z")),
    "the strategy": ("tells the strategy", certificate("strategy", value="exhaustive")),
    "more in the certificate": (
        "audited: told",
        lambda run: edit(run / "certificate.json", lambda data: data.update(audited=True), again=True),
    ),
    "architecture.json": (
        "not the certified architecture",
        lambda run: edit(run / "architecture.json", setter("architecture", "depth", value=9)),
    ),
    "a missing architecture.json": ("architecture.json is missing", lambda run: (run / "architecture.json").unlink()),
    "a missing extract.json": ("extract.json is missing", lambda run: (run / "extract.json").unlink()),
    "a truncated extract.json": ("extract.json is not JSON", lambda run: (run / "extract.json").write_text("{")),
    "the architecture that is told": ("architecture.depth", result("architecture", "depth", value=9)),
    "the error that is told": ("error: told", result("error", value=half)),
    "the size that is told": ("parameters: told", result("parameters", value=1)),
    "a point of the front": ("front[0].error", result("front", 0, "error", value=half)),
    "a pick": ("picks.knee.w", result("picks", "knee", "w", value=lambda w: 2 * w)),
    "what is certified": ("picks.knee.certified", result("picks", "knee", "certified", value=True)),
    "what was trained": ("trained[0].macs", result("trained", 0, "macs", value=1)),
    "the seconds of a training": (
        "trained[0].seconds",
        result("trained", 0, "seconds", value=lambda seconds: seconds + 9),
    ),
    "what was not trained": ("untrained[0].error_bound", result("untrained", 0, "error_bound", value=9.0)),
    "how much was not trained": ("untrained_total", result("untrained_total", value=9999)),
    "what the source costs": ("source.macs", result("source", "macs", value=10**9)),
    "the progress": ("another progress", result("progress", 0, "bound", value=half)),
    "the progress, shorter": (
        "another progress",
        lambda run: edit(run / "extract.json", lambda told: told["progress"].pop()),
    ),
    "a missing manifest": ("manifest.json does not say", lambda run: (run / "manifest.json").unlink()),
    "the question in the manifest": ("manifest.json asks", manifest("options", "epsilon", value=0.05)),
    "the limits in the manifest": ("manifest.json asks", manifest("options", "max_macs", value=9000.0)),
    "the seeds in the manifest": ("tells the seeds", manifest("seeds", value=[0, 1, 2])),
    "the data in the manifest": ("tells other data", manifest("data", value={"rows": 10**6})),
    "the versions in the manifest": ("tells other versions", manifest("versions", "numpy", value="9.9")),
    "the hardware in the manifest": ("tells other hardware", manifest("hardware", "cores", value=1024)),
    "the source in the manifest": ("tells the source", manifest("source", value="another")),
    "the report's verdict": ("report.html", report("✓ Certified", "✓ Proved")),
    "a number in the report": ("report.html", report("80 architectures", "90 architectures")),
    "a section of the report's own": (
        "report.html",
        report('<section id="numbers"', '<section id="praise"></section><section id="numbers"'),
    ),
    "the report's data": ("report.html", report('"costs":', '"cost":')),
}
TIMED: dict[str, tuple[str, Forgery]] = {
    "the reference takes four times as long": ("the reference takes", less(slower_reference)),
    "everything else takes half as long": ("its fit is not", less(faster_readings)),
    "another table in the certificate": (
        "not the one in latency.json",
        certificate("latency_table", "reference_ms", value=1e6),
    ),
    "another table in both files": ("not the one that the ledger records", both_tables),
    "a missing table": ("latency.json is missing", lambda run: (run / "latency.json").unlink()),
    "none in the certificate": ("has a latency table where none", certificate("latency_table", value=None)),
}
TRAINED: dict[str, Forgery] = {"an error": less(one_is_lower), "the pick and its rival": less(another_pick)}


def refused(run: Path, forge: Forgery, retrain: int = 0, start: str = "toy:error") -> str:
    forge(run)
    found = verified(run, retrain, start)
    assert not found.accepted and found.achieved is None
    assert len(found.reason) > 20
    return found.reason


@pytest.mark.parametrize("kind", DERIVED)
def test_what_is_derived_again_finds(finished: Path, tmp_path: Path, kind: str) -> None:
    words, forge = DERIVED[kind]
    assert words in refused(Path(shutil.copytree(finished, tmp_path / "run")), forge)


@pytest.mark.parametrize("kind", TIMED)
def test_what_is_derived_again_finds_in_latencies(timed: Path, tmp_path: Path, kind: str) -> None:
    words, forge = TIMED[kind]
    assert words in refused(Path(shutil.copytree(timed, tmp_path / "run")), forge)


@pytest.mark.parametrize("kind", TRAINED)
def test_training_again_finds(finished: Path, tmp_path: Path, kind: str) -> None:
    refused(Path(shutil.copytree(finished, tmp_path / "run")), TRAINED[kind], EVERYTHING)


def test_training_again_finds_repeats_that_were_made_quieter(unresolved: Path, tmp_path: Path) -> None:
    assert json.loads((unresolved / "certificate.json").read_text())["verdict"] == "unresolved"
    run = Path(shutil.copytree(unresolved, tmp_path / "run"))
    less(quieter)(run)
    assert json.loads((run / "certificate.json").read_text())["verdict"] == "certified"
    assert verified(run, start="toy:loud").accepted  # who recomputes everything is found by training alone
    found = verified(run, EVERYTHING, "toy:loud")
    assert not found.accepted and "training it again gives" in found.reason


def test_a_forger_who_recomputes_everything_is_not_found_without_training(finished: Path, tmp_path: Path) -> None:
    """The errors of another function throughout: all that is derived fits."""
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    for trial in trials(run):
        measured(run, trial, 1.5 * trial.error)
    for path in run.glob("*.json"):
        path.unlink()
    made(run)  # goes on with that ledger, and trains nothing
    assert len(trials(run)) == len(trials(finished))
    assert verified(run).accepted
    found = verified(run, 2)
    assert not found.accepted and "training it again gives" in found.reason


@pytest.mark.parametrize("content", [None, "not json", "[]", "{}"])
def test_what_is_no_run_is_wrong_input(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "certificate.json").write_text(content)
    with pytest.raises(ValueError, match="certificate"):
        verified(tmp_path)
