"""Spaces against Python itself: constraints as Python evaluates them, listings by brute force."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.networks.space import Constraint, Parameter, Space

# ---------------------------------------------------------------------------------------------------- constraints

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


# ------------------------------------------------------------------------------------------------------- listing


@given(st.data())
def test_what_is_listed_is_what_brute_force_finds(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    names = "abcd"[:count]
    parameters = tuple(
        Parameter(
            name=name, choices=tuple(range(1, 1 + data.draw(st.integers(1, 5)))), ordered=data.draw(st.booleans())
        )
        for name in names
    )
    sums = [
        f"{data.draw(st.sampled_from(names))} + {data.draw(st.sampled_from(names))} <= {data.draw(st.integers(2, 9))}"
    ]
    equal = [f"{data.draw(st.sampled_from(names))} == {data.draw(st.sampled_from(names))}"]
    texts = data.draw(st.lists(st.sampled_from([*sums, *equal, " + ".join(names) + " >= 4"]), max_size=3))
    space = Space(parameters, tuple(map(Constraint, texts)))
    every = [
        point
        for point in itertools.product(*(range(len(p.choices)) for p in parameters))
        if all(eval(text, {}, {p.name: p.choices[k] for p, k in zip(parameters, point, strict=True)}) for text in texts)
    ]
    assert [tuple(row) for row in space.listed().tolist()] == every
    joined = [tuple(row) for part in space.members(space.whole) for row in part.tolist()]
    assert sorted(joined) == every and len(set(joined)) == len(joined)
    sampled = {tuple(row) for row in space.sample(3, 0).tolist()}
    assert sampled <= set(every) and len(sampled) == min(3, len(every))


def few_of_many(exponent: int = 5) -> Space:
    names = [f"width_{n}" for n in range(1, exponent + 1)]
    return Space(
        tuple(Parameter(name=name, choices=tuple(range(1, 33))) for name in names),
        tuple(Constraint(f"{a} == {b}") for a, b in itertools.pairwise(names)),
    )


def test_a_handful_among_millions_is_found_at_once() -> None:
    space = few_of_many()
    began = time.process_time()
    assert [len(set(row)) for row in space.listed().tolist()] == [1] * 32
    assert len(space.sample(100, 0)) == 32 and len(space.sample(5, 0)) == 5
    assert few_of_many(40).listing(10) is None
    assert len(few_of_many(40).listed()) == 32  # of 1e60
    assert time.process_time() - began < 5


def test_a_space_that_cannot_be_looked_through_is_not_called_empty() -> None:
    names = [f"x{n}" for n in range(9)]
    one_for_all = Constraint(" + ".join(names) + " == 0")
    space = Space(tuple(Parameter(name=name, choices=tuple(range(1, 33))) for name in names), (one_for_all,))
    assert space.listing(1) is None and not len(space.sample(1, 0, attempts=2))


# -------------------------------------------------------------------------------------------------------- values


def test_values_of_mixed_kinds_stay_what_they_are() -> None:
    space = Space(
        (Parameter(name="kind", choices=("four", "three", 1), ordered=False), Parameter(name="w", choices=(1, 2)))
    )
    columns = space.columns(space.listed())
    assert columns["kind"].tolist() == ["four", "four", "three", "three", 1, 1]
    kept = Space(space.parameters, (Constraint("kind == 1 or kind == 'four'"),))
    assert [row["kind"] for row in map(kept.architecture, kept.listed())] == ["four", "four", 1, 1]
    assert math.isclose(float(Space((Parameter(name="s", choices=(1, 2.5)),)).columns(np.array([[1]]))["s"][0]), 2.5)
