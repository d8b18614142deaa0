"""Exact parameters and operations of any network.

A network is built on the meta device, which costs milliseconds and no memory: parameters are counted from the module
(shared tensors once) and multiply-accumulates from ``torch.utils.flop_counter`` (two FLOPs each; matrix products,
convolutions and attention, nothing elementwise) over one forward pass of batch 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from subarch.errors import InputError
from subarch.networks.family import Family
from subarch.networks.space import Value

PARTS = ("first", "middle", "last", "head")


@dataclass(frozen=True)
class Counts:
    """Trainable parameters, and multiply-accumulates of one forward pass of batch 1."""

    parameters: int
    macs: int


def count(family: Family, architecture: Mapping[str, Value], sequence_length: int = 128) -> Counts:
    """Exact counts of one architecture, which may lie outside the space.

    Raises:
        ValueError: when the network cannot be built or run on the meta device.
    """
    return count_parts(family, architecture, sequence_length)["network"]


def count_parts(family: Family, architecture: Mapping[str, Value], sequence_length: int = 128) -> dict[str, Counts]:
    """Exact counts of the ``network`` and of its parts: ``first``, ``middle``, ``last``, and ``head`` if it has one.

    Parameters that parts share are counted in the first part that holds them; a separate head counts its own.
    """
    with torch.device("meta"):
        network = family.network(architecture)
        try:
            parts = family.parts(network)
            inputs = family.inputs(1, sequence_length)
            head = family.head(architecture)
            macs, by_module = module_macs(network, **inputs)
            named = [[network.get_submodule(n) for n in names] for names in (parts.first, parts.middle, parts.last)]
            head_macs = None if head is None else module_macs(head[0], *head[1])[0]
        except InputError:  # of what was asked for, in words of its own
            raise
        except Exception as error:
            raise InputError(
                f"family {family.name!r} could not be counted at {dict(architecture)}: {type(error).__name__}: "
                f"{error}. The network must run on its inputs on the meta device, without reading values of tensors"
            ) from error
    result = {"network": Counts(num_parameters(network), macs)}
    seen: set[int] = set()
    for part, names, modules in zip(PARTS, (parts.first, parts.middle, parts.last), named, strict=False):
        result[part] = Counts(num_parameters(*modules, seen=seen), sum(by_module.get(name, 0) for name in names))
    if head is not None and head_macs is not None:
        result["head"] = Counts(num_parameters(head[0]), head_macs)
    return result


def num_parameters(*modules: nn.Module, seen: set[int] | None = None) -> int:
    """Trainable parameters, every tensor once; those whose ids are in ``seen`` are left out, and added to it."""
    known = set[int]() if seen is None else seen
    total = 0
    for parameter in itertools.chain.from_iterable(module.parameters() for module in modules):
        if id(parameter) not in known and parameter.requires_grad:
            known.add(id(parameter))
            total += parameter.numel()
    return total


def module_macs(network: nn.Module, *inputs: Tensor, **named: Tensor) -> tuple[int, dict[str, int]]:
    """Multiply-accumulates of one forward pass: in all, and by submodule name.

    Raises:
        ValueError: when the counter reports an odd number of FLOPs, which no multiply-accumulates have.
    """
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs, **named)
    flops = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    if any(value % 2 for value in flops.values()):
        raise InputError("an operation reports an odd number of FLOPs: register its FLOP formula as 2 per multiply-add")
    root = type(network).__name__ + "."
    by_module = {name.removeprefix(root): value // 2 for name, value in flops.items() if name.startswith(root)}
    return flops.get("Global", 0) // 2, by_module
