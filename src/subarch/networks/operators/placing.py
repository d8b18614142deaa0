"""Operators that put units where numbers say, or read them in windows: such places stay, other axes can be cut."""

from __future__ import annotations

import math

from torch import Tensor

from subarch.networks.axes import Axes, Axis, extent, fix, fixed, fresh, same
from subarch.networks.operators.base import Call, anew, rule

_PLACED = "put at places by number"
_WINDOWS = "read in windows"


def _alike_but(call: Call, place: int, *others: str) -> list[Axes]:
    """The axes of ``self``: one of them fixed, all others the same as those of further arguments of its extents."""
    axes = call.axes("self")
    if axes:
        fix(axes[place], _PLACED)
    for name in others:
        there = call.given.get(name)
        if not isinstance(there, Tensor) or there.dim() != len(axes):
            continue
        for k, axis in enumerate(call.known(there)):
            if k == place:
                fix(axis, _PLACED)
            elif extent(axis) == extent(axes[k]):
                same(axes[k], axis)
            else:  # only the first so many, so that it matters which these are
                fix((*axis, *axes[k]), _PLACED)
    return [axes]


@rule("scatter", "scatter_add", "scatter_reduce")
def _scatter(call: Call) -> list[Axes]:
    return _alike_but(call, call.axis(), "index", "src")


@rule("index_add", "index_copy", "index_fill")
def _index_add(call: Call) -> list[Axes]:
    return _alike_but(call, call.axis(), "source")


@rule("index_put", "_index_put_impl", "_unsafe_index_put")
def _index_put(call: Call) -> list[Axes]:
    axes, place = call.axes("self"), 0
    there = list[int]()
    for one in call.given["indices"]:
        covered = 1 if one is None or one.is_floating_point() or str(one.dtype) not in _MASKS else one.dim()
        there += [] if one is None else range(place, place + covered)
        place += covered
    for number in there:
        fix(axes[number], _PLACED)
    kept = [axis for number, axis in enumerate(axes) if number not in there]
    if there and there == list(range(len(there))):  # numbers first: what is put there has the other axes last
        for mine, its in zip(reversed(kept), reversed(call.axes("values")), strict=False):
            if extent(mine) == extent(its):
                same(mine, its)
    else:
        for axis in (*kept, *call.axes("values")):
            fix(axis, _PLACED)
    return [axes]


_MASKS = ("torch.bool", "torch.uint8")


@rule("slice_scatter", "select_scatter")
def _slice_scatter(call: Call) -> list[Axes]:
    axes, place, source = call.axes("self"), call.axis(), list(call.axes("src"))
    fix(axes[place], _PLACED)
    if call.name.startswith("select"):
        source.insert(place, ())
    for k, axis in enumerate(source):
        if k == place:
            fix(axis, _PLACED)
        else:
            same(axes[k], axis)
    return [axes]


@rule("histc", "bincount")
def _counted(call: Call) -> list[Axes]:
    """How often values occur, wherever they stand."""
    return [anew(call.out, "counts of values")]


@rule("bucketize", "searchsorted")
def _bucketed(call: Call) -> list[Axes]:
    bounds = "boundaries" if "boundaries" in call.given else "sorted_sequence"
    for axis in call.axes(bounds):
        fix(axis, "bounds in their order")
    return [call.axes("self")]


@rule("unfold")
def _unfold(call: Call) -> list[list[Axis]]:
    axes, place = list(call.axes("self")), int(call.given["dimension"]) % max(1, call.source.dim())
    fix(axes[place], _WINDOWS)
    axes[place] = fixed(call.out.shape[place], _WINDOWS)
    return [[*axes, fixed(call.out.shape[-1], _WINDOWS)]]


@rule("im2col")
def _im2col(call: Call) -> list[list[Axis]]:
    axes, kernel = call.axes("self"), math.prod(call.given["kernel_size"])
    for axis in axes[-2:]:
        fix(axis, _WINDOWS)
    channels = (*axes[-3], *fixed(kernel, "a place in a kernel"))
    return [[*axes[:-3], channels, fixed(call.out.shape[-1], _WINDOWS)]]


@rule("grid_sampler_2d", "grid_sampler_3d")
def _grid_sampler(call: Call) -> list[list[Axis]]:
    axes, grid = call.axes("input"), call.axes("grid")
    same(axes[0], grid[0])
    for axis in (*axes[2:], grid[-1]):
        fix(axis, "a place")
    return [[*axes[:2], *grid[1:-1]]]


@rule("pixel_shuffle")
def _pixel_shuffle(call: Call) -> list[list[Axis]]:
    axes, inner = call.axes("self"), int(call.given["upscale_factor"]) ** 2
    channels = fresh(call.out.shape[-3])
    same(axes[-3], (*channels, *fixed(inner, "a place")))
    return [[*axes[:-3], channels, *(fixed(size, "a place") for size in call.out.shape[-2:])]]
