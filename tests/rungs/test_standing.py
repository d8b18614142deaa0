"""What a rung is worth: verdicts of times and of what is lost, each class, and nothing read too early."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subarch.errors import InputError
from subarch.results.ladder import RungsAsked
from subarch.results.promise import DropResult
from subarch.rungs.standing import Standing, drop_result, made, promised, result_of, verdict
from subarch.rungs.table import RUNGS
from subarch.rungs.timing import Times
from subarch.rungs.ways.constant import Constant
from subarch.tasks.intervals import Drop, Interval, lower_share, paired
from subarch.text.examples import SealedSplit, Split


@pytest.mark.parametrize(
    ("value", "high", "word"),
    [(0.0, 0.009, "met"), (0.01, 0.01, "met"), (0.005, 0.02, "not shown"), (0.02, 0.04, "missed")],
)
def test_a_drop_is_met_when_its_upper_end_is(value: float, high: float, word: str) -> None:
    found = drop_result(Drop(value, Interval(-0.01, high), 400, None), 1.0)
    assert found.verdict == word and found.drop == pytest.approx(100 * value)
    assert (found.rows_needed is not None) == (word == "not shown")


@pytest.mark.parametrize(
    ("asked", "ms", "word"),
    [
        ({}, None, "not shown"),
        ({"max_latency_ms": 2.0}, 1.9, "not shown"),
        ({"max_latency_ms": 2.0}, 2.1, "missed"),
        ({"speedup": 4.0}, 2.4, "not shown"),  # of 10 ms
        ({"speedup": 4.0}, 2.6, "missed"),
        ({"speedup": 4.0}, None, None),
        ({"speedup": 4.0, "max_latency_ms": 2.0}, 2.2, "missed"),
    ],
)
def test_all_targets_together(asked: dict[str, float], ms: float | None, word: str | None) -> None:
    lost = DropResult(drop=0.5, drop_ci95=(-1.0, 2.0), rows=300, verdict="not shown")
    times = None if ms is None else Times(ms, 1.0)
    assert verdict(RungsAsked(max_drop=1.0, **asked), times, 10.0, lost) == word


class Closed(SealedSplit):
    """Sealed rows that nobody may open."""

    def open(self) -> Split:
        raise AssertionError("the sealed rows were opened")


def test_nothing_is_read_of_sealed_rows_before_all_choices_are_made(place: Any, climbed: Any) -> None:
    ground = place.ground()
    closed = replace(ground, task=replace(ground.task, sealed=Closed(ground.task.sealed.open())))
    one, teacher = (made(closed, RUNGS[name]) for name in ("tfidf", "teacher"))
    found = result_of(one, teacher, Times(1.0, 1.0), 10.0, is_open=False)
    assert found.quality is None and found.drop is None and found.development is not None
    itself = result_of(teacher, teacher, Times(1.0, 1.0), 10.0, is_open=False).development_drop
    assert itself is not None and itself.drop_ci95 == (0.0, 0.0)


def test_a_rung_is_made_once_and_anew_for_another_task(place: Any, tmp_path: Path) -> None:
    ground = replace(place.ground(), folder=tmp_path)
    assert len(made(ground, Constant()).development) == len(ground.task.development)
    file = tmp_path / "constant" / "answers" / "development.npy"
    np.save(file, -np.load(file))
    kept = made(ground, Constant())
    assert kept.development[0] != made(place.ground(), Constant()).development[0]  # what it had said is read
    other = replace(ground, task=replace(ground.task, train=Split(ground.task.train[:50])))
    assert made(other, Constant()).served.is_dir() and not file.is_file()


def said(ground: Any, sealed: list[int]) -> Standing:
    """What answers so."""
    one = Standing(ground, "one", "form", "", Path(), Any, None, None)  # type: ignore[arg-type]
    one.__dict__["sealed"] = sealed
    return one


def test_what_is_promised_is_counted_by_hand(place: Any) -> None:
    ground = place.ground()
    labels = [int(one.label) for one in ground.task.sealed.open()]
    wrong = [n for n, label in enumerate(labels) if label == 0][:3]
    ours = [1 if n in wrong else label for n, label in enumerate(labels)]
    found = promised(said(ground, ours), said(ground, labels))
    assert found.drop == pytest.approx(100 * 3 / len(labels))
    assert found.drop_ci95 == pytest.approx([100 * one for one in paired(3, 0, len(labels))])
    assert found.agreement_lower == lower_share(len(labels) - 3, len(labels))
    first, second = found.per_class
    assert (first.name, first.examples) == (ground.task.label_names[0], labels.count(0))
    assert first.drop == pytest.approx(300 / labels.count(0)) and second.drop == 0
    assert second.drop_ci95 == pytest.approx([100 * one for one in paired(0, 0, labels.count(1), level=0.975)])


def test_a_rung_that_fails_says_why(place: Any, tmp_path: Path) -> None:
    ground = replace(place.ground(artifacts=("onnx",)), folder=tmp_path)
    with pytest.raises(InputError, match="8-bit"):
        made(ground, RUNGS["teacher-int8"])
    assert not (tmp_path / "teacher-int8" / "rung.json").exists()
