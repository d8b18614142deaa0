"""The ledger of a search: an Optuna study that anybody can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from subarch.extraction.study import Ledger
from subarch.networks.space import Parameter, Space

SPACE = Space(
    (
        Parameter(name="width", choices=(8, 16, 32)),
        Parameter(name="share", choices=(0.5, 1.0)),
        Parameter(name="kind", choices=("a", "b"), ordered=False),
    )
)
ONE: dict[str, Any] = {"width": 16, "share": 0.5, "kind": "b"}
TWO: dict[str, Any] = {"width": 32, "share": 1.0, "kind": "a"}
IDENTITY = {"error": {"start": "inherit", "steps": 4}, "source": "mine"}


def opened(run: Path, identity: dict[str, Any] = IDENTITY, steps: int = 4) -> Ledger:
    return Ledger(run, SPACE, steps, identity)


def record(ledger: Ledger, architecture: dict[str, Any], error: float, purpose: Any = "search", **details: Any) -> None:
    ledger.record(purpose, architecture, parameters=10, cost=20, error=error, details=details)


def test_what_is_recorded_is_read_again_in_order(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    record(ledger, ONE, 0.5, seconds=1.0, runs=[{"error": None}])
    record(ledger, TWO, 0.001)
    record(ledger, ONE, 0.52, "repeat", repeat=1)
    record(ledger, {**ONE, "kind": "a"}, float("inf"), "failed")
    for known in (ledger, Ledger.reading(tmp_path, SPACE, 4)):
        trials = known.trials()
        assert [one.architecture for one in trials] == [ONE, TWO, ONE, {**ONE, "kind": "a"}]
        assert [one.number for one in trials] == [0, 1, 2, 3]
        assert trials[0].details == {"seconds": 1.0, "runs": [{"error": None}]}
        assert known.errors(trials, 0.01) == {(1, 0, 1): 0.5, (2, 1, 0): 0.01}  # clamped; repeats are for the noise
        assert known.failed(trials) == [(1, 0, 0)]
        assert known.identity == IDENTITY


def test_the_stock_library_reads_it(tmp_path: Path) -> None:
    record(opened(tmp_path), ONE, 0.5)
    study = optuna.load_study(study_name="steps-4", storage=f"sqlite:///{tmp_path}/study.db")
    (trial,) = study.trials
    assert trial.params == ONE and trial.values == [10.0, 20.0, 0.5]
    assert len(study.trials_dataframe()) == 1


def test_a_digest_covers_everything_but_the_clock(tmp_path: Path) -> None:
    digests = []
    for name, given in (
        ("a", {"seconds": 1.0}),
        ("b", {"seconds": 2.0}),
        ("c", {"seconds": 1.0, "runs": 1}),
    ):
        (tmp_path / name).mkdir()
        ledger = opened(tmp_path / name)
        record(ledger, ONE, 0.5, **given)
        digests.append(ledger.hash())
    assert digests[0] == digests[1] != digests[2]
    record(opened(tmp_path / "b"), TWO, 0.4)
    assert opened(tmp_path / "b").hash() != digests[1]


def test_errors_of_other_settings_do_not_come_together(tmp_path: Path) -> None:
    other = json.loads(json.dumps(IDENTITY))
    other["source"], other["error"]["start"] = "another", "scratch"
    opened(tmp_path)
    opened(tmp_path, other)  # nothing was trained yet: nobody is bound
    record(opened(tmp_path, other), ONE, 0.5)
    with pytest.raises(
        ValueError,
        match=r'other settings \(error.start: the run has "scratch", this command "inherit"; source: .*another --run',
    ):
        opened(tmp_path)


def test_step_counts_have_studies_of_their_own(tmp_path: Path) -> None:
    record(opened(tmp_path), ONE, 0.5)
    eight = opened(tmp_path, {**IDENTITY, "error": {"start": "inherit", "steps": 8}}, steps=8)
    assert eight.trials() == []
    record(eight, TWO, 0.3)
    assert [one.error for one in opened(tmp_path).trials()] == [0.5]


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a ledger at .*, found none"):
        Ledger.reading(tmp_path, SPACE, 4)
    record(opened(tmp_path), ONE, 0.5)
    with pytest.raises(ValueError, match="holds no study named 'steps-5'"):
        Ledger.reading(tmp_path, SPACE, 5)
    (tmp_path / "study.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(OSError, match="could not read the ledger"):
        Ledger.reading(tmp_path, SPACE, 4)
    with pytest.raises(OSError, match="could not open the ledger"):
        opened(tmp_path)
