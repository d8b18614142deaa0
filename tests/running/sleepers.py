"""Networks that take a known time, read off a clock of the tests' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from subarch.networks.family import Family, Parts
from subarch.networks.space import Constraint, Parameter, Space, Value


class Clock:
    """Seconds that pass when a network says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return Clock.now


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
