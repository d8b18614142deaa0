"""Inputs that are made up for a network run it, and have the sizes that its config says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from zoo import make

from subarch.networks.feeds import feed_of, feeds


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("bert", {"input_ids": (3, 7)}),
        ("gpt2", {"input_ids": (3, 7)}),
        ("bart", {"input_ids": (3, 7), "decoder_input_ids": (3, 5)}),
        ("vit", {"pixel_values": (3, 3, 32, 32)}),
        ("wav2vec2", {"input_values": (3, 4000)}),
        ("whisper", {"input_features": (3, 10, 40), "decoder_input_ids": (3, 5)}),
    ],
)
def test_each_kind_of_network_gets_what_it_reads(kind: str, shapes: dict[str, tuple[int, ...]]) -> None:
    network: Any = make(kind)
    given = feed_of(network).made(network.config, 3, 7)
    assert {name: tuple(value.shape) for name, value in given.items()} == shapes
    with torch.no_grad():
        network(**given)


def test_inputs_lie_where_the_weights_do_and_a_network_stays_in_training() -> None:
    with torch.device("meta"):
        network = make("bert").to("meta").train()
    assert all(value.is_meta for value in feeds(network).values())
    assert network.training


def test_what_reads_nothing_that_is_known_is_refused_with_the_reason() -> None:
    class Odd(nn.Module):
        config = make("bert").config
        main_input_name = "input_ids"

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2))

        def forward(self, input_ids: Any) -> Any:
            raise ValueError("only poems")

    with pytest.raises(ValueError, match="Odd runs on no inputs that could be made up for it: ValueError: only poems"):
        feed_of(Odd())
