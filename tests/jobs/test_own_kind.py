"""A kind of task that a user has written goes through the whole story, and answers as it decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compressing import given
from sklearn.metrics import cohen_kappa_score
from tiny import reviews, write

from commands import Command, refused
from subarch.cli import main
from subarch.tasks.kinds.table import kind_of
from subarch.testing import KindSuite
from subarch.text.examples import Example

pytest.importorskip("onnxruntime")
KIND = "stars:Stars"


@pytest.fixture(autouse=True)
def _on_the_path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository / "examples"))


class TestStars(KindSuite):
    kind = KIND
    names = ("1", "2", "3", "4")
    examples = (Example("bad", label=0), Example("good", label=3), Example("fine", label=2), Example("so", label=1))
    labels = ("1", "2", "3", "4") * 3
    wrong = "many"


def test_the_median_grade_answers_and_the_loss_is_the_ranked_probability_score() -> None:
    kind = kind_of(KIND)
    shares = np.array([0.4, 0.15, 0.45])  # the likeliest grade is the last, half of all lies at or below the second
    assert kind.decide([np.log(shares)]) == [1]
    assert kind.answer(np.log(shares), ("1", "2", "3"))["label"] == "2"
    # By hand: cumulative shares 0.4, 0.55, 1 beside 0, 1, 1.
    by_hand = 0.4**2 + 0.45**2
    assert kind.loss_of(np.log(shares), Example("", label=1), kind.units([1])) == pytest.approx(by_hand)
    right, said = [0, 1, 2, 2], [0, 2, 2, 1]
    scores = kind.score(["kappa", "within_one"], [Example("", label=n) for n in right], said)
    assert scores["kappa"] == pytest.approx(cohen_kappa_score(right, said, weights="quadratic"))
    assert scores["within_one"] == 1.0


@pytest.fixture(scope="module")
def compressed(inputs: Path, repository: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "examples"))
        grades = [
            (f"{text} {'again ' * (n % 2)}", str(1 + (label == "praise") * 2 + n % 2))
            for n, (text, label) in enumerate(reviews(900))
        ]
        write(inputs / "reviews.csv", grades)
        asked = (
            f"task.kind={KIND}",
            'ladder.rungs=["constant"]',
            'export.artifacts=["onnx", "onnx-int8"]',
            'bench.precision=["float32", "int8"]',
        )
        assert main([*given(inputs, inputs / "run", "--cascade"), *asked]) == 0
        yield inputs / "run"


def test_compress_hands_it_from_stage_to_stage(compressed: Path) -> None:
    result: dict[str, Any] = json.loads((compressed / "compress.json").read_text(encoding="utf-8"))
    assert result["finetune"]["kind"] == KIND and result["sealed"]["metric"] == "kappa"
    assert result["export"]["metric"] == "kappa" and result["export"]["label_names"] == ["1", "2", "3", "4"]
    assert result["verify"]["accepted"]


def test_what_it_made_answers_by_it_where_it_is_named(compressed: Path, subarch: Command) -> None:
    export = compressed / "export"
    refused(subarch("evaluate", export, "--data", compressed.parent / "reviews.csv"), f"give --kind {KIND}")
    asked = ("--data", compressed.parent / "reviews.csv", "--kind", KIND, "--json")
    made = subarch("evaluate", export, *asked).json
    assert set(made["metrics"]) == {"kappa", "score"}
    refused(subarch("export", compressed / "finetune/reviews/checkpoint"), f"give --kind {KIND}")
    refused(subarch("export", compressed.parent / "encoder", "--kind", KIND), "has no head for a task", "leave --kind")
