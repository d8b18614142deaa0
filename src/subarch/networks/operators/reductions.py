"""Operators that take means, sums or places along axes, and norms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from subarch.networks.axes import Axes, average, fix, fixed, fresh, number, same
from subarch.networks.operators.base import Call, anew, rule, unitwise, words


@rule("native_layer_norm", "layer_norm", "_fused_rms_norm", "rms_norm")
def _layer_norm(call: Call) -> list[Axes]:
    for axis in call.known(call.source)[-len(call.given["normalized_shape"]) :]:
        average(axis)
    return unitwise(call)


@rule("arange", "linspace")
def _numbers(call: Call) -> list[Axes]:
    found = [anew(out) for out in call.results]
    for axis in (axis for axes in found for axis in axes):
        number(axis)
    return found


@rule("zeros", "ones", "full", "empty", "scalar_tensor")
def _alike(call: Call) -> list[Axes]:
    """One unit is like another."""
    return [anew(out) for out in call.results]


_BY_PLACE = {"argmax", "argmin", "max", "min", "topk", "sort", "cummax", "cummin", "median"}  # results name places
_MEANS = {"mean", "var", "var_mean", "std", "std_mean", "median"}


@rule(
    *_BY_PLACE,
    *_MEANS,
    *words(
        """
        sum amax amin aminmax prod any all logsumexp norm linalg_vector_norm nansum count_nonzero
        """
    ),
)
def _reduced(call: Call) -> list[Axes]:
    source, axes = call.source, call.known(call.source)
    chosen: Any = call.given.get("dim")
    if chosen is None or chosen == []:
        chosen = range(source.dim())
    gone = {place % max(1, source.dim()) for place in ([chosen] if isinstance(chosen, int) else chosen)}
    for place in gone if source.dim() else ():
        if call.name in _BY_PLACE:
            fix(axes[place], f"its units are numbered by {call.name}")
        if call.name in _MEANS:
            average(axes[place])
    found: list[Axes] = []
    for out in call.results:
        if out.dim() == source.dim():
            pairs = zip(axes, source.shape, out.shape, strict=True)
            found.append(tuple(axis if n == m else fixed(m, f"chosen by {call.name}") for axis, n, m in pairs))
        else:
            found.append(tuple(axis for place, axis in enumerate(axes) if place not in gone))
    return found


@rule("cumsum", "cumprod", "logcumsumexp")
def _added_up(call: Call) -> list[Axes]:
    axes = call.axes("self")
    if axes:
        fix(axes[call.axis()], "added up in order")
    return [axes]


@rule(
    *words(
        """
        max_pool1d max_pool2d max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d
        adaptive_avg_pool1d _adaptive_avg_pool2d adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d
        upsample_nearest1d upsample_nearest2d upsample_linear1d upsample_bilinear2d upsample_bicubic2d
        _upsample_bilinear2d_aa _upsample_bicubic2d_aa reflection_pad1d reflection_pad2d replication_pad2d
        """
    )
)
def _pooled(call: Call) -> list[Axes]:
    """Examples and channels stay; the places after them are other ones."""
    axes = call.known(call.source)
    return [(*axes[:2], *(fixed(n, "a place") for n in out.shape[2:])) for out in call.results]


def _by_channel(call: Call, names: Iterable[str]) -> list[Axes]:
    axes = call.axes("input")
    for name in names:
        if call.given.get(name) is not None:
            same(axes[1], call.axes(name)[0])
    return [axes, *(anew(out) for out in call.results[1:])]


@rule(
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm",
)
def _batch_norm(call: Call) -> list[Axes]:
    return _by_channel(call, ("weight", "bias", "running_mean", "running_var"))


@rule("native_group_norm")
def _group_norm(call: Call) -> list[Axes]:
    found, groups, channels = _by_channel(call, ("weight", "bias")), int(call.given["group"]), int(call.given["C"])
    axis = found[0][1]
    if groups < channels:
        same(axis, (*fresh(groups), *fresh(channels // groups)))
    average(axis)
    return found
