"""Search and the ABnC check: ``extract``, ``check``."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from subarch.errors import InputError
from subarch.executors.base import Resources
from subarch.executors.opening import check_executor
from subarch.extraction.abnc import ErrorEvidence, check_abnc
from subarch.extraction.couplings import check_couplings, check_weights
from subarch.extraction.opening import Opened, measured_with, open_run, read_reference, read_space
from subarch.extraction.preparation import FOLDER, Given, spoken, trim
from subarch.extraction.run import Extraction
from subarch.extraction.search import Budget
from subarch.extraction.statement import error_evidence
from subarch.extraction.study import Ledger
from subarch.extraction.verification import load_certificate
from subarch.jobs.splits import dealt_as_for, require_one_seal
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import open_source
from subarch.networks.space import Space
from subarch.options.search import DEALT, CheckOptions, ExtractOptions
from subarch.progress import Watch, silent
from subarch.results.check import CheckResult
from subarch.results.extract import ExtractResult
from subarch.storage import claimed, is_free, made_directory, new_run_directory, read_json
from subarch.telling.report import write_report

_LOG = logging.getLogger(__name__)


def extract(options: ExtractOptions, *, watch: Watch = silent, command: str = "") -> ExtractResult:
    """Run (or go on with) an extraction.

    Raises:
        ValueError: for wrong input.
        OSError: when the run directory cannot be written.
    """
    budget = Budget.parse(options.budget)
    check_executor(options.executor, Resources.parse(options.resources))
    watch("opening", note=options.source)
    options = _dealt(options)
    is_new = options.run is None or is_free(options.run)
    options = _prepared(options, watch)
    try:
        opened = _opened(options)
        named = options.run or new_run_directory("extract", opened.source.name, watch)
        if options.where is not None and (task := opened.error.material.task) is not None:
            require_one_seal(named, options.where, task)
    except ValueError:
        if is_new and options.vocabulary is not None:
            shutil.rmtree(cast("Path", options.run), ignore_errors=True)
        raise
    fewest, most = options.steps_range or (0, 0)
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
            result = extraction.result(budget.after(time.monotonic() - began))
            steps = opened.error.steps
            done = fewest == most or result.certificate.resolved or 2 * steps > most
            if done or budget.after(time.monotonic() - began).is_spent:
                watch("writing the report")
                write_report(run)
                return result
            _LOG.info("errors at %d steps are not resolved: trying %d", steps, 2 * steps)
            opened = replace(opened, error=measured_with(options, opened.source, 2 * steps))
            extraction = Extraction(opened, run, watch, command)


def _opened(options: ExtractOptions) -> Opened:
    fewest, most = options.steps_range or (0, 0)
    opened = open_run(options, steps=_first_steps(options, fewest) if fewest < most else None)
    _ = opened.error.definition  # opens the text: what is wrong with it is said before anything is written
    return opened


def _prepared(options: ExtractOptions, watch: Watch) -> ExtractOptions:
    """The options with a run in which the smaller source lies that they ask for; as they are where they ask for none.

    Raises:
        ValueError: for a source or texts of which none can be made; a new run is not left behind.
    """
    if options.vocabulary is None:
        return options
    source = open_source(options.source, space=read_space(options.space), reference=read_reference(options.reference))
    if source.opened is None:
        raise InputError(f"--vocabulary needs a source with weights and a tokenizer, {options.source!r} has none")
    material = measured_with(options, source, None).material
    texts = Given(material.read, tuple(text for path in options.vocabulary_texts for text in spoken(path)))
    _ = next(iter(texts), None)  # opens the text: what is wrong with it is said before anything is written
    run = options.run or new_run_directory("extract", source.name, watch)
    is_new = is_free(run)
    with claimed(made_directory(run)):
        try:
            trim(source.opened, texts, run / FOLDER, documentation=options.vocabulary != "texts", watch=watch)
        except ValueError:
            if is_new:
                shutil.rmtree(run, ignore_errors=True)
            raise
    return replace(options, run=run)


def _dealt(options: ExtractOptions) -> ExtractOptions:
    """The options with data dealt out as for a source that was fine-tuned on them."""
    if options.where is None:
        return options
    checkpoint = open_source(options.source, space=read_space(options.space)).checkpoint
    if checkpoint is None:
        return options
    where = dealt_as_for(options.where, checkpoint)
    return replace(options, **{name: getattr(where, name) for name in DEALT}, rule=where.rule)


def _first_steps(options: ExtractOptions, fewest: int) -> int:
    """Where an earlier call of this run ended: fewer steps did not resolve the errors then."""
    known = read_json(options.run / "certificate.json") if options.run is not None else None
    return max(fewest, int((known or {}).get("steps", 0)))


# --------------------------------------------------------------------------------------------------------- the check


def check(options: CheckOptions, *, watch: Watch = silent) -> CheckResult:
    """The ABnC check of a source, with the errors of a finished run as evidence where one is given; and what of its
    networks can be cut.

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
    found = check_abnc(source.family, counts, evidence)
    watch("tracing", note=source.name)
    clauses = (*found.clauses, check_couplings(source.family))
    if source.opened is None:
        clauses = (*clauses, check_weights(source.family))
    return replace(found, clauses=clauses)


def _evidence(certificate: Mapping[str, Any], run: Path, space: Space) -> ErrorEvidence:
    trials = Ledger.reading(run, space, int(certificate["steps"])).trials()
    return error_evidence(
        space,
        trials,
        [v["size"] for v in certificate["violations"]],
        certificate["epsilon"],
        certificate["spread"],
        certificate["noise"],
        resolved=certificate["resolved"],
    )
