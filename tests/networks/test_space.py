"""Spaces: listings by brute force."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subarch.networks.space import Constraint, Parameter, Space

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
