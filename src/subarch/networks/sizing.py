"""Which fields of a stock config are sizes, and which change together: found by building networks with others.

Nothing is told about a type. A network of the config is built on the meta device and traced; then again with one field
halved. Fields that take numbered parts away count layers; fields that change extents of axes which can be cut are
widths; all others are left alone. A width that cannot change alone (a hidden size whose heads would become narrower, a
projection that must follow) is tried together with others: first those that the trace shows to be missing, then those
that count heads, then those of the same value. What then fits the source, shows the axes of its units and runs is a
:class:`~subarch.networks.fields.Size`; what does not is refused with the reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transformers import AutoModel

from subarch.networks.axes import leaves, resolved
from subarch.networks.correspondence import Match
from subarch.networks.fields import (
    Found,
    Path,
    Size,
    Values,
    canonical,
    changed,
    deepened,
    empty_fields,
    fields_of,
    largest,
    listed,
    value_at,
)
from subarch.networks.workbench import Workbench, in_layers, shapes_at, words
from subarch.results.base import Json

_HEADS = ("num_key_value_heads", "num_attention_heads")
_ORDER = ("hidden_size", *_HEADS, "intermediate_size")
_SMALL = 2  # layers in which widths are looked for
_PROBE = 8  # put into a field that is empty, to see whether it is a size
_EXTENTS = 24  # that are tried there
_PROBES = 8  # combinations of fields that are tried for one width


def found(config: Json, auto: Any = AutoModel) -> Found:
    """What can be changed in the networks of a config.

    Args:
        config: with every default written out (:func:`written_out`).
        auto: the stock library's class that makes networks.

    Raises:
        InputError: where its network cannot be built, run and traced.
    """
    deep = _counters(config, auto)
    bench = Workbench(_shallow(config, deep, auto), auto)
    refused, stacks = dict[str, str](), dict[Path, Values]()
    for path, value in deep.items():
        there = value_at(bench.config, path)
        if reason := bench.tried(deepened(bench.config, {path: _halved(there)})):
            refused[".".join(path)] = reason
        else:
            stacks[path] = value
    wide = _Wide(bench, deep)
    sizes = [*_stacked(config, stacks), *wide.sizes()]
    return Found({one.name: one for one in sizes}, {**refused, **wide.refused})


def written_out(config: Json, auto: Any = AutoModel) -> Json:
    """A config in which fields that follow others while they are empty have their numbers, such as GPT-2's inner size.

    Found by trying which extent of the network's own tensors changes nothing.
    """
    if (shapes := shapes_at(config, auto)) is None:
        return config
    extents = sorted({n for shape in shapes.values() for n in shape if n > 1}, reverse=True)
    made = config
    for path in empty_fields(config):
        if shapes_at(changed(made, {path: _PROBE}), auto) in (None, shapes):
            continue
        same = (n for n in extents[:_EXTENTS] if shapes_at(changed(made, {path: n}), auto) == shapes)
        if (number := next(same, None)) is not None:
            made = changed(made, {path: number})
    return made


# ---------------------------------------------------------------------- layers


def _counters(config: Json, auto: Any) -> dict[Path, Values]:
    """Fields with which tensors go, and none of another kind come."""
    full, found_ones = shapes_at(config, auto) or {}, dict[Path, Values]()
    for path, value in fields_of(config):
        if (half := _halved(value)) != value:
            there = shapes_at(deepened(config, {path: half}), auto)
            if there is None or not len(there) < len(full) or not _kinds(there) <= _kinds(full):
                continue
            common = there.keys() & full.keys()
            if sum(there[name] != full[name] for name in common) <= len(common) / 2:  # else a width, with which some go
                found_ones[path] = value
    return found_ones


def _shallow(config: Json, deep: Mapping[Path, Values], auto: Any) -> Json:
    """The config with so few layers that the rest is looked for quickly, and every kind of layer still there."""
    kinds, few = _kinds(shapes_at(config, auto) or ()), _SMALL
    while few < max((largest(value) for value in deep.values()), default=0):
        less = {path: _lowered(value, few) for path, value in deep.items()}
        for lone in (0, 1):  # the first layer may be the only one of its kind
            made = deepened(config, less, lone)
            if _kinds(shapes_at(made, auto) or ()) == kinds:
                return made
        few *= 2
    return config


def _lowered(value: Values, most: int) -> Values:
    return min(value, most) if isinstance(value, int) else tuple(min(one, most) for one in value)


def _stacked(config: Json, stacks: Mapping[Path, Values]) -> list[Size]:
    """The stacks of a part of the config as one parameter, in proportion."""
    names = {path: canonical(config, path) for path in stacks}
    parts: dict[Path, list[Path]] = {}  # by the part of the config, and what its layers are called
    for path in sorted(stacks, key=lambda one: (names[one] != "num_hidden_layers", -largest(stacks[one]))):
        parts.setdefault((*path[:-1], _stack(path[-1])), []).append(path)
    return [
        Size(_named(paths[0], names[paths[0]]), {path: stacks[path] for path in paths}, deep=True, share=1.0)
        for paths in parts.values()
    ]


def _kinds(names: Iterable[str]) -> set[str]:
    return {re.sub(r"\d+", "#", name) for name in names}


def _halved(value: Values) -> Values:
    return -(-value // 2) if isinstance(value, int) else tuple(-(-one // 2) for one in value)


# ---------------------------------------------------------------------- widths


class _Wide:
    """Fields that change how wide layers are, and which go together."""

    def __init__(self, bench: Workbench, deep: Mapping[Path, Values]) -> None:
        self.bench, self.refused = bench, dict[str, str]()
        self._values: dict[Path, Values] = {}
        self._moved: dict[Path, dict[tuple[str, int], int]] = {}
        self._alone = set[Path]()  # can be built alone
        for path, value in fields_of(bench.config):
            if path not in deep and math.gcd(*listed(value)) > 1:
                moved = self._probed(path, value)
                self._values[path], self._moved[path] = value, moved or {}
                self._alone |= set() if moved is None else {path}
        self._names = {path: canonical(bench.config, path) for path in self._values}

    def _probed(self, path: Path, value: Values) -> dict[tuple[str, int], int] | None:
        """What it moves alone; None where that cannot be built, or has other tensors."""
        for by in _divisors(math.gcd(*listed(value))):
            try:
                moved = self.bench.moved(changed(self.bench.config, {path: _divided(value, by)}))
            except Exception:  # not alone, maybe with others
                continue
            if moved is not None:
                return moved
        return None

    def sizes(self) -> list[Size]:
        done: list[Size] = []
        taken: set[Path] = set()
        for path in sorted(self._values, key=self._rank):
            if path in taken or not self._worth(path):
                continue
            if (size := self._together(path, taken)) is not None:
                done.append(size)
                taken |= size.fields.keys()
        return _merged(done)

    def _rank(self, path: Path) -> tuple[int, int]:
        name = self._names[path]
        return (_ORDER.index(name) if name in _ORDER else len(_ORDER), -len(self._moved[path]))

    def _worth(self, path: Path) -> bool:
        """Whether it may be a size: it moves what can be cut, or fails alone under a usual name."""
        moved = self._moved[path]
        if not moved:
            return self._names[path] in _ORDER
        axes = self.bench.traced.axes
        return any(not leaf.fixed for name, place in moved for leaf in leaves(axes[name][place]))

    def _share(self, fields: Iterable[Path]) -> float:
        """Of the parameters in numbered layers, of which there may be many more; of all where there are none."""
        names = {name for path in fields for name, _ in self._moved[path]}
        weights = {name: math.prod(shape) for name, shape in in_layers(self.bench.shapes).items()}
        return sum(weights.get(name, 0) for name in names) / max(1, sum(weights.values()))

    def _together(self, path: Path, taken: set[Path]) -> Size | None:
        """The fewest fields that can change with this one, rather with whole heads than with narrower ones.

        None with the reason kept where none can.
        """
        first, tried, narrow = "", set[frozenset[Path]](), None
        queue = [[path]]
        while queue and len(tried) < _PROBES:
            fields = queue.pop(0)
            if frozenset(fields) in tried or taken & {*fields}:
                continue
            tried.add(frozenset(fields))
            values = {one: self._values[one] for one in fields}
            reason, missing, narrows = self._fits(values)
            size = Size(self._names[path], values, share=self._share(fields), narrows=narrows)
            if not reason and not narrows:
                return size
            narrow = narrow or (None if reason else size)
            first = first or reason
            queue = [[*fields, one] for one in missing if one not in fields] + queue
            if len(tried) == 1:
                queue += self._guesses(path)
        if narrow is None:
            self.refused[".".join(path)] = first
        return narrow

    def _fits(self, fields: Mapping[Path, Values]) -> tuple[str, list[Path], bool]:
        """Why these fields cannot change alone, which others move what has stayed, and whether units become narrow."""
        common = math.gcd(*(one for value in fields.values() for one in listed(value)))
        first: tuple[str, list[Path], bool] | None = None
        for by in _divisors(common):
            there = self._fits_at(fields, by)
            if not there[0]:
                return there
            first = first or there
        return first or ("its fields have no common divisor", [], False)

    def _fits_at(self, fields: Mapping[Path, Values], by: int) -> tuple[str, list[Path], bool]:
        config = changed(self.bench.config, {path: _divided(value, by) for path, value in fields.items()})
        try:
            match, moved = self.bench.match(config), self.bench.moved(config) or {}
        except Exception as error:
            return words(error), self._missing(config), False
        unread = sorted(name for name, _ in moved if name in self.bench.traced.unread and self.bench.is_matrix(name))
        if unread:
            return f"it changes {unread[0]}, which the network does not read of these inputs", [], False
        return "" if moved else "nothing changes with it", [], _narrows(match)

    def _missing(self, config: Json) -> list[Path]:
        """Fields that move axes which should have moved, as others that count the same units have."""
        try:
            moved = self.bench.moved(config) or {}
        except Exception:
            return []
        axes = self.bench.traced.axes
        went = {tuple(map(id, leaves(axes[name][place]))) for name, place in moved}
        stayed = {
            (name, place)
            for name, all_of_it in axes.items()
            for place, axis in enumerate(all_of_it)
            if (name, place) not in moved and tuple(map(id, leaves(axis))) in went
        }
        movers = [path for path, there in self._moved.items() if stayed & there.keys()]
        return sorted(movers, key=lambda path: len(self._moved[path].keys() - stayed))[:3]

    def _guesses(self, path: Path) -> list[list[Path]]:
        """What often goes with a field and moves no axis alone: heads, so that their size stays; equal widths."""
        heads = [one for one in self._values if self._names[one] in _HEADS or _counts_heads(one[-1])]
        heads = [one for one in heads if one[:-1] == path[:-1] or path[:-1] == ()]
        usual = [one for one in heads if self._names[one] in _HEADS]
        equal = [one for one, value in self._values.items() if {*listed(value)} == {*listed(self._values[path])}]
        equal = [one for one in equal if one != path and (self._moved[one] or one not in self._alone)]
        every = [usual, heads, equal, [*usual, *equal], [*heads, *equal]]
        return [[path, *(one for one in more if one != path)] for more in every if more]


def _narrows(match: Match) -> bool:
    """Whether units become smaller that could have gone whole."""
    for axes in match.axes.values():
        for axis in axes:
            whole = False
            for atom in resolved(axis):
                inner = leaves((atom,))
                if whole and any(match.sizes(leaf) < leaf.size for leaf in inner):
                    return True
                whole = whole or any(not leaf.fixed for leaf in inner)
    return False


def _counts_heads(name: str) -> bool:
    return "heads" in name.split("_") or name in ("n_head",)


def _divisors(number: int) -> list[int]:
    """The two smallest, above one: where the first leads to a network of another make, the second may not."""
    return [n for n in range(2, min(number, 1000) + 1) if number % n == 0][:2]


def _divided(value: Values, by: int) -> Values:
    return value // by if isinstance(value, int) else tuple(one // by for one in value)


def _merged(sizes: Sequence[Size]) -> list[Size]:
    """Sizes of one name, as of two stacks, in one; of others, each keeps its own."""
    by_name: dict[tuple[Path, str], list[Size]] = {}
    for one in sizes:
        by_name.setdefault((next(iter(one.fields))[:-1], _without_stack(one.name)), []).append(one)
    made: list[Size] = []
    for (part, name), some in by_name.items():
        fields = {path: value for one in some for path, value in one.fields.items()}
        share, narrows = sum(one.share for one in some), any(one.narrows for one in some)
        name = some[0].name if len(some) == 1 else name
        made.append(Size(_named((*part, name), name), fields, share=share, narrows=narrows))
    return made


def _named(path: Path, name: str) -> str:
    """A name of its own for a field of a part: ``text_hidden_size``."""
    return "_".join([*(part.removesuffix("_config") for part in path[:-1]), name])


def _without_stack(name: str) -> str:
    return "_".join(part for part in name.split("_") if part not in ("encoder", "decoder"))


def _stack(name: str) -> str:
    """What layers are called in every stack."""
    return "_".join(part for part in _without_stack(name).split("_") if part not in ("num", "n", "hidden"))
