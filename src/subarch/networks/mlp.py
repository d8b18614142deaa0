"""The multilayer perceptron family: one architectural parameter, ``width_j``, for every hidden layer.

The parameters of a layer from width a to width b are a·b + b and its multiply-accumulates a·b, so both counts are
polynomials in which only neighbouring widths meet.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn

from subarch.errors import InputError
from subarch.networks.family import Family, Parts, require_names
from subarch.networks.space import Architecture, Parameter, Space, Value

Activation = Literal["relu", "gelu", "tanh"]
_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class MLPFamily(Family):
    """Multilayer perceptrons with fixed inputs and outputs; make one with :meth:`from_widths`.

    Args:
        space: the parameters ``width_1`` ... ``width_n``, positive integers.
        reference: T, one width for each layer.
        inputs_size: width of the input.
        outputs_size: width of a last linear layer; None leaves it out, and the last width is the output.
        activation: between any two linear layers.

    Raises:
        ValueError: for other parameters, or widths that are not positive integers.
    """

    space: Space
    reference: Architecture
    inputs_size: int = 784
    outputs_size: int | None = 10
    activation: Activation = "relu"
    name: str = "mlp"

    def __post_init__(self) -> None:
        expected = tuple(f"width_{j + 1}" for j in range(len(self.space.names)))
        if self.space.names != expected:
            raise InputError(
                f"the parameters of an mlp are {list(expected)} in this order, got {list(self.space.names)}"
            )
        require_names(self.reference, self.space)
        sizes = [self.inputs_size, *([] if self.outputs_size is None else [self.outputs_size])]
        values: list[Value] = [choice for parameter in self.space.parameters for choice in parameter.choices]
        for value in [*sizes, *values, *self.reference.values()]:
            if not isinstance(value, int) or value < 1:
                raise InputError(f"widths of an mlp are positive integers, got {value!r}")
        if self.activation not in get_args(Activation):
            raise InputError(f"activation must be one of {list(_ACTIVATIONS)}, got {self.activation!r}")

    @classmethod
    def from_widths(
        cls,
        widths: Sequence[Sequence[int]],
        *,
        inputs: int = 784,
        outputs: int | None = 10,
        activation: Activation = "relu",
        reference: Mapping[str, Value] | None = None,
    ) -> Self:
        """A family from one ascending list of widths per hidden layer; T is the widest unless given."""
        parameters = tuple(Parameter(name=f"width_{j + 1}", choices=tuple(w)) for j, w in enumerate(widths))
        largest: Architecture = {p.name: p.choices[-1] for p in parameters}
        return cls(Space(parameters), dict(reference or largest), inputs, outputs, activation)

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        hidden = [int(architecture[name]) for name in self.space.names]
        sizes = [self.inputs_size, *hidden, *([] if self.outputs_size is None else [self.outputs_size])]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), _ACTIVATIONS[self.activation]()]
        return nn.Sequential(*layers[:-1])  # no activation after the last layer

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        del sequence_length
        return {"input": torch.zeros(batch_size, self.inputs_size)}  # (batch, inputs)

    def parts(self, network: nn.Module) -> Parts:
        linear = [name for name, module in network.named_children() if isinstance(module, nn.Linear)]
        return Parts(first=tuple(linear[:1]), middle=tuple(linear[1:-1]), last=tuple(linear[1:][-1:]))

    def probes(self, name: str) -> tuple[int, ...]:
        del name
        return (1, 2, 3, 4)

    def with_space(self, space: Space | None = None, reference: Mapping[str, Value] | None = None) -> Self:
        return replace(self, space=space or self.space, reference=dict(reference or self.reference))

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "kind": "mlp",
            "inputs": self.inputs_size,
            "outputs": self.outputs_size,
            "activation": self.activation,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(
            space=Space.from_json(data["space"]),
            reference=dict(data["reference"]),
            inputs_size=data["inputs"],
            outputs_size=data["outputs"],
            activation=data["activation"],
            name=data["name"],
        )


def mlp_preset() -> MLPFamily:
    """784 inputs, 8 hidden layers of 16 widths each (32 to 512 by 32), 10 outputs: 4.3 · 10^9 architectures."""
    return MLPFamily.from_widths([tuple(range(32, 513, 32))] * 8)
