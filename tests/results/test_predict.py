"""What predict tells."""

from __future__ import annotations

from pathlib import Path

from laws import HOSTILE, changed, holds, shows_words_as_they_are, told

from subarch.results.predict import PredictResult

RESULT = PredictResult(path=Path("labels.csv"), examples=2, model="runs/mine", text_columns=("title", "text"))


def test_it_is_a_result() -> None:
    holds(RESULT)
    assert RESULT.to_json() == {
        "path": "labels.csv",
        "examples": 2,
        "model": "runs/mine",
        "text_columns": ["title", "text"],
    }
    assert told(RESULT) == ["wrote labels.csv"]
    shows_words_as_they_are(changed(RESULT, path=HOSTILE))
