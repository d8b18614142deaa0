"""Latency of built networks: one at a time, side by side, and as a monotone table over a space.

Wall-clock readings on shared machines drift by tens of percent within minutes, so what is to be compared is measured
in turns (round after round over everything) and summarised by medians. A search never sees raw readings: it sees a
:class:`LatencyTable`, which is a monotone function of the architecture and decides constraints the same way every time.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls
from scipy.sparse import coo_array, hstack, identity, vstack
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from subarch.errors import InputError
from subarch.networks.family import Family
from subarch.networks.space import Space, Value
from subarch.threads import pinned

FloatArray = NDArray[np.float64]
Tick = Callable[[int, int], None]
Pass = Callable[[], Any]
Builder = Callable[[nn.Module, Mapping[str, Tensor]], Pass]
"""A network and inputs, to one pass on another runtime."""
MAX_LISTED = 150  # a space of up to so many architectures is measured whole
MAX_BUILT = 40  # likewise where each has to be exported first


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass: median and 95th percentile of ``repeats`` readings."""

    p50_ms: float
    p95_ms: float
    repeats: int


def latency(
    network: nn.Module, inputs: Mapping[str, Tensor], *, threads: int | None = None, warmup: int = 3, repeats: int = 20
) -> Latency:
    """Time ``network(**inputs)`` in evaluation mode without gradients.

    Args:
        network: a built network; its mode is put back afterwards.
        inputs: keyword arguments of one forward pass.
        threads: torch's threads while timing; None leaves them as they are.
        warmup: untimed passes first.
        repeats: timed passes, at least 1.
    """
    with pinned(threads):
        return _summary(_readings(network, inputs, warmup, repeats))


def compare(
    networks: Mapping[str, tuple[nn.Module, Mapping[str, Tensor]]],
    *,
    threads: int | None = None,
    rounds: int = 5,
    repeats: int = 10,
    seconds: float = 0.0,
    build: Builder | None = None,
) -> dict[str, Latency]:
    """Time several networks in turns, so that a drift of the machine meets all of them alike.

    Args:
        networks: name to network and its inputs.
        threads: torch's threads while timing.
        rounds: how often everything is visited, at least.
        repeats: timed passes a visit.
        seconds: visits go on for so long, at least.
        build: puts them on another runtime; PyTorch when not given.

    Returns:
        For each name the statistics of all its readings, ``repeats`` a visit.
    """
    readings: dict[str, list[float]] = {name: [] for name in networks}
    with pinned(threads):
        passes = {name: (build or _torch_pass)(network, inputs) for name, (network, inputs) in networks.items()}
        began, done = time.perf_counter(), 0
        while done < rounds or time.perf_counter() - began < seconds:
            for name, one in passes.items():
                readings[name] += _timed(one, 2, repeats)
            done += 1
    return {name: _summary(values) for name, values in readings.items()}


def _readings(network: nn.Module, inputs: Mapping[str, Tensor], warmup: int, repeats: int) -> list[float]:
    training = network.training
    try:
        return _timed(_torch_pass(network, inputs), warmup, repeats)
    finally:
        network.train(training)


def _torch_pass(network: nn.Module, inputs: Mapping[str, Tensor]) -> Pass:
    network.eval()

    @torch.inference_mode()
    def run() -> None:
        network(**inputs)

    return run


def _timed(run: Pass, warmup: int, repeats: int) -> list[float]:
    if repeats < 1:
        raise InputError(f"at least one timed pass is needed, got repeats={repeats}")
    readings: list[float] = []
    for turn in range(warmup + repeats):
        start = time.perf_counter()
        run()
        if turn >= warmup:
            readings.append(1000 * (time.perf_counter() - start))
    return readings


def _summary(readings: Sequence[float]) -> Latency:
    p50, p95 = np.percentile(readings, [50, 95])
    return Latency(float(p50), float(p95), len(readings))


# ---------------------------------------------------------------------- monotone fits


def isotonic(space: Space, indices: NDArray[Any], values: FloatArray) -> FloatArray:
    """The monotone positive function nearest to ``values`` in the sum of absolute log ratios, at ``indices``.

    Absolute deviations, not squares or the largest one: a machine that was busy for a moment spoils a reading, and that
    reading must not lift everything above it. A linear programme in the logarithms.

    Args:
        space: whose order counts.
        indices: ``(architectures, parameters)``.
        values: ``(architectures,)``, positive.
    """
    count = len(values)
    below, above = np.nonzero(space.leq(indices[:, None, :], indices[None, :, :]) & ~np.eye(count, dtype=np.bool_))
    level = np.log(values)
    # Variables: the fit f, and t >= |f - level|; minimise the sum of t with f[below] <= f[above].
    rows = np.arange(len(below))
    order = coo_array(
        (np.repeat([1.0, -1.0], len(below)), (np.tile(rows, 2), np.concatenate([below, above]))),
        shape=(len(below), 2 * count),
    )
    unit = identity(count, format="coo")
    over, under = hstack([unit, -unit]), hstack([-unit, -unit])
    found = linprog(
        np.repeat([0.0, 1.0], count),
        A_ub=vstack([order, over, under]).tocsr(),
        b_ub=np.concatenate([np.zeros(len(below)), level, -level]),
        bounds=(None, None),
    )
    assert found.success, found.message
    # Undo rounding of the solver: the largest value below a point is monotone exactly.
    fitted = np.exp(found.x[:count])
    return np.array([fitted[space.leq(indices, index)].max() for index in indices])


@dataclass(frozen=True)
class _Features:
    """Monomials of the ordered parameters, each scaled to [0, 1], and plain terms for each unordered choice.

    Non-negative coefficients make every such function monotone along the order.
    """

    space: Space
    degree: int

    def __call__(self, indices: NDArray[Any]) -> FloatArray:
        """``(architectures, features)``; the first column is constant."""
        columns = self.space.columns(indices)
        scaled: list[FloatArray] = []
        switches: list[FloatArray] = []
        for parameter in self.space.parameters:
            values = columns[parameter.name]
            if parameter.ordered:
                low, high = (float(cast("float", c)) for c in (parameter.choices[0], parameter.choices[-1]))
                scaled.append((values.astype(np.float64) - low) / (high - low if high > low else 1.0))
            else:
                switches += [(values == choice).astype(np.float64) for choice in parameter.choices]
        one = np.ones(len(indices))
        powers = [
            cast("FloatArray", np.prod([one, *combination], axis=0))
            for degree in range(self.degree + 1)
            for combination in itertools.combinations_with_replacement(scaled, degree)
        ]
        return np.stack([*powers, *(switch * term for switch in switches for term in (one, *scaled))], axis=1)

    @classmethod
    def fitting(cls, space: Space, samples: int) -> _Features:
        """The richest set (total degree up to 3) with at most half as many features as samples, but at least linear."""
        for degree in (3, 2):
            features = cls(space, degree)
            lowest = np.zeros((1, len(space.parameters)), dtype=np.int16)
            if 2 * features(lowest).shape[1] <= samples:
                return features
        return cls(space, 1)


def _fit(features: FloatArray, values: FloatArray) -> FloatArray:
    # Rows divided by their value: relative errors count, a small network's as much as a large one's.
    coefficients, _ = nnls(features / values[:, None], np.ones(len(values)))
    return coefficients


# ---------------------------------------------------------------------- the table


@dataclass(frozen=True)
class LatencyTable:
    """Latency in milliseconds as a monotone function over a space; make one with :meth:`measure`.

    Attributes:
        space: the architectures.
        method: ``"isotonic"`` (each architecture measured, made monotone) or ``"polynomial"`` (fitted to a sample).
        indices: measured positions, ``(architectures, parameters)``.
        measured_ms: their medians, ``(architectures,)``.
        fitted: the table's values at ``indices``, or the polynomial's coefficients.
        reference_ms: latency of T, measured in the same rounds (the table's own value where T lies in the space).
        error: relative error of the table: median and maximum of |table / reading - 1|; for polynomials on a fifth of
            the sample that an otherwise equal fit did not see.
        settings: threads, batch size, sequence length, rounds, repeats, runtime.
    """

    space: Space
    method: Literal["isotonic", "polynomial"]
    indices: NDArray[np.int16]
    measured_ms: FloatArray
    fitted: FloatArray
    reference_ms: float
    error: tuple[float, float]
    settings: dict[str, Any]

    @classmethod
    def measure(
        cls,
        family: Family,
        *,
        sequence_length: int = 128,
        batch_size: int = 1,
        threads: int | None = None,
        rounds: int = 3,
        repeats: int = 5,
        sample: int = 120,
        seed: int = 0,
        build: Builder | None = None,
        runtime: str = "pytorch",
        tick: Tick | None = None,
    ) -> Self:
        """Time the family's networks in turns.

        Args:
            family: builds the networks; their weights do not matter to the time and are not initialised.
            sequence_length: tokens of the timed forward pass.
            batch_size: sequences of it.
            threads: torch's threads while timing.
            rounds: how often everything is visited, each time in another order.
            repeats: timed passes a visit.
            sample: architectures measured where the space has more than 150.
            seed: of the sample and the orders.
            build: puts a network on another runtime; PyTorch when not given. That takes seconds, so a space of more
                than 40 architectures is then sampled, and everything visited once.
            runtime: its name, kept in the settings.
            tick: called with visits done and in all.

        Raises:
            ValueError: when no architecture meets the constraints, or building fails.
        """
        space, listed = family.space, MAX_LISTED
        if build is not None:
            rounds, repeats, sample, listed = 1, rounds * repeats, min(sample, MAX_BUILT), MAX_BUILT
        small = space.listing(listed) is not None
        indices = space.listed() if small else _spread_sample(space, sample, seed)
        if not len(indices):
            raise InputError("no architecture of the space meets its constraints: nothing to time")
        shapes: list[Mapping[str, Value]] = [space.architecture(row) for row in indices.tolist()]
        settings = {"threads": threads or torch.get_num_threads(), "batch_size": batch_size, "rounds": rounds}
        settings |= {"sequence_length": sequence_length, "repeats": repeats, "runtime": runtime}
        readings: list[list[float]] = [[] for _ in range(len(shapes) + 1)]
        order = list(range(len(readings)))
        chooser = random.Random(seed)
        with pinned(threads):
            for visit in range(rounds * len(readings)):
                if visit % len(readings) == 0:
                    chooser.shuffle(order)
                number = order[visit % len(readings)]
                shape = shapes[number] if number < len(shapes) else family.reference
                inputs = family.inputs(batch_size, sequence_length)
                # Ranges of integers are measured on values, so that constants will not do there.
                one = build(family.network(shape), inputs) if build else _torch_pass(_unweighted(family, shape), inputs)
                readings[number].append(statistics.median(_timed(one, 2, repeats)))
                if tick is not None:
                    tick(visit + 1, rounds * len(readings))
        medians = np.array([statistics.median(values) for values in readings])
        return cls._made(space, indices, medians[:-1], float(medians[-1]), family.reference, settings, small)

    @classmethod
    def _made(
        cls,
        space: Space,
        indices: NDArray[np.int16],
        values: FloatArray,
        reference_ms: float,
        reference: Mapping[str, Value],
        settings: dict[str, Any],
        whole: bool,
    ) -> Self:
        if whole:
            fitted = isotonic(space, indices, values)
            deviations = np.abs(fitted / values - 1)
        else:
            features = _Features.fitting(space, len(values))(indices)
            fitted = _fit(features, values)
            unseen = np.arange(len(values)) % 5 == 4
            trial = _fit(features[~unseen], values[~unseen])
            deviations = np.abs(features[unseen] @ trial / values[unseen] - 1)
        error = (float(np.median(deviations)), float(deviations.max()))
        method: Literal["isotonic", "polynomial"] = "isotonic" if whole else "polynomial"
        table = cls(space, method, indices, values, fitted, reference_ms, error, settings)
        if not space.contains(reference):
            return table
        position = np.array([space.index(reference)], dtype=np.int16)
        at_reference = float(table.predict(position)[0])
        return cls(space, method, indices, values, fitted, at_reference, error, settings)

    def predict(self, indices: NDArray[Any]) -> FloatArray:
        """Milliseconds of ``indices``, ``(architectures, parameters)``: ``(architectures,)``, monotone in the order."""
        if self.method == "polynomial":
            return _Features.fitting(self.space, len(self.measured_ms))(indices) @ self.fitted
        places = {tuple(row): value for row, value in zip(self.indices.tolist(), self.fitted.tolist(), strict=True)}
        rows = [tuple(row) for row in np.asarray(indices).tolist()]
        return np.array([places[row] if row in places else self._between(row) for row in rows], dtype=np.float64)

    def _between(self, row: tuple[int, ...]) -> float:
        """A grid point that constraints exclude: between its nearest feasible neighbours in the order."""
        index = np.array(row)
        below = self.fitted[self.space.leq(self.indices, index)]
        above = self.fitted[self.space.leq(index, self.indices)]
        low = float(below.max()) if len(below) else 0.0
        return low if not len(above) else (low + float(above.min())) / 2

    def to_json(self) -> dict[str, Any]:
        """JSON data; the space is kept elsewhere and given back to :meth:`from_json`."""
        data = asdict(self)
        del data["space"]
        arrays = {name: data[name].tolist() for name in ("indices", "measured_ms", "fitted")}
        return data | arrays | {"error": list(self.error)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], space: Space) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: for data that are no latency table of this space.
        """
        try:
            indices = np.array(data["indices"], dtype=np.int16).reshape(-1, len(space.parameters))
            measured, fitted = (np.array(data[name], dtype=np.float64) for name in ("measured_ms", "fitted"))
            median, maximum = (float(value) for value in data["error"])
            method, reference_ms, settings = data["method"], float(data["reference_ms"]), dict(data["settings"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"expected a latency table of this space, got something else ({error})") from error
        if method not in ("isotonic", "polynomial") or len(measured) != len(indices) or not math.isfinite(reference_ms):
            raise InputError(f"expected a latency table of this space, got method {method!r}, {len(measured)} readings")
        return cls(space, method, indices, measured, fitted, reference_ms, (median, maximum), settings)


def _spread_sample(space: Space, count: int, seed: int) -> NDArray[np.int16]:
    """Random feasible positions and the feasible corners: a fit should not have to extrapolate."""
    ends = np.array([corner for box in space.roots() for corner in (box.lo, box.hi)][:count], dtype=np.int16)
    both = np.concatenate([ends[space.feasible(ends)], space.sample(count, seed)])
    _, first = np.unique(both, axis=0, return_index=True)
    return both[np.sort(first)]


class _ConstantWeights(TorchFunctionMode):
    """Random initialisation replaced by a constant: times do not depend on values, and it is ten times as quick."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        values = kwargs or {}
        if getattr(func, "__name__", "").endswith(("normal_", "uniform_", "erfinv_")):
            target = args[0] if args else values["tensor"]
            # Not zero and not tiny: numbers near the smallest that a float can hold are slow on some machines.
            return target if target.is_meta else target.detach().fill_(0.02)
        return func(*args, **values)


def _unweighted(family: Family, architecture: Mapping[str, Value]) -> nn.Module:
    with _ConstantWeights(), torch.no_grad():
        return family.network(architecture)
