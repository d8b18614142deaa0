"""Seconds of stages, over all calls that went on with a run."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from subarch import clock
from subarch.clock import FILE, Clock


def test_each_stage_has_its_seconds_and_later_calls_add_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(clock, "time", type("Now", (), {"monotonic": staticmethod(lambda: now[0])}))

    def told(stages: list[tuple[str, float]]) -> dict[str, float]:
        one = Clock(tmp_path)
        for name, seconds in stages:
            one.begin(name)
            now[0] += seconds
        one.begin("")
        return one.seconds

    assert told([("search", 5.0), ("export", 2.5)]) == {"search": 5.0, "export": 2.5}
    assert told([("search", 0.5), ("export", 0.0), ("bench", 1.0)]) == {"search": 5.5, "export": 2.5, "bench": 1.0}
    assert json.loads((tmp_path / FILE).read_text()) == {"search": 5.5, "export": 2.5, "bench": 1.0}
    assert time.monotonic() != now[0]  # the clock of others goes on


def test_what_a_killed_call_has_finished_is_there(tmp_path: Path) -> None:
    one = Clock(tmp_path)
    one.begin("search")
    one.begin("export")  # killed in it
    assert list(json.loads((tmp_path / FILE).read_text())) == ["search"]
