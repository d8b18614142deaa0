"""Search, verification and the ABnC check of a run folder: ``extract``, ``verify_run``, ``check``."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from subarch.errors import InputError
from subarch.executors import open_executor
from subarch.extraction.abnc import ErrorEvidence, check_abnc
from subarch.extraction.opening import measured_with, open_run, read_space
from subarch.extraction.run import Extraction, error_evidence
from subarch.extraction.search import Budget
from subarch.extraction.study import Ledger
from subarch.extraction.verification import Verification, load_certificate, verify
from subarch.jobs.splits import dealt_as_for, require_one_seal
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import import_family, open_source
from subarch.networks.space import Architecture, Space
from subarch.options.search import DEALT, CheckOptions, ExtractOptions
from subarch.plugins import NAME, imported
from subarch.progress import Watch, silent
from subarch.storage import claimed, is_free, made_directory, new_run_directory, read_json
from subarch.telling.report import write_report

_LOG = logging.getLogger(__name__)

AUTO_STEPS = 10
MOST_AUTO_STEPS = 640


def extract(options: ExtractOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Run (or go on with) an extraction and return what ``extract.json`` holds.

    Raises:
        ValueError: for wrong input.
        OSError: when the run directory cannot be written.
    """
    budget = Budget.parse(options.budget)
    executor_check, _ = open_executor(options.executor)  # refuse a wrong name before anything is written
    if executor_check is not None:
        executor_check.shutdown()
    watch("opening", note=options.source)
    options = _dealt(options)
    opened = open_run(options, steps=_first_steps(options) if options.steps == "auto" else None)
    _ = opened.error.definition  # opens the text: what is wrong with it is said before anything is written
    named = options.run or new_run_directory("extract", opened.source.name, watch)
    is_new = is_free(named)
    if options.where is not None and (task := opened.error.material.task) is not None:
        require_one_seal(named, options.where, task)
    run = made_directory(named)
    with claimed(run):
        began = time.monotonic()
        extraction = Extraction(opened, run, watch, command)
        try:
            extraction.require_possible()
        except ValueError:
            if is_new and extraction.is_untouched:  # a question without an answer leaves nothing behind
                shutil.rmtree(run, ignore_errors=True)
            raise
        while True:
            result = extraction.result(_left(budget, began))
            steps = opened.error.steps
            done = options.steps != "auto" or result["certificate"]["resolved"] or 2 * steps > MOST_AUTO_STEPS
            if done or _is_spent(_left(budget, began)):
                watch("writing the report")
                write_report(run)
                return result
            _LOG.info("errors at %d steps are not resolved: trying %d", steps, 2 * steps)
            opened = replace(opened, error=measured_with(options, opened.source, 2 * steps))
            extraction = Extraction(opened, run, watch, command)


def _dealt(options: ExtractOptions) -> ExtractOptions:
    """The options with data dealt out as for a source that was fine-tuned on them."""
    if options.where is None:
        return options
    checkpoint = open_source(options.source, space=read_space(options.space)).checkpoint
    if checkpoint is None:
        return options
    where = dealt_as_for(options.where, checkpoint)
    return replace(options, **{name: getattr(where, name) for name in DEALT}, rule=where.rule)


def _first_steps(options: ExtractOptions) -> int:
    """Where an earlier call of this run ended: fewer steps did not resolve the errors then."""
    known = read_json(options.run / "certificate.json") if options.run is not None else None
    return max(AUTO_STEPS, int((known or {}).get("steps", 0)))


def _left(budget: Budget, began: float) -> Budget:
    if budget.seconds is None:
        return budget
    return Budget(seconds=budget.seconds - (time.monotonic() - began), patience=budget.seconds)


def _is_spent(budget: Budget) -> bool:
    return budget.seconds is not None and budget.seconds <= 0


# --------------------------------------------------------------------------------------------------- verifying again


def verify_run(
    run: Path, *, retrain: int = 0, family: str | None = None, start: str | None = None, watch: Watch = silent
) -> Verification:
    """Verify a run; with ``retrain``, train that many of its trials again, as its manifest says they were made.

    Whatever the run's files say, nothing is imported but what is named here, and that never from the run's folder.

    Args:
        run: its directory.
        retrain: trials to train again.
        family: ``module.path:Name`` of the family, where the run is of one of a user's own.
        start: ``module.path:name`` of the error function, where trials of such a one are trained again.
        watch: told what goes on.

    Raises:
        ValueError: when the directory holds no run, or needs code that was not named.
    """

    def retrainer(certificate: dict[str, Any]) -> Callable[[Architecture], float]:
        options = options_of(run)
        _require_named(options.source, family, "--family", run)
        _require_named(options.start, start, "--start", run)
        if start is not None:
            imported(start, "--start", "module.path:name of a callable", apart_from=run)
        opened = open_run(options, steps=int(certificate["steps"]))
        if opened.error.definition != certificate["objectives"]["error"]:
            raise InputError(
                "the errors of this run cannot be measured again here: source, text, tokenizer or settings have changed"
            )

        def train(architecture: Architecture) -> float:
            watch("training again", note=str(architecture))
            return opened.error.measure(architecture).error

        return train

    watch("verifying", note=str(run))
    custom = None if family is None else import_family(family, apart_from=run)
    return verify(run, retrain=retrain, retrainer=retrainer, custom=custom)


def _require_named(recorded: str | None, named: str | None, option: str, run: Path) -> None:
    """Refuse code that the run names and the caller does not."""
    if recorded is not None and NAME.fullmatch(recorded) and recorded != named:
        raise InputError(
            f"{run} was made with {recorded!r}, somebody's own code, which is never run because a file says so: if you "
            f"trust it, give {option} {recorded}"
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
        for name in ("learning_rates", "text_columns", "missing_label"):
            recorded[name] = tuple(recorded.get(name, ()))
        return ExtractOptions(**recorded)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} does not say how the run was made ({error!r})") from error


# --------------------------------------------------------------------------------------------------------- the check


def check(options: CheckOptions, *, watch: Watch = silent) -> dict[str, Any]:
    """The ABnC check of a source, with the errors of a finished run as evidence where one is given.

    Raises:
        ValueError: for a source that cannot be opened, or a run that is none.
    """
    watch("opening", note=options.source)
    source = open_source(options.source, space=read_space(options.space))
    watch("counting", note=source.name)
    counts = fit_counts(source.family, options.sequence_length)
    evidence: ErrorEvidence | None = None
    if options.run is not None:
        certificate = load_certificate(options.run)
        if certificate.get("space_hash") != source.family.space.hash:
            raise InputError(f"{options.run} searched another space than {options.source} has: give the same --space")
        evidence = _evidence(certificate, options.run, source.family.space)
    return check_abnc(source.family, counts, evidence).to_json()


def _evidence(certificate: Mapping[str, Any], run: Path, space: Space) -> ErrorEvidence:
    trials = Ledger.reading(run, space, int(certificate["steps"])).trials()
    return error_evidence(
        space,
        trials,
        [v["size"] for v in certificate["violations"]],
        certificate["epsilon"],
        certificate["spread"],
        certificate["noise"],
    )
