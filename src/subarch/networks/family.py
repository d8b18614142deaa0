"""A family of networks: a search space and the function that builds any network of it.

A network reads ``f(x) = C(B_n(... B_1(A(x))))``: a first part A (embeddings), a repeated middle B (encoder layers) and
a last part C (the head). A :class:`Family` says which submodules play these roles, builds the network of any
architecture, and gives example inputs. That is all that counting, searching, and the ABnC check need to know, so a
family of your own is some twenty lines; :func:`subarch.testing.check_family` tells whether they are right.

A family that also has the reference network's weights (:meth:`Family.trained`) and examples of what it reads
(:meth:`Family.examples`), and says what it :attr:`~Family.predicts`, needs no error function: candidates inherit the
weights, learn for a few steps to give the reference's outputs, and are judged by how far they stay from them.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from subarch.errors import InputError
from subarch.networks.space import Architecture, Space, Value
from subarch.networks.tracing import told
from subarch.results.base import Json
from subarch.storage import read_json, written_whole

Predicted = Literal["classes", "numbers", "states", "tokens", "causal-lm", "masked-lm"]
"""What a network's outputs are, and so how two networks are compared:

- ``classes``: logits, ``(batch, classes)``;
- ``numbers``: values of any shape, ``(batch, ...)``;
- ``states``: of the tokens of a sequence, ``(batch, sequence, hidden)``, of any hidden size;
- ``tokens``: logits of every token, ``(batch, sequence, classes)``; those of padding do not count;
- ``causal-lm``: logits of the next token, ``(batch, sequence, vocabulary)``; those of the last one do not count;
- ``masked-lm``: logits of every token, ``(batch, sequence, vocabulary)``; those of masked ones count.
"""
WEIGHTS = "model.safetensors"
"""In the folder of a search, beside ``architecture.json``: the weights of what it has picked."""
MASKED = "masked"
"""The one entry of a batch that is no argument of ``forward``: which tokens are masked, ``(batch, sequence)``, bool."""


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
        predicts: what the outputs are; only families with weights need to say it.
    """

    name: str
    space: Space
    reference: Architecture
    predicts: Predicted | None = None

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

    # ------------------------------------------------------------------ weights; all of it may be left out

    def trained(self) -> nn.Module | None:
        """The network that candidates inherit from and learn from, with its weights, in evaluation mode.

        Usually that of the reference, ``build(reference)`` with weights that were saved before. The same weights each
        time, in every process: load them rather than train them here. None: there are no weights.
        """
        return None

    def examples(self, seed: int, held_out: bool) -> Iterable[dict[str, Tensor]]:
        """Batches of what the network reads: keyword arguments of ``forward``, as :meth:`inputs` gives them.

        Held-out examples judge, the others teach, and none may be both. They are drawn anew for every seed, and are
        the same for the same seed. There may be any number of batches, also without end: as many are taken as are
        needed, and where there are fewer to learn from, further rounds are asked for with other seeds. For
        ``masked-lm`` a batch also has :data:`MASKED`.

        Args:
            seed: from 0, below 2**32.
            held_out: which of the two.
        """
        del seed, held_out
        return ()

    def outputs(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """What a network says of a batch, examples first, in the shape that :data:`Predicted` tells.

        The tensor that ``forward`` returns, its ``last_hidden_state`` or ``logits`` where it returns several by name,
        and the first one otherwise. Override it where something else counts.
        """
        return told(network, arguments_of(batch))

    @property
    def has_weights(self) -> bool:
        """Whether candidates can inherit: there are weights and examples. It opens neither."""
        own = type(self)
        return own.trained is not Family.trained and own.examples is not Family.examples

    def save(self, network: nn.Module, folder: Path) -> None:
        """Write the weights of a network of this family into a folder: whole, or not at all."""
        with written_whole(folder / WEIGHTS) as part:
            save_model(network, str(part))

    def opened(self, folder: Path | str) -> nn.Module:
        """The network in the folder of a finished search, with its weights, in evaluation mode.

        Raises:
            ValueError: where there is none, or one that :meth:`build` does not make.
        """
        path, described = Path(folder) / WEIGHTS, read_json(Path(folder) / "architecture.json")
        if described is None or not path.is_file():
            raise InputError(
                f"{folder} has no architecture.json with {path.name}: expected the folder of a finished search of "
                f"{self.name} in which candidates inherited weights"
            )
        network = self.network(dict(described.get("architecture", {})))
        try:
            load_model(network, str(path))
        except (RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).rstrip(".").split())
            raise InputError(
                f"the weights in {path} are not of the network that {self.name} builds now: {reason}. Open it with the "
                "family that made it"
            ) from error
        return network.eval()

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


def arguments_of(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The keyword arguments of ``forward`` in a batch."""
    return {name: values for name, values in batch.items() if name != MASKED}


def require_names(reference: Mapping[str, Value], space: Space) -> None:
    """Refuse a reference that does not name exactly the parameters of the space.

    Raises:
        ValueError: as said.
    """
    if set(reference) != set(space.names):
        raise InputError(f"the reference must name {list(space.names)} (the space's parameters), got {list(reference)}")
