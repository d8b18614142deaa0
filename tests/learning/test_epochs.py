"""One training epoch by epoch: which epoch is better, and when patience ends. That it goes on is told of finetune."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from subarch.learning.epochs import in_order, in_precision, is_stale


def test_an_epoch_of_an_equal_score_and_a_smaller_loss_is_a_better_one() -> None:
    better = [{"score": 0.5, "loss": 1 / n} for n in range(1, 6)]
    assert not is_stale(better, 1)
    assert [is_stale([*better, *[{"score": 0.5, "loss": 0.3}] * n], 2) for n in range(4)] == [False, False, True, True]
    assert is_stale([{"score": 0.5, "loss": 1.0}, {"score": 0.4, "loss": 0.1}], 1)  # the score goes before the loss
    assert not is_stale([{"score": 0.5, "loss": 1.0}] * 9, None) and not is_stale([], 1)


def test_the_score_goes_before_the_loss_and_the_smaller_loss_is_better() -> None:
    epochs = [{"score": 0.5, "loss": 0.2}, {"score": 0.6, "loss": 9.0}, {"score": 0.6, "loss": 1.0}]
    assert sorted(epochs, key=in_order) == epochs


def test_bfloat16_is_for_products_alone() -> None:
    """Eight bits of mantissa: 1 + 2^-9 is 1 there, and the weights stay as they are."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)

    def loss(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return network(batch["x"]).sum()

    batch = {"x": torch.tensor([[1 + 2**-9]])}
    assert float(in_precision(loss, "float32")(model, batch).detach()) == 1 + 2**-9
    assert math.isclose(float(in_precision(loss, "bfloat16")(model, batch).detach()), 1.0)
    assert model.weight.dtype == torch.float32
