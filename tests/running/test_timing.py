"""Latencies: known times are read off a clock of the tests' own, fits are monotone and exact, tables survive JSON.

A busy machine lengthens every real wait, so no assertion here depends on one: networks move the clock themselves.
"""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from subarch.networks.encoder import EncoderFamily
from subarch.networks.family import Family, Parts
from subarch.networks.space import Constraint, Parameter, Space, Value
from subarch.running import timing
from subarch.running.timing import LatencyTable, compare, isotonic, latency


class Clock:
    """Seconds that pass when a network says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return Clock.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", Clock())


class Sleeper(nn.Module):
    """A network that takes a known time."""

    def __init__(self, milliseconds: float) -> None:
        super().__init__()
        self.seconds = milliseconds / 1000

    def forward(self) -> None:
        assert not self.training
        Clock.now += self.seconds


class Sleepers(Family):
    """Sleeps 1 + a + 2 b milliseconds; the unordered parameter adds one more for "slow"."""

    name = "sleepers"

    def __init__(self, size: int, kinds: tuple[Value, ...] = ("quick", "slow"), constraint: str | None = None) -> None:
        choices = tuple(range(size))
        self.space = Space(
            (
                Parameter(name="a", choices=choices),
                Parameter(name="b", choices=choices),
                Parameter(name="kind", choices=kinds, ordered=False),
            ),
            (Constraint(constraint),) if constraint else (),
        )
        self.reference = {"a": size - 1, "b": size - 1, "kind": kinds[-1]}

    @staticmethod
    def truth(architecture: Mapping[str, Any]) -> float:
        return 1 + architecture["a"] + 2 * architecture["b"] + (architecture["kind"] == "slow")

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return Sleeper(self.truth(architecture))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {}

    def parts(self, network: nn.Module) -> Parts:
        return Parts((), ())


@pytest.mark.usefixtures("clock")
def test_a_known_time_is_measured_and_the_mode_put_back() -> None:
    network = Sleeper(4).train()
    found = latency(network, {}, warmup=1, repeats=5)
    assert found.p50_ms == pytest.approx(4)
    assert found.p50_ms <= found.p95_ms
    assert found.repeats == 5
    assert network.training
    with pytest.raises(ValueError, match="at least one"):
        latency(network, {}, repeats=0)


@pytest.mark.usefixtures("clock")
def test_comparison_orders_networks() -> None:
    found = compare({"long": (Sleeper(6), {}), "short": (Sleeper(2), {})}, rounds=2, repeats=2)
    assert found["long"].p50_ms / found["short"].p50_ms == pytest.approx(3)
    assert found["short"].repeats == 4


def grid(rows: int, columns: int) -> Space:
    return Space((Parameter(name="a", choices=tuple(range(rows))), Parameter(name="b", choices=tuple(range(columns)))))


@given(st.lists(st.floats(1, 100), min_size=4, max_size=4))
@settings(max_examples=25)
def test_isotonic_fit_is_monotone_and_no_monotone_function_is_nearer(values: list[float]) -> None:
    """Brute force: in absolute deviations some best monotone function takes only values that were read."""
    space = grid(2, 2)
    indices, level = space.listed(), np.log(np.array(values))
    fitted = isotonic(space, indices, np.array(values))
    pairs = [(i, j) for i in range(4) for j in range(4) if space.leq(indices[i], indices[j])]
    assert all(fitted[i] <= fitted[j] for i, j in pairs)
    best = min(
        float(np.abs(np.array(candidate) - level).sum())
        for candidate in itertools.product(level.tolist(), repeat=4)
        if all(candidate[i] <= candidate[j] for i, j in pairs)
    )
    assert float(np.abs(np.log(fitted) - level).sum()) == pytest.approx(best, abs=1e-6)


def test_one_disturbed_reading_does_not_lift_the_others() -> None:
    space = grid(5, 5)
    indices = space.listed()
    true = 1.0 + indices[:, 0] + 0.5 * indices[:, 1]
    read = true.copy()
    read[7] *= 50
    fitted = isotonic(space, indices, read)
    others = np.arange(25) != 7
    # Its neighbours may be moved as far as its own order asks, but nothing follows it upwards.
    assert fitted[others] == pytest.approx(true[others], rel=0.15)
    assert np.abs(fitted[others] / true[others] - 1).mean() < 0.01


def test_isotonic_by_hand_leaves_monotone_readings_alone() -> None:
    space = grid(1, 4)
    fitted = isotonic(space, space.listed(), np.array([1.0, 3.0, 2.0, 5.0]))
    assert fitted[[0, 3]] == pytest.approx([1.0, 5.0])
    assert fitted[1] == pytest.approx(fitted[2])
    assert 2 <= fitted[1] <= 3 + 1e-9
    monotone = [1.0, 2.0, 2.0, 9.0]
    assert isotonic(space, space.listed(), np.array(monotone)) == pytest.approx(monotone)


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
    assert len(built) == len(table.indices) + 1  # each once: that takes seconds
