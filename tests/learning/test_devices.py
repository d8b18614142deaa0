"""What keeps a processor busy: an aligned vocabulary says the same, and layers keep their weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import config
from torch import nn
from transformers import BertForMaskedLM

from subarch.learning.devices import aligned_linear, compilable, fuse, tokens_at_once


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("size", "aligned"), [(100, 128), (128, 128), (1, 64)])
def test_an_aligned_projection_is_the_same_with_tokens_that_never_come(size: int, aligned: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer, values = nn.Linear(8, size, bias=bias), torch.randn(5, 8)
    found = aligned_linear(layer, values)
    assert found.shape == (5, aligned)
    torch.testing.assert_close(found[:, :size], layer(values))
    torch.testing.assert_close(found.softmax(-1)[:, :size], layer(values).softmax(-1))
    assert found.softmax(-1)[:, size:].sum() == 0
    labels = torch.zeros(5, dtype=torch.long)
    torch.testing.assert_close(
        nn.functional.cross_entropy(found, labels), nn.functional.cross_entropy(layer(values), labels)
    )


def test_gradients_reach_the_weights_through_it() -> None:
    torch.manual_seed(0)
    layer, values = nn.Linear(8, 10), torch.randn(5, 8)
    aligned_linear(layer, values)[:, :10].square().sum().backward()
    found = layer.weight.grad
    layer.weight.grad = None
    layer(values).square().sum().backward()
    torch.testing.assert_close(found, layer.weight.grad)


def test_fusing_changes_neither_names_nor_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model: Any = BertForMaskedLM(config())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, *_, **__: compiled.append(self))
    model.bert.encoder.layer[1].output.register_forward_hook(lambda *_: None)  # somebody listens inside
    fuse(model)
    assert compiled == [model.bert.encoder.layer[0]]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    decoder = model.get_output_embeddings()
    assert decoder(torch.zeros(1, 32)).shape == (1, 448)  # 400 tokens up to a multiple of 64


def test_without_an_accelerator_a_batch_is_of_fixed_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert tokens_at_once(config().to_dict()) == 16_384 and not compilable()


def test_of_an_accelerator_half_is_filled_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"num_hidden_layers": 12, "hidden_size": 768, "intermediate_size": 3072, "vocab_size": 30522}
    room = 0

    class Properties:
        @property
        def total_memory(self) -> int:
            return room

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties())
    # By hand: 12 layers of 14 * 768 + 8 * 3072 numbers of two bytes, and 0.15 * 12 bytes for each of the vocabulary.
    a_token = 2 * 12 * (14 * 768 + 8 * 3072) + 0.15 * 12 * 30522
    found = []
    for gigabytes in (1, 16, 80, 10_000):
        room = gigabytes * 10**9
        found.append(tokens_at_once(sizes))
    assert found == [1024, int(8e9 / a_token), int(40e9 / a_token), 131_072]
