"""Constraints against Python itself, which evaluates the same expressions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.networks.space import Constraint, Parameter, Space

TERMS = st.recursive(
    st.sampled_from(["a", "b", "c", "0", "1", "2", "3"]),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%", "/"]), inner).map(
        lambda t: f"({' '.join(t)})"
    ),
    max_leaves=4,
)


CONDITIONS = st.recursive(
    st.tuples(TERMS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), TERMS).map(" ".join),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=4,
)


@given(CONDITIONS)
def test_constraints_mean_what_they_mean_in_python(text: str) -> None:
    """Wherever Python gives an answer it is this one, for scalars and columns; undefined only where it fails."""
    constraint = Constraint(text)
    grid = list(itertools.product((0, 1, 2, 4), (0, 1, 3), (0, 2)))
    columns = {name: np.array(values) for name, values in zip("abc", zip(*grid, strict=True), strict=True)}
    truth, undefined = (np.broadcast_to(one, len(grid)) for one in constraint.decided(columns))
    for n, point in enumerate(grid):
        try:
            expected: bool | None = bool(eval(text, {}, dict(zip("abc", point, strict=True))))
        except ZeroDivisionError:
            expected = None
        if expected is not None:
            assert (bool(truth[n]), bool(undefined[n])) == (expected, False), (text, point)
            assert bool(constraint.holds(dict(zip("abc", point, strict=True)))) == expected
        elif undefined[n]:
            with pytest.raises(ValueError, match="divides by zero"):
                constraint.holds(dict(zip("abc", point, strict=True)))


@pytest.mark.parametrize("text", ["b == 0 or a % b == 0", "not (b != 0 and a % b != 0)", "a % b == 0 or b == 0"])
def test_a_guard_is_a_guard_wherever_it_stands(text: str) -> None:
    space = Space((Parameter(name="a", choices=(3, 4)), Parameter(name="b", choices=(0, 2, 3))), (Constraint(text),))
    found = [tuple(space.architecture(row).values()) for row in space.listed()]
    assert found == [(3, 0), (3, 3), (4, 0), (4, 2)]


def test_one_constraint_may_guard_another_and_what_nothing_guards_is_refused() -> None:
    parameters = (Parameter(name="a", choices=(3, 4)), Parameter(name="b", choices=(0, 2, 3)))
    for texts in (("a % b == 0", "b > 0"), ("b > 0", "a % b == 0")):
        space = Space(parameters, tuple(map(Constraint, texts)))
        assert [tuple(space.architecture(row).values()) for row in space.listed()] == [(3, 3), (4, 2)]
    with pytest.raises(ValueError, match="divides by zero"):
        Space(parameters, (Constraint("a % b == 0"),)).listed()


@pytest.mark.parametrize(
    "text", ["a ** 2 > 3", "f(a)", "a.b", "[a]", "a if b else c", "a << 2", "a in (1, 2)", "lambda: 1"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="uses"):
        Constraint(text)


def test_an_expression_too_deep_for_python_is_refused() -> None:
    with pytest.raises(ValueError, match="constraint"):
        Constraint("(" * 5000 + "a" + ")" * 5000)


def test_names_are_those_that_are_mentioned() -> None:
    assert Constraint("hidden % heads == 0 and kind != 'a' or hidden > 2").names == ("heads", "hidden", "kind")
    assert Constraint("1 < 2").names == ()


def test_words_and_numbers_do_not_mix() -> None:
    assert Constraint("kind == 'a'").holds({"kind": "a"})
    with pytest.raises(ValueError, match=r"'kind < 3' mixes numbers and strings"):
        Constraint("kind < 3").holds({"kind": "a"})
