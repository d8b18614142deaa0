"""``verify``: what a run tells is derived again or refused, the search played again, trials trained again."""

from __future__ import annotations

import itertools
import json
import math
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from subarch.errors import InputError
from subarch.extraction.audit import compared, drawn, taken, untrained
from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import NEARLY, ROUNDING
from subarch.extraction.noise import smallest
from subarch.extraction.objectives import CandidateError
from subarch.extraction.opening import ask_of, open_run, question_of
from subarch.extraction.question import Question
from subarch.extraction.replay import AskedSearch, Replay, replay
from subarch.extraction.rules import Refused, expect
from subarch.extraction.study import Trial
from subarch.extraction.verification import (
    AGAIN,
    Rederived,
    load_certificate,
    rederived,
    require_files,
)
from subarch.manifest import Manifest
from subarch.networks.sources import import_family
from subarch.networks.space import Index
from subarch.options.search import ExtractOptions
from subarch.plugins import NAME, imported
from subarch.progress import Watch, silent
from subarch.results.base import Json
from subarch.results.certificate import AuditResult
from subarch.results.extract import ExtractResult
from subarch.results.verify import RetrainedResult, VerifyResult
from subarch.storage import read_record
from subarch.telling.report import searched

TOLERANCE = 1e-3
"""Relative difference granted to an error that is measured again; on the same machine and versions there is none."""

Measure = Callable[[Trial], float]


def verify_run(
    run: Path,
    *,
    retrain: int = 0,
    audit: int = 0,
    family: str | None = None,
    start: str | None = None,
    watch: Watch = silent,
) -> VerifyResult:
    """Verify a run; train some of its trials again, and others for the first time, as its manifest says they were made.

    Whatever the run's files say, nothing is imported but what is named here, and that never from the run's folder.
    Nothing in the run is changed.

    Args:
        run: its directory.
        retrain: trials to train again, drawn afresh among all: of the search, repeats and the scale of the error.
        audit: untrained architectures to train, drawn afresh.
        family: ``module.path:Name`` of the family, where the run is of one of a user's own.
        start: ``module.path:name`` of the error function, where such a one measures again.
        watch: told what goes on.

    Raises:
        ValueError: when the directory holds no run, or needs code that was not named.
    """
    watch("verifying", note=str(run))
    certificate = load_certificate(run)
    custom = None if family is None else import_family(family, apart_from=run)
    retrained: tuple[RetrainedResult, ...] = ()
    audited: AuditResult | None = None
    try:
        manifest, options = _manifest(run)
        found = rederived(run, certificate, _ask(options, certificate), custom)
        require_files(run, found)
        _require_manifest(manifest, options, found)
        _require_result(run, manifest, options)
        derived, open_ = _replayed(run, options, found)
        report, told = _report(run)
        if retrain or audit:
            error = _reopened(run, options, certificate, family, start)
            retrained = tuple(_retrained(found.statement.trials, retrain, _measuring(error, watch)))
            audited = _audited(found, audit, error, watch) if audit else None
    except Refused as refusal:
        return VerifyResult(accepted=False, reason=str(refusal), achieved=None)
    return VerifyResult(
        accepted=True,
        reason=f"The ledger bears out the certificate: {certificate['verdict']}.",
        achieved=found.statement.derived.achieved,
        retrained=retrained,
        audit=audited,
        derived=(*_DERIVED, *derived, *report),
        not_derived=(*_NOT_DERIVED, *open_, *told),
    )


def _ask(options: ExtractOptions, certificate: Json) -> str:
    """Digest of what the certificate answers: the question as it has it, the interval as the manifest has it."""
    try:
        return ask_of(options, Question.from_json(certificate["question"]), certificate.get("latency_table"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"the certificate is not whole: {error!r}") from error


_DERIVED = (
    "counts, costs and limits; the whole certificate; front, picks, points and bounds of extract.json",
    "question, seeds and data of manifest.json",
)
_NOT_DERIVED = (
    "errors: only training again (--retrain) finds a ledger that was forged as a whole",
    "versions, hardware, when it was made: the same in all files; seconds and latencies: as they were measured",
)


def options_of(run: Path) -> ExtractOptions:
    """The options of a run, from its manifest.

    Raises:
        ValueError: when there is no manifest, or it holds none.
    """
    path = run / "manifest.json"
    try:
        recorded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["options"]
        for name in ("run", "space", "corpus", "texts", "task_data", "development_data", "test_data"):
            recorded[name] = None if recorded.get(name) is None else Path(recorded[name])
        for name in ("learning_rates", "text_columns", "label_columns", "missing_label", "forms"):
            recorded[name] = tuple(recorded.get(name, ()))
        recorded["vocabulary_texts"] = tuple(map(Path, recorded.get("vocabulary_texts", ())))
        return ExtractOptions(**recorded)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} does not say how the run was made ({error!r})") from error


def _manifest(run: Path) -> tuple[Manifest, ExtractOptions]:
    manifest = read_record(Manifest, run / "manifest.json")
    try:
        options = options_of(run)
    except InputError as error:
        raise Refused(str(error)) from error
    if manifest is None:
        raise Refused("manifest.json is not whole")
    return manifest, options


def _require_manifest(manifest: Manifest, options: ExtractOptions, found: Rederived) -> None:
    """What the manifest tells is what the certificate is about."""
    told, statement = found.told, found.statement
    for name in ("versions", "hardware", "created"):
        recorded = manifest.to_json()[name]
        expect(recorded == told[name], f"manifest.json tells other {name} than the certificate: {recorded}")
    asked = question_of(options, statement.question.reference).to_json()
    expect(asked == told["question"], f"manifest.json asks {asked}, the certificate answers {told['question']}")
    expect(options.strategy == told["strategy"], f"manifest.json tells the strategy {options.strategy}")
    error = told["objectives"]["error"]
    seeds = list(manifest.seeds) == list(range(options.seeds)) == error["seeds"]
    expect(seeds, f"manifest.json tells the seeds {list(manifest.seeds)}, the certificate {error['seeds']}")
    expect(manifest.data == error.get("data", {}), "manifest.json tells other data than the certificate")
    fewest, most = options.steps_range or (0, math.inf)
    expect(fewest <= told["steps"] <= most, f"manifest.json tells {options.steps} steps")
    cut = options.vocabulary is None or "vocabulary" in error
    expect(cut, "manifest.json tells of a smaller vocabulary, the certificate does not")
    known = error["start"] == (options.start or error["start"])
    expect(known, f"manifest.json tells the start {options.start}, the certificate {error['start']}")


def _require_result(run: Path, manifest: Manifest, options: ExtractOptions) -> None:
    """What extract.json repeats of the manifest."""
    result = read_record(ExtractResult, run / "extract.json")
    assert result is not None  # it was read already
    source, timed = result.source.name, result.timed_with
    expect(source == manifest.source, f"manifest.json tells the source {manifest.source}, extract.json {source}")
    table = result.certificate.latency_table  # decided by readings, where nobody has said it
    runtime = timed.runtime if table is None else table["settings"].get("asked", timed.runtime)
    threads = options.threads if table is not None and options.threads is None else timed.threads
    asked = (options.runtime, options.threads)
    expect((runtime, threads) == asked, f"extract.json is timed with {timed}, manifest.json asks for {asked}")


# ------------------------------------------------------------------------------------------------------- the replay


def _replayed(run: Path, options: ExtractOptions, found: Rederived) -> tuple[list[str], list[str]]:
    """Play the search again; what of it was derived so, and what was not, in words."""
    statement = found.statement
    asked = AskedSearch(
        problem=statement.problem,
        ask=statement.ask,
        strategy=options.strategy,
        interval=int(options.epsilon) if options.strategy == "interval" else 1,
        contrast=smallest(statement.problem.space, statement.counts),
    )
    again = replay(asked, statement.trials, counted_anew=found.counted_anew)
    if again.fault is None and _progress_agrees(run, options, again):
        others = f" (and knows {again.others} that others have asked for)" if again.others else ""
        return [f"the search: it asks for the {again.replayed} trainings that are there{others}"], []
    dropped = again.fault and f"{again.fault}: a trial was dropped, added or changed"
    fault = again.fault or "extract.json tells another progress of the search than it has"
    expect(bool(again.excuses), dropped or fault)
    return [], [f"the order of the search: {' and '.join(again.excuses)} ({fault})"]


def _progress_agrees(run: Path, options: ExtractOptions, again: Replay) -> bool:
    """Whether what is told of the search's progress is the beginning of what the trials give; a budget may end it."""
    result = read_record(ExtractResult, run / "extract.json")
    assert result is not None
    if options.budget is None and len(result.progress) + again.contrast < len(again.standing):
        return False
    return len(result.progress) <= len(again.standing) and all(
        one.trained == status.trained
        and _near(one.best, status.value)
        and _near(one.bound, status.bound)
        and _near(one.achieved, status.achieved)
        for one, status in zip(result.progress, again.standing, strict=False)
    )


def _near(told: float | None, ours: float | None) -> bool:
    if told is None or ours is None or not math.isfinite(ours):
        return told is None and (ours is None or not math.isfinite(ours))
    return math.isclose(told, ours, rel_tol=NEARLY, abs_tol=1e-12)


def _report(run: Path) -> tuple[list[str], list[str]]:
    """The report's account of the search, rendered again; what of it was compared, and what was not, in words."""
    path = run / "report.html"
    if not path.is_file():
        return [], [f"report.html: there is none; {AGAIN}"]
    try:
        same = searched(run, path.read_text(encoding="utf-8", errors="replace"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"report.html is not whole: {error!r}") from error
    if same is None:
        return [], ["report.html: another version has written it; `subarch report` writes it again"]
    expect(same, "report.html does not tell what the run's files hold: `subarch report` writes it again")
    return ["what report.html tells of the search"], []


# -------------------------------------------------------------------------------------------------- training again


def _reopened(
    run: Path, options: ExtractOptions, certificate: Json, family: str | None, start: str | None
) -> CandidateError:
    """What measures errors, as the run's manifest says.

    Raises:
        ValueError: when that is code which was not named, or measures something else by now.
    """
    _require_named(options.source, family, "--family", run)
    _require_named(options.start, start, "--start", run)
    if start is not None:
        imported(start, "--start", "module.path:name of a callable", apart_from=run)
    opened = open_run(options, steps=int(certificate["steps"]), run=run)
    if opened.error.definition != certificate["objectives"]["error"]:
        raise InputError(
            "the errors of this run cannot be measured again here: source, text, tokenizer or settings have changed"
        )
    return opened.error


def _require_named(recorded: str | None, named: str | None, option: str, run: Path) -> None:
    """Refuse code that the run names and the caller does not."""
    if recorded is not None and NAME.fullmatch(recorded) and recorded != named:
        raise InputError(
            f"{run} was made with {recorded!r}, somebody's own code, which is never run because a file says so: if you "
            f"trust it, give {option} {recorded}"
        )


def _measuring(error: CandidateError, watch: Watch) -> Measure:
    """What trains a trial again, as it was trained."""

    def measure(trial: Trial) -> float:
        watch("training again", note=f"trial {trial.number}, {trial.architecture}")
        steps = 0 if trial.purpose == "floor" else None
        return error.measure(trial.architecture, repeat=int(trial.details.get("repeat", 0)), steps=steps).error

    return measure


def _retrained(trials: Sequence[Trial], number: int, measure: Measure) -> Iterator[RetrainedResult]:
    # Drawn afresh each time: a forger must not know which trials will be looked at.
    chosen = random.SystemRandom().sample(list(trials), min(number, len(trials)))
    for trial in sorted(chosen, key=lambda trial: trial.number):
        again = measure(trial)
        if math.isinf(trial.error):
            yield RetrainedResult(trial=trial.number, recorded=None, again=again if again < math.inf else None)
            slow = any("training-seconds" in str(run.get("failure")) for run in trial.details.get("runs", []))
            expect(slow or again == math.inf, f"trial {trial.number} is left out as failed, training it again succeeds")
            continue
        allowed = TOLERANCE * trial.error
        yield RetrainedResult(trial=trial.number, recorded=trial.error, again=again, allowed=allowed)
        expect(
            abs(again - trial.error) <= allowed,
            f"trial {trial.number} records an error of {trial.error:.6g}, training it again gives {again:.6g} "
            f"(a difference of {allowed:.2g} is granted)",
        )


# ---------------------------------------------------------------------------------------------------- an audit anew


def _audited(found: Rederived, number: int, error: CandidateError, watch: Watch) -> AuditResult:
    """Train architectures that nobody trained before, drawn as nobody could know, against the bounds of the run.

    Raises:
        Refused: when what is certified does not hold with their errors beside the others.
    """
    statement = found.statement
    problem, trials = statement.problem, statement.trials
    known, failed = statement.ledger.errors(list(trials), problem.e_min), statement.ledger.failed(list(trials))
    before = taken(problem, trials)
    rest = untrained(problem, before)
    new: dict[Index, float] = {}
    for index in itertools.islice(drawn(problem, before, secrets.token_hex(16)), number):
        watch("auditing", done=len(new) + 1, total=number)
        new[index] = max(error.measure(problem.space.architecture(index)).error, problem.e_min)
    result = compared(problem, known, new, None if rest is None else len(rest))
    if found.told["verdict"] == "certified":
        errors = {index: value for index, value in new.items() if value < math.inf}
        derived = derive(problem, {**known, **errors}, failed)
        epsilon = float(found.told["epsilon"])
        holds = derived.achieved is not None and derived.achieved <= epsilon + ROUNDING
        named = "; ".join(
            f"{one.architecture} has an error of {one.error:.4g}, not {one.bound:.4g} at least"
            for one in result.contradicting[:3]
        )
        expect(
            holds and derived.delta < epsilon,
            f"an audit refutes it: {result.contradictions} of {result.trained} contradict their bounds ({named}); with "
            f"these errors epsilon is {derived.achieved or math.inf:.3g} and delta {derived.delta:.3g}",
        )
    return result
