"""A cascade in one sentence, and there and back through JSON."""

from __future__ import annotations

import json

from subarch.results.cascade import CascadeResult
from subarch.results.promise import PromiseResult

FOUND = CascadeResult(
    folder="runs/a/cascade",
    first="the student",
    second="the teacher in 8 bits",
    least=0.93,
    development_deferred=0.2,
    deferred=0.251,
    metric="accuracy",
    quality=0.9012,
    promise=PromiseResult(drop=0.2, drop_ci95=(-0.5, 0.9), rows=800, verdict="met"),
    mean_ms=0.5,
    p95_ms=2.0,
    second_ms=1.5,
    first_ms=0.2,
    texts_per_second=2000.0,
    second_per_second=700.0,
)


def test_there_and_back() -> None:
    assert CascadeResult.from_json(json.loads(json.dumps(FOUND.to_json()))) == FOUND


def test_a_sentence_has_quality_loss_and_time() -> None:
    words = FOUND.in_words()
    for part in ("25 % of the sealed rows", "accuracy 90.1", "0.2 (-0.5 to 0.9) points", "0.5 ms", "0.33 of the 1.5"):
        assert part in words, words
