"""What an axis of a tensor counts: a product of atoms, outermost first, an atom maybe a sum of segments.

The rows of a query map are (heads, size of a head); the columns behind a flattened picture are (channels, height,
width); the rows of a fused map are one atom with the segments (queries | keys | values). Which atoms are the same is
found step by step (:mod:`subarch.networks.tracing`): :func:`same` joins two axes, and what was one atom may turn out to
be a product. Axes that share an atom are cut together, at the same units.

>>> heads, rows = Atom(4), Atom(12)
>>> same((rows,), (heads, Atom(3)))
>>> [atom.size for atom in resolved((rows,))]
[4, 3]
>>> positions((rows,), {heads: torch.tensor([0, 2])}).tolist()
[0, 1, 2, 6, 7, 8]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class Atom:
    """So many units that live and die one by one; or what it was found to be: a product, or a sum of products.

    Attributes:
        size: how many.
        segments: what it is the sum of, in order; empty for a leaf.
        became: the product that it turned out to be; None while it stands for itself.
        fixed: why its size cannot change; empty where it can.
        numbered: a unit's number decides what it meets, such as a frequency: a smaller network has every n-th.
        averaged: something takes a mean over it, so that units of nothing but zeros count as well.
    """

    __slots__ = ("averaged", "became", "fixed", "numbered", "segments", "size")

    def __init__(self, size: int, segments: tuple[Axis, ...] = ()) -> None:
        self.size, self.segments = size, segments
        self.became: Axis | None = None
        self.fixed = ""
        self.numbered = self.averaged = False


Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]
"""Of one tensor, an axis each."""


def fresh(size: int) -> Axis:
    """An axis of which nothing is known; one unit is the empty product."""
    return () if size == 1 else (Atom(size),)


def fixed(size: int, why: str) -> Axis:
    """A new axis that cannot be cut."""
    axis = fresh(size)
    fix(axis, why)
    return axis


def extent(axis: Iterable[Atom]) -> int:
    """Units along an axis."""
    return math.prod(atom.size for atom in axis)


def resolved(axis: Iterable[Atom]) -> list[Atom]:
    """The atoms of an axis, each as what it was found to be."""
    found: list[Atom] = []
    for atom in axis:
        found += [atom] if atom.became is None else resolved(atom.became)
    return found


def leaves(axis: Iterable[Atom]) -> list[Atom]:
    """What an axis is made of in the end, sums opened; one that occurs twice is there twice."""
    found: list[Atom] = []
    for atom in resolved(axis):
        found += [atom] if not atom.segments else [one for part in atom.segments for one in leaves(part)]
    return found


# ---------------------------------------------------------------------- marks


def fix(axis: Iterable[Atom], why: str) -> None:
    """Nothing of this axis can be cut; the first reason stays."""
    for leaf in leaves(axis):
        leaf.fixed = leaf.fixed or why


def average(axis: Iterable[Atom]) -> None:
    """A mean is taken over this axis."""
    for leaf in leaves(axis):
        leaf.averaged = True


def number(axis: Iterable[Atom]) -> None:
    """What a unit of this axis meets depends on its number."""
    for leaf in leaves(axis):
        leaf.numbered = True


def _turn(old: Atom, new: Axis) -> None:
    """Let an atom be ``new`` from now on, with its marks."""
    old.became = new
    for leaf in leaves(new):
        leaf.fixed = leaf.fixed or old.fixed
        leaf.numbered |= old.numbered
        leaf.averaged |= old.averaged


# ---------------------------------------------------------------------- joining and dividing


def same(one: Iterable[Atom], other: Iterable[Atom]) -> None:
    """Let two axes of one extent count the same units, atom by atom from the outermost.

    Where both are grouped in ways that do not fit each other, both are fixed.
    """
    a, b = resolved(one), resolved(other)
    while a and b:
        x, y = a.pop(0), b.pop(0)
        if x is y:
            continue
        if x.size == y.size:
            _unite(x, y)
        else:
            if x.size < y.size:
                x, y, a, b = y, x, b, a
            if x.segments or x.size % y.size:
                fix((x, y, *a, *b), "grouped in two ways")
                return
            _turn(x, (Atom(y.size), Atom(x.size // y.size)))
            a, b = [x, *a], [y, *b]
        # What was just joined may stand further on in either.
        a, b = resolved(a), resolved(b)


def _unite(x: Atom, y: Atom) -> None:
    """Let two atoms of one size be one, divided where either was."""
    if x.segments and not y.segments:
        x, y = y, x
    mine, theirs = list(x.segments), list(y.segments)
    _turn(x, (y,))
    while mine and theirs:
        size = min(extent(mine[0]), extent(theirs[0]))
        pieces: list[Axis] = []
        for segments in (mine, theirs):
            parts = cut(segments.pop(0), size)
            if parts is None:
                fix((y,), "divided in two ways")
                return
            pieces.append(parts[0])
            if extent(parts[1]) and parts[1]:
                segments.insert(0, parts[1])
        same(*pieces)


def cut(axis: Axis, at: int) -> tuple[Axis, Axis] | None:
    """The first ``at`` units of an axis and the rest; None where a unit of its outer atom would be cut in two."""
    atoms = resolved(axis)
    if at in (0, extent(atoms)):
        return ((), tuple(atoms)) if at == 0 else (tuple(atoms), ())
    outer, inner = atoms[0], tuple(atoms[1:])
    if at % extent(inner):
        return None
    left = at // extent(inner)
    if not outer.segments:
        outer.segments = (_part(left), _part(outer.size - left))
        for leaf in leaves((outer,)):
            leaf.fixed, leaf.numbered, leaf.averaged = outer.fixed, outer.numbered, outer.averaged
    first: list[Axis] = []
    rest = list(outer.segments)
    while left:
        segment = rest.pop(0)
        if extent(segment) > left:
            parts = cut(segment, left)
            if parts is None:
                return None
            segment, tail = parts
            rest.insert(0, tail)
        first.append(segment)
        left -= extent(segment)
    return (*joined(first), *inner), (*joined(rest), *inner)


def _part(size: int) -> Axis:
    return (Atom(size),)  # a segment of one unit has to be told from none


def joined(segments: Sequence[Axis]) -> Axis:
    """One axis behind another, as after ``cat``; a segment of one unit that nothing is known of gets an atom."""
    parts = tuple(part or _part(1) for part in segments)
    return parts[0] if len(parts) == 1 else (Atom(sum(map(extent, parts)), parts),)


def regrouped(axes: Iterable[Axis], sizes: Iterable[int]) -> list[Axis]:
    """The same units, row by row, under other sizes: what ``view`` makes.

    Atoms are divided where a size ends inside them. Where units would be torn apart, what is torn is fixed.
    """
    queue = [atom for axis in axes for atom in resolved(axis) if atom.size != 1 or atom.segments]
    wanted, found = list(sizes), list[Axis]()
    while wanted:
        size, taken = wanted.pop(0), list[Atom]()
        while (have := extent(taken)) < size:
            atom, missing = queue.pop(0), size // have
            if atom.became is not None:
                queue[:0] = resolved((atom,))
            elif missing % atom.size == 0 and size % have == 0:
                taken.append(atom)
            elif size % have == 0 and atom.size % missing == 0 and not atom.segments:
                _turn(atom, (Atom(missing), Atom(atom.size // missing)))
                queue[:0] = resolved((atom,))
            else:
                torn, rows = [*taken, atom], [size]
                while extent(torn) != math.prod(rows):  # until both sides are even again
                    if extent(torn) < math.prod(rows):
                        torn.append(queue.pop(0))
                    else:
                        rows.append(wanted.pop(0))
                anew = [fresh(row) for row in rows]
                for one in (torn, *anew):
                    fix(one, "regrouped across units")
                found += anew[:-1]
                taken = list(anew[-1])
                break
        found.append(tuple(taken))
    return found


def strided(axis: Axis, step: int) -> tuple[Axis, Axis] | None:
    """An axis as (groups, ``step``); None where it is not one plain atom of whole groups."""
    atoms = resolved(axis)
    if len(atoms) == 1 and not atoms[0].segments and atoms[0].size % step == 0:
        _turn(atoms[0], (Atom(atoms[0].size // step), Atom(step)))
        atoms = resolved(atoms)
    return (tuple(atoms[:-1]), tuple(atoms[-1:])) if atoms and atoms[-1].size == step else None


# ---------------------------------------------------------------------- places


def positions(axis: Axis, kept: Mapping[Atom, Tensor]) -> Tensor:
    """Where the kept units of an axis stand in it; of atoms that ``kept`` does not name, all are."""
    found = torch.zeros(1, dtype=torch.long)
    for atom in resolved(axis):
        if atom.segments:
            starts = [0]
            for part in atom.segments:
                starts.append(starts[-1] + extent(part))
            own = torch.cat([positions(p, kept) + start for p, start in zip(atom.segments, starts, strict=False)])
        else:
            own = kept[atom] if atom in kept else torch.arange(atom.size)
        found = (found[:, None] * atom.size + own[None, :]).reshape(-1)
    return found


def owners(axis: Axis, leaf: Atom) -> Tensor:
    """For each place along an axis the unit of ``leaf`` that it belongs to, -1 where it belongs to none."""
    found = torch.full((1,), -1)
    for atom in resolved(axis):
        if atom.segments:
            own = torch.cat([owners(part, leaf) for part in atom.segments])
        else:
            own = torch.arange(atom.size) if atom is leaf else torch.full((atom.size,), -1)
        found = torch.maximum(found[:, None], own[None, :]).reshape(-1)
    return found


def form(axis: Iterable[Atom], size: Callable[[Atom], int]) -> tuple[Any, ...]:
    """Sizes along an axis, outermost first, without ones, a sum as a tuple: the same for axes of one make."""
    found: list[Any] = []
    for atom in resolved(axis):
        if atom.segments:
            parts: list[Any] = []
            for part in atom.segments:
                one = form(part, size)
                parts += one[0] if len(one) == 1 and isinstance(one[0], tuple) else [one]
            found.append(tuple(parts))
        elif size(atom) != 1:
            found.append(size(atom))
    return tuple(found)
