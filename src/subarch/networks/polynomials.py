"""Exact polynomials over the ordered parameters of a space, and the exact linear algebra that finds them.

Everything is integers and fractions: a coefficient is right or wrong, never nearly right. Only
:meth:`Polynomial.evaluate` uses floating point, for millions of architectures at once, and is exact there up to 2^53.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.networks.space import Architecture, Box, Index, IndexArray, Space, TooManyError, Value

Exponents = tuple[int, ...]
Terms = tuple[tuple[Exponents, Fraction], ...]
Floats = NDArray[np.float64]

_PRIME = 2**31 - 1  # products of two residues fit 64 bits
_LISTABLE = 2_000_000
_PAIRED = 2_048  # architectures, each compared with each
_LOOKED_AT = 20_000_000  # rows of a box, before nothing counts as found in it


@dataclass(frozen=True)
class Piece:
    """The polynomial for one combination of unordered values, or for all of them where ``when`` is None."""

    when: tuple[Value, ...] | None
    terms: Terms


@dataclass(frozen=True)
class Polynomial:
    """A polynomial with rational coefficients in the ordered parameters, one for each combination of the unordered.

    Args:
        ordered: names of the variables, in the order of the exponents.
        unordered: names of the parameters that select the piece.
        pieces: one piece with ``when`` None, or one for each combination.
    """

    ordered: tuple[str, ...]
    unordered: tuple[str, ...]
    pieces: tuple[Piece, ...]

    def __call__(self, architecture: Mapping[str, Value]) -> int:
        """The exact value.

        Raises:
            ValueError: for unordered values without a piece, or where the value is no integer (outside the space).
        """
        when = tuple(architecture[name] for name in self.unordered)
        piece = next((piece for piece in self.pieces if piece.when in (None, when)), None)
        if piece is None:
            raise InputError(f"no polynomial was found for {dict(zip(self.unordered, when, strict=True))}: build it")
        value = value_at(piece.terms, [fraction(architecture[name]) for name in self.ordered])
        if value.denominator != 1:
            raise InputError(f"the polynomial is {value} at {dict(architecture)}, no integer: build it and count")
        return int(value)

    def evaluate(self, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Values for whole columns, ``(architectures,)``; NaN for unordered values without a piece."""
        size = len(next(iter(columns.values())))
        values = [np.asarray(columns[name], dtype=np.float64) for name in self.ordered]
        result: Floats = np.full(size, np.nan)
        for piece in self.pieces:
            if piece.when is None:
                return _evaluate(piece.terms, values, size)
            mask = np.ones(size, dtype=np.bool_)
            for name, value in zip(self.unordered, piece.when, strict=True):
                mask &= np.asarray(columns[name]) == value
            if mask.any():
                result[mask] = _evaluate(piece.terms, [v[mask] for v in values], int(mask.sum()))
        return result

    def degree(self, name: str | None = None) -> int:
        """Degree in the ordered parameter ``name``; the total degree without one."""
        exponents = [e for piece in self.pieces for e, c in piece.terms if c]
        if name is None:
            return max((sum(e) for e in exponents), default=0)
        j = self.ordered.index(name)
        return max((e[j] for e in exponents), default=0)

    # ------------------------------------------------------------------ order

    def monotone(self, space: Space) -> bool | None:
        """Whether x <= y implies value(x) <= value(y).

        True is proved on the whole grid, points that constraints remove included; False comes with a counterexample
        (see :meth:`order`) among architectures of the space; None says that neither was found.
        """
        return self.order(space)[0]

    def order(self, space: Space) -> tuple[bool | None, str]:
        """:meth:`monotone` with its evidence in words."""
        lowest = [fraction(p.choices[0]) for p in space.parameters if p.ordered]
        if all(_rising(piece.terms, lowest) for piece in self.pieces):
            return True, "all coefficients of the expansion at the smallest choices are non-negative"
        if space.num_points <= _LISTABLE:
            if self._rises_on_grid(space):
                return True, f"no step of the grid of {space.num_points} points lowers the value"
            pair = self._falling_pair(space, space.listed(_LISTABLE)[:: max(1, space.num_points // 4096)])
        elif (rows := space.listing(_PAIRED)) is not None:  # few in a grid that is too large to look at
            values = self.evaluate(space.columns(rows))
            falls = space.leq(rows[:, None, :], rows[None, :, :]) & (values[:, None] > values[None, :])
            if not falls.any():
                return True, f"no pair of the {len(rows)} architectures falls along the order"
            smaller, larger = (space.architecture(rows[n]) for n in np.argwhere(falls)[0])
            return False, f"{self(smaller)} at {smaller} but only {self(larger)} at the larger {larger}"
        else:
            pair = self._falling_pair(space, space.sample(4096, seed=0))
        if pair is not None:
            smaller, larger = pair
            return False, f"{self(smaller)} at {smaller} but only {self(larger)} at the larger {larger}"
        return None, "neither proved from the coefficients nor refuted by search"

    def _rises_on_grid(self, space: Space) -> bool:
        shape = [len(p.choices) for p in space.parameters]
        grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, len(shape))
        values = self.evaluate(space.columns(grid)).reshape(shape)
        return all(
            bool(np.all(np.diff(values, axis=j) >= 0)) for j in range(len(shape)) if space.ordered[j] and shape[j] > 1
        )

    def _falling_pair(self, space: Space, indices: NDArray[Any]) -> tuple[Architecture, Architecture] | None:
        """A feasible x <= y with value(x) > value(y), one ordered parameter apart, from ``indices`` upwards."""
        values = self.evaluate(space.columns(indices))
        for j, parameter in enumerate(space.parameters):
            for step in range(1, len(parameter.choices) if parameter.ordered else 0):
                rows = np.flatnonzero(indices[:, j] + step < len(parameter.choices))
                above = indices[rows].copy()
                above[:, j] += step
                fell = self.evaluate(space.columns(above)) < values[rows] if len(rows) else np.zeros(0, np.bool_)
                for k in np.flatnonzero(fell & space.feasible(above)):
                    x, y = (space.architecture(row.tolist()) for row in (indices[rows[k]], above[k]))
                    if self(x) > self(y):
                        return x, y
        return None

    # ------------------------------------------------------------------ text and files

    def __str__(self) -> str:
        def term(exponents: Exponents, coefficient: Fraction) -> str:
            powers = [n if e == 1 else f"{n}^{e}" for n, e in zip(self.ordered, exponents, strict=True) if e]
            return "*".join([str(coefficient), *powers] if coefficient != 1 or not powers else powers)

        texts = [" + ".join(term(e, c) for e, c in reversed(piece.terms) if c) or "0" for piece in self.pieces]
        return texts[0] if len(texts) == 1 else f"{len(texts)} polynomials, the first: {texts[0]}"

    def to_json(self) -> dict[str, Any]:
        return {
            "ordered": list(self.ordered),
            "unordered": list(self.unordered),
            "pieces": [
                {
                    "when": None if piece.when is None else list(piece.when),
                    "terms": [[list(e), str(c)] for e, c in piece.terms],
                }
                for piece in self.pieces
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: when the data describe no polynomial.
        """
        try:
            pieces = tuple(
                Piece(
                    None if piece["when"] is None else tuple(piece["when"]),
                    tuple((tuple(int(k) for k in e), Fraction(c)) for e, c in piece["terms"]),
                )
                for piece in data["pieces"]
            )
            return cls(tuple(data["ordered"]), tuple(data["unordered"]), pieces)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise InputError(f"expected a polynomial written by this package, got something else: {error}") from error


def fraction(value: Value) -> Fraction:
    """The exact value of a choice; floats as their decimal text, so that 0.1 is 1/10."""
    return Fraction(str(value)) if isinstance(value, float) else Fraction(cast("int", value))


def value_at(terms: Terms, point: Sequence[Fraction]) -> Fraction:
    """The exact value of a sum of terms at a point."""
    return sum((c * math.prod(x**k for x, k in zip(point, e, strict=True)) for e, c in terms), Fraction(0))


def _evaluate(terms: Terms, values: Sequence[Floats], size: int) -> Floats:
    total: Floats = np.zeros(size)
    for exponents, coefficient in terms:
        product: Floats = np.full(size, float(coefficient))
        for value, exponent in zip(values, exponents, strict=True):
            for _ in range(exponent):
                product *= value
        total += product
    return total


def _rising(terms: Terms, lowest: Sequence[Fraction]) -> bool:
    """Whether every non-constant coefficient of the expansion in t = x - lowest is non-negative."""
    shifted: dict[Exponents, Fraction] = {}
    for exponents, coefficient in terms:
        for lower in itertools.product(*(range(e + 1) for e in exponents)):
            factor = math.prod(math.comb(e, k) * x ** (e - k) for e, k, x in zip(exponents, lower, lowest, strict=True))
            shifted[lower] = shifted.get(lower, Fraction(0)) + coefficient * factor
    return all(c >= 0 for e, c in shifted.items() if any(e))


# ---------------------------------------------------------------------- interpolation


def solve_exact(matrix: Sequence[Sequence[Fraction]], right: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    """Solve a nonsingular system for several right-hand sides by Bareiss' fraction-free elimination.

    Args:
        matrix: ``(n, n)``.
        right: ``(n, quantities)`` integers.

    Returns:
        ``(n, quantities)`` exact solutions.
    """
    size = len(matrix)
    rows: list[list[int]] = []
    for left, values in zip(matrix, right, strict=True):
        scale = math.lcm(*(x.denominator for x in left))
        rows.append([int(x * scale) for x in left] + [value * scale for value in values])
    previous = 1
    for k in range(size):
        pivot = next(i for i in range(k, size) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        head = rows[k]
        for i in range(k + 1, size):
            row, factor = rows[i], rows[i][k]
            # the division is exact: every entry is a minor of the original matrix (Bareiss 1968)
            rows[i] = [0] * (k + 1) + [
                (head[k] * row[j] - factor * head[j]) // previous for j in range(k + 1, len(row))
            ]
        previous = head[k]
    return _substitute_back(rows, size)


def _substitute_back(rows: list[list[int]], size: int) -> list[list[Fraction]]:
    quantities = len(rows[0]) - size
    solution: list[list[Fraction]] = [[Fraction(0)] * quantities for _ in range(size)]
    for k in reversed(range(size)):
        known = [(rows[k][j], solution[j]) for j in range(k + 1, size) if rows[k][j]]
        for q in range(quantities):
            rest = sum((a * values[q] for a, values in known), Fraction(0))
            solution[k][q] = (rows[k][size + q] - rest) / rows[k][k]
    return solution


def independent(points: Sequence[Sequence[Fraction]], monomials: Sequence[Exponents]) -> tuple[list[int], list[int]]:
    """The first points, and the first monomials, that make a nonsingular system of the greatest size.

    Works modulo a prime, so independence found is independence over the rationals.

    Returns:
        positions of the points and of the monomials, equally many.
    """
    basis: dict[int, NDArray[np.int64]] = {}
    chosen: list[int] = []
    for i, point in enumerate(points):
        row = _residues(point, monomials)
        for pivot, other in basis.items():  # kept reduced in order of insertion
            if row[pivot]:
                row = (row - row[pivot] * other) % _PRIME
        nonzero = np.flatnonzero(row)
        if len(nonzero):
            pivot = int(nonzero[0])
            basis[pivot] = (row * pow(int(row[pivot]), -1, _PRIME)) % _PRIME
            chosen.append(i)
            if len(chosen) == len(monomials):
                break
    return chosen, sorted(basis)


def _residues(point: Sequence[Fraction], monomials: Sequence[Exponents]) -> NDArray[np.int64]:
    residues = [x.numerator * pow(x.denominator, -1, _PRIME) % _PRIME for x in point]
    return np.array(
        [math.prod(pow(x, e, _PRIME) for x, e in zip(residues, m, strict=True) if e) % _PRIME for m in monomials],
        dtype=np.int64,
    )


def monomials_within(
    degrees: Sequence[int], total: int, meet: Sequence[Sequence[bool]], limit: int
) -> list[Exponents] | None:
    """Exponents with ``e_j <= degrees[j]``, ``sum e <= total``, and only variables that ``meet`` pairwise.

    Returns:
        in order of total degree, or None when there are more than ``limit``.
    """
    found: list[Exponents] = [()]
    for j, degree in enumerate(degrees):
        found = [
            (*e, k)
            for e in found
            for k in range(degree + 1)
            if sum(e) + k <= total and (k == 0 or all(meet[i][j] for i, used in enumerate(e) if used))
        ]
        if len(found) > 4 * limit:
            return None
    return sorted(found, key=lambda e: (sum(e), e)) if len(found) <= limit else None


def feasible_points(space: Space, box: Box, count: int, rng: np.random.Generator) -> list[Index]:
    """Up to ``count`` distinct feasible positions of a box, drawn at random."""
    if box.volume <= 20_000:
        every = space.points(box)
        rows = every[rng.permutation(len(every))[:count]]
    else:
        low, high = np.array(box.lo), np.array(box.hi)
        draws = rng.integers(low, high + 1, size=(max(2000, 20 * count), len(low)))
        rows = draws[space.feasible(draws)][:count]
        if len(rows) < count:  # constraints leave so few that they are hardly met by chance
            rows = _first_of(space, box, count, int(rng.integers(2**31)))
    return list(dict.fromkeys(tuple(int(v) for v in row) for row in rows))


def ends(space: Space, box: Box) -> list[Index]:
    """The feasible ends of a box: its corners [lo, hi], and both ends of every axis with all others small, or large."""
    found: dict[Index, None] = {}
    for corner in (box.hi, box.lo):
        other = box.lo if corner is box.hi else box.hi
        found[corner] = None
        for axis in range(len(corner)):
            found[(*corner[:axis], other[axis], *corner[axis + 1 :])] = None
    feasible = space.feasible(np.array(list(found), dtype=np.int16))
    return [index for index, is_feasible in zip(found, feasible, strict=True) if is_feasible]


def _first_of(space: Space, box: Box, count: int, seed: int) -> IndexArray:
    """The first feasible positions of a box that are come upon, in an order drawn with ``seed``."""
    parts: list[IndexArray] = []
    try:
        for part in space.members(box, seed=seed, visits=_LOOKED_AT):
            parts.append(part)
            if sum(map(len, parts)) >= count:
                break
    except TooManyError:
        pass
    return np.concatenate(parts)[:count] if parts else np.zeros((0, len(space.parameters)), dtype=np.int16)
