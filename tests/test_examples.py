"""The examples run, and what they certify is true: brute force on a part of the digits space agrees."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pytest

from subarch.jobs.extraction import extract, verify_run
from subarch.options.search import ExtractOptions


@pytest.fixture
def examples(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(repository / "examples"))
    return repository / "examples"


def test_digits_with_real_training_are_certified_and_brute_force_agrees(examples: Path, tmp_path: Path) -> None:
    widths = (8, 16, 32)
    space = tmp_path / "space.json"
    space.write_text(json.dumps({"width_1": widths, "width_2": widths}))
    options = {"source": "digits:Digits", "start": "digits:error", "threads": 1}
    whole = extract(ExtractOptions(**options, run=tmp_path / "whole"))
    part = extract(ExtractOptions(**options, run=tmp_path / "part", space=space))
    for result in (whole, part):
        assert result["certificate"]["verdict"] == "certified"
        assert result["certificate"]["achieved"] <= 0.1
    assert verify_run(tmp_path / "whole").accepted
    digits = sys.modules["digits"]
    reference = part["certificate"]["reference"]

    def w(first: int, second: int) -> float:
        parameters = 65 * first + (first + 1) * second + (second + 1) * 10
        macs = 64 * first + first * second + second * 10
        share = (1 - parameters / reference["parameters"]) * (1 - macs / reference["cost"])
        return share / max(digits.error({"width_1": first, "width_2": second}, 0), part["certificate"]["e_min"])

    truth = {pair: w(*pair) for pair in itertools.product(widths, widths)}
    picked = (part["architecture"]["width_1"], part["architecture"]["width_2"])
    assert part["w"] == pytest.approx(truth[picked])
    assert truth[picked] >= (1 - part["certificate"]["achieved"] - 1e-9) * max(truth.values())
