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

import ast
import hashlib
import itertools
import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Value = int | float | str
Architecture = dict[str, Value]
Index = tuple[int, ...]
IndexArray = NDArray[np.int16]  # (architectures, parameters): choice positions
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One architectural parameter and its finite list of choices.

    Args:
        name: a Python identifier, so that constraints can name it.
        choices: at least one; numbers in ascending order where ``ordered``, otherwise any distinct JSON scalars.
        ordered: whether a larger value gives a larger network.

    Raises:
        ValueError: for an empty, repeated, unsorted or non-numeric list of choices.
    """

    name: str
    choices: tuple[Value, ...]
    ordered: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        if not self.name.isidentifier():
            raise ValueError(f"parameter names must be identifiers such as 'hidden_size', got {self.name!r}")
        if not self.choices:
            raise ValueError(f"parameter {self.name!r} has no choices: give at least one")
        if len(self.choices) > np.iinfo(np.int16).max:
            raise ValueError(f"parameter {self.name!r} has {len(self.choices)} choices, at most 32767 are supported")
        if len(set(self.choices)) != len(self.choices):
            raise ValueError(f"parameter {self.name!r} repeats a choice: {list(self.choices)}")
        for choice in self.choices:
            if isinstance(choice, bool) or not isinstance(choice, (int, float, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"choices of {self.name!r} must be numbers or strings, got {choice!r}")
            if isinstance(choice, float) and not math.isfinite(choice):
                raise ValueError(f"choices of {self.name!r} must be finite, got {choice!r}")
        if self.ordered:
            if any(isinstance(choice, str) for choice in self.choices):
                raise ValueError(f"ordered parameter {self.name!r} needs numeric choices, got {list(self.choices)}")
            if list(self.choices) != sorted(cast("tuple[float, ...]", self.choices)):
                raise ValueError(f"choices of ordered parameter {self.name!r} must ascend, got {list(self.choices)}")


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Constraint:
    """A condition that every architecture of a space meets, such as ``"hidden_size % num_heads == 0"``.

    The expression may use parameter names, numbers, strings, ``+ - * / // %``, comparisons, ``and``, ``or`` and
    ``not``. It is parsed once and interpreted, never passed to ``eval``, and evaluates whole columns of choices.

    Raises:
        ValueError: for anything outside that language.
    """

    expression: str

    def __post_init__(self) -> None:
        self._evaluate(dict.fromkeys(self.names, 1), dry=True)

    @cached_property
    def _tree(self) -> ast.expr:
        try:
            return ast.parse(self.expression, mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"constraint {self.expression!r} is not an expression: {error}") from error

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters that the expression mentions."""
        return tuple(sorted({node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}))

    def holds(self, columns: Mapping[str, Any]) -> Any:
        """Truth of the condition for scalars, or elementwise for NumPy columns of equal length."""
        try:
            return self._evaluate(columns, dry=False)
        except TypeError as error:
            raise ValueError(f"constraint {self.expression!r} mixes numbers and strings: {error}") from error

    def _evaluate(self, columns: Mapping[str, Any], *, dry: bool) -> Any:
        def value(node: ast.expr) -> Any:
            if isinstance(node, ast.Name):
                return columns[node.id]
            if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str)):
                return node.value
            if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
                left, right = value(node.left), value(node.right)
                if dry:
                    return 1
                if isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod)) and np.any(np.equal(right, 0)):
                    raise ValueError(f"constraint {self.expression!r} divides by zero: guard it, or change the choices")
                return _BINARY[type(node.op)](left, right)
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
                return 1 if dry else -value(node.operand)
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                return np.logical_not(value(node.operand))
            if isinstance(node, ast.BoolOp):
                terms = [value(term) for term in node.values]
                join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
                return join.reduce(np.broadcast_arrays(*terms)) if not dry else True
            if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
                terms = [value(node.left), *(value(term) for term in node.comparators)]
                if dry:
                    return True
                pairs = [_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, terms, terms[1:], strict=False)]
                return np.logical_and.reduce(np.broadcast_arrays(*pairs))
            raise ValueError(
                f"constraint {self.expression!r} uses {ast.unparse(node)!r}: only parameter names, numbers, strings, "
                "+ - * / // %, comparisons, and, or, not are allowed"
            )

        return value(self._tree)


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
            raise ValueError("a space needs at least one parameter, got none")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"parameter names repeat: {list(self.names)}")
        for constraint in self.constraints:
            if unknown := set(constraint.names) - set(self.names):
                raise ValueError(
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
            raise ValueError(f"an architecture of this space names {list(self.names)}, got {sorted(architecture)}")
        positions: list[int] = []
        for parameter in self.parameters:
            value = architecture[parameter.name]
            if value not in parameter.choices:
                raise ValueError(f"{parameter.name} must be one of {list(parameter.choices)}, got {value!r}")
            positions.append(parameter.choices.index(value))
        return tuple(positions)

    def columns(self, indices: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Values as one NumPy column a parameter, for ``indices`` of shape ``(architectures, parameters)``."""
        return {p.name: np.asarray(p.choices)[indices[:, j]] for j, p in enumerate(self.parameters)}

    def feasible(self, indices: NDArray[Any]) -> BoolArray:
        """``(architectures,)``: which of ``indices`` meet every constraint."""
        mask = np.ones(len(indices), dtype=np.bool_)
        if self.constraints and len(indices):
            columns = self.columns(indices)
            for constraint in self.constraints:
                mask &= np.broadcast_to(np.asarray(constraint.holds(columns), dtype=np.bool_), mask.shape)
        return mask

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
        axes = [np.arange(low, high + 1, dtype=np.int16) for low, high in zip(box.lo, box.hi, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        return grid[self.feasible(grid)]

    def listed(self, limit: int = 1_000_000) -> IndexArray:
        """Every feasible position of the space.

        Raises:
            ValueError: when the grid has more than ``limit`` points.
        """
        if self.num_points > limit:
            raise ValueError(f"the space has {self.num_points} grid points, too many to list (limit {limit})")
        whole = Box((0,) * len(self.parameters), tuple(len(p.choices) - 1 for p in self.parameters))
        return self.points(whole)

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
        return np.array(list(found)[:count], dtype=np.int16).reshape(-1, len(sizes))

    # ------------------------------------------------------------------ the order

    def leq(self, x: NDArray[Any], y: NDArray[Any]) -> BoolArray:
        """x <= y, broadcasting over leading axes; the last axis is the parameters."""
        return np.asarray(np.all(np.where(self.ordered, x <= y, x == y), axis=-1), dtype=np.bool_)

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
            raise ValueError(
                'a space is {"parameters": [{"name", "choices", "ordered"}], "constraints": [...]} '
                f'or {{"name": [choices], ...}}; got something else ({error})'
            ) from error
        return cls(parameters, constraints)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON form."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()
