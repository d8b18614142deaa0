"""Latency over a space: timed where a few architectures say most, monotone in every parameter in between.

Networks that have to be exported take seconds each, so a table has few readings. A polynomial without negative
coefficients is fitted to them, and held between the readings of smaller and of larger networks: the table is monotone,
says of every architecture that was timed what was read, and a reading that comes later corrects whatever the order lets
it speak of. Which network is timed next is where the order leaves most open.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.networks.family import Family
from subarch.networks.space import Architecture, Index, Space
from subarch.running.fits import Features, isotonic, least_relative_squares
from subarch.running.stopwatch import Setting, Stopwatch, Timekeeper
from subarch.running.timing import Builder, FloatArray, Pass, Tick

MOST = 16
"""Networks that a table is made of, where each takes seconds."""
_MAX_LISTED = 150  # a space of up to so many architectures is measured whole
_WHOLE_SECONDS = 20.0  # where that takes no longer
_LEAST = 10  # readings before their fit is trusted
_WITHIN = 0.05  # of half of the readings that it was not made of: good enough
_SAMPLED = 1000  # architectures of a large space among which the next is chosen

_CELLS = 2**22  # of a matrix that is in memory at once
_SOLVED = 1e-6  # what two solvers of one problem may differ by


@dataclass(frozen=True)
class LatencyTable:
    """Latency in milliseconds as a monotone function over a space; make one with :meth:`measure`.

    Attributes:
        space: the architectures.
        method: ``"isotonic"`` (each architecture measured, made monotone) or ``"polynomial"`` (fitted to some).
        indices: measured positions, ``(architectures, parameters)``.
        measured_ms: what was read there, ``(architectures,)``.
        fitted: the same made monotone, which the table says there.
        reference_ms: latency of T, in its own best form.
        error: relative error of the table: median and maximum of |table / reading - 1|; for polynomials at each reading
            but the smallest and the largest network's, by a fit that did not have it.
        settings: runtime and threads of the networks and of T, batch size, sequence length, rounds, repeats; how they
            were chosen, and seconds of timing; ``complete`` as soon as no more is timed but what a search asks for.
        coefficients: of the polynomial.
    """

    space: Space
    method: Literal["isotonic", "polynomial"]
    indices: NDArray[np.int16]
    measured_ms: FloatArray
    fitted: FloatArray
    reference_ms: float
    error: tuple[float, float]
    settings: dict[str, Any]
    coefficients: FloatArray = field(default_factory=lambda: np.empty(0))

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
        sample: int = MOST,
        build: Builder | None = None,
        runtime: str = "pytorch",
        tick: Tick | None = None,
    ) -> Self:
        """Time the family's networks in one form.

        Args:
            family: builds the networks; their weights do not matter to the time.
            sequence_length: tokens of the timed forward pass.
            batch_size: sequences of it.
            threads: of one pass; torch's own number when not given.
            rounds: how often each is visited, at least.
            repeats: timed passes a visit, at least.
            sample: architectures measured at most, where measuring the whole space takes long.
            build: puts a network on another runtime; PyTorch, or the form of that name, when not given.
            runtime: its name, kept in the settings.
            tick: called with visits done and in all.

        Raises:
            ValueError: when no architecture meets the constraints, or building fails.
        """

        def built(architecture: Architecture, forms: Sequence[Setting]) -> Mapping[Setting, Pass]:
            assert build is not None
            inputs = family.inputs(batch_size, sequence_length)
            return {form: build(family.served(architecture), inputs) for form in forms}

        watch = Stopwatch(
            family,
            forms=(Setting(runtime, threads),),
            sequence_length=sequence_length,
            batch_size=batch_size,
            rounds=rounds,
            repeats=repeats,
            programs=None if build is None else built,
        )

        def told(done: int, total: int) -> None:
            if tick is not None:
                tick(rounds * done, rounds * total)

        return cls.begun(family.space, watch).completed(watch, most=sample, tick=told)

    @classmethod
    def begun(cls, space: Space, timekeeper: Timekeeper) -> Self:
        """A table of the first readings alone: of T, the smallest network, and what the choice of a form needed.

        Raises:
            ValueError: when no architecture meets the constraints, or building fails.
        """
        began = time.perf_counter()
        first = timekeeper.begin()
        seconds = time.perf_counter() - began
        known = {space.index(architecture): ms for architecture, ms in first.readings}
        return cls._of(space, known, first.reference_ms, {**first.settings, "seconds": seconds})

    @classmethod
    def _of(cls, space: Space, known: Mapping[Index, float], reference_ms: float, settings: dict[str, Any]) -> Self:
        """The table that so many readings make."""
        indices = np.array(list(known), dtype=np.int16).reshape(-1, len(space.parameters))
        values = np.array(list(known.values()), dtype=np.float64)
        fitted, listed = isotonic(space, indices, values), space.listing(_MAX_LISTED)
        if listed is not None and {tuple(row) for row in listed.tolist()} <= set(known):
            error = _summary(np.abs(fitted / values - 1))
            return cls(space, "isotonic", indices, values, fitted, reference_ms, error, settings)
        coefficients = least_relative_squares(Features.fitting(space, len(values))(indices), values)
        made = cls(space, "polynomial", indices, values, fitted, reference_ms, (0.0, 0.0), settings, coefficients)
        return replace(made, error=_summary(made._unseen()))

    def _unseen(self) -> FloatArray:
        """|table / reading - 1| at each reading between others, by a fit that did not have it."""
        features = Features.fitting(self.space, len(self.indices))(self.indices)
        low, high = self._between(self.indices, itself=False)
        inner = np.flatnonzero((low > 0) & np.isfinite(high))
        told = np.empty(len(inner))
        for place, n in enumerate(inner):
            others = np.arange(len(self.indices)) != n
            told[place] = features[n] @ least_relative_squares(features[others], self.measured_ms[others])
        return np.abs(np.clip(told, low[inner], high[inner]) / self.measured_ms[inner] - 1)

    # ------------------------------------------------------------------ readings

    @property
    def is_complete(self) -> bool:
        """Whether nothing is timed any more but what a search asks for."""
        return bool(self.settings.get("complete", True))

    def completed(
        self,
        timekeeper: Timekeeper,
        *,
        most: int = MOST,
        keep: Callable[[Self], None] | None = None,
        tick: Tick | None = None,
    ) -> Self:
        """Time what says most, until the table is good enough.

        Args:
            timekeeper: times networks.
            most: networks in all, where timing the whole space takes long.
            keep: called with the table after every reading.
            tick: called with readings done and in all.
        """
        table = self
        while (index := table._next(most)) is not None:
            table = table.with_reading(timekeeper, index)
            if keep is not None:
                keep(table)
            if tick is not None:
                tick(len(table.indices) + 1, len(table.indices) + 1 + table._left(most))
        done = replace(table, settings={**table.settings, "complete": True})
        if keep is not None:
            keep(done)
        return done

    def with_reading(self, timekeeper: Timekeeper, index: Index) -> Self:
        """The table that one more makes; one that contradicts the others is taken twice, and the shorter counts."""
        began = time.perf_counter()
        known = dict(zip(map(tuple, self.indices.tolist()), self.measured_ms.tolist(), strict=True))

        def made() -> Self:
            seconds = self.settings.get("seconds", 0.0) + time.perf_counter() - began
            return self._of(self.space, known, self.reference_ms, {**self.settings, "seconds": seconds})

        known[index] = timekeeper(self.space.architecture(index))
        table = made()
        if abs(float(table.fitted[-1]) / known[index] - 1) <= _WITHIN:
            return table
        known[index] = min(known[index], timekeeper(self.space.architecture(index)))
        return made()

    def has(self, index: Index) -> bool:
        """Whether that was timed."""
        return bool((self.indices == np.array(index)).all(axis=1).any())

    def reading(self, index: Index) -> float | None:
        """What was read there; None where nothing was."""
        found = self.measured_ms[(self.indices == np.array(index)).all(axis=1)]
        return float(found[0]) if len(found) else None

    def _next(self, most: int) -> Index | None:
        """Where the order leaves most open; None where the table is good enough."""
        rows = self._unread()
        if not self._left(most):
            return None
        low, high = self._between(rows)
        with np.errstate(divide="ignore"):
            open_ = np.minimum(np.log(high) - np.log(low), 100.0)
        # Of what is as open, the one that is farthest from all that were read.
        scale = np.array([max(1, len(parameter.choices) - 1) for parameter in self.space.parameters])
        away = np.abs(rows[:, None, :] / scale - self.indices[None, :, :] / scale).sum(axis=2).min(axis=1)
        return tuple(rows[int(np.lexsort((away, np.round(open_, 2)))[-1])].tolist())

    def _left(self, most: int) -> int:
        """How many are still to be timed, at most."""
        rows, done = self._unread(), len(self.indices)
        each = float(self.settings.get("seconds", 0.0)) / max(1, done)
        if self.space.listing(_MAX_LISTED) is not None and each * (done + len(rows)) <= _WHOLE_SECONDS:
            return len(rows)
        good = done >= _LEAST and self.error[0] <= _WITHIN
        return 0 if good else min(len(rows), max(0, most - done))

    def _unread(self) -> NDArray[np.int16]:
        listed = self.space.listing(_MAX_LISTED)
        rows = _spread_sample(self.space, _SAMPLED, 0) if listed is None else listed
        known = {tuple(row) for row in self.indices.tolist()}
        return rows[[tuple(row) not in known for row in rows.tolist()]]

    # ------------------------------------------------------------------ what it says

    def fault(self, reference: Architecture) -> str | None:
        """How the table is not what its readings give, in a clause; None where it is.

        Two solvers may find two fits that are equally near to the readings: either will do.

        Args:
            reference: T.
        """
        if not len(self.measured_ms) or not bool((self.measured_ms > 0).all() and (self.fitted > 0).all()):
            return "it holds no readings, or times that are not above zero"
        known = dict(zip(map(tuple, self.indices.tolist()), self.measured_ms.tolist(), strict=True))
        again = self._of(self.space, known, self.reference_ms, self.settings)
        if (again.method, again.coefficients.shape) != (self.method, self.coefficients.shape):
            return f"its readings make a table by {again.method}, not this one"
        pairs = zip(self._misfit(), again._misfit(), strict=True)
        if any(ours > best * (1 + _SOLVED) + _SOLVED for ours, best in pairs):
            return "its fit is not the one that its readings give"
        smaller = self.space.leq(self.indices[:, None, :], self.indices[None, :, :])
        if bool((smaller & (self.fitted[:, None] > self.fitted[None, :] * (1 + _SOLVED))).any()):
            return "its fit falls along the order"
        if not np.allclose(self.error, again.error, rtol=1e-3, atol=1e-3):
            return "its error is not that of its fit"
        at = self.reading(self.space.index(reference)) if self.space.contains(reference) else None
        if at is not None and self.reference_ms > at * (1 + _SOLVED):  # its own best form is no slower than any
            return f"the reference takes {at:.4g} ms in it, and is told to take {self.reference_ms:.4g} at its best"
        return None

    def _misfit(self) -> tuple[float, ...]:
        """What the fits have minimised."""
        found = [float(np.abs(np.log(self.fitted) - np.log(self.measured_ms)).sum())]
        if self.method == "polynomial":
            features = Features.of(self.space, len(self.coefficients))(self.indices)
            found.append(float(np.linalg.norm(features @ self.coefficients / self.measured_ms - 1)))
        return tuple(found)

    def predict(self, indices: NDArray[Any]) -> FloatArray:
        """Milliseconds of ``indices``, ``(architectures, parameters)``: ``(architectures,)``, monotone in the order."""
        rows = np.asarray(indices)
        low, high = self._between(rows)
        if self.method == "polynomial":
            return np.clip(Features.of(self.space, len(self.coefficients))(rows) @ self.coefficients, low, high)
        # A grid point that constraints exclude: between its nearest feasible neighbours in the order.
        return np.where(np.isfinite(high), (low + high) / 2, low)

    def _between(self, rows: NDArray[Any], *, itself: bool = True) -> tuple[FloatArray, FloatArray]:
        """What the readings of smaller and of larger networks leave: zero and infinity where there are none.

        Args:
            rows: positions.
            itself: whether a reading there counts as well.
        """
        low, high = np.zeros(len(rows)), np.full(len(rows), np.inf)
        size = max(1, _CELLS // max(1, len(self.indices)))
        for part in (slice(begin, begin + size) for begin in range(0, len(rows), size)):
            those, known = rows[part, None, :], self.indices[None, :, :]
            below, above = self.space.leq(known, those), self.space.leq(those, known)
            if not itself:
                others = (those != known).any(axis=2)
                below, above = below & others, above & others
            low[part] = np.where(below, self.fitted, 0.0).max(axis=1, initial=0.0)
            high[part] = np.where(above, self.fitted, np.inf).min(axis=1, initial=np.inf)
        return low, high

    def to_json(self) -> dict[str, Any]:
        """JSON data; the space is kept elsewhere and given back to :meth:`from_json`."""
        data = asdict(self)
        del data["space"]
        arrays = {name: data[name].tolist() for name in ("indices", "measured_ms", "fitted", "coefficients")}
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
        if method == "polynomial" and "coefficients" not in data:  # of earlier versions: a polynomial and nothing else
            none = np.empty((0, len(space.parameters)), dtype=np.int16), np.empty(0)
            return cls(space, method, none[0], none[1], none[1], reference_ms, (median, maximum), settings, fitted)
        coefficients = np.array(data.get("coefficients", ()), dtype=np.float64)
        return cls(space, method, indices, measured, fitted, reference_ms, (median, maximum), settings, coefficients)


def _summary(errors: FloatArray) -> tuple[float, float]:
    return (float(np.median(errors)), float(errors.max())) if len(errors) else (1.0, 1.0)


def _spread_sample(space: Space, count: int, seed: int) -> NDArray[np.int16]:
    """Random feasible positions and the feasible corners: a fit should not have to extrapolate."""
    ends = np.array([corner for box in space.roots() for corner in (box.lo, box.hi)][:count], dtype=np.int16)
    both = np.concatenate([ends[space.feasible(ends)], space.sample(count, seed)])
    _, first = np.unique(both, axis=0, return_index=True)
    return both[np.sort(first)]
