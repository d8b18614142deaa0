"""Tables of latencies: fits are monotone and exact, and survive JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sleepers import Clock, Sleeper, Sleepers
from torch import Tensor, nn

from subarch.networks.encoder import EncoderFamily
from subarch.networks.space import Parameter, Space
from subarch.running import timing
from subarch.running.latency_table import LatencyTable
from subarch.running.stopwatch import Beginning


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", Clock())


def grid(rows: int, columns: int) -> Space:
    return Space((Parameter(name="a", choices=tuple(range(rows))), Parameter(name="b", choices=tuple(range(columns)))))


@pytest.mark.usefixtures("clock")
def test_small_space_is_measured_whole() -> None:
    family = Sleepers(3, constraint="a + b < 4")
    ticks: list[tuple[int, int]] = []
    table = LatencyTable.measure(family, rounds=2, repeats=1, tick=lambda done, total: ticks.append((done, total)))
    assert table.method == "isotonic"
    assert len(table.indices) == 16  # 18, less the two with a = b = 2
    assert ticks[-1] == (34, 34)  # and T, twice each
    for index, value in zip(table.indices, table.predict(table.indices), strict=True):
        assert value == pytest.approx(family.truth(family.space.architecture(index.tolist())), rel=1e-6)
    # T lies outside the constraints here: measured, not looked up.
    assert table.reference_ms == pytest.approx(family.truth(family.reference))
    excluded = np.array([[2, 2, 0]])
    assert table.predict(excluded)[0] >= table.predict(np.array([[2, 1, 0]]))[0]


@pytest.mark.usefixtures("clock")
def test_reference_inside_the_space_is_the_tables_own_value() -> None:
    family = Sleepers(2)
    table = LatencyTable.measure(family, rounds=1, repeats=1)
    assert table.reference_ms == table.predict(np.array([[1, 1, 1]]))[0]


@pytest.mark.usefixtures("clock")
def test_large_space_is_predicted_monotonically_from_a_sample() -> None:
    family = Sleepers(12)
    table = LatencyTable.measure(family, rounds=1, repeats=1, sample=40)
    assert table.method == "polynomial"
    assert len(table.indices) <= 44
    every = family.space.listed()
    predicted = table.predict(every)
    truth = np.array([family.truth(family.space.architecture(index)) for index in every.tolist()])
    assert float(np.median(np.abs(predicted / truth - 1))) < 0.2
    assert table.error[0] < 0.3
    for kind in (0, 1):
        plane = predicted[every[:, 2] == kind].reshape(12, 12)
        assert (np.diff(plane, axis=0) >= -1e-9).all()
        assert (np.diff(plane, axis=1) >= -1e-9).all()


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=10), st.integers(0, 5))
@settings(max_examples=20)
def test_whatever_is_read_the_table_is_monotone_and_says_it(noise: list[float], kind: int) -> None:
    family = Sleepers(9)

    class Noisy:
        def begin(self) -> Beginning:
            return Beginning(family.truth(family.reference), [(family.reference, family.truth(family.reference))], {})

        def __call__(self, architecture: Mapping[str, Any]) -> float:
            place = architecture["a"] + 3 * architecture["b"] + kind
            return family.truth(architecture) * float(np.exp(noise[place % 10]))

    table = LatencyTable.begun(family.space, Noisy())
    assert table.settings["seconds"] >= 0
    rows = family.space.sample(12, kind)
    for index in map(tuple, rows.tolist()):
        table = table if table.has(index) else table.with_reading(Noisy(), index)
    every = family.space.listed()
    predicted = table.predict(every)
    for index, value in zip(every, predicted, strict=True):
        assert (predicted[family.space.leq(index, every)] >= value * (1 - 1e-12)).all()
    assert table.predict(table.indices) == pytest.approx(table.fitted)
    alone = [n for n in range(len(table.indices)) if table.fitted[n] == table.measured_ms[n]]
    assert alone  # where nothing contradicts a reading, the table says what was read


def test_a_reading_that_contradicts_the_others_is_taken_again() -> None:
    space = grid(1, 4)
    spoiled = iter([9.0, 2.0])

    class Moody:
        def begin(self) -> Beginning:
            ends = [({"a": 0, "b": 0}, 1.0), ({"a": 0, "b": 3}, 4.0)]
            return Beginning(4.0, ends, {})

        def __call__(self, architecture: Mapping[str, Any]) -> float:
            return next(spoiled)

    table = LatencyTable.begun(space, Moody()).with_reading(Moody(), (0, 1))
    assert table.measured_ms.tolist() == [1.0, 4.0, 2.0] and table.fitted.tolist() == [1.0, 4.0, 2.0]


def test_a_table_of_an_earlier_version_says_what_it_said() -> None:
    """A polynomial of degree 1 in two parameters, and nothing that holds it."""
    space = grid(40, 40)
    known = {
        "method": "polynomial",
        "indices": [[0, 0], [39, 39]],
        "measured_ms": [1.0, 9.0],
        "fitted": [1.0, 3.0, 5.0],
    }
    table = LatencyTable.from_json({**known, "reference_ms": 9.0, "error": [0.1, 0.2], "settings": {}}, space)
    assert table.is_complete
    assert table.predict(np.array([[0, 0], [39, 0], [0, 39], [39, 39]])).tolist() == [1.0, 4.0, 6.0, 9.0]
    again = LatencyTable.from_json(json.loads(json.dumps(table.to_json())), space)
    assert again.predict(np.array([[39, 39]])).tolist() == [9.0]


@pytest.mark.parametrize("size", [2, 12])
@pytest.mark.usefixtures("clock")
def test_json_gives_the_same_table(size: int) -> None:
    family = Sleepers(size)
    table = LatencyTable.measure(family, rounds=1, repeats=1, sample=12)
    again = LatencyTable.from_json(json.loads(json.dumps(table.to_json())), family.space)
    every = family.space.listed()
    assert again.predict(every).tolist() == table.predict(every).tolist()
    assert again.reference_ms == table.reference_ms
    for wrong in ({}, {**table.to_json(), "method": "guess"}, {**table.to_json(), "measured_ms": [1.0]}):
        with pytest.raises(ValueError, match="latency table"):
            LatencyTable.from_json(wrong, family.space)


@pytest.mark.usefixtures("clock")
def test_unlistable_spaces_have_tables_too() -> None:
    class Wide(Sleepers):
        def __init__(self) -> None:
            self.space = Space(tuple(Parameter(name=f"w{i}", choices=tuple(range(16))) for i in range(8)))
            self.reference = dict.fromkeys(self.space.names, 15)

        @staticmethod
        def truth(architecture: Mapping[str, Any]) -> float:
            return 0.5 + sum(architecture.values()) / 40

    family = Wide()
    table = LatencyTable.measure(family, rounds=1, repeats=1, sample=60)
    some = family.space.sample(50, 1)
    truth = np.array([family.truth(family.space.architecture(index)) for index in some.tolist()])
    assert float(np.median(np.abs(table.predict(some) / truth - 1))) < 0.3


def test_encoders_are_timed_without_initialising_them() -> None:
    config: dict[str, Any] = {
        "model_type": "bert",
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 8,
        "intermediate_size": 64,
        "vocab_size": 50,
    }
    family = EncoderFamily.from_config(config, Space.from_json({"num_hidden_layers": [1, 8]}))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    table = LatencyTable.measure(family, rounds=3, repeats=5, threads=1)
    assert torch.equal(torch.get_rng_state(), before)
    one, eight = table.predict(family.space.listed())
    assert eight > one > 0
    assert table.settings["threads"] == 1


def test_networks_are_timed_on_another_runtime(clock: None) -> None:
    built: list[float] = []

    def build(network: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
        """A runtime that is twice as fast."""
        assert isinstance(network, Sleeper)
        built.append(network.seconds)

        def run() -> None:
            Clock.now += network.seconds / 2

        return run

    family = Sleepers(3)
    table = LatencyTable.measure(family, rounds=2, repeats=1, build=build, runtime="another")
    plain = LatencyTable.measure(family, rounds=2, repeats=1)
    assert table.measured_ms == pytest.approx(plain.measured_ms / 2)
    assert table.reference_ms == pytest.approx(plain.reference_ms / 2)
    assert table.settings["runtime"] == "another" and plain.settings["runtime"] == "pytorch"
    assert len(built) == len(table.indices)  # each once, T among them: that takes seconds
