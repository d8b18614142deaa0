"""Which tensor of a student is which of its source, and how many units it has, by names and shapes alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from zoo import TOKENS, make

from subarch.networks.axes import resolved
from subarch.networks.correspondence import depth_map, matched, origins
from subarch.networks.tracing import tensors_of, trace


@given(st.integers(1, 48), st.integers(1, 48))
def test_depth_map_is_even_and_ends_at_the_last_layer(student: int, source: int) -> None:
    if student > source:
        with pytest.raises(ValueError, match="layers to inherit"):
            depth_map(student, source)
        return
    layers = depth_map(student, source)
    gaps = [b - a for a, b in zip((-1, *layers), layers, strict=False)]
    assert len(layers) == student
    assert layers[-1] == source - 1
    assert max(gaps) - min(gaps) <= 1
    assert min(gaps) >= 1


def test_depth_maps_by_hand() -> None:
    assert depth_map(6, 6) == (0, 1, 2, 3, 4, 5)
    assert depth_map(3, 6) == (1, 3, 5)
    assert depth_map(4, 12) == (2, 5, 8, 11)
    assert depth_map(1, 6) == (5,)


def test_parts_of_another_make_are_not_counted_among_the_layers() -> None:
    source = [
        "layer.0.only",
        "layer.1.w",
        "layer.1.n",
        "layer.2.w",
        "layer.2.n",
        "layer.3.w",
        "layer.3.n",
        "layer.4.w",
        "layer.4.n",
    ]
    student = ["layer.0.only", "layer.1.w", "layer.1.n", "layer.2.w", "layer.2.n"]
    found = origins(student, source)
    assert [found[name] for name in student] == ["layer.0.only", "layer.2.w", "layer.2.n", "layer.4.w", "layer.4.n"]


def test_parts_that_the_source_lacks_are_named() -> None:
    with pytest.raises(ValueError, match=r"layer\.0\.norm has no counterpart in the source"):
        origins(["layer.0.norm"], ["layer.0.weight"])
    with pytest.raises(ValueError, match=r"project\.weight of the source has no counterpart in the student|project of"):
        origins(["table.weight"], ["table.weight", "project.weight"])
    with pytest.raises(ValueError, match="layer has 3 parts of one make, the source 2"):
        origins([f"layer.{n}.w" for n in range(3)], [f"layer.{n}.w" for n in range(2)])


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(one.shape) for name, one in tensors_of(model).items()}


def test_heads_go_and_the_size_of_a_head_stays() -> None:
    axes = trace(make("bert"), TOKENS).axes
    match = matched(shapes(make("bert", {"num_attention_heads": 3, "hidden_size": 24})), axes)
    heads, size = resolved(match.axes["encoder.layer.0.attention.self.query.weight"][0])
    assert (match.sizes(heads), match.sizes(size)) == (3, 8)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"intermediate_size": 41}, "its source has 40 units and 41 are asked for"),
        ({"vocab_size": 60}, "an axis of 61 cannot become 60, it is looked up by number"),
        ({"hidden_size": 44, "num_attention_heads": 4}, "an axis of 44 is not made of whole units of 8"),
    ],
)
def test_shapes_that_no_part_of_the_source_has_are_refused(sizes: dict[str, int], message: str) -> None:
    axes = trace(make("bert"), TOKENS).axes
    with pytest.raises(ValueError, match=message):
        matched(shapes(make("bert", sizes)), axes)


def test_numbered_units_are_every_nth_whatever_is_chosen() -> None:
    class Waves(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.last = nn.Linear(width, 1)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return self.last(torch.sin(values * torch.arange(self.last.in_features, device=values.device)))

    axes = trace(Waves(12), {"values": torch.ones(5, 1)}).axes
    match = matched(shapes(Waves(4)), axes, lambda _atom, count: torch.arange(count))
    assert match.taken("last.weight", torch.arange(12.0)[None]).tolist() == [[0.0, 3.0, 6.0, 9.0]]
