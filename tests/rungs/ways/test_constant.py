"""The commonest class, and the mean of numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from subarch.rungs.ways.constant import Constant
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Split


def test_it_says_the_shares_of_the_training_rows(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground, rung = place.ground(), Constant()
    rung.make(ground, tmp_path)
    (said,) = rung.answer(ground, tmp_path)(["whatever"])
    counts = Counter(ground.task.train.labels)
    shares = {name: counts[n] / len(ground.task.train) for n, name in enumerate(ground.task.label_names)}
    assert said["probabilities"] == pytest.approx(shares, abs=1e-6)
    assert said["label"] == max(shares, key=shares.__getitem__)
    assert rung.size_bytes(ground, tmp_path) < 200 and rung.told(tmp_path) == rung.words


def test_of_numbers_it_is_their_mean(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground = place.ground()
    train = Split(one._replace(label=float(n % 5)) for n, one in enumerate(ground.task.train))
    task = replace(ground.task, kind=kind_of("regression"), label_names=(), metrics=("pearson",), train=train)
    numbers = replace(ground, task=task, order=None)
    Constant().make(numbers, tmp_path)
    (said,) = Constant().answer(numbers, tmp_path)(["whatever"])
    assert said == {"value": pytest.approx(float(np.mean(train.labels)), abs=1e-6)}
