"""Search spaces: architectural parameters, constraints and boxes, as pure data.

A space Xi is a finite grid. Each :class:`Parameter` lists its choices; *ordered* choices (depth, widths) mean
"a larger value gives a larger network", *unordered* ones (activation, heads at a fixed hidden size) mean nothing
of the kind. Constraints remove combinations. A space is never listed unless it is small: everything here works on
parameters and boxes, and spaces of 10^12 architectures cost no more than their parameters do.

Notation: xi is one architecture (a dict from parameter name to value), ``index`` its tuple of choice positions in
the order of the parameters, and x <= y means that all unordered parameters agree and no ordered parameter of x
exceeds y's.

Nothing here imports anything but NumPy: the search, its proof and its verifier stand on this file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError

# One concept for whoever makes a space, so that all of it has one address.
from subarch.networks.constraints import Constraint as Constraint
from subarch.networks.parameters import Parameter as Parameter
from subarch.networks.parameters import Value as Value

Architecture = dict[str, Value]
Index = tuple[int, ...]
_GRID = 1 << 20  # points that are looked at at once
_PART = 1 << 16  # rows of a part
_VISITS = 50_000_000  # rows that are looked at before a space counts as too large to list

IndexArray = NDArray[np.int16]  # (architectures, parameters): choice positions
BoolArray = NDArray[np.bool_]


class TooManyError(Exception):
    """More was to be looked at than was granted."""


@dataclass(frozen=True)
class Box:
    """All architectures x with ``lo <= x <= hi``, as choice positions; unordered positions of lo and hi are equal."""

    lo: Index
    hi: Index

    @property
    def volume(self) -> int:
        """Grid points inside, those that constraints remove included."""
        return math.prod(high - low + 1 for low, high in zip(self.lo, self.hi, strict=True))


@dataclass(frozen=True)
class Space:
    """A finite search space.

    Raises:
        ValueError: for no parameters, repeated names, or a constraint that names an unknown parameter.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        object.__setattr__(self, "constraints", tuple(self.constraints))
        if not self.parameters:
            raise InputError("a space needs at least one parameter, got none")
        if len(set(self.names)) != len(self.names):
            raise InputError(f"parameter names repeat: {list(self.names)}")
        for constraint in self.constraints:
            if unknown := set(constraint.names) - set(self.names):
                raise InputError(
                    f"constraint {constraint.expression!r} names {sorted(unknown)}; "
                    f"the parameters are {list(self.names)}"
                )

    # ------------------------------------------------------------------ shape

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def ordered(self) -> BoolArray:
        """``(parameters,)``: which parameters are ordered."""
        return np.array([parameter.ordered for parameter in self.parameters], dtype=np.bool_)

    @cached_property
    def num_points(self) -> int:
        """Grid points, those that constraints remove included."""
        return math.prod(len(parameter.choices) for parameter in self.parameters)

    def roots(self) -> Iterator[Box]:
        """One box per combination of unordered values; together they partition the grid."""
        tops = [len(parameter.choices) - 1 for parameter in self.parameters]
        fixed = [
            range(top + 1) if not parameter.ordered else (None,)
            for parameter, top in zip(self.parameters, tops, strict=True)
        ]
        for combination in itertools.product(*fixed):
            lo = tuple(0 if value is None else value for value in combination)
            hi = tuple(top if value is None else value for value, top in zip(combination, tops, strict=True))
            yield Box(lo, hi)

    # ------------------------------------------------------------------ architectures and positions

    def architecture(self, index: Sequence[int] | NDArray[Any]) -> Architecture:
        """The architecture at choice positions ``index``."""
        return {p.name: p.choices[int(i)] for p, i in zip(self.parameters, list(index), strict=True)}

    def index(self, architecture: Mapping[str, Value]) -> Index:
        """Choice positions of ``architecture``.

        Raises:
            ValueError: when a parameter is missing, unknown, or not one of the choices.
        """
        if set(architecture) != set(self.names):
            raise InputError(f"an architecture of this space names {list(self.names)}, got {sorted(architecture)}")
        positions: list[int] = []
        for parameter in self.parameters:
            value = architecture[parameter.name]
            if value not in parameter.choices:
                raise InputError(f"{parameter.name} must be one of {list(parameter.choices)}, got {value!r}")
            positions.append(parameter.choices.index(value))
        return tuple(positions)

    def columns(self, indices: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Values as one NumPy column a parameter, for ``indices`` of shape ``(architectures, parameters)``."""
        return {p.name: values[indices[:, j]] for j, (p, values) in enumerate(self._values)}

    @cached_property
    def _values(self) -> tuple[tuple[Parameter, NDArray[Any]], ...]:
        """Choices as arrays; where numbers stand beside words, as objects: NumPy would make words of the numbers."""
        return tuple(
            (p, np.array(p.choices, dtype=object if len({isinstance(c, str) for c in p.choices}) > 1 else None))
            for p in self.parameters
        )

    def feasible(self, indices: NDArray[Any]) -> BoolArray:
        """``(architectures,)``: which of ``indices`` meet every constraint.

        Raises:
            ValueError: for a constraint that divides by zero where all the others hold.
        """
        mask = np.ones(len(indices), dtype=np.bool_)
        if self.constraints and len(indices):
            columns = self.columns(indices)
            refused, undefined = self._decided(self.constraints, columns, len(indices))
            if (open_ := undefined & ~refused).any():
                rows = {name: column[open_] for name, column in columns.items()}
                for constraint in self.constraints:
                    constraint.holds(rows)
            mask = ~refused
        return mask

    @staticmethod
    def _decided(
        constraints: Iterable[Constraint], columns: Mapping[str, NDArray[Any]], size: int
    ) -> tuple[BoolArray, BoolArray]:
        """``(size,)`` each: what some constraint refuses, and where some is undefined."""
        refused, undefined = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
        for constraint in constraints:
            true, unknown = constraint.decided(columns)
            refused |= np.broadcast_to(~(true | unknown), refused.shape)
            undefined |= np.broadcast_to(unknown, undefined.shape)
        return refused, undefined

    def contains(self, architecture: Mapping[str, Value]) -> bool:
        """Whether ``architecture`` lies on the grid and meets the constraints."""
        try:
            index = self.index(architecture)
        except ValueError:
            return False
        return bool(self.feasible(np.array([index], dtype=np.int16))[0])

    # ------------------------------------------------------------------ listing, for small spaces and small boxes

    def points(self, box: Box) -> IndexArray:
        """Every feasible position inside ``box``, in lexicographic order: ``(architectures, parameters)``."""
        if not self.constraints or box.volume <= _GRID:
            axes = [np.arange(low, high + 1, dtype=np.int16) for low, high in zip(box.lo, box.hi, strict=True)]
            grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
            return grid[self.feasible(grid)]
        parts = list(self.members(box))
        rows = np.concatenate(parts) if parts else np.zeros((0, len(self.parameters)), dtype=np.int16)
        return rows[np.lexsort(rows.T[::-1])]

    def members(self, box: Box, *, seed: int | None = None, visits: float = math.inf) -> Iterator[IndexArray]:
        """The feasible positions inside ``box`` part by part, found parameter by parameter.

        A constraint refuses as soon as the parameters that it names are fixed, so that a few architectures of billions
        of grid points are found without visiting those.

        Args:
            box: where to look.
            seed: of the order of choices; ascending when not given.
            visits: rows, whole or in part, that are looked at.

        Raises:
            TooManyError: when those are spent.
        """
        rng = None if seed is None else np.random.default_rng(seed)
        order = self._joining
        waiting: list[IndexArray] = [np.array([box.lo], dtype=np.int16)]
        depths = [0]
        while waiting:
            rows, depth = waiting.pop(), depths.pop()
            if depth == len(order):
                kept = rows[self.feasible(rows)]
                if len(kept):
                    yield kept
                continue
            axis, constraints = order[depth]
            choices = np.arange(box.lo[axis], box.hi[axis] + 1, dtype=np.int16)
            if rng is not None:
                rng.shuffle(choices)
            size = max(1, _PART // len(choices))
            for begin in reversed(range(0, len(rows), size)):
                some = np.repeat(rows[begin : begin + size], len(choices), axis=0)
                if (visits := visits - len(some)) < 0:
                    raise TooManyError
                some[:, axis] = np.tile(choices, len(some) // len(choices))
                if constraints:
                    some = some[~self._decided(constraints, self.columns(some), len(some))[0]]
                if len(some):
                    waiting.append(some)
                    depths.append(depth + 1)

    @cached_property
    def _joining(self) -> list[tuple[int, list[Constraint]]]:
        """Parameters in an order that completes constraints early, each with those that it completes."""
        order: list[tuple[int, list[Constraint]]] = []
        left, rest = set(range(len(self.parameters))), list(self.constraints)
        while left:
            fixed = {self.names[j] for j, _ in order}
            missing = [set(constraint.names) - fixed for constraint in rest]
            nearest = min(
                (names for names in missing if names), key=lambda names: (len(names), sorted(names)), default=None
            )
            axis = min(j for j in left if nearest is None or self.names[j] in nearest)
            left.remove(axis)
            done = fixed | {self.names[axis]}
            order.append((axis, [constraint for constraint in rest if set(constraint.names) <= done]))
            rest = [constraint for constraint in rest if not set(constraint.names) <= done]
        return order

    @property
    def whole(self) -> Box:
        """All grid points."""
        return Box((0,) * len(self.parameters), tuple(len(p.choices) - 1 for p in self.parameters))

    def listing(self, limit: int) -> IndexArray | None:
        """Every feasible position in lexicographic order; None for more than ``limit``, or too many to look through."""
        if limit not in self._listings:
            self._listings[limit] = self._listing(limit)
        return self._listings[limit]

    @cached_property
    def _listings(self) -> dict[int, IndexArray | None]:
        return {}

    def _listing(self, limit: int) -> IndexArray | None:
        if self.num_points <= limit:
            return self.points(self.whole)
        if not self.constraints:
            return None
        parts: list[IndexArray] = []
        try:
            for part in self.members(self.whole, visits=_VISITS):
                parts.append(part)
                if sum(map(len, parts)) > limit:
                    return None
        except TooManyError:
            return None
        rows = np.concatenate(parts) if parts else np.zeros((0, len(self.parameters)), dtype=np.int16)
        return rows[np.lexsort(rows.T[::-1])]

    def listed(self, limit: int = 1_000_000) -> IndexArray:
        """Every feasible position of the space.

        Raises:
            ValueError: when there are more than ``limit``.
        """
        rows = self.listing(limit)
        if rows is None:
            raise InputError(f"the space has {self.num_points} grid points, too many to list (limit {limit})")
        return rows

    def sample(self, count: int, seed: int, *, attempts: int = 200) -> IndexArray:
        """Up to ``count`` distinct feasible positions drawn uniformly; fewer where the space has fewer."""
        rng = np.random.default_rng(seed)
        if self.num_points <= max(4096, 4 * count):
            every = self.listed()
            return every[np.sort(rng.permutation(len(every))[:count])] if len(every) > count else every
        sizes = np.array([len(p.choices) for p in self.parameters])
        found: dict[Index, None] = {}
        for _ in range(attempts):
            draw = (rng.random((max(64, 2 * count), len(sizes))) * sizes).astype(np.int16)
            for row in draw[self.feasible(draw)]:
                found.setdefault(tuple(int(v) for v in row))
            if len(found) >= count:
                break
        else:
            return self._sample_of_few(found, count, seed)
        return np.array(list(found)[:count], dtype=np.int16).reshape(-1, len(sizes))

    def _sample_of_few(self, found: dict[Index, None], count: int, seed: int) -> IndexArray:
        """Where constraints leave so few that drawing at random hardly meets them."""
        if (every := self.listing(1_000_000)) is not None:
            return every[np.sort(np.random.default_rng(seed).permutation(len(every))[:count])]
        try:
            for part in self.members(self.whole, seed=seed, visits=_VISITS):
                found |= dict.fromkeys(tuple(row) for row in part.tolist())
                if len(found) >= count:
                    break
        except TooManyError:
            pass
        return np.array(list(found)[:count], dtype=np.int16).reshape(-1, len(self.parameters))

    # ------------------------------------------------------------------ the order

    def leq(self, x: NDArray[Any], y: NDArray[Any]) -> BoolArray:
        """x <= y, broadcasting over leading axes; the last axis is the parameters."""
        shape = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
        holds = np.ones(shape, dtype=np.bool_)
        for j, ordered in enumerate(self.ordered):  # axis by axis: one matrix is held, not one for each parameter
            holds &= x[..., j] <= y[..., j] if ordered else x[..., j] == y[..., j]
        return holds

    # ------------------------------------------------------------------ JSON

    def to_json(self) -> dict[str, Any]:
        return {
            "parameters": [{"name": p.name, "choices": list(p.choices), "ordered": p.ordered} for p in self.parameters],
            "constraints": [constraint.expression for constraint in self.constraints],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Space:
        """The inverse of :meth:`to_json`. Short form: ``{"depth": [2, 4], "width": [8, 16]}``, all ordered.

        Raises:
            ValueError: when the data describe no space.
        """
        try:
            if "parameters" not in data:
                entries: Iterable[Mapping[str, Any]] = [
                    {"name": k, "choices": v} for k, v in data.items() if k != "constraints"
                ]
            else:
                entries = data["parameters"]
            parameters = tuple(
                Parameter(name=e["name"], choices=tuple(e["choices"]), ordered=e.get("ordered", True)) for e in entries
            )
            texts = data.get("constraints", ())
            if isinstance(texts, str):
                raise TypeError(f"constraints must be a list of expressions, not {texts!r}")
            constraints = tuple(Constraint(str(text)) for text in texts)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                'a space is {"parameters": [{"name", "choices", "ordered"}], "constraints": [...]} '
                f'or {{"name": [choices], ...}}; got something else ({error})'
            ) from error
        return cls(parameters, constraints)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON form."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()
