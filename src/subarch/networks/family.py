"""A family of networks: a search space and the function that builds any network of it.

A network reads ``f(x) = C(B_n(... B_1(A(x))))``: a first part A (embeddings), a repeated middle B (encoder layers) and
a last part C (the head). A :class:`Family` says which submodules play these roles, builds the network of any
architecture, and gives example inputs. That is all that counting, searching, and the ABnC check need to know, so a
family of your own is some twenty lines; :func:`subarch.testing.check_family` tells whether they are right.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor, nn

from subarch.errors import InputError
from subarch.networks.space import Architecture, Space, Value
from subarch.results.base import Json


@dataclass(frozen=True)
class Parts:
    """Names of submodules (as in ``network.get_submodule``) that form A, B_1..B_n and C; disjoint."""

    first: tuple[str, ...]
    middle: tuple[str, ...]
    last: tuple[str, ...] = ()


class Family(ABC):
    """A search space together with the networks in it.

    Attributes:
        name: how messages and files call the family: ``"encoder"``, ``"mlp"``, ``"module.path:Name"``.
        space: the architectures to choose from.
        reference: T, the architecture that others are compared with (same names as the space; may lie outside it).
    """

    name: str
    space: Space
    reference: Architecture

    @abstractmethod
    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        """The network of ``architecture``, freshly initialised on torch's current default device.

        ``with torch.device("meta"): family.build(...)`` must work: that is how networks of any size are counted.
        """

    @abstractmethod
    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        """Keyword arguments of one forward pass, on the current default device.

        Families without sequences ignore ``sequence_length``.
        """

    @abstractmethod
    def parts(self, network: nn.Module) -> Parts:
        """Which submodules of ``network`` are A, B_1..B_n and C."""

    def head(self, architecture: Mapping[str, Value]) -> tuple[nn.Module, tuple[Tensor, ...]] | None:
        """C with the positional inputs of one forward pass of batch 1, where C is not part of the built network."""
        del architecture
        return None

    def probes(self, name: str) -> tuple[int, ...]:
        """Further values of the ordered parameter ``name`` for which :meth:`build` works.

        They let the degree of a polynomial be determined where a parameter has few choices. Small is cheap.
        """
        del name
        return ()

    def describe(self, architecture: Mapping[str, Value]) -> Json:
        """What ``architecture.json`` holds."""
        return {"family": self.name, "architecture": dict(architecture)}

    def to_json(self) -> dict[str, Any]:
        """Enough to make the family again, without weights, by :func:`subarch.networks.sources.family_from_json`."""
        return {
            "kind": "custom",
            "name": self.name,
            "space": self.space.to_json(),
            "reference": dict(self.reference),
        }

    def with_space(self, space: Space | None = None, reference: Mapping[str, Value] | None = None) -> Self:
        """The same family over another space or with another reference.

        Raises:
            ValueError: when the names of the reference are not those of the space.
        """
        clone = copy.copy(self)
        object.__setattr__(clone, "space", space or self.space)
        object.__setattr__(clone, "reference", dict(reference or self.reference))
        require_names(clone.reference, clone.space)
        return clone

    def served(self, architecture: Mapping[str, Value]) -> nn.Module:
        """The network as it answers, which is what is timed: with the source's head where :meth:`build` has none."""
        return self.network(architecture)

    def network(self, architecture: Mapping[str, Value]) -> nn.Module:
        """:meth:`build`, with failures told as the family's.

        Raises:
            ValueError: when ``build`` raises, or returns something that is no network.
        """
        try:
            network = self.build(architecture)
        except Exception as error:
            raise InputError(
                f"family {self.name!r} could not build {dict(architecture)}: {type(error).__name__}: {error}. "
                "Correct its build(), or remove this architecture from the space by a constraint"
            ) from error
        if not isinstance(network, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(
                f"family {self.name!r}: build({dict(architecture)}) must return a torch.nn.Module, "
                f"got {type(network).__name__}"
            )
        return network


def require_names(reference: Mapping[str, Value], space: Space) -> None:
    """Refuse a reference that does not name exactly the parameters of the space.

    Raises:
        ValueError: as said.
    """
    if set(reference) != set(space.names):
        raise InputError(f"the reference must name {list(space.names)} (the space's parameters), got {list(reference)}")
