"""The certificate as a document: put together from the trials, the same by whoever does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subarch.extraction.statement import NOISE_FACTOR, SMALLEST_SHARE, calibrations, e_min_of, error_evidence
from subarch.extraction.study import Ledger, Trial
from subarch.extraction.verification import load_certificate, rederived
from subarch.jobs.extraction import extract
from subarch.networks.sources import import_family
from subarch.networks.space import Space
from subarch.options.search import ExtractOptions


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("statement") / "run"
    extract(ExtractOptions(source="toy:Toy", start="toy:error", run=folder, epsilon=0.3))
    return folder


def test_what_is_put_together_again_is_what_was_written(run: Path) -> None:
    told = load_certificate(run)
    ledger = Ledger.reading(run, Space.from_json(told["space"]), told["steps"])
    ask = next(trial.details["ask"] for trial in ledger.trials() if "ask" in trial.details)
    found = rederived(run, told, ask, import_family("toy:Toy"))
    assert found.told == told and not found.counted_anew
    trials = found.statement.trials
    assert calibrations(trials) == told["repeats"] == 12
    words = told["counts"]["words"]
    assert words.startswith("confirmed on ") and json.dumps(told["assumptions"]).count("assumed") == 2


def test_what_trials_say_of_the_error(run: Path) -> None:
    certificate = load_certificate(run)
    space = Space.from_json(certificate["space"])
    trials = Ledger.reading(run, space, certificate["steps"]).trials()
    found = error_evidence(space, trials, [0.1], 0.3, 1.0, 0.01, resolved=True)
    assert found.resolved and found.comparable_pairs > 0 and found.gradient_norms == () and found.weight_bound is None


def test_the_constant_of_errors_is_the_larger_of_scale_and_noise() -> None:
    def trial(purpose: str, error: float, **details: int) -> Trial:
        shape = {"width": 8}
        return Trial(number=0, purpose=purpose, architecture=shape, parameters=1, cost=1, error=error, details=details)  # type: ignore[arg-type]

    repeats = [trial("repeat", error, repeat=n + 1) for n, error in enumerate([1.0, 1.0, 2.0, 2.0])]
    noise = (1 / 3) ** 0.5
    assert e_min_of(repeats) == pytest.approx(NOISE_FACTOR * noise)
    assert e_min_of([*repeats, trial("floor", 500.0)]) == pytest.approx(SMALLEST_SHARE * 500)
    assert e_min_of([]) == 0.0
