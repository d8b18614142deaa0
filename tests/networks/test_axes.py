"""Laws of axes: joining, dividing and regrouping never change how many units there are, nor which stand where."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from subarch.networks.axes import (
    Atom,
    Axis,
    average,
    cut,
    extent,
    fix,
    form,
    fresh,
    joined,
    leaves,
    number,
    owners,
    positions,
    regrouped,
    resolved,
    same,
    strided,
)

SIZES = st.lists(st.integers(2, 5), min_size=1, max_size=4)


def axis_of(*sizes: int) -> Axis:
    return tuple(Atom(size) for size in sizes)


@given(SIZES, st.data())
def test_regrouping_keeps_every_unit_in_its_place(sizes: list[int], data: st.DataObject) -> None:
    """As torch's view does: the kept places of both groupings are the same places of the flattened whole."""
    whole = Atom(math.prod(sizes))
    found = regrouped([(whole,)], sizes)
    assert [extent(axis) for axis in found] == sizes
    kept = {
        leaf: torch.tensor(data.draw(st.sets(st.integers(0, leaf.size - 1), min_size=1).map(sorted)))
        for leaf in leaves((whole,))
    }
    marked = torch.zeros(sizes)
    marked[torch.meshgrid(*(positions(axis, kept) for axis in found), indexing="ij")] = 1
    assert torch.equal(marked.flatten().nonzero()[:, 0], positions((whole,), kept))


@given(SIZES)
def test_two_groupings_of_one_whole_become_the_same_atoms(sizes: list[int]) -> None:
    one, other = axis_of(*sizes), (Atom(math.prod(sizes)),)
    same(other, one)
    assert resolved(other) == list(one)
    same(one, other)  # again changes nothing
    assert resolved(one) == list(one)


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_cut_axis_is_the_sum_of_its_parts(first: int, second: int) -> None:
    whole = (Atom(first + second),)
    parts = cut(whole, first)
    assert parts is not None
    assert [extent(part) for part in parts] == [first, second]
    kept = {leaves(parts[1])[0]: torch.tensor([second - 1])}
    assert positions(whole, kept).tolist() == [*range(first), first + second - 1]


def test_cuts_at_other_places_of_joined_axes_make_three_segments() -> None:
    one, other = (Atom(12),), (Atom(12),)
    cut(one, 4)
    cut(other, 6)
    same(one, other)
    assert [leaf.size for leaf in leaves(one)] == [4, 2, 6]
    assert leaves(one) == leaves(other)


def test_a_cut_through_a_unit_of_an_outer_atom_is_none() -> None:
    assert cut(axis_of(3, 4), 6) is None
    whole = cut(axis_of(3, 4), 8)
    assert whole is not None
    assert [[atom.size for atom in part] for part in whole] == [[2, 4], [1, 4]]


def test_groupings_that_do_not_fit_each_other_are_fixed() -> None:
    one, other = axis_of(6, 2), axis_of(4, 3)
    same(one, other)
    assert {leaf.fixed for leaf in (*leaves(one), *leaves(other))} == {"grouped in two ways"}
    torn = (Atom(12),)
    cut(torn, 5)
    regrouped([torn], [3, 4])
    assert {leaf.fixed for leaf in leaves(torn)} == {"regrouped across units"}


def test_marks_stay_when_an_atom_turns_out_to_be_a_product_or_a_sum() -> None:
    whole = (Atom(12),)
    number(whole)
    average(whole)
    fix(whole, "of the input")
    fix(whole, "another reason")
    same(whole, axis_of(3, 4))
    assert [(leaf.fixed, leaf.numbered, leaf.averaged) for leaf in leaves(whole)] == [("of the input", True, True)] * 2
    halves = (Atom(4),)
    number(halves)
    cut(halves, 2)
    assert all(leaf.numbered for leaf in leaves(halves))


def test_fused_rows_are_segments_that_are_cut_alike() -> None:
    """Rows of (gate | up), both of the same units: what goes, goes from both."""
    units = Atom(5)
    rows = joined([(units,), (units,)])
    assert extent(rows) == 10
    assert positions(rows, {units: torch.tensor([0, 3])}).tolist() == [0, 3, 5, 8]
    assert owners(rows, units).tolist() == [0, 1, 2, 3, 4] * 2
    assert form(rows, lambda atom: atom.size) == (((5,), (5,)),)


def test_owners_tell_the_unit_of_each_place() -> None:
    heads, size = Atom(2), Atom(3)
    assert owners((heads, size), heads).tolist() == [0, 0, 0, 1, 1, 1]
    assert owners((heads, size), size).tolist() == [0, 1, 2, 0, 1, 2]
    assert owners((heads, size), Atom(2)).tolist() == [-1] * 6


def test_one_unit_is_the_empty_product_and_steps_make_groups() -> None:
    assert fresh(1) == ()
    assert extent(()) == 1
    groups = strided((Atom(12),), 3)
    assert groups is not None
    assert [extent(part) for part in groups] == [4, 3]
    assert strided(axis_of(2, 5), 3) is None
