"""What pretrain tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from laws import HOSTILE, changed, holds, shows_words_as_they_are, told

from subarch.results.pretrain import PretrainResult

RESULT = PretrainResult(
    run="runs/mine",
    checkpoint=Path("runs/mine/pretrain/checkpoint"),
    loss=2.3456,
    accuracy=0.5432,
    tokens_per_second=12_345.0,
    steps=20_000,
    tokens=81_920_000,
    losses={"mlm": 1.0, "logits": 0.5, "relations": 0.0, "states": 0.0, "temperature": 2.0},
    teacher="bert-base",
    initialize="inherit",
)


def test_it_is_a_result() -> None:
    holds(RESULT)
    shows_words_as_they_are(changed(RESULT, teacher=HOSTILE))


@pytest.mark.parametrize(("teacher", "named"), [("bert-base", "bert-base"), (None, "none")])
def test_how_good_how_quickly_and_from_whom(teacher: str | None, named: str) -> None:
    assert told(changed(RESULT, teacher=teacher)) == [
        "held-out masked tokens: loss 2.346, 54.3 % right, after 20,000 steps and 81.9 M tokens (12.3 k a second)",
        f"learned: mlm 1, logits 0.5; weights: inherit; teacher: {named}",
        "wrote runs/mine/pretrain/checkpoint",
        "go on with: subarch finetune --run runs/mine --task TASK",
    ]
