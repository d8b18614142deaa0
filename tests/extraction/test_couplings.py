"""What can be cut is told with sizes, what cannot with its reason; a coupling that no operator shows is a violation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from subarch.extraction.couplings import check_couplings
from subarch.networks.encoder import EncoderFamily
from subarch.networks.family import Family, Parts
from subarch.networks.space import Parameter, Space, Value

BERT = {
    "model_type": "bert",
    "vocab_size": 40,
    "max_position_embeddings": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "hidden_size": 16,
    "intermediate_size": 24,
}


def test_a_stock_encoders_units() -> None:
    found = check_couplings(EncoderFamily.from_config(BERT))
    assert found.verdict == "checked"
    # Hidden units; of each layer its heads, the sizes of queries and values, and inner units.
    assert found.evidence.startswith("can be cut: 6 times 4, 16, 2 times 24 units; cannot:")
    assert "2, 32, 40 looked up by number" in found.evidence


class Odd(Family):
    """``forward`` is one map and what a subclass makes of it."""

    name = "odd"
    space = Space((Parameter(name="width", choices=(2, 3, 4)),))
    reference: dict[str, Value] = {"width": 4}  # noqa: RUF012

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return Net(int(architecture["width"]))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"values": torch.ones(batch_size, 3)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts((), ())


class Net(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(3, width), nn.Linear(width, 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.out(torch.fft.fft(self.into(values)).real)


def test_an_operator_without_a_rule_is_named() -> None:
    found = check_couplings(Odd())
    assert found.verdict == "not shown"
    assert "4 read by _fft_r2c, an operator without a rule" in found.evidence
    assert "operators without a rule, which fix what they read: _fft_r2c (1 times)" in found.evidence
