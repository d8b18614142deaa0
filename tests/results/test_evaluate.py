"""What evaluate tells."""

from __future__ import annotations

from examples import BY_CLASS, CLASSES
from laws import HOSTILE, changed, goes_through_json, holds, shows_words_as_they_are, told

from subarch.results.evaluate import EvaluateResult

RESULT = EvaluateResult(
    task="reviews.csv", split="sealed", metrics={"accuracy": 0.92, "matthews": 0.841}, examples=1200, model="runs/mine"
)


def test_it_is_a_result() -> None:
    holds(RESULT)
    goes_through_json(changed(RESULT, related=3, apart=0.91, classes=CLASSES, by_class=BY_CLASS))
    assert not {"related", "classes", "by_class"} & set(RESULT.to_json())
    shows_words_as_they_are(changed(RESULT, task=HOSTILE))


def test_every_metric_is_told() -> None:
    assert told(RESULT) == [
        "reviews.csv, sealed, 1,200 examples",
        "metric | value",
        "accuracy | 0.9200",
        "matthews | 0.8410",
    ]


def test_relatives_and_classes_are_told_where_they_are_known() -> None:
    found = told(changed(RESULT, related=300, apart=0.9, classes=CLASSES, by_class=BY_CLASS))
    assert found[4].startswith("300 of the 1,200 sealed rows (25 %)") and found[4].endswith("score 90.0.")
    assert found[5:] == [
        "class | examples | answered | rightly | recall | F1",
        "praise | 60 | 58 | 54 | 0.900 | 0.915",
        "blame | 40 | 42 | 38 | 0.950 | 0.927",
        "balanced accuracy 0.9250, macro F1 0.9200",
    ]
