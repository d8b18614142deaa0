"""Options as keyword arguments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subarch.errors import InputError
from subarch.options.calling import listed, options_from, signature
from subarch.options.compression import CompressOptions
from subarch.options.search import ExtractOptions
from subarch.options.tasks import FinetuneOptions


def test_nested_groups_are_given_by_their_options_own_names() -> None:
    made = options_from(FinetuneOptions, "finetune", {"model": "m", "data": "d.csv", "rounds": 3, "learning_rates": 1})
    assert made.where.data == Path("d.csv") and made.loop.rounds == 3 and made.learning_rates == (1.0,)
    assert options_from(FinetuneOptions, "finetune", {"model": "m", "where": made.where}).where is made.where


def test_values_are_taken_as_python_has_them() -> None:
    made = options_from(
        CompressOptions, "compress", {"data": Path("d.csv"), "teacher": "t", "set": {"pretrain.steps": 4}}
    )
    assert made.data == "d.csv" and made.set == ("pretrain.steps=4",)
    assert options_from(ExtractOptions, "extract", {"source": "bort", "steps": np.int64(3)}).steps == "3"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"source": "bort", "epsilom": 1}, "no option 'epsilom' .did you mean 'epsilon'"),
        ({}, "needs source"),
        ({"source": "bort", "cost": "time"}, "cost must be one of macs, latency_ms, got 'time'"),
        ({"source": "bort", "json": True}, "no option 'json'"),
    ],
)
def test_what_is_wrong_is_refused_by_name(given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        options_from(ExtractOptions, "extract", given)


def test_every_option_has_words_and_a_place_in_the_signature() -> None:
    options = list(listed(FinetuneOptions))
    assert all(one.words for one in options)
    assert {one.name for one in options} == set(signature(FinetuneOptions, ("model", "data")).parameters)
