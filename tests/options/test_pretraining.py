"""Options of pretrain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subarch.options.pretraining import PretrainOptions


def asked(**given: Any) -> PretrainOptions:
    return PretrainOptions(run=Path("runs/mine"), **given)


def test_weights_are_those_that_were_given() -> None:
    assert asked().weights == {}
    assert asked(mlm=0.0, relations=1.0).weights == {"mlm": 0.0, "relations": 1.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": 0}, "--steps must be an integer from 1"),
        ({"sequence_length": 7}, "--sequence-length must be an integer from 8"),
        ({"learning_rate": 0.0}, "--learning-rate must be a positive number"),
        ({"warmup": 1.0}, r"--warmup must lie in \[0, 1\)"),
        ({"logits": -1.0}, "--logits must be a number from 0"),
        ({"cached_logits": -1}, "--cached-logits must be an integer from 0"),
        ({"relation_heads": 4}, "belong to the loss on relations: give --relations W"),
        ({"teacher_layer": 2, "relations": 0.0}, "belong to the loss on relations"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asked(**given)
    assert asked(relations=1.0, relation_heads=4, teacher_layer=2).teacher_layer == 2
