"""Trainings of a run: what is recorded is what was measured, and is not measured again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from subarch.extraction.objectives import CandidateRun, Measurement
from subarch.extraction.opening import open_run
from subarch.extraction.search import Budget
from subarch.extraction.trainings import REPEATS, Trainings
from subarch.options.search import ExtractOptions
from subarch.progress import silent


@pytest.fixture
def made(tmp_path: Path) -> Trainings:
    return Trainings(open_run(ExtractOptions(source="toy:Toy", start="toy:error", run=tmp_path)), tmp_path, silent)


def test_the_noise_is_measured_once_at_one_network(made: Trainings) -> None:
    made.calibrate(Budget())
    repeats = [trial for trial in made.ledger.trials() if trial.purpose == "repeat"]
    assert len(repeats) == REPEATS and len({str(trial.architecture) for trial in repeats}) == 1
    assert made.landmarks()[1] == repeats[0].architecture
    made.calibrate(Budget())
    assert len(made.ledger.trials()) == REPEATS
    made.confirm_counts()


def test_a_training_is_written_down_as_json_and_one_that_failed_is_named(made: Trainings) -> None:
    smallest, middle = made.landmarks()
    run = CandidateRun(seed=0, hyperparameters={"learning_rate": 0.1}, error=0.5, failure=None)
    assert made.record("search", middle, Measurement(0.5, 0.0, [run], 1.0), ask="a") == 0.5
    failed = CandidateRun(seed=0, hyperparameters={}, error=None, failure="it diverged")
    assert made.record("search", smallest, Measurement(math.inf, 0.0, [failed], 1.0)) == math.inf
    good, bad = made.ledger.trials()
    assert json.loads(json.dumps(good.details["runs"])) == [run.to_json()] and good.details["ask"] == "a"
    assert bad.purpose == "failed" and made.ledger.failed([good, bad]) == [made.space.index(smallest)]
