"""The polynomials of a family's counts, found exactly from a few builds: for millions of architectures at once.

Parameters and operations are, for the usual families, polynomials in the architectural parameters. :func:`fit_counts`
finds these exactly, confirms them on architectures that it did not use, the largest and the ends of every axis among
them, and says so where there are none; then every architecture is built, once, when it is asked for.

A family need not be as regular as it looks there. So whatever is trained, or named in a certificate, is built and
counted as well (:meth:`CountModel.confirm`), and a polynomial that one network refutes is dropped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import cast

import numpy as np
import torch

from subarch.errors import InputError
from subarch.networks.counting import PARTS, Counts, count_parts
from subarch.networks.countmodels import CountModel, CountsDisagreeError
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

_MAX_AXIS_DEGREE = 5
_MAX_COMBINATIONS = 64  # of unordered values, each with a polynomial of its own
_ENOUGH = 64  # monomials that are solved for at once, without raising the total degree step by step
_MOST = 160
_HELD_OUT = 6
_FEW_MODULES = 1_000  # of all networks of a space together; so small a space is counted whole


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


def _probes(family: Family, name: str) -> tuple[int, ...]:
    try:
        return tuple(family.probes(name))
    except Exception as error:
        raise InputError(
            f"family {family.name!r}: probes({name!r}) failed, {type(error).__name__}: {error}. It must return further "
            "values of that parameter, or ()"
        ) from error
