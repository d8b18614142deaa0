"""Every rung keeps what the ladder takes for granted: it is made, it answers, it says what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from subarch.options.ladder import RUNG_NAMES, ClimbingSettings
from subarch.results.ladder import LadderResult
from subarch.rungs.ground import Ground
from subarch.rungs.table import RUNGS
from subarch.running.predictor import Predictor


def test_options_name_the_rungs_that_there_are() -> None:
    assert set(RUNGS) == set(RUNG_NAMES) >= set(ClimbingSettings().rungs)
    assert all(rung.name == name and rung.words for name, rung in RUNGS.items())


@pytest.mark.parametrize("name", ["constant", "tfidf", "static", "first-layers", "teacher"])
def test_a_rung_conforms(name: Any, place: Any, climbed: LadderResult) -> None:
    rung, ground = RUNGS[name], place.ground()
    assert isinstance(ground, Ground)
    folder = ground.folder / name
    served, predictor = rung.served(ground, folder), rung.answer(ground, folder)
    assert served.is_dir() and rung.size_bytes(ground, folder) > 0 and rung.told(folder).startswith(rung.words)
    texts = [one.first for one in ground.task.development[:9]]
    together = np.stack(predictor.outputs(texts))
    alone = np.concatenate([predictor.outputs([text]) for text in texts])
    assert together == pytest.approx(alone, abs=1e-4)  # company changes nothing
    assert together.shape == (9, len(ground.task.label_names)) and np.isfinite(together).all()
    row = climbed.rung(name)
    assert row is not None and row.folder == str(served)
    if name != "teacher":  # of a checkpoint PyTorch answers: subarch predict opens it
        other = np.stack(Predictor.from_pretrained(served, threads=1).outputs(texts))
        assert np.array_equal(other.argmax(1), together.argmax(1))
