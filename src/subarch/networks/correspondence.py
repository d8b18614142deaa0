"""Which tensor of a student comes from which of its source, and how many units of each atom it keeps.

The student is built by whoever knows how; nothing is told of it but its tensors. Their names say which of the source's
they take after: numbered parts of one make are spread evenly, so that depth is found without a word about layers. Their
shapes, along the source's axes, are equations for the sizes of the atoms.

>>> source = ["0.weight", "1.weight", "2.weight", "3.weight"]
>>> origins(["0.weight", "1.weight"], source)
{'0.weight': '1.weight', '1.weight': '3.weight'}
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from subarch.errors import InputError
from subarch.networks.axes import Atom, Axes, Axis, extent, form, leaves, positions, resolved
from subarch.networks.tracing import Device, Inputs, Outputs, Traced, tensors_of, told, trace
from subarch.networks.tracing import made_anew as anew

Depths = Callable[[int, int], tuple[int, ...]]
_Tree = dict[str, Any]


def depth_map(student: int, source: int) -> tuple[int, ...]:
    """The source layer that each student layer takes over: evenly spaced, the last one from the last.

    Raises:
        ValueError: unless ``1 <= student <= source``.
    """
    if not 1 <= student <= source:
        raise InputError(f"a student of a {source}-layer source has 1 to {source} layers to inherit, got {student}")
    return tuple(-(-(i + 1) * source // student) - 1 for i in range(student))


@dataclass(frozen=True)
class Match:
    """What a student takes over.

    Attributes:
        axes: of its source's tensors.
        origin: the tensor of its source that each of its tensors takes after.
        kept: which units of each atom it keeps, in the source's order.
    """

    axes: Mapping[str, Axes]
    origin: Mapping[str, str]
    kept: Mapping[Atom, Tensor]

    @property
    def whole(self) -> bool:
        """Whether no unit goes; layers may."""
        return all(len(units) == atom.size for atom, units in self.kept.items())

    def sizes(self, atom: Atom) -> int:
        """Units of an atom that the student has."""
        return len(self.kept[atom]) if atom in self.kept else atom.size

    def taken(self, name: str, value: Tensor) -> Tensor:
        """The part of a tensor of the source, by its name there, that the student has: memory of its own."""
        for place, axis in enumerate(self.axes[name]):
            where = positions(axis, self.kept)
            if len(where) < value.shape[place]:
                value = value.index_select(place, where.to(value.device))
        return value.clone()


Choice = Callable[[Atom, int], Tensor]


def first(_atom: Atom, count: int) -> Tensor:
    """The first so many units."""
    return torch.arange(count)


def matched(
    shapes: Mapping[str, Sequence[int]],
    axes: Mapping[str, Axes],
    choose: Choice = first,
    depths: Depths = depth_map,
    made_anew: Collection[str] = (),
) -> Match:
    """Match a student to its source.

    Args:
        shapes: of the student's tensors, by name.
        axes: of the source's.
        choose: which so many units of an atom to keep; asked of those that lose some and are not numbered.
        depths: which of so many numbered parts of one make it keeps, given both counts.
        made_anew: tensors of the source that no checkpoint holds: a student has those that it needs.

    Raises:
        InputError: where no part of the source has these shapes.
    """
    origin = origins(shapes, [name for name in axes if name in shapes or name not in made_anew], depths)
    kept = {
        atom: torch.arange(count)
        if count == atom.size
        else _numbered_ones(atom, count)
        if atom.numbered
        else choose(atom, count).sort().values
        for atom, count in sizes_of(shapes, axes, origin).items()
    }
    return Match(axes, origin, kept)


def fitting(
    student: nn.Module,
    source: nn.Module,
    traced: Traced,
    inputs: Inputs,
    choose: Choice = first,
    depths: Depths = depth_map,
    outputs: Outputs = told,
    devices: Sequence[Device] = ("meta", "cpu"),
) -> Match:
    """Match a student that was built, maybe without memory, to its source.

    What extents alone suggest may be wrong, as 12 heads of 64 for 8 of 96: its own trace must show the sizes.

    Args:
        student: of which nothing but its tensors and its code is looked at.
        source: likewise.
        traced: the source's axes.
        inputs: of a forward pass.
        choose, depths: as for :func:`matched`.
        outputs: what is compared of what a network gives.
        devices: where the student is traced, as for :func:`~subarch.networks.tracing.trace`.

    Raises:
        InputError: where the student is no part of the source.
    """
    shapes = {name: tuple(one.shape) for name, one in tensors_of(student).items()}
    match = matched(shapes, traced.axes, choose, depths, anew(source))
    if match.whole:
        return match
    for name, axes in trace(student, inputs, outputs, devices).axes.items():
        for ours, own in zip(traced.axes[match.origin[name]], axes, strict=True):
            mine, its = form(ours, match.sizes), form(own, lambda atom: atom.size)
            if mine != its:
                raise InputError(
                    f"this candidate cannot inherit: along {name} it has {_spelled(its)}, the source's units make "
                    f"{_spelled(mine)}"
                )
    return match


def _spelled(parts: tuple[Any, ...]) -> str:
    """Sizes along an axis in words: ``6 x 8``, ``(48 | 48)``."""
    words = (f"({' | '.join(_spelled(one) for one in p)})" if isinstance(p, tuple) else str(p) for p in parts)
    return " x ".join(words) or "1"


def _numbered_ones(atom: Atom, count: int) -> Tensor:
    """Every n-th, as a smaller network has them."""
    if atom.size % count == 0:
        return torch.arange(count) * (atom.size // count)
    return torch.tensor(depth_map(count, atom.size))


# ---------------------------------------------------------------------- names


def origins(student: Iterable[str], source: Iterable[str], depths: Depths = depth_map) -> dict[str, str]:
    """For every tensor of a student the one of its source.

    Args:
        student: names of its tensors.
        source: likewise.
        depths: which of so many numbered parts of one make a student keeps, given both counts.

    Raises:
        InputError: for a part that the source does not have.
    """
    found: dict[str, str] = {}
    _pair(_tree(student), _tree(source), "", "", depths, found)
    return found


def _tree(names: Iterable[str]) -> _Tree:
    root: _Tree = {}
    for name in names:
        node = root
        for part in name.split("."):
            node = node.setdefault(part, {})
    return root


def _make(node: _Tree) -> str:
    """What a part is made of, however many numbered ones there are in it."""
    named = sorted(f"{key}:{_make(child)}" for key, child in node.items() if not key.isdigit())
    return f"({','.join([*named, *sorted({_make(child) for key, child in node.items() if key.isdigit()})])})"


def _pair(ours: _Tree, theirs: _Tree, at: str, there: str, depths: Depths, found: dict[str, str]) -> None:
    if not ours:
        found[at] = there
        return
    pairs = {key: key for key in ours if not key.isdigit()} | _numbered(ours, theirs, at, depths)
    for key, other in pairs.items():
        if other not in theirs or bool(ours[key]) != bool(theirs[other]):
            raise InputError(f"{f'{at}.{key}'.lstrip('.')} has no counterpart in the source: it cannot be inherited")
    if left := sorted(key for key in theirs if not key.isdigit() and key not in ours):
        raise InputError(
            f"{f'{there}.{left[0]}'.lstrip('.')} of the source has no counterpart in the student: it would be left out"
        )
    for key, other in pairs.items():
        _pair(ours[key], theirs[other], f"{at}.{key}".lstrip("."), f"{there}.{other}".lstrip("."), depths, found)


def _numbered(ours: _Tree, theirs: _Tree, at: str, depths: Depths) -> dict[str, str]:
    mine, others = ({k for k in tree if k.isdigit()} for tree in (ours, theirs))
    if mine == others:
        return {key: key for key in mine}
    found: dict[str, str] = {}
    by_make = [_by_make(ours, mine), _by_make(theirs, others)]
    for make, keys in by_make[0].items():
        there = by_make[1].get(make, [])
        if len(there) < len(keys):
            raise InputError(
                f"{at or 'the network'} has {len(keys)} parts of one make, the source {len(there)}: a student cannot "
                "be deeper than its source"
            )
        found |= {key: there[place] for key, place in zip(keys, depths(len(keys), len(there)), strict=True)}
    return found


def _by_make(tree: _Tree, keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in sorted(keys, key=int):
        found.setdefault(_make(tree[key]), []).append(key)
    return found


# ---------------------------------------------------------------------- sizes


def sizes_of(
    shapes: Mapping[str, Sequence[int]], axes: Mapping[str, Axes], origin: Mapping[str, str]
) -> dict[Atom, int]:
    """How many units of each atom a student has.

    What the shapes leave open keeps its size, innermost atoms first: heads go, the size of a head stays.

    Args:
        shapes: of the student's tensors.
        axes: of the source's.
        origin: which tensor of the source each takes after.

    Raises:
        InputError: naming the tensor, where no whole units fit or something would have to grow or is fixed.
    """
    rows = [
        _Row(axis, size, name)
        for name, shape in shapes.items()
        for axis, size in zip(axes[origin[name]], shape, strict=True)
        if axis or size > 1
    ]
    known: dict[Atom, int] = {}
    _settle(rows, known)
    while stuck := [row for row in rows if row.open(known)]:
        # An axis that has not changed has kept its atoms; of any other the innermost keeps its size.
        whole = next((row for row in stuck if extent(row.axis) == row.size), None)
        if whole is not None:
            known |= {leaf: leaf.size for leaf in whole.open(known)}
        else:
            last = min(stuck, key=lambda row: len(row.open(known))).open(known)[-1]
            known[last] = last.size
        _settle(rows, known)
    for row in rows:
        row.check(known)
    return known


class _Row:
    """One axis of the source, and the extent that a student has there."""

    def __init__(self, axis: Axis, size: int, name: str) -> None:
        self.axis, self.size, self.name = axis, size, name
        self._leaves = list(dict.fromkeys(leaves(axis)))

    def open(self, known: Mapping[Atom, int]) -> list[Atom]:
        return [leaf for leaf in self._leaves if leaf not in known]

    def line(self, known: Mapping[Atom, int], unit: Atom | None) -> tuple[int, int]:
        """The extent as ``a + b * units`` of the one atom that is not known."""
        return self._line(self.axis, known, unit)

    def _line(self, axis: Axis, known: Mapping[Atom, int], unit: Atom | None) -> tuple[int, int]:
        a, b = 1, 0
        for atom in resolved(axis):
            if atom.segments:
                parts = [self._line(part, known, unit) for part in atom.segments]
                c, d = sum(part[0] for part in parts), sum(part[1] for part in parts)
            else:
                c, d = (0, 1) if atom is unit else (known[atom], 0)
            if b and d:
                raise InputError(f"{self.name}: one unit counts twice along an axis, which cannot be solved for")
            a, b = a * c, a * d + b * c
        return a, b

    def solved(self, known: Mapping[Atom, int], unit: Atom) -> int:
        a, b = self.line(known, unit)
        if not b or (self.size - a) % b or self.size - a < b:
            raise InputError(
                f"{self.name}: an axis of {self.size} is not made of whole units of {b}"
                f"{f' beside {a}' if a else ''}, as the source's of {extent(self.axis)} is"
            )
        return (self.size - a) // b

    def check(self, known: Mapping[Atom, int]) -> None:
        made = self.line(known, None)[0]
        if made != self.size:
            raise InputError(f"{self.name}: an axis of {self.size} does not fit the others, which make it {made}")
        for leaf in self._leaves:
            if leaf.fixed and known[leaf] != leaf.size:
                raise InputError(f"{self.name}: an axis of {leaf.size} cannot become {known[leaf]}, it is {leaf.fixed}")
            if known[leaf] > leaf.size:
                raise InputError(
                    f"{self.name}: a student inherits what is there, its source has {leaf.size} units and "
                    f"{known[leaf]} are asked for"
                )


def _settle(rows: Sequence[_Row], known: dict[Atom, int]) -> None:
    """Solve every row in which one atom alone is open, until none is left."""
    moved = True
    while moved:
        moved = False
        for row in rows:
            if len(left := row.open(known)) == 1:
                known[left[0]] = row.solved(known, left[0])
                moved = True
