"""Exact parameters and operations of any network, and of millions of architectures at once.

A network is built on the meta device, which costs milliseconds and no memory: parameters are counted from the module
(shared tensors once) and multiply-accumulates from ``torch.utils.flop_counter`` (two FLOPs each; matrix products,
convolutions and attention, nothing elementwise) over one forward pass of batch 1.

Both are, for the usual families, polynomials in the architectural parameters. :func:`fit_counts` finds these
polynomials exactly from a few builds, confirms them on architectures that it did not use, the largest and the ends of
every axis among them, and says so where there are none; then every architecture is built, once, when it is asked for.

A family need not be as regular as it looks there. So whatever is trained, or named in a certificate, is built and
counted as well (:meth:`CountModel.confirm`), and a polynomial that one network refutes is dropped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from subarch.errors import InputError
from subarch.networks.family import Family
from subarch.networks.polynomials import (
    Exponents,
    Piece,
    Polynomial,
    ends,
    feasible_points,
    fraction,
    independent,
    monomials_within,
    solve_exact,
    value_at,
)
from subarch.networks.space import Architecture, Box, Space, Value

PARTS = ("first", "middle", "last", "head")

_MAX_AXIS_DEGREE = 5
_MAX_COMBINATIONS = 64  # of unordered values, each with a polynomial of its own
_ENOUGH = 64  # monomials that are solved for at once, without raising the total degree step by step
_MOST = 160
_HELD_OUT = 6
_FEW_MODULES = 1_000  # of all networks of a space together; so small a space is counted whole
_BUILDABLE = 4_096  # architectures of a space whose polynomials are refuted: so many can be built instead


@dataclass(frozen=True)
class Counts:
    """Trainable parameters, and multiply-accumulates of one forward pass of batch 1."""

    parameters: int
    macs: int


class CountsDisagreeError(InputError):
    """A network that was built has other counts than the polynomials give: the family is not as regular as it looked.

    Attributes:
        architecture: the network's.
        told: what the polynomials give.
        built: what it has.
    """

    def __init__(self, family: str, architecture: Architecture, told: Counts, built: Counts, confirmed: int) -> None:
        super().__init__(
            f"the counts of family {family!r} are no polynomials: {architecture} has {built.parameters} parameters and "
            f"{built.macs} operations, where polynomials that hold for {confirmed} other networks give "
            f"{told.parameters} and {told.macs}"
        )
        self.architecture, self.told, self.built = architecture, told, built


def count(family: Family, architecture: Mapping[str, Value], sequence_length: int = 128) -> Counts:
    """Exact counts of one architecture, which may lie outside the space.

    Raises:
        ValueError: when the network cannot be built or run on the meta device.
    """
    return count_parts(family, architecture, sequence_length)["network"]


def count_parts(family: Family, architecture: Mapping[str, Value], sequence_length: int = 128) -> dict[str, Counts]:
    """Exact counts of the ``network`` and of its parts: ``first``, ``middle``, ``last``, and ``head`` if it has one.

    Parameters that parts share are counted in the first part that holds them; a separate head counts its own.
    """
    with torch.device("meta"):
        network = family.network(architecture)
        try:
            parts = family.parts(network)
            inputs = family.inputs(1, sequence_length)
            head = family.head(architecture)
            macs, by_module = module_macs(network, **inputs)
            named = [[network.get_submodule(n) for n in names] for names in (parts.first, parts.middle, parts.last)]
            head_macs = None if head is None else module_macs(head[0], *head[1])[0]
        except Exception as error:
            raise InputError(
                f"family {family.name!r} could not be counted at {dict(architecture)}: {type(error).__name__}: "
                f"{error}. The network must run on its inputs on the meta device, without reading values of tensors"
            ) from error
    result = {"network": Counts(num_parameters(network), macs)}
    seen: set[int] = set()
    for part, names, modules in zip(PARTS, (parts.first, parts.middle, parts.last), named, strict=False):
        result[part] = Counts(num_parameters(*modules, seen=seen), sum(by_module.get(name, 0) for name in names))
    if head is not None and head_macs is not None:
        result["head"] = Counts(num_parameters(head[0]), head_macs)
    return result


def _probes(family: Family, name: str) -> tuple[int, ...]:
    try:
        return tuple(family.probes(name))
    except Exception as error:
        raise InputError(
            f"family {family.name!r}: probes({name!r}) failed, {type(error).__name__}: {error}. It must return further "
            "values of that parameter, or ()"
        ) from error


def num_parameters(*modules: nn.Module, seen: set[int] | None = None) -> int:
    """Trainable parameters, every tensor once; those whose ids are in ``seen`` are left out, and added to it."""
    known = set[int]() if seen is None else seen
    total = 0
    for parameter in itertools.chain.from_iterable(module.parameters() for module in modules):
        if id(parameter) not in known and parameter.requires_grad:
            known.add(id(parameter))
            total += parameter.numel()
    return total


def module_macs(network: nn.Module, *inputs: Tensor, **named: Tensor) -> tuple[int, dict[str, int]]:
    """Multiply-accumulates of one forward pass: in all, and by submodule name.

    Raises:
        ValueError: when the counter reports an odd number of FLOPs, which no multiply-accumulates have.
    """
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs, **named)
    flops = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    if any(value % 2 for value in flops.values()):
        raise InputError("an operation reports an odd number of FLOPs: register its FLOP formula as 2 per multiply-add")
    root = type(network).__name__ + "."
    by_module = {name.removeprefix(root): value // 2 for name, value in flops.items() if name.startswith(root)}
    return flops.get("Global", 0) // 2, by_module


# ---------------------------------------------------------------------- the model of a whole space


@dataclass(frozen=True)
class CountModel:
    """Counts of every architecture of a space.

    Args:
        space: where the polynomials hold.
        sequence_length: tokens of the forward pass whose operations are counted.
        polynomials: ``parameters`` and ``macs`` of the network, and ``first.parameters``, ``first.macs`` and so on for
            the parts; None where no polynomial was found.
        residuals: largest absolute difference to architectures that were counted but not fitted; 0 where a
            polynomial was found.
        builds: networks built for the fit.
        held_out: networks among them that only confirmed it.
        limited: ordered parameters with so few values that their degree may be higher than was seen.
        family: builds what no polynomial covers; not stored.

    Attributes:
        confirmed: networks of the space that were built and have the counts given here.
    """

    space: Space
    sequence_length: int
    polynomials: dict[str, Polynomial | None]
    residuals: dict[str, int]
    builds: int
    held_out: int
    limited: tuple[str, ...] = ()
    family: Family | None = field(default=None, compare=False, repr=False)
    _built: dict[tuple[Value, ...], Counts] = field(
        default_factory=lambda: dict[tuple[Value, ...], Counts](), compare=False, repr=False
    )
    _fitted: frozenset[tuple[Value, ...]] = field(default=frozenset(), compare=False, repr=False)

    @property
    def parameters(self) -> Polynomial | None:
        """Trainable parameters; None where they are no polynomial."""
        return self.polynomials["parameters"]

    @property
    def macs(self) -> Polynomial | None:
        """Multiply-accumulates of one forward pass; None where they are no polynomial."""
        return self.polynomials["macs"]

    @property
    def confirmed(self) -> int:
        return self._in_space(self._built)

    def confirmed_with(self, architectures: Iterable[Mapping[str, Value]]) -> int:
        """Networks of the space that the fit has built, and these: the same whoever counts them, and after what."""
        return self._in_space(self._fitted.union(map(self._key, architectures)))

    def fitted(self) -> Self:
        """The same, with what is built by now as what the fit has built."""
        return replace(self, _fitted=frozenset(self._built))

    def _in_space(self, keys: Iterable[tuple[Value, ...]]) -> int:
        return sum(self.space.contains(dict(zip(self.space.names, key, strict=True))) for key in keys)

    def _key(self, architecture: Mapping[str, Value]) -> tuple[Value, ...]:
        return tuple(architecture[name] for name in self.space.names)

    def counts(self, architecture: Mapping[str, Value]) -> Counts:
        """Exact counts of one architecture: from the polynomials inside the space, otherwise by building it."""
        if self.parameters and self.macs and self.space.contains(architecture):
            return Counts(self.parameters(architecture), self.macs(architecture))
        return self.built(architecture)

    def built(self, architecture: Mapping[str, Value]) -> Counts:
        """Exact counts of one architecture by building it, once."""
        key = self._key(architecture)
        if key not in self._built:
            if self.family is None:
                raise InputError(f"counting {dict(architecture)} needs its family, which these counts do not hold")
            self._built[key] = count(self.family, architecture, self.sequence_length)
        return self._built[key]

    def confirm(self, architecture: Mapping[str, Value]) -> Counts:
        """Exact counts of one architecture by building it, which must be those that the polynomials give.

        Raises:
            CountsDisagreeError: where they are not.
        """
        told, built = self.counts(architecture), self.built(architecture)
        if told != built:
            name = "" if self.family is None else self.family.name
            raise CountsDisagreeError(name, dict(architecture), told, built, self.confirmed - 1)
        return built

    def by_building(self, refuted: CountsDisagreeError | None = None) -> Self:
        """The same without polynomials, such as a network has refuted: every architecture is built."""
        off = dict.fromkeys(self.polynomials, 1)
        if refuted is not None:
            off["parameters"] = abs(refuted.told.parameters - refuted.built.parameters)
            off["macs"] = abs(refuted.told.macs - refuted.built.macs)
        residuals = {name: max(1, by, self.residuals[name]) for name, by in off.items()}
        return replace(self, polynomials=dict.fromkeys(self.polynomials), residuals=residuals)

    def require_countable(self) -> None:
        """Refuse a space without polynomials in which there are too many architectures to build each.

        Raises:
            ValueError: as said.
        """
        if (self.parameters is None or self.macs is None) and self.space.listing(_BUILDABLE) is None:
            missing = [name for name in ("parameters", "macs") if self.polynomials[name] is None]
            name = "" if self.family is None else self.family.name
            raise InputError(
                f"the {' and '.join(missing)} of family {name!r} are no polynomials of its parameters (off by up to "
                f"{max(self.residuals[one] for one in missing)}), so each of its networks must be built, and a grid of "
                f"{self.space.num_points} points is too many (limit {_BUILDABLE}): give a --space with fewer choices"
            )

    def table(self, indices: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Parameters and operations, ``(architectures,)`` each, at positions ``(architectures, parameters)``."""
        if self.parameters and self.macs:
            columns = self.space.columns(indices)
            return self.parameters.evaluate(columns), self.macs.evaluate(columns)
        rows = [self.counts(self.space.architecture(index)) for index in indices]
        return (
            np.array([row.parameters for row in rows], dtype=np.float64),
            np.array([row.macs for row in rows], dtype=np.float64),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "sequence_length": self.sequence_length,
            "space_hash": self.space.hash,
            "polynomials": {name: p and p.to_json() for name, p in self.polynomials.items()},
            "residuals": self.residuals,
            "builds": self.builds,
            "held_out": self.held_out,
            "limited": list(self.limited),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], space: Space, family: Family | None = None) -> Self:
        """The inverse of :meth:`to_json`, for the same space.

        Raises:
            ValueError: for another space, or data that describe no counts.
        """
        if data.get("space_hash") != space.hash:
            raise InputError("these counts belong to another search space: count again")
        try:
            polynomials = {name: p and Polynomial.from_json(p) for name, p in data["polynomials"].items()}
            return cls(
                space,
                int(data["sequence_length"]),
                polynomials,
                dict(data["residuals"]),
                int(data["builds"]),
                int(data["held_out"]),
                tuple(data["limited"]),
                family,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"expected counts written by this package, got something else: {error}") from error


# ---------------------------------------------------------------------- finding the polynomials


def fit_counts(family: Family, sequence_length: int = 128, seed: int = 0) -> CountModel:
    """Find the polynomials of a family's counts, of the network and of its parts.

    Degrees are read off lines through the space, the coefficients solved exactly, and the result confirmed with zero
    residual on architectures that the fit did not use: the largest, the ends of every axis, and some drawn with
    ``seed``; in small spaces on all. First one polynomial is tried for all unordered values, then one for each of their
    combinations (64 at most).

    Raises:
        ValueError: for a space in which no architecture meets the constraints, or a network that cannot be counted.
    """
    space, rng = family.space, np.random.default_rng(seed)
    roots = list(itertools.islice(space.roots(), _MAX_COMBINATIONS + 1))
    members = {root: feasible_points(space, root, 4 * _HELD_OUT, rng) for root in roots}
    roots = [root for root in roots if members[root]]
    if not roots:
        raise InputError("no architecture was found that meets the constraints of the space: relax them")
    oracle = _Oracle(family, sequence_length)
    main = max(roots, key=lambda root: len(members[root]))
    fit = _Fit(family, main, oracle, members[main], rng)
    others = [space.architecture(index) for root in roots if root is not main for index in members[root][:1]]
    pieces: dict[str, list[Piece] | None] = {}
    for quantity, terms in fit.terms.items():
        shared = terms is not None and _residual(terms, quantity, others, oracle, fit.names) == 0
        pieces[quantity] = [Piece(None, tuple(terms.items()))] if terms is not None and shared else None
    fits = {main: fit}
    if any(found is None for found in pieces.values()) and 1 < len(roots) <= _MAX_COMBINATIONS:
        fits |= {r: _Fit(family, r, oracle, members[r], rng) for r in roots if r is not main}
        for quantity in [q for q, found in pieces.items() if found is None]:
            pieces[quantity] = _piecewise(space, quantity, fits)
    model = _model(family, sequence_length, oracle, pieces, fits, len(others))
    try:
        for architecture in _to_confirm(model, family, [main, *(root for root in roots if root is not main)]):
            model.confirm(architecture)
    except CountsDisagreeError as refuted:
        return model.by_building(refuted)
    return model.fitted()


def _to_confirm(model: CountModel, family: Family, roots: Sequence[Box]) -> Iterator[Architecture]:
    """The ends of the first box, the largest of every other, and the whole space where that is little work."""
    if not model.parameters or not model.macs:
        return
    space = model.space
    yield from (space.architecture(index) for index in ends(space, roots[0]))
    for root in roots[1:]:
        if (largest := space.architecture(root.hi)) and space.contains(largest):
            yield largest
    with torch.device("meta"):
        modules = sum(1 for _ in family.network(family.reference).modules())
    if (rows := space.listing(_FEW_MODULES)) is not None and len(rows) * modules <= _FEW_MODULES:
        yield from (space.architecture(row) for row in rows)


def _piecewise(space: Space, quantity: str, fits: Mapping[Box, _Fit]) -> list[Piece] | None:
    pieces: list[Piece] = []
    for root, fit in fits.items():
        terms, corner = fit.terms[quantity], space.architecture(root.lo)
        if terms is None:
            return None
        pieces.append(Piece(tuple(corner[p.name] for p in space.parameters if not p.ordered), tuple(terms.items())))
    return pieces


def _model(
    family: Family,
    sequence_length: int,
    oracle: _Oracle,
    pieces: Mapping[str, list[Piece] | None],
    fits: Mapping[Box, _Fit],
    others: int,
) -> CountModel:
    space = family.space
    ordered = tuple(p.name for p in space.parameters if p.ordered)
    unordered = tuple(p.name for p in space.parameters if not p.ordered)
    residuals = {
        quantity: 0 if found is not None else max(1, *(fit.residuals[quantity] for fit in fits.values()))
        for quantity, found in pieces.items()
    }
    return CountModel(
        space=space,
        sequence_length=sequence_length,
        polynomials={
            q: None if found is None else Polynomial(ordered, unordered, tuple(found)) for q, found in pieces.items()
        },
        residuals=residuals,
        builds=oracle.builds,
        held_out=others + sum(len(fit.confirmed) for fit in fits.values()),
        limited=tuple(sorted({name for fit in fits.values() for name in fit.limited})),
        family=family,
        _built=oracle.counts(),
    )


_Terms = dict[Exponents, Fraction]


class _Oracle:
    """All counts of an architecture as one row of integers, each architecture built once."""

    def __init__(self, family: Family, sequence_length: int) -> None:
        self._family = family
        self._sequence_length = sequence_length
        self._rows: dict[tuple[Value, ...], dict[str, int]] = {}

    def counts(self) -> dict[tuple[Value, ...], Counts]:
        """Those of the whole networks."""
        return {key: Counts(row["parameters"], row["macs"]) for key, row in self._rows.items()}

    @property
    def builds(self) -> int:
        return len(self._rows)

    def __call__(self, architecture: Architecture) -> dict[str, int]:
        key = tuple(architecture[name] for name in self._family.space.names)
        if key not in self._rows:
            parts = count_parts(self._family, architecture, self._sequence_length)
            row = {"parameters": parts["network"].parameters, "macs": parts["network"].macs}
            for part in PARTS:
                if part in parts:
                    row[f"{part}.parameters"], row[f"{part}.macs"] = parts[part].parameters, parts[part].macs
            self._rows[key] = row
        return self._rows[key]


class _Fit:
    """The polynomials for one combination of unordered values.

    Attributes:
        terms: for each quantity, exponents to coefficients; None where no polynomial was found.
        residuals: for each quantity, the largest absolute difference on the held-out architectures at the end.
        confirmed: architectures that the last system left out and that confirmed its solution.
        limited: parameters whose values ran out before their degree was sure.
    """

    def __init__(
        self,
        family: Family,
        root: Box,
        oracle: _Oracle,
        members: Sequence[Sequence[int]],
        rng: np.random.Generator,
    ) -> None:
        space = family.space
        self.names = tuple(p.name for p in space.parameters if p.ordered)
        # A quarter of a small space, so that enough is left to fit; what the fit leaves over confirms it too.
        self._held_out = [space.architecture(index) for index in members[: len(members) // 4]]
        self.confirmed: list[Architecture] = []
        self.limited: set[str] = set()
        self._space, self._oracle = space, oracle
        self._corner = space.architecture(root.lo)
        self._values = {
            p.name: sorted({*cast("tuple[float, ...]", p.choices), *_probes(family, p.name)})
            for p in space.parameters
            if p.ordered
        }
        pool = self._draw_pool(rng) or [space.architecture(index) for index in members[len(members) // 4 :]]
        # Only the last resort of the fit, so that they confirm it wherever there is enough else.
        last = [space.architecture(index) for index in ends(space, root)]
        self._pool = [one for one in pool if one not in last] + [one for one in pool if one in last]
        quantities = list(oracle(self._pool[0]))
        self.terms: dict[str, _Terms | None] = dict.fromkeys(quantities)
        self.residuals: dict[str, int] = dict.fromkeys(quantities, 0)
        self._search(rng)

    # ------------------------------------------------------------------ where to build

    def _feasible(self, architecture: Architecture) -> bool:
        return all(bool(constraint.holds(architecture)) for constraint in self._space.constraints)

    def _draw_pool(self, rng: np.random.Generator) -> list[Architecture]:
        """Buildable architectures, small ones first (they are cheap), some with values beyond the choices."""
        axes = [self._values[name] for name in self.names]
        if math.prod(len(axis) for axis in axes) <= 4096:
            positions: Iterable[tuple[int, ...]] = itertools.product(*(range(len(axis)) for axis in axes))
        else:
            # Half of the draws near the small corner, where few parameters differ; half anywhere.
            near = rng.geometric(0.6, size=(2048, len(axes))) - 1
            far = (rng.random((2048, len(axes))) * [len(axis) for axis in axes]).astype(int)
            drawn = np.minimum(np.concatenate([near, far]), [len(axis) - 1 for axis in axes])
            positions = dict.fromkeys(tuple(int(v) for v in row) for row in drawn)
        taken = [tuple(held.values()) for held in self._held_out]
        pool: list[Architecture] = []
        for row in sorted(positions, key=lambda row: (sum(row), row)):
            point = {**self._corner, **{n: axis[i] for n, axis, i in zip(self.names, axes, row, strict=True)}}
            if self._feasible(point) and tuple(point.values()) not in taken:
                pool.append(point)
        return pool

    # ------------------------------------------------------------------ what to solve for

    def _search(self, rng: np.random.Generator) -> None:
        bases = [self._pool[0], self._pool[int(rng.integers(max(1, len(self._pool) // 4)))]]
        degrees = [max(self._degree(name, base) for base in bases) for name in self.names]
        meet = [[i == j or self._meet(i, j, bases) for j in range(len(degrees))] for i in range(len(degrees))]
        if self._try(degrees, sum(degrees), meet, _ENOUGH):
            return
        for total in range(2, 6):
            if self._try(degrees, total, meet, _MOST):
                return
        # The lines may have been unlucky or cut short by constraints: take every interaction for possible.
        everything = [[True] * len(degrees)] * len(degrees)
        degrees = [min(3, len(self._values[name]) - 1) for name in self.names]
        for total in range(1, 5):
            if self._try(degrees, total, everything, _ENOUGH):
                return

    def _degree(self, name: str, base: Architecture) -> int:
        """Largest order of divided differences that does not vanish on a line through ``base``."""
        line = [v for v in self._values[name] if self._feasible({**base, name: v})]
        xs: list[Fraction] = []
        last: dict[str, list[Fraction]] = {}  # newest diagonal of each quantity's difference table
        degree = 0
        for value in line[: _MAX_AXIS_DEGREE + 2]:
            xs.append(fraction(value))
            for quantity, y in self._oracle({**base, name: value}).items():
                diagonal = [Fraction(y)]
                for k, old in enumerate(last.get(quantity, ())):
                    diagonal.append((diagonal[k] - old) / (xs[-1] - xs[-2 - k]))
                last[quantity] = diagonal
                degree = max([degree, *(k for k, d in enumerate(diagonal) if d)])
            if len(xs) >= degree + 2 and len(xs) > 2:
                return min(degree, _MAX_AXIS_DEGREE)
        if len(self._values[name]) > 1:
            self.limited.add(name)
        return min(degree, _MAX_AXIS_DEGREE)

    def _meet(self, i: int, j: int, bases: Sequence[Architecture]) -> bool:
        """Whether the mixed difference in two parameters differs from zero; they may then share a monomial."""
        if len(self.names) <= 3:
            return True
        for base in bases:
            a, b = ({name: self._other(name, base)} for name in (self.names[i], self.names[j]))
            corners = [base, {**base, **a}, {**base, **b}, {**base, **a, **b}]
            if not all(self._feasible(corner) for corner in corners):
                return True
            rows = [self._oracle(corner) for corner in corners]
            if any(rows[0][q] - rows[1][q] - rows[2][q] + rows[3][q] for q in rows[0]):
                return True
        return False

    def _other(self, name: str, base: Architecture) -> Value:
        values = self._values[name]
        return values[1] if base[name] == values[0] and len(values) > 1 else values[0]

    def _try(self, degrees: Sequence[int], total: int, meet: Sequence[Sequence[bool]], limit: int) -> bool:
        """Solve for all monomials allowed; True when every quantity has its polynomial."""
        monomials = monomials_within(degrees, total, meet, limit)
        if monomials is None:
            return False
        open_quantities = [q for q, terms in self.terms.items() if terms is None]
        points = [[fraction(a[name]) for name in self.names] for a in self._pool]
        rows, columns = independent(points, monomials)
        kept = [monomials[c] for c in columns]
        matrix = [[math.prod(x**e for x, e in zip(points[r], m, strict=True)) for m in kept] for r in rows]
        values = [self._oracle(self._pool[r]) for r in rows]
        solution = solve_exact(cast("list[list[Fraction]]", matrix), [[v[q] for q in open_quantities] for v in values])
        unused = [a for i, a in enumerate(self._pool) if i not in set(rows)]
        self.confirmed = [*self._held_out, *unused[len(unused) - max(0, _HELD_OUT - len(self._held_out)) :]]
        for k, quantity in enumerate(open_quantities):
            terms = {m: row[k] for m, row in zip(kept, solution, strict=True) if row[k]}
            self.residuals[quantity] = _residual(terms, quantity, self.confirmed, self._oracle, self.names)
            if self.residuals[quantity] == 0:
                self.terms[quantity] = terms
        return all(terms is not None for terms in self.terms.values())


def _residual(
    terms: _Terms, quantity: str, architectures: Sequence[Architecture], oracle: _Oracle, names: Sequence[str]
) -> int:
    """Largest absolute difference between the polynomial and the counts, rounded up."""
    items = tuple(terms.items())
    differences = (
        abs(value_at(items, [fraction(a[name]) for name in names]) - oracle(a)[quantity]) for a in architectures
    )
    return math.ceil(max(differences, default=Fraction(0)))
