"""Operators that show the same units in another way, some of them, or several tensors as one."""

from __future__ import annotations

from collections.abc import Sequence

from subarch.networks.axes import Atom, Axes, Axis, cut, extent, fix, fixed, fresh, joined, regrouped, same, strided
from subarch.networks.operators.base import Call, anew, rule, unknown, words


@rule("view", "_unsafe_view", "reshape", "_reshape_alias", "view_copy")
def _view(call: Call) -> list[list[Axis]]:
    return [regrouped(call.axes("self"), call.out.shape)]


@rule("t")
def _turned(call: Call) -> list[Axes]:
    return [call.axes("self")[::-1]]


@rule("transpose")
def _transpose(call: Call) -> list[list[Axis]]:
    axes, one, other = list(call.axes("self")), call.axis("dim0"), call.axis("dim1")
    axes[one], axes[other] = axes[other], axes[one]
    return [axes]


@rule("permute")
def _permute(call: Call) -> list[list[Axis]]:
    axes = call.axes("self")
    return [[axes[place] for place in call.given["dims"]]]


@rule("unsqueeze")
def _unsqueeze(call: Call) -> list[list[Axis]]:
    axes = list(call.axes("self"))
    axes.insert(call.given["dim"] % (len(axes) + 1), ())
    return [axes]


@rule("squeeze")
def _squeeze(call: Call) -> list[list[Axis]]:
    source, chosen = call.source, call.given.get("dim")
    places = range(source.dim()) if chosen is None else [chosen] if isinstance(chosen, int) else chosen
    gone = {place % max(1, source.dim()) for place in places}
    kept = [not (place in gone and size == 1) for place, size in enumerate(source.shape)]
    return [[axis for axis, stays in zip(call.axes("self"), kept, strict=True) if stays]]


@rule("expand")
def _expand(call: Call) -> list[list[Axis]]:
    source, axes = call.source, list(anew(call.out))
    for place, axis in enumerate(reversed(call.axes("self")), start=1):
        if source.shape[-place] == call.out.shape[-place]:
            axes[-place] = axis
    return [axes]


@rule("repeat")
def _repeat(call: Call) -> list[list[Axis]]:
    axes = [*[()] * (call.out.dim() - call.source.dim()), *call.axes("self")]
    return [[(*fresh(n), *axis) for n, axis in zip(call.given["repeats"], axes, strict=True)]]


@rule("as_strided")
def _as_strided(call: Call) -> Sequence[Axes]:
    return [call.axes("self")] if call.source.shape == call.out.shape else unknown(call)


@rule("select", "unbind")
def _select(call: Call) -> list[list[Axis]]:
    axes = list(call.axes("self"))
    gone = axes.pop(call.axis())
    for out in call.results:
        call.picked(out, gone)
    return [axes] * len(call.results)


def _between(axes: Axes, place: int, start: int, size: int) -> list[Axis]:
    """``axes`` with ``size`` units of one, from ``start``."""
    found, axis = list(axes), axes[place]
    if extent(axis) == size:
        return found
    before = cut(axis, start) if axis and size else None
    after = None if before is None else cut(before[1], size)
    if after is None:
        why = "cut in the middle of a unit"
        fix(axis, why)
        found[place] = fixed(size, why) if size else (Atom(0),)
    else:
        found[place] = after[0]
    return found


@rule("slice")
def _slice(call: Call) -> list[list[Axis]]:
    source, place, step = call.source, call.axis(), int(call.given["step"])
    start = slice(call.given["start"], call.given["end"], step).indices(source.shape[place])[0]
    axes = list(call.axes("self"))
    if step == 1:
        return [_between(call.axes("self"), place, start, call.out.shape[place])]
    groups = strided(axes[place], step) if start < step else None
    if groups is None:
        fix(axes[place], "read with a step")
        axes[place] = fixed(call.out.shape[place], "read with a step")
    else:
        fix(groups[1], "read at one place")
        axes[place] = groups[0]
    return [axes]


@rule(
    *words(
        """
        split split_with_sizes unsafe_split unsafe_split_with_sizes split_copy split_with_sizes_copy chunk
        """
    )
)
def _split(call: Call) -> list[list[Axis]]:
    place, start, found = call.axis(), 0, list[list[Axis]]()
    for out in call.results:
        found.append(_between(call.known(call.source), place, start, out.shape[place]))
        start += out.shape[place]
    return found


@rule("cat")
def _cat(call: Call) -> list[list[Axis]]:
    tensors = [one for one in call.given["tensors"] if one.dim() == call.out.dim() and one.numel()]
    place, axes = int(call.given["dim"]) % call.out.dim(), list(call.known(tensors[0]))
    for tensor in tensors[1:]:
        for k, axis in enumerate(call.known(tensor)):
            if k != place:
                same(axes[k], axis)
    axes[place] = joined([call.known(one)[place] for one in tensors])
    return [axes]


@rule("stack")
def _stack(call: Call) -> list[list[Axis]]:
    axes = list(call.known(call.given["tensors"][0]))
    for tensor in call.given["tensors"][1:]:
        for one, other in zip(axes, call.known(tensor), strict=True):
            same(one, other)
    place = fresh(len(call.given["tensors"]))
    fix(place, "a place in a stack")
    axes.insert(int(call.given["dim"]) % (len(axes) + 1), place)
    return [axes]


@rule("constant_pad_nd")
def _pad(call: Call) -> list[list[Axis]]:
    axes, pad = list(call.axes("self")), call.given["pad"]
    for k in range(len(pad) // 2):
        before, after, place = pad[2 * k], pad[2 * k + 1], len(axes) - 1 - k
        if min(before, after) < 0:
            fix(axes[place], "cut by padding")
            axes[place] = fixed(call.out.shape[place], "cut by padding")
        elif before or after:
            pieces = [(Atom(before),) if before else None, axes[place], (Atom(after),) if after else None]
            axes[place] = joined([piece for piece in pieces if piece is not None])
    return [axes]


@rule("roll", "flip")
def _reordered(call: Call) -> list[Axes]:
    axes = call.axes("self")
    for place in call.given.get("dims") or range(len(axes)):
        fix(axes[place], "read in another order")
    return [axes]
