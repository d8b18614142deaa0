"""Latencies: known times are read off a clock of the tests' own, fits are monotone and exact, tables survive JSON.

A busy machine lengthens every real wait, so no assertion here depends on one: networks move the clock themselves.
"""

import pytest
from sleepers import Clock, Sleeper

from subarch.running import timing
from subarch.running.timing import in_turns, timed, torch_pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", Clock())


@pytest.mark.usefixtures("clock")
def test_a_known_time_is_measured() -> None:
    network = Sleeper(4).train()
    found = timed(torch_pass(network, {}), warmup=1, repeats=5)
    assert found == pytest.approx([4] * 5)
    assert not network.training  # networks are timed as they answer
    with pytest.raises(ValueError, match="at least one"):
        timed(torch_pass(network, {}), warmup=0, repeats=0)


@pytest.mark.usefixtures("clock")
def test_comparison_orders_networks() -> None:
    programs = {"long": torch_pass(Sleeper(6), {}), "short": torch_pass(Sleeper(2), {})}
    found = in_turns(programs, rounds=2, repeats=2)
    assert found["long"].fast_ms / found["short"].fast_ms == pytest.approx(3)
    assert found["short"].typical_ms == pytest.approx(2)
