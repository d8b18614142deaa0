"""Times are those from text to answer, of texts as long as they are said to be."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from subarch.results.ladder import LadderResult
from subarch.rungs import timing
from subarch.rungs.table import RUNGS
from subarch.running.base import TextProgram
from subarch.running.predictor import Predictor


class Sleeper(TextProgram):
    """Takes its time for each text."""

    def texts(self, examples: Any, /) -> Any:
        time.sleep(0.004 * len(examples))
        return np.zeros((len(examples), 2), np.float32)


def test_time_for_one_and_rate_of_many(place: Any, climbed: LadderResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_SECONDS", 0.02)
    ground = place.ground()
    slow = Predictor(
        program=Sleeper(), tokenizer=None, head="classification", label_names=("a", "b"), length=0, artifact="constant"
    )
    quick = RUNGS["constant"].answer(ground, ground.folder / "constant")
    found = timing.times({"slow": slow, "quick": quick}, ground)
    assert 4 <= found["slow"].ms_per_text < 40 and 25 < found["slow"].texts_per_second <= 250
    assert found["quick"].ms_per_text < 4 and found["quick"].texts_per_second > 250


def test_texts_that_are_timed_alone_are_long_ones(place: Any) -> None:
    ground = place.ground()
    alone, many = timing.texts(ground)
    lengths = [len(one.first.split()) for one in ground.task.development]
    assert min(len(one.first.split()) for one in alone) >= np.median(lengths)
    assert len(many) == min(256, len(lengths)) and all(one.label is None for one in (*alone, *many))
