"""What a loop has done goes through JSON, and every way in which it ends has words."""

from __future__ import annotations

import json
from typing import get_args

from subarch.agora.rounds import STOPPED, Round, Stop


def test_a_round_goes_through_json() -> None:
    one = Round(
        number=1,
        scores={0: 0.5, 2: 0.75},
        best=2,
        best_so_far=0.75,
        learned_from=100,
        mistakes=[3, 4],
        near=[4],
        made=20,
        refused={"a copy": 3},
        kept=[0, 0],
        surviving=[2],
    )
    found = json.loads(json.dumps(one.to_json()))
    assert found["scores"] == {"0": 0.5, "2": 0.75} and found["surviving"] == [2]
    assert Round(**{**found, "scores": {int(n): score for n, score in found["scores"].items()}}) == one


def test_every_end_has_words() -> None:
    assert set(STOPPED) == set(get_args(Stop))
    assert len(set(STOPPED.values())) == len(STOPPED)
