"""Exact linear algebra against hand-made systems."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subarch.networks.polynomials import Piece, Polynomial, independent, monomials_within, solve_exact


@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_solutions_are_exact(size: int, random: object) -> None:
    """Rows with fractions, zero pivots included; the solution is put back in."""
    draw = random.randint  # type: ignore[attr-defined]
    lower = [
        [Fraction(draw(-9, 9), draw(1, 5)) if j < i else Fraction(i == j) for j in range(size)] for i in range(size)
    ]
    upper = [[Fraction(draw(-9, 9)) if j > i else Fraction(i == j) for j in range(size)] for i in range(size)]
    matrix = [
        [sum((lower[i][k] * upper[k][j] for k in range(size)), Fraction(0)) for j in range(size)] for i in range(size)
    ]
    matrix.reverse()  # pivots may vanish on the way
    right = [[draw(-99, 99), draw(-99, 99)] for _ in range(size)]
    solution = solve_exact(matrix, right)
    for row, expected in zip(matrix, right, strict=True):
        for q in range(2):
            assert sum(a * solution[j][q] for j, a in enumerate(row)) == expected[q]


def test_independent_rows_and_columns() -> None:
    points = [[Fraction(x), Fraction(y)] for x, y in ((1, 1), (1, 1), (2, 2), (3, 3), (1, 2))]
    # on the first four points 1, x, y span two dimensions; the fifth adds the third
    assert independent(points, [(0, 0), (1, 0), (0, 1)]) == ([0, 2, 4], [0, 1, 2])
    assert independent(points[:4], [(0, 0), (1, 0), (0, 1)]) == ([0, 2], [0, 1])


def test_monomials() -> None:
    every = [[True] * 2] * 2
    assert monomials_within((1, 2), 3, every, 99) == [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (1, 2)]
    apart = [[True, False], [False, True]]
    assert monomials_within((1, 2), 3, apart, 99) == [(0, 0), (0, 1), (1, 0), (0, 2)]
    assert monomials_within((1, 2), 1, every, 99) == [(0, 0), (0, 1), (1, 0)]
    assert monomials_within((9, 9), 18, every, 50) is None


def test_pieces_select_by_unordered_values() -> None:
    polynomial = Polynomial(
        ("x",),
        ("kind",),
        (Piece(("a",), (((2,), Fraction(1, 2)), ((1,), Fraction(1, 2)))), Piece(("b",), (((0,), Fraction(7)),))),
    )
    assert polynomial({"x": 4, "kind": "a"}) == 10
    assert polynomial({"x": 4, "kind": "b"}) == 7
    columns = {"x": np.array([1, 2, 3]), "kind": np.array(["a", "b", "c"])}
    assert polynomial.evaluate(columns)[:2].tolist() == [1.0, 7.0]
    assert np.isnan(polynomial.evaluate(columns)[2])
    assert polynomial.degree("x") == 2
    assert Polynomial.from_json(polynomial.to_json()) == polynomial
