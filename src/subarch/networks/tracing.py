"""What every axis of every tensor of a network counts, read off one forward pass.

Nothing is told about the network. The pass runs on the meta device, with tensors without memory in place of its
weights, so that a network of any size takes half a second; one that reads values on its way runs on the CPU instead.
What the operators say (:mod:`subarch.networks.operators.base`) is kept in :class:`Traced`: which axes are the same,
which cannot be cut and why, and which normalisations write the residual stream.

>>> network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
>>> traced = trace(network, {"input": torch.zeros(5, 3)})
>>> rows, columns = traced.axes["0.weight"]
>>> leaves(rows) == leaves(traced.axes["2.weight"][1]), leaves(columns)[0].fixed
(True, 'of the input')
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from subarch.errors import InputError
from subarch.networks.axes import Atom, Axes, Axis, extent, fix, fixed, fresh, leaves, number, positions
from subarch.networks.operators.base import Call, unknown
from subarch.networks.operators.table import rule_of

Inputs = Mapping[str, Tensor]
Outputs = Callable[[nn.Module, Inputs], Tensor]
"""What a network makes of its inputs, as one tensor."""
_NORMS = ("LayerNorm", "RMSNorm")
# Of the mean absolute output, in 64 and in 32 bits; a coupling that was missed changes outputs by as much as they are.
_ENOUGH, _ENOUGH_OF_FLOATS = 1e-5, 1e-3


@dataclass(frozen=True)
class Traced:
    """The axes of a network.

    Attributes:
        axes: of every parameter and buffer, by name; tensors with several names have the same axes under each.
        output: of what the network gives.
        writers: normalisations whose outputs are added to again, by name.
        unknown: operators without a rule, and how often they were met.
        unread: parameters and buffers that the pass did not read: nothing is known of what their axes count.
    """

    axes: Mapping[str, Axes]
    output: Axes
    writers: frozenset[str]
    unknown: Mapping[str, int]
    unread: frozenset[str] = frozenset()

    def free(self) -> list[Atom]:
        """Atoms that some tensor has and that can be cut, each once."""
        found = (leaf for axes in self.axes.values() for axis in axes for leaf in leaves(axis))
        return [leaf for leaf in dict.fromkeys(found) if not leaf.fixed]


def told(network: nn.Module, inputs: Inputs) -> Tensor:
    """The tensor that a network gives: its last states, its logits, or the first of what it returns."""
    out: Any = network(**inputs)
    if isinstance(out, Tensor):
        return out
    if isinstance(out, Mapping):
        found = next((out[name] for name in ("last_hidden_state", "logits") if name in out), None)
        return cast("Tensor", next(iter(out.values())) if found is None else found)
    return cast("Tensor", out[0])


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, shared ones under each of their names."""
    return {name: one.detach() for name, one in _named(network)}


def made_anew(network: nn.Module) -> set[str]:
    """Buffers that no checkpoint holds: a network that is opened again has its own."""
    found: set[str] = set()
    for name, module in network.named_modules():
        own = cast("set[str]", vars(module)["_non_persistent_buffers_set"])
        found |= {f"{name}.{one}".lstrip(".") for one in own}
    return found


Device = Literal["meta", "cpu"]


def trace(
    network: nn.Module, inputs: Inputs, outputs: Outputs = told, devices: Sequence[Device] = ("meta", "cpu")
) -> Traced:
    """Trace a network; its weights and its state stay as they are.

    Args:
        network: any module.
        inputs: keyword arguments of one forward pass.
        outputs: what is compared of what it gives.
        devices: where it is tried, in this order: one that reads a value cannot run without memory.

    Raises:
        InputError: when the network cannot run on these inputs.
    """
    *before, last = devices
    for device in before:
        try:
            return _traced(network, inputs, outputs, device)
        except Exception:  # it reads a value, which a tensor without memory does not have
            continue
    try:
        return _traced(network, inputs, outputs, last)
    except Exception as error:
        raise InputError(
            f"{type(network).__name__} cannot be traced, it fails on its own inputs: "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from error


def _traced(network: nn.Module, inputs: Inputs, outputs: Outputs, device: str) -> Traced:
    mode, there = _Mode(), dict(_named(network))
    shadows = {id(one): _shadow(one, device) for one in there.values()}
    given = {name: shadows[id(one)] for name, one in there.items()}
    axes = {name: mode.known(one) for name, one in given.items()}
    anew = made_anew(network)
    for name, one in given.items():
        for axis in axes[name]:
            if not one.is_floating_point():
                fix(axis, "numbers of places")
            elif name in anew:
                number(axis)
    placed = {name: value.to(device) for name, value in inputs.items()}
    for value in placed.values():
        for axis in mode.known(value):
            fix(axis, "of the input")
    # The same code around other tensors, so that the network is not touched: several threads may use it meanwhile.
    shell = copy.deepcopy(network, dict(shadows)).eval()
    handles = [
        module.register_forward_hook(mode.made_by(name))
        for name, module in shell.named_modules()
        if type(module).__name__.endswith(_NORMS)
    ]
    with torch.no_grad(), torch.device(device), mode:
        out = outputs(shell, placed)
    for handle in handles:
        handle.remove()
    unread = frozenset(name for name, one in given.items() if id(one) not in mode.read)
    return Traced(axes, mode.known(out), frozenset(mode.writers), mode.unknown, unread)


def _named(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)


def _shadow(one: Tensor, device: str) -> Tensor:
    if device == "meta":
        found = torch.empty_like(one, device="meta")
    else:  # a network that is not there yet has no values, and none are needed
        found = torch.zeros_like(one, device=device) if one.is_meta else one.detach()
    return nn.Parameter(found, requires_grad=False) if isinstance(one, nn.Parameter) else found


class _Mode(TorchDispatchMode):
    """Sees every operator of a forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self._axes: dict[int, Axes] = {}
        self._alive: list[Any] = []  # the number of an object is its own only while it lives
        self._picked: dict[int, Axis] = {}
        self._norms: dict[int, str] = {}
        self.unknown: dict[str, int] = {}
        self.writers: set[str] = set()
        self.read: set[int] = set()

    def known(self, tensor: Tensor) -> Axes:
        """The axes of a tensor; new ones where it was not met before."""
        if id(tensor) not in self._axes:
            self._keep(tensor, tuple(fresh(size) for size in tensor.shape))
        return self._axes[id(tensor)]

    def made_by(self, name: str) -> Any:
        """A hook that remembers what the normalisation ``name`` has made."""

        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._alive.append(output)
            self._norms[id(output)] = name

        return hook

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        arguments = func._schema.arguments
        given = {one.name: one.default_value for one in arguments if one.has_default_value()}
        given |= {one.name: value for one, value in zip(arguments, args, strict=False)} | (kwargs or {})
        results = [one for one in (out if isinstance(out, tuple | list) else [out]) if isinstance(one, Tensor)]
        space, name = func.namespace, func.overloadpacket.__name__
        call = Call(name if space == "aten" else f"{space}::{name}", given, results, self.known, self._pick)
        for one in call.tensors():
            self.read.add(id(one))
            if id(one) not in self._axes:  # neither a weight nor an input, and made by nothing that was seen
                self._keep(one, tuple(fixed(size, "of a constant") for size in one.shape))
            if id(one) in self._picked:
                fix(self._picked.pop(id(one)), "read at one place")
            if name in ("add", "add_") and id(one) in self._norms:
                self.writers.add(self._norms[id(one)])
        if not results:
            return out
        does = rule_of(func, call.name)
        if does is unknown and call.tensors():
            self.unknown[call.name] = self.unknown.get(call.name, 0) + 1
        for one, axes in zip(results, does(call), strict=False):
            if id(one) not in self._axes:
                self._keep(one, tuple(axes))
        return out

    def _pick(self, tensor: Tensor, axis: Axis) -> None:
        self._picked[id(tensor)] = axis

    def _keep(self, tensor: Tensor, axes: Axes) -> None:
        assert [extent(axis) for axis in axes] == list(tensor.shape), f"{axes} for {tuple(tensor.shape)}"
        self._axes[id(tensor)] = axes
        self._alive.append(tensor)


# ---------------------------------------------------------------------- the proof


def proven(network: nn.Module, inputs: Inputs, outputs: Outputs = told) -> Traced:
    """The axes of a network, with the proof that no coupling was missed.

    Raises:
        InputError: as :func:`trace` and :func:`require_whole`.
    """
    traced = trace(network, inputs, outputs)
    require_whole(network, inputs, traced, outputs)
    return traced


def require_whole(network: nn.Module, inputs: Inputs, traced: Traced, outputs: Outputs = told, seed: int = 0) -> float:
    """Prove that no coupling was missed: with all free units in another order a network says the same.

    What it cannot see is too much coupling, which costs quality but never correctness.

    Args:
        network: with its weights; it stays as it is.
        inputs: of a forward pass.
        traced: its axes.
        outputs: what is compared.
        seed: of the order.

    Returns:
        The largest difference, as a share of the mean absolute output.

    Raises:
        InputError: where the outputs are others.
    """
    generator = torch.Generator().manual_seed(seed)
    order = {leaf: torch.randperm(leaf.size, generator=generator) for leaf in traced.free() if not leaf.numbered}
    try:
        found, enough = _changed(network, inputs, traced, outputs, order, torch.float64), _ENOUGH
    except RuntimeError:  # its code casts to 32 bits, and rounds as these do
        found, enough = _changed(network, inputs, traced, outputs, order, torch.float32), _ENOUGH_OF_FLOATS
    if not found < enough:
        raise InputError(
            f"{type(network).__name__} cannot be cut: with its units in another order it answers otherwise (by "
            f"{found:.1e} of its outputs), so its code couples units in a way that its operators do not show. Give a "
            "rule for what it does (subarch.networks.operators.base.rule), or start candidates from scratch"
        )
    return found


def _changed(
    network: nn.Module,
    inputs: Inputs,
    traced: Traced,
    outputs: Outputs,
    order: Mapping[Atom, Tensor],
    dtype: torch.dtype,
) -> float:
    """How much another order of units changes what a network says."""
    other = copy.deepcopy(network).eval().to(dtype)
    placed = {name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()}
    with torch.no_grad():
        wanted = outputs(other, placed)
        for one, name in {one: name for name, one in _named(other)}.items():  # shared ones once
            for place, axis in enumerate(traced.axes[name]):
                one.copy_(one.index_select(place, positions(axis, order).to(one.device)))
        for place, axis in enumerate(traced.output):
            wanted = wanted.index_select(place, positions(axis, order).to(wanted.device))
        return float((outputs(other, placed) - wanted).abs().max() / wanted.abs().mean().clamp_min(1e-30))
