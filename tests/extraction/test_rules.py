"""What the trials of a ledger must be: one rule broken at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from subarch.extraction.rules import Refused, expect, require_rules
from subarch.extraction.statement import Statement
from subarch.extraction.study import Trial
from subarch.extraction.verification import load_certificate, rederived
from subarch.jobs.extraction import extract
from subarch.networks.sources import import_family
from subarch.options.search import ExtractOptions


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Statement:
    run = tmp_path_factory.mktemp("rules") / "run"
    extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, audit=2, threads=1))
    told = load_certificate(run)
    from subarch.extraction.replay import EVIDENCE
    from subarch.extraction.study import Ledger
    from subarch.networks.space import Space

    trials = Ledger.reading(run, Space.from_json(told["space"]), told["steps"]).trials()
    ask = next(trial.details["ask"] for trial in trials if trial.purpose in EVIDENCE)
    return rederived(run, told, ask, import_family("toy:Toy")).statement


def changed(last_of: str, **new: Any) -> Callable[[list[Trial]], list[Trial]]:
    """The last trial for a purpose, made into another."""

    def change(trials: list[Trial]) -> list[Trial]:
        last = [trial for trial in trials if trial.purpose == last_of][-1]
        values = {**new, "details": {**last.details, **new.get("details", {})}}
        return [replace(one, **values) if one is last else one for one in trials]

    return change


BROKEN: dict[str, tuple[str, Callable[[list[Trial]], list[Trial]]]] = {
    "a trial is missing": ("trials are missing", lambda trials: trials[:3] + trials[4:]),
    "its size": ("its network has", changed("search", parameters=1.0)),
    "its cost": ("its network has", changed("repeat", cost=1.0)),
    "its error": ("its trainings have", changed("search", error=0.5)),
    "its scatter": ("its trainings have", changed("search", details={"standard_error": 0.1})),
    "its purpose": ("purposes are search, audit", changed("search", purpose="other")),
    "it is drawn, and no audit": ("of something else", changed("search", details={"round": 1})),
    "a repeat twice": ("made twice", changed("repeat", details={"repeat": 1})),
    "a repeat too many": ("numbered [1, 2, 3, 4, 5]", changed("repeat", details={"repeat": 5})),
    "a scale": ("the rule asks for []", changed("repeat", purpose="floor")),
    "audits are not numbered": ("not numbered from 1", changed("audit", details={"round": 3})),
    "another one is audited": (
        "not of what the trials before it draw",
        lambda trials: [
            *trials[:-2],
            replace(trials[-1], number=len(trials) - 2),
            replace(trials[-2], number=len(trials) - 1),
        ],
    ),
}


def test_an_honest_ledger_keeps_them(honest: Statement) -> None:
    require_rules(honest, counted_anew=False)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_rule_that_is_broken_is_named(honest: Statement, kind: str) -> None:
    words, change = BROKEN[kind]
    trials = change(list(honest.trials))
    assert json.dumps([one.to_json() for one in trials]) != json.dumps([one.to_json() for one in honest.trials])
    with pytest.raises(Refused) as refused:
        require_rules(replace(honest, trials=trials), counted_anew=False)
    assert words in str(refused.value)


def test_what_is_expected_is_said() -> None:
    expect(True, "nothing")
    with pytest.raises(Refused, match="something"):
        expect(False, "something")
