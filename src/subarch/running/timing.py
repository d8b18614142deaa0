"""Latency of built networks: one at a time, side by side, and as a monotone table over a space.

Wall-clock readings on shared machines drift by tens of percent within minutes, so what is to be compared is measured
in turns (round after round over everything). A program has more than one speed: others take the cores for a moment, and
threads that wait for each other fall out of step. What it takes when nothing disturbs it, its *fast mode*, is what
readings agree on, and what a limit of time is decided by. A search never sees raw readings: it sees a
:class:`LatencyTable`, which is a monotone function of the architecture and decides constraints the same way every time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from subarch.errors import InputError
from subarch.networks.family import Family
from subarch.networks.space import Value

Key = TypeVar("Key", bound=Hashable)
FloatArray = NDArray[np.float64]
Tick = Callable[[int, int], None]
Pass = Callable[[], Any]
Builder = Callable[[nn.Module, Mapping[str, Tensor]], Pass]
"""A network and inputs, to one pass on another runtime."""
_SETTLED = 1.02  # the two fastest visits agree within this: the fast mode was seen twice
_MOST_VISITS = 12
_VISIT_SECONDS = 0.05
_WARM = 2  # untimed passes of a visit: the caches still hold what ran before
_FAST = 25  # of 100 passes of a visit: what is faster may be luck, what is slower was disturbed


class Pace(NamedTuple):
    """Milliseconds of a pass: in the program's fast mode, and as it usually is."""

    fast_ms: float
    typical_ms: float


def in_turns(
    programs: Mapping[Key, Pass], *, rounds: int = 3, repeats: int = 5, seconds: float | None = None
) -> dict[Key, Pace]:
    """Time programs in turns, until each has been seen in its fast mode twice.

    Args:
        programs: one pass each, by any key.
        rounds: how often everything is visited, at least.
        repeats: timed passes of a visit, at least.
        seconds: that a visit goes on for, at least; a twentieth when not given.
    """
    seconds = _VISIT_SECONDS if seconds is None else seconds
    visits: dict[Key, list[Pace]] = {key: [] for key in programs}
    for done in range(1, max(rounds, _MOST_VISITS) + 1):
        for key, run in programs.items():
            visits[key].append(visited(timed(run, _WARM, repeats, seconds)))
        if done >= rounds and all(map(_is_settled, visits.values())):
            break
    return {
        key: Pace(min(one.fast_ms for one in found), float(np.median([one.typical_ms for one in found])))
        for key, found in visits.items()
    }


def visited(readings: Sequence[float]) -> Pace:
    """What the passes of one visit say."""
    fast, typical = np.percentile(readings, [_FAST, 50])
    return Pace(float(fast), float(typical))


def _is_settled(visits: Sequence[Pace]) -> bool:
    fastest, *others = sorted(one.fast_ms for one in visits)
    return bool(others) and others[0] <= _SETTLED * fastest


def torch_pass(network: nn.Module, inputs: Mapping[str, Tensor]) -> Pass:
    """A pass of PyTorch's, in evaluation mode and without gradients."""
    network.eval()

    @torch.inference_mode()
    def run() -> None:
        network(**inputs)

    return run


def timed(run: Pass, warmup: int, repeats: int, seconds: float = 0.0) -> list[float]:
    """Milliseconds of each of so many passes, and of more until the seconds are over, after so many not timed.

    Raises:
        ValueError: for no pass at all.
    """
    if repeats < 1:
        raise InputError(f"at least one timed pass is needed, got repeats={repeats}")
    for _ in range(warmup):
        run()
    readings: list[float] = []
    until = time.perf_counter() + seconds
    while len(readings) < repeats or time.perf_counter() < until:
        start = time.perf_counter()
        run()
        readings.append(1000 * (time.perf_counter() - start))
    return readings


class _ConstantWeights(TorchFunctionMode):
    """Random initialisation replaced by a constant: times do not depend on values, and it is ten times as quick."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        values = kwargs or {}
        if getattr(func, "__name__", "").endswith(("normal_", "uniform_", "erfinv_")):
            target = args[0] if args else values["tensor"]
            # Not zero and not tiny: numbers near the smallest that a float can hold are slow on some machines.
            return target if target.is_meta else target.detach().fill_(0.02)
        return func(*args, **values)


def unweighted(family: Family, architecture: Mapping[str, Value]) -> nn.Module:
    """A network as it is served, with constant weights, for timing."""
    with _ConstantWeights(), torch.no_grad():
        return family.served(architecture)
