"""Options of the ladder are checked where they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from subarch.errors import InputError
from subarch.options.ladder import ClimbingSettings, LadderOptions
from subarch.options.recipes import read_recipe
from subarch.options.tasks import TaskOptions


def test_ranges() -> None:
    where = TaskOptions(data=Path("reviews.csv"))
    for name, value in (("max_drop", 101.0), ("speedup", 0.5), ("max_latency_ms", 0.0), ("rounds", 0)):
        with pytest.raises(InputError, match=f"--{name.replace('_', '-')}"):
            LadderOptions(where=where, teacher="my-bert", **{name: value})


def test_compress_has_a_section_for_it() -> None:
    settings = read_recipe("laptop", ['ladder.rungs=["tfidf"]', "ladder.epochs=2"])
    assert ClimbingSettings(**settings["ladder"]).rungs == ("tfidf",)
    with pytest.raises(InputError, match="must be"):
        read_recipe("laptop", ['ladder.rungs=["glove"]'])
    with pytest.raises(InputError, match=r"\[ladder\] has no 'speedup'"):
        read_recipe("laptop", ["ladder.speedup=3"])
