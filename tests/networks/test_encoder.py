"""Derived spaces, stock configs, and the networks they build in the stock library."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertConfig, RobertaConfig

from subarch.networks.encoder import EncoderFamily, bort_preset, derived_space
from subarch.networks.space import Parameter, Space
from subarch.networks.stock import plain_config

MINILM = {
    "model_type": "bert",
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "hidden_size": 384,
    "intermediate_size": 1536,
}


def tiny(**changes: Any) -> dict[str, Any]:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
    return {"model_type": "bert", "vocab_size": 40, "max_position_embeddings": 32, **sizes, **changes}


def test_space_of_minilm() -> None:
    space = derived_space(MINILM)
    assert {p.name: p.choices for p in space.parameters} == {
        "num_hidden_layers": (1, 2, 3, 4, 6),
        "hidden_size": (128, 192, 256, 320, 384),
        "intermediate_size": (192, 384, 768, 1152, 1536),
    }
    family = EncoderFamily.from_config(MINILM)
    assert family.head_size == 32
    assert 100 <= len(space.listed()) <= 200
    for row in space.listed():
        config = family.config_for(space.architecture(row))
        assert config.hidden_size == 32 * config.num_attention_heads


@pytest.mark.parametrize(
    ("layers", "heads", "hidden", "intermediate"),
    [(4, 3, 192, 768), (12, 12, 768, 3072), (24, 16, 1024, 4096), (2, 2, 16, 32), (1, 1, 8, 1), (4, 12, 312, 1200)],
)
def test_any_source_gives_a_space_up_to_itself(layers: int, heads: int, hidden: int, intermediate: int) -> None:
    sizes = {"num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": intermediate}
    space = derived_space({"num_attention_heads": heads, **sizes})
    for parameter in space.parameters:
        assert parameter.choices[-1] == sizes[parameter.name]
        possible = heads if parameter.name == "hidden_size" else sizes[parameter.name]
        assert len(parameter.choices) >= min(2, possible)
    assert all(choice % (hidden // heads) == 0 for choice in space.parameters[1].choices)


@pytest.mark.parametrize("config", [BertConfig, RobertaConfig])
def test_described_networks_are_stock_and_run(config: type[Any]) -> None:
    source = config(**{k: v for k, v in tiny().items() if k != "model_type"})
    family = EncoderFamily.from_config(source)
    architecture = family.space.architecture((0, 0, 0))
    described = json.loads(json.dumps(family.describe(architecture)))
    assert described["architectures"] == [config.__name__.replace("Config", "Model")]
    stock = AutoModel.from_config(AutoConfig.for_model(**described), add_pooling_layer=False)
    own = family.network(architecture)
    assert {n: p.shape for n, p in own.named_parameters()} == {n: p.shape for n, p in stock.named_parameters()}
    assert all(p.dtype == torch.float32 for p in own.parameters())
    inputs = family.inputs(2, 7)
    assert inputs["input_ids"].shape == (2, 7)
    assert not (inputs["input_ids"] == source.pad_token_id).any()
    assert own(**inputs).last_hidden_state.shape == (2, 7, 8)
    parts = family.parts(own)
    covered = sum(p.numel() for n in (*parts.first, *parts.middle) for p in own.get_submodule(n).parameters())
    assert covered == sum(p.numel() for p in own.parameters())


@pytest.mark.parametrize(
    ("kind", "architectures", "shape"),
    [
        ("bert", ["BertForSequenceClassification"], (1, 2)),
        ("roberta", ["RobertaForSequenceClassification"], (1, 2)),
        ("bert", ["BertForMaskedLM"], (1, 128, 40)),
        ("roberta", ["RobertaForMaskedLM"], (1, 128, 40)),
        ("bert", None, (1, 128, 40)),
    ],
)
def test_head_is_the_sources(kind: str, architectures: list[str] | None, shape: tuple[int, ...]) -> None:
    family = EncoderFamily.from_config(tiny(model_type=kind, architectures=architectures))
    module, inputs = family.head(family.reference)
    assert module(*inputs).shape == shape


def test_the_published_space() -> None:
    family = bort_preset()
    # 4 x 6 x 3 x 5 combinations without the two hidden sizes that 12 heads do not divide
    assert len(family.space.listed()) == 360 - 2 * 6 * 5 == 300
    config = family.config_for(family.reference)
    assert (config.num_hidden_layers, config.num_attention_heads) == (24, 16)
    assert (config.hidden_size, config.intermediate_size, config.vocab_size) == (1024, 4096, 50265)
    assert not family.space.contains(family.reference)
    with torch.device("meta"):
        assert family.network(family.space.architecture((2, 0, 1, 0))) is not None  # 12 heads of 64


def test_a_space_of_ones_own_keeps_the_rest() -> None:
    space = Space((Parameter(name="intermediate_size", choices=(3, 7)),))
    family = EncoderFamily.from_config(tiny(), space)
    config = family.config_for({"intermediate_size": 7})
    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size) == (2, 16, 7)
    assert family.reference == {"intermediate_size": 32}
    heads = Space((Parameter(name="num_attention_heads", choices=(1, 2, 3), ordered=False),))
    with_heads = EncoderFamily.from_config(tiny(), heads)
    assert with_heads.config_for({"num_attention_heads": 1}).num_attention_heads == 1
    with pytest.raises(ValueError, match="multiple of 3"):
        with_heads.network({"num_attention_heads": 3})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "gpt2"}, "gpt2"),
        ({"model_type": "vit"}, "vit"),
        ({"model_type": "longformer"}, "longformer"),
        ({"vocab_size": 3}, "model_type"),
        (tiny(is_decoder=True), "decoder"),
        (tiny(num_hidden_layers=0), "num_hidden_layers"),
    ],
)
def test_other_networks_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EncoderFamily.from_config(config)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (Parameter(name="depth", choices=(1, 2)), "may name"),
        (Parameter(name="num_attention_heads", choices=(1, 2)), "ordered"),
        (Parameter(name="hidden_size", choices=(8, 16), ordered=False), "unordered"),
        (Parameter(name="hidden_size", choices=(12, 16)), "head size 8"),
        (Parameter(name="num_hidden_layers", choices=(0, 1)), "positive"),
        (Parameter(name="intermediate_size", choices=(1.5, 2)), "positive integers"),
    ],
)
def test_spaces_that_do_not_fit_are_refused(parameter: Parameter, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EncoderFamily.from_config(tiny(), Space((parameter,)))


def test_sequences_longer_than_the_positions_are_refused() -> None:
    EncoderFamily.from_config(tiny()).inputs(1, 32)
    with pytest.raises(ValueError, match="1 to 32"):
        EncoderFamily.from_config(tiny()).inputs(1, 33)
    roberta = EncoderFamily.from_config(tiny(model_type="roberta", pad_token_id=1))
    roberta.network(roberta.reference)(**roberta.inputs(1, 30))
    with pytest.raises(ValueError, match="1 to 30"):
        roberta.inputs(1, 31)


def test_plain_configs_are_json_and_stable() -> None:
    once = plain_config(tiny())
    assert plain_config(json.loads(json.dumps(once))) == once
