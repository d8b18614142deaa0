"""What each operator of torch says about axes: which it joins, divides, counts, or reads by number.

A rule gets a :class:`Call` and returns the axes of every result. Operators that work unit by unit need none: torch
itself tags most, and :data:`UNITWISE` names the rest. An operator that nothing here knows *fixes* whatever it reads:
what it might couple cannot be cut, with the operator's name as the reason. Whoever knows better registers a rule:

>>> @rule("my::doubled")
... def _doubled(call):
...     return [call.axes("self")]
>>> RULES["my::doubled"] is _doubled
True
>>> del RULES["my::doubled"]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from subarch.networks.axes import Axes, Axis, fix, fresh, same


def words(text: str) -> tuple[str, ...]:
    """Names of operators."""
    return tuple(text.split())


@dataclass(frozen=True)
class Call:
    """One call of an operator, after it has run.

    Attributes:
        name: of the operator, without ``aten::``.
        given: its arguments by name, defaults among them.
        results: its tensors.
        known: the axes of a tensor.
        picked: takes a result that is one unit of an axis, and that axis: it is fixed once the result is read.
    """

    name: str
    given: Mapping[str, Any]
    results: Sequence[Tensor]
    known: Callable[[Tensor], Axes]
    picked: Callable[[Tensor, Axis], None]

    @property
    def out(self) -> Tensor:
        """The first result."""
        return self.results[0]

    @property
    def source(self) -> Tensor:
        """The first tensor among the arguments."""
        return self.tensors()[0]

    def axes(self, name: str) -> Axes:
        """Of the argument ``name``."""
        return self.known(self.given[name])

    def axis(self, name: str = "dim") -> int:
        """The argument ``name`` as a number of an axis of the source, from 0."""
        return int(self.given[name]) % max(1, self.source.dim())

    def tensors(self) -> list[Tensor]:
        """All among the arguments, those in lists too."""
        values = (v if isinstance(v, tuple | list) else [v] for v in self.given.values())
        return [one for value in values for one in value if isinstance(one, Tensor)]


Rule = Callable[[Call], Sequence[Sequence[Axis]]]
RULES: dict[str, Rule] = {}
"""By operator: ``mm``, ``my::op``."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register what operators do; ``aten::`` is left out of their names."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def pointwise(operator: Any, name: str) -> bool:
    """Whether torch itself says that an operator works unit by unit, or does of the one that is not in place."""
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None)
    there = [] if packet is None else [getattr(packet, one) for one in packet.overloads()]
    return any(torch.Tag.pointwise in one.tags for one in (operator, *there))


def unknown(call: Call) -> list[Axes]:
    """Fixes all that is read, and what comes of it."""
    why = f"{{}} {call.name}, an operator without a rule"
    for tensor in call.tensors():
        for axis in call.known(tensor):
            fix(axis, why.format("read by"))
    return [anew(out, why.format("made by")) for out in call.results]


def anew(out: Tensor, why: str = "") -> Axes:
    """New axes of a tensor, fixed where there is a reason."""
    axes = tuple(fresh(size) for size in out.shape)
    for axis in axes if why else ():
        fix(axis, why)
    return axes


# ---------------------------------------------------------------------- unit by unit

# Neither tagged nor with a rule of their own: as many units come out as go in, and each meets its like.
UNITWISE = frozenset(
    words(
        """
        _softmax _log_softmax _safe_softmax native_dropout bernoulli clone copy _to_copy detach alias
        lift_fresh lift tril triu contiguous empty_like zeros_like ones_like full_like
        rand_like randn_like new_zeros new_ones new_empty new_full masked_fill fill zero hardswish hardsigmoid
        floor_divide hardtanh prelu _prelu_kernel rrelu rrelu_with_noise positive _weight_norm_interface
        """
    )
)


def unitwise(call: Call) -> list[Axes]:
    """Axes of one extent that stand in one place, from the last, count the same."""
    found: list[Axes] = []
    for out in call.results:
        axes: list[Axis | None] = [None] * out.dim()
        for tensor in call.tensors():
            for place, axis in enumerate(reversed(call.known(tensor)), start=1):
                if place <= out.dim() and tensor.shape[-place] == out.shape[-place] > 1:
                    if (there := axes[-place]) is None:
                        axes[-place] = axis
                    else:
                        same(there, axis)
        found.append(tuple(fresh(n) if axis is None else axis for axis, n in zip(axes, out.shape, strict=True)))
    return found
