"""Sizes of stock configs, found by building: beside the fields of the zoo, which were written by hand."""

from __future__ import annotations

from functools import cache

import pytest
from zoo import ZOO, config_of

from subarch.networks.fields import Found
from subarch.networks.sizing import found


@cache
def sizes_of(kind: str) -> Found:
    return found(config_of(kind))


@pytest.mark.parametrize(
    "kind",
    ["distilbert", "gpt2", "llama", "qwen2", "opt", "t5", "bart", "vit", "resnet", "convnext", "swin", "mixtral"],
)
def test_fields_that_are_known_by_hand_are_found(kind: str) -> None:
    fields = {path[-1] for size in sizes_of(kind).sizes.values() for path in size.fields}
    assert {name for name, value in ZOO[kind].smaller.items() if value != ZOO[kind].sizes[name]} <= fields


@pytest.mark.parametrize(
    ("kind", "together"),
    [
        ("bert", {"hidden_size", "num_attention_heads"}),  # a head keeps its size
        ("llama", {"hidden_size"}),  # there it is a field of its own
        ("qwen2", {"hidden_size", "num_attention_heads", "num_key_value_heads"}),
        ("opt", {"hidden_size", "num_attention_heads", "word_embed_proj_dim"}),
        ("bart", {"d_model", "encoder_attention_heads", "decoder_attention_heads"}),
    ],
)
def test_what_goes_with_the_hidden_size_follows_it(kind: str, together: set[str]) -> None:
    size = sizes_of(kind).sizes["hidden_size"]
    assert {path[-1] for path in size.fields} == together
    assert not size.narrows


def test_stacks_and_stages_are_one_parameter() -> None:
    depth = sizes_of("t5").sizes["num_hidden_layers"]
    assert {path[-1]: value for path, value in depth.fields.items()} == {"num_layers": 4, "num_decoder_layers": 3}
    assert depth.at(2) == {("num_layers",): 2, ("num_decoder_layers",): 2}
    stages = sizes_of("convnext").sizes
    assert stages["depths"].at(2) == {("depths",): (1, 1, 2, 1)}
    assert stages["hidden_sizes"].at(20) == {("hidden_sizes",): (8, 12, 16, 20)}


def test_empty_fields_that_follow_others_are_written_out() -> None:
    """GPT-2's inner size is four times its hidden size where it is not said."""
    assert config_of("gpt2", n_inner=None)["n_inner"] == 4 * 48


def test_fields_that_are_no_sizes_are_refused_with_the_reason() -> None:
    sizes = sizes_of("vit")
    assert "image_size" not in sizes.sizes and "vocab_size" not in sizes_of("bert").sizes
    assert "position_embeddings" in sizes.refused["image_size"]
