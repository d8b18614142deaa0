"""The examples run, and what they certify is true: brute force on a part of the digits space agrees."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from subarch.jobs.extraction import extract
from subarch.jobs.verification import verify_run
from subarch.options.search import ExtractOptions


@pytest.fixture
def examples(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(repository / "examples"))
    return repository / "examples"


def test_the_torus_is_one_and_its_teacher_is_right_three_times_in_four(examples: Path) -> None:
    torus = importlib.import_module("torus")
    rng = np.random.default_rng(1)
    points, labels = torus.sample(8000, rng)
    places, right = np.stack(points), np.array(labels)
    assert np.mean(right) == 0.5
    # The surface by its implicit equation, not by the distance that the example computes.
    x, y, z = places[right == 1].T
    assert np.abs((np.sqrt(x**2 + y**2) - 2) ** 2 + z**2 - 0.7**2).max() < 0.5
    for how in ("independent", "in regions"):
        assert np.mean(torus.teacher(how)(points).argmax(1) == right) == pytest.approx(0.75, abs=0.04)
        assert np.array_equal(torus.teacher(how)(points), torus.teacher(how)(points))
    part, shown = torus.sample(2000, rng, torus.COVERED)
    turn = np.arctan2(*np.stack(part)[np.array(shown) == 1].T[1::-1]) % (2 * np.pi)
    assert np.mean(turn < 2 * np.pi * 0.41) > 0.97
    pytest.importorskip("gudhi")
    threshold = torus.clean_threshold()
    assert torus.shape(torus.Labelled.of(points, labels, 2), threshold) == (1, 2, 1)
    assert torus.shape(torus.Labelled.of(part, shown, 2), threshold) != (1, 2, 1)


def test_the_torus_has_a_page_with_a_picture_of_every_round(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gudhi")
    torus = importlib.import_module("torus")
    monkeypatch.setattr(torus, "SETTINGS", replace(torus.SETTINGS, max_rounds=2, replays=0))
    found = torus.run("decision tree", "independent", [0], tmp_path)
    assert statistics.fmean(found["scores"]["agora"]) > statistics.fmean(found["scores"]["plain"]) + 0.1
    (shape,) = found["shapes"]
    assert shape["sizes"] == sorted(shape["sizes"]) and shape["betti"][0] == shape["before"] != (1, 2, 1)
    assert len(found["positive"]) == len(shape["sizes"]) == 2
    text = torus.page([found])
    data = json.loads(re.search(r'id="report-data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    drawn = data["plots"]["decision-tree-independent-points"]["any"]
    assert len(drawn["data"]) == 4  # from above and of the tube, for both rounds
    assert [note["text"].partition(":")[0] for note in drawn["layout"]["annotations"]] == [
        f"{size:,}" for size in shape["sizes"]
    ]


DIGITS = {"source": "digits:Digits", "start": "digits:error", "threads": 1}


@pytest.mark.slow
def test_digits_with_real_training_are_as_sure_as_their_noise(examples: Path, tmp_path: Path) -> None:
    whole = extract(ExtractOptions(**DIGITS, run=tmp_path / "whole")).certificate
    assert whole.achieved is not None and whole.achieved <= 0.1
    # One training of a network this small is off by some three per cent: too loud for ten, and quiet enough for forty.
    assert whole.verdict == "unresolved" and "Noise may have decided" in whole.reason
    less = extract(ExtractOptions(**DIGITS, run=tmp_path / "whole", epsilon=0.4)).certificate
    assert less.verdict == "certified" and less.evaluated <= 12
    assert verify_run(tmp_path / "whole").accepted


def test_what_is_said_of_digits_with_real_training_is_what_brute_force_finds(examples: Path, tmp_path: Path) -> None:
    widths = (8, 16, 32)
    space = tmp_path / "space.json"
    space.write_text(json.dumps({"width_1": widths, "width_2": widths}))
    part = extract(ExtractOptions(**DIGITS, run=tmp_path / "part", space=space)).to_json()
    assert part["certificate"]["achieved"] <= 0.1
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
