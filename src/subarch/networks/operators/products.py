"""Operators that multiply: maps, convolutions, attention; and tables, which are read by number."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from subarch.networks.axes import Atom, Axes, Axis, fix, fixed, fresh, same
from subarch.networks.operators.base import Call, anew, rule, unknown


def _biased(call: Call, name: str, axes: Sequence[Axis], place: int = -1) -> list[Sequence[Axis]]:
    """``axes``, of which one is that of the bias ``name`` where there is one."""
    bias = call.given.get(name)
    if bias is not None and bias.dim() and bias.shape[-1] == call.out.shape[place] > 1:
        same(axes[place], call.known(bias)[-1])
    return [axes]


@rule("mm")
def _mm(call: Call) -> list[Axes]:
    a, b = call.axes("self"), call.axes("mat2")
    same(a[1], b[0])
    return [(a[0], b[1])]


@rule("addmm")
def _addmm(call: Call) -> list[Sequence[Axis]]:
    a, b = call.axes("mat1"), call.axes("mat2")
    same(a[1], b[0])
    return _biased(call, "self", (a[0], b[1]))


@rule("bmm")
def _bmm(call: Call) -> list[Axes]:
    return [_batched(call.axes("self"), call.axes("mat2"))]


@rule("baddbmm")
def _baddbmm(call: Call) -> list[Axes]:
    axes, added = _batched(call.axes("batch1"), call.axes("batch2")), call.given["self"]
    for place, axis in enumerate(reversed(call.known(added)), start=1):
        if added.shape[-place] == call.out.shape[-place]:
            same(axes[-place], axis)
    return [axes]


def _batched(a: Axes, b: Axes) -> Axes:
    same(a[0], b[0])
    same(a[2], b[1])
    return a[0], a[1], b[2]


@rule("_grouped_mm", "transformers::grouped_mm_fallback")
def _grouped_mm(call: Call) -> list[Axes]:
    """Rows in groups, each with a matrix of its own: the experts of a mixture, numbered by where their rows end."""
    one, many = (call.given[name] for name in (("self", "mat2") if "mat2" in call.given else ("input", "weight")))
    a, b, why = call.known(one), call.known(many), "experts by number"
    if one.dim() == 3 and many.dim() == 3:
        return [_batched(a, b)]
    if (one.dim(), many.dim()) != (2, 3):  # groups along what is contracted, as in backward passes
        return unknown(call)
    fix((*b[0], *a[0]), why)
    same(a[1], b[1])
    return [(a[0], b[2])]


@rule("mv")
def _mv(call: Call) -> list[Axes]:
    a, b = call.axes("self"), call.axes("vec")
    same(a[1], b[0])
    return [(a[0],)]


@rule("linear")
def _linear(call: Call) -> list[Sequence[Axis]]:
    a, w = call.axes("input"), call.axes("weight")
    same(a[-1], w[1])
    return _biased(call, "bias", (*a[:-1], w[0]))


@rule("convolution")
def _convolution(call: Call) -> list[Sequence[Axis]]:
    x, w, groups = call.axes("input"), call.axes("weight"), int(call.given["groups"])
    for axis in w[2:]:
        fix(axis, "a place in a kernel")
    outer, inner = (w[1], w[0]) if call.given["transposed"] else (w[0], w[1])
    channels = outer
    if groups == 1:
        same(x[1], inner)
    elif call.given["transposed"]:
        why = "of a grouped transposed convolution"
        fix((*x[1], *w[0], *w[1]), why)
        channels = fixed(call.out.shape[1], why)
    else:
        group = Atom(groups)
        same(x[1], (group, *inner))
        same(outer, (group, *fresh(call.out.shape[1] // groups)))
    places = anew(call.out, "a place")[2:]
    return _biased(call, "bias", (x[0], channels, *places), 1)


@rule(
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)
def _attention(call: Call) -> list[Axes]:
    q, k, v = (call.axes(name) for name in ("query", "key", "value"))
    for one, other in ((q[0], k[0]), (q[0], v[0]), (q[1], k[1]), (q[1], v[1]), (q[3], k[3]), (k[2], v[2])):
        same(one, other)
    return [(q[0], q[1], q[2], v[3]), *(anew(out) for out in call.results[1:])]


_LOOKED_UP = "looked up by number"


@rule("embedding")
def _embedding(call: Call) -> list[Axes]:
    table = call.axes("weight")
    fix(table[0], _LOOKED_UP)
    return [(*call.axes("indices"), table[1])]


@rule("index_select")
def _index_select(call: Call) -> list[list[Axis]]:
    axes, place = list(call.axes("self")), call.axis()
    fix(axes[place], _LOOKED_UP)
    axes[place] = fixed(call.out.shape[place], _LOOKED_UP)
    return [axes]


@rule("index")
def _index(call: Call) -> list[list[Axis]]:
    axes, places, place = call.axes("self"), list[int](), 0
    for one in call.given["indices"]:
        covered = (
            1 if one is None or one.dtype not in (torch.bool, torch.uint8) else one.dim()
        )  # a mask of several axes
        places += [] if one is None else range(place, place + covered)
        place += covered
    for place in places:
        fix(axes[place], _LOOKED_UP)
    kept = [axis for place, axis in enumerate(axes) if place not in places]
    count = call.out.dim() - len(kept)
    side_by_side = bool(places) and places == list(range(places[0], places[0] + len(places)))
    where = places[0] if side_by_side else 0
    middle = [fixed(n, _LOOKED_UP) for n in call.out.shape[where : where + count]]
    return [[*kept[:where], *middle, *kept[where:]]]


@rule("gather")
def _gather(call: Call) -> list[Axes]:
    source, axes, place = call.axes("self"), call.axes("index"), call.axis()
    fix(source[place], _LOOKED_UP)
    for k, axis in enumerate(axes):
        if k != place and call.source.shape[k] == call.out.shape[k]:
            same(axis, source[k])
    return [axes]
