"""The conformance check accepts the families of the package and refuses broken ones, each for its own reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from subarch.networks.encoder import EncoderFamily
from subarch.networks.family import Family, Parts
from subarch.networks.mlp import MLPFamily
from subarch.networks.space import Constraint, Parameter, Space, Value
from subarch.testing import check_family

TINY = {
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 16,
    "vocab_size": 40,
    "max_position_embeddings": 140,
}


class Good(Family):
    """The smallest family that conforms; the broken ones below change one thing each."""

    name = "good"
    space = Space((Parameter(name="width", choices=(2, 3, 4, 6)),))
    reference: dict[str, Value] = {"width": 6}  # noqa: RUF012

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        width = int(architecture["width"])
        return nn.Sequential(nn.Linear(3, width), nn.Linear(width, width), nn.Linear(width, 2))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"input": torch.ones(batch_size, 3)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts(("0",), ("1",), ("2",))


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_encoders_conform(kind: str) -> None:
    heads = {"bert": ["BertForSequenceClassification"], "roberta": ["RobertaForMaskedLM"]}[kind]
    check_family(EncoderFamily.from_config({"model_type": kind, "architectures": heads, **TINY}), samples=1)


def test_perceptrons_conform() -> None:
    check_family(MLPFamily.from_widths([(4, 8), (4, 6, 8)], inputs=3, outputs=2))
    check_family(MLPFamily.from_widths([(4, 8), (2, 4)], inputs=3, outputs=None))
    check_family(Good())


def test_the_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    check_family(Good())
    assert torch.equal(torch.rand(1), expected)


def shared() -> Family:
    class Shared(Good):
        def __init__(self) -> None:
            self.first = nn.Linear(3, 4)

        def build(self, architecture: Mapping[str, Value]) -> nn.Module:
            width = int(architecture["width"])
            if torch.get_default_device().type == "meta":
                return super().build(architecture)
            return nn.Sequential(self.first, nn.Linear(4, width), nn.Linear(width, 2))

    return Shared()


def without_reference() -> Family:
    class Bare(Good):
        reference = None  # type: ignore[assignment]

    return Bare()


def raising(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    raise RuntimeError("kaput")


def on_cpu(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    with torch.device("cpu"):
        return Good().build(architecture)


def not_a_network(self: Any, architecture: Mapping[str, Value]) -> Any:
    return 3


def mutating(self: Any, architecture: dict[str, Value]) -> nn.Module:
    network = Good().build(architecture)
    architecture["width"] = 1
    return network


def misfit(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 6), nn.Linear(6, 2))


def falling(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    width = 9 - int(architecture["width"])
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, width), nn.Linear(width, 2))


def unseeded(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    network = Good().build(architecture)
    if not network[0].weight.is_meta:
        nn.init.uniform_(network[0].weight, generator=torch.Generator().manual_seed(torch.seed() % 2**31))
    return network


def exploding(self: Any, architecture: Mapping[str, Value]) -> nn.Module:
    network = Good().build(architecture)
    nn.init.constant_(network[2].bias, float("inf"))
    return network


class Transposed(nn.Sequential):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return super().forward(input).T


class Silent(nn.Sequential):
    def forward(self, input: Tensor) -> str:  # noqa: A002
        return "done"


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"build": raising}, "kaput"),
    ({"build": not_a_network}, "must return a torch.nn.Module"),
    ({"build": on_cpu}, "default device"),
    ({"build": mutating}, "must not change the architecture"),
    ({"build": misfit}, "does not run on its inputs"),
    ({"build": falling}, "make that parameter unordered"),
    ({"build": unseeded}, "same torch.manual_seed"),
    ({"build": exploding}, "not finite"),
    ({"build": lambda self, architecture: Transposed(*Good().build(architecture))}, "batch of 3"),
    ({"build": lambda self, architecture: Silent(*Good().build(architecture))}, "returns no tensor"),
    ({"inputs": lambda self, batch, length: {"input": torch.ones(batch, 3, device="cpu")}}, "default device"),
    ({"parts": lambda self, network: Parts(("0",), ("9",))}, "no submodule"),
    ({"parts": lambda self, network: Parts(("0",), ("0",))}, "disjoint"),
    ({"parts": lambda self, network: Parts((), ())}, "names no submodule"),
    ({"parts": lambda self, network: ("0",)}, "must return Parts"),
    ({"reference": {"depth": 3}}, "reference must name"),
    ({"space": "wide"}, "space must be a Space"),
    ({"space": Space(Good.space.parameters, (Constraint("width > 9"),))}, "space is empty"),
    ({"describe": lambda self, architecture: {"shape": torch.Size}}, "JSON data"),
    ({"head": lambda self, architecture: (nn.Linear(4, 2), (torch.ones(1, 3),))}, "does not run on its inputs"),
    ({"name": "no.such.module:Family"}, "cannot be made again"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_broken_families_are_refused(change: dict[str, Any], message: str) -> None:
    broken = type("Broken", (Good,), change)()
    with pytest.raises(AssertionError, match=message):
        check_family(broken)


def test_shared_weights_and_missing_attributes_are_refused() -> None:
    with pytest.raises(AssertionError, match="share parameters"):
        check_family(shared())
    with pytest.raises(AssertionError, match="reference must be a dict"):
        check_family(without_reference())
