"""Programs are visited in turns, and their times summed up by medians."""

from __future__ import annotations

import time

from subarch.running.benchmark import interleaved


def test_programs_are_visited_in_turns() -> None:
    seen: list[str] = []
    interleaved({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=3, seconds=0.0)
    turns = [name for number, name in enumerate(seen) if number == 0 or seen[number - 1] != name]
    assert turns == ["a", "b"] * 3


def test_times_are_those_of_the_passes() -> None:
    found = interleaved({"slow": lambda: time.sleep(0.02), "fast": lambda: None}, rounds=3, seconds=0.0)
    assert 20 <= found["slow"].min_ms <= found["slow"].p50_ms <= found["slow"].p95_ms
    assert found["slow"].passes == 9
    assert found["fast"].p50_ms < found["slow"].min_ms


def test_ticks_count_visits() -> None:
    ticks: list[tuple[int, int]] = []
    interleaved({"a": int, "b": int}, rounds=2, seconds=0.0, tick=lambda done, total: ticks.append((done, total)))
    assert ticks == [(1, 4), (2, 4), (3, 4), (4, 4)]
