"""Weights and examples that are not what a search takes them for are caught, each for its own reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from mine import Mine, Pair
from torch import Tensor, nn

from subarch.conformance.weights import check_weights
from subarch.testing import FamilySuite


class TestMine(FamilySuite):
    """With weights."""

    family = Mine()


def test_whoever_has_neither_is_let_be() -> None:
    class Plain(Mine):
        predicts = None
        trained = Mine.__mro__[1].trained
        examples = Mine.__mro__[1].examples

    check_weights(Plain())


def training(self: Any) -> nn.Module:
    return Mine.trained(self).train()


def fickle(self: Any) -> nn.Module:
    return Pair(12).eval()


def smaller(self: Any) -> nn.Module:
    return _fixed(Pair, 8)


def _fixed(kind: Any, width: int) -> nn.Module:
    torch.manual_seed(5)
    return kind(width).eval()


class Doubled(Pair):
    """Tensors like those of Pair, and other outputs."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def infinite(self: Any) -> nn.Module:
    network = Mine.trained(self)
    nn.init.constant_(network.out.bias, float("inf"))
    return network


def unseeded(self: Any, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
    yield from ({"x": torch.randn(32, 4)} for _ in range(20))


def same_for_every_seed(self: Any, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
    return Mine.examples(self, 0, held_out)


def never_held_out(self: Any, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
    return Mine.examples(self, seed, False)


def by_another_name(self: Any, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
    yield from ({"input": batch["x"]} for batch in Mine.examples(self, seed, held_out))


LIES: list[tuple[dict[str, Any], str]] = [
    ({"examples": Mine.__mro__[1].examples}, r"gives only one of trained\(\) and examples\(\)"),
    ({"predicts": "labels"}, "predicts 'labels': set it to one of classes, numbers, "),
    ({"trained": lambda self: None}, "must return a torch.nn.Module, got None"),
    ({"trained": training}, "in evaluation mode"),
    ({"trained": fickle}, "other weights each time"),
    ({"trained": infinite}, "not finite"),
    ({"trained": smaller}, r"trained\(\) is not build\(reference\): into.bias, into.weight, out.weight differ"),
    ({"trained": lambda self: _fixed(Doubled, 12)}, "gives other outputs, by .* it must be the same network"),
    ({"examples": unseeded}, "are others each time"),
    ({"examples": same_for_every_seed}, "are the same for every seed"),
    ({"examples": never_held_out}, r"640 of 640 held-out examples are also learned from"),
    ({"examples": by_another_name}, r"examples\(\) have \['input'\], inputs\(\) gives \['x'\]"),
    ({"examples": lambda self, seed, held_out: iter(())}, "gave 0 examples"),
]


@pytest.mark.parametrize(("changes", "message"), LIES, ids=[message[:40] for _, message in LIES])
def test_a_lie_is_caught(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_weights(type("Liar", (Mine,), changes)())
