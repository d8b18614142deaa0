"""Counts against published shapes' own arithmetic and the stock library's modules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertModel, RobertaConfig, RobertaForMaskedLM, RobertaModel

from subarch.networks.counting import count_parts, module_macs, num_parameters
from subarch.networks.encoder import bort_preset
from subarch.networks.fitting import fit_counts
from subarch.networks.mlp import MLPFamily

ROBERTA_VOCABULARY, BERT_VOCABULARY = 50265, 30522


def bert(layers: int, heads: int, hidden: int, intermediate: int, vocabulary: int, segments: int) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary,
        type_vocab_size=segments,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_size=hidden,
        intermediate_size=intermediate,
    )


ROBERTA_LARGE = RobertaConfig(
    vocab_size=ROBERTA_VOCABULARY,
    max_position_embeddings=514,
    type_vocab_size=1,
    num_hidden_layers=24,
    num_attention_heads=16,
    hidden_size=1024,
    intermediate_size=4096,
)
# token embeddings, embeddings, layer, encoder, backbone, + pooler, + MLM head, + both
TABLE: list[tuple[Any, tuple[int, ...]]] = [
    (
        bert(4, 8, 1024, 768, ROBERTA_VOCABULARY, 0),
        (51_471_360, 51_995_648, 5_777_152, 23_108_608, 75_106_304, 76_155_904, 76_208_217, 77_257_817),
    ),
    (
        bert(4, 8, 768, 1024, ROBERTA_VOCABULARY, 0),
        (38_603_520, 38_996_736, 3_940_096, 15_760_384, 54_758_656, 55_349_248, 55_401_049, 55_991_641),
    ),
    (
        bert(2, 16, 1024, 512, ROBERTA_VOCABULARY, 0),
        (51_471_360, 51_995_648, 5_252_608, 10_505_216, 62_502_912, 63_552_512, 63_604_825, 64_654_425),
    ),
    (
        bert(4, 8, 1024, 768, BERT_VOCABULARY, 2),
        (31_254_528, 31_780_864, 5_777_152, 23_108_608, 54_891_520, 55_941_120, 55_973_690, 57_023_290),
    ),
    (
        bert(24, 16, 1024, 4096, BERT_VOCABULARY, 2),
        (31_254_528, 31_780_864, 12_596_224, 302_309_376, 334_092_288, 335_141_888, 335_174_458, 336_224_058),
    ),
    (
        bert(12, 12, 768, 3072, BERT_VOCABULARY, 2),
        (23_440_896, 23_835_648, 7_087_872, 85_054_464, 108_891_648, 109_482_240, 109_514_298, 110_104_890),
    ),
    (
        ROBERTA_LARGE,
        (51_471_360, 51_998_720, 12_596_224, 302_309_376, 354_310_144, 355_359_744, 355_412_057, 356_461_657),
    ),
]


@pytest.mark.parametrize(("config", "expected"), TABLE, ids=lambda v: type(v).__name__)
def test_counted_modules_reproduce_the_table(config: Any, expected: tuple[int, ...]) -> None:
    """Seven published shapes, eight conventions each, to the unit."""
    roberta = isinstance(config, RobertaConfig)
    with torch.device("meta"):
        pooled = (RobertaModel if roberta else BertModel)(config, add_pooling_layer=True)
        with_head = (RobertaForMaskedLM if roberta else BertForMaskedLM)(config)
    backbone = num_parameters(pooled) - num_parameters(pooled.pooler)
    both = num_parameters(with_head) + num_parameters(pooled.pooler)
    assert expected == (
        num_parameters(pooled.embeddings.word_embeddings),
        num_parameters(pooled.embeddings) - num_parameters(pooled.embeddings.LayerNorm),
        num_parameters(pooled.encoder.layer[0]),
        num_parameters(pooled.encoder),
        backbone,
        num_parameters(pooled),
        num_parameters(with_head),
        both,
    )


# macs per token of the encoder, millions to three decimals: n = 16, 128, 512
SPEEDS = [
    ((4, 8, 1024, 768), (23.200, 24.117, 27.263)),
    ((4, 8, 768, 1024), (15.827, 16.515, 18.874)),
    ((2, 16, 1024, 512), (10.551, 11.010, 12.583)),
    ((12, 12, 768, 3072), (85.230, 87.294, 94.372)),
    ((24, 16, 1024, 4096), (302.776, 308.281, 327.156)),
]


@pytest.mark.parametrize(("shape", "millions"), SPEEDS)
def test_operations_reproduce_the_table(shape: tuple[int, int, int, int], millions: tuple[float, ...]) -> None:
    layers, _, hidden, intermediate = shape
    family = bort_preset()
    names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    for length, expected in zip((16, 128, 512), millions, strict=True):
        with torch.device("meta"):
            network = family.build(dict(zip(names, shape, strict=True)))
            macs, _ = module_macs(network, **family.inputs(1, length))
        per_token = layers * (4 * hidden**2 + 2 * hidden * intermediate + 2 * length * hidden)
        assert macs == per_token * length
        assert round(per_token / 1e6, 3) == expected


def test_known_flops_of_bert_large() -> None:
    config = bert(24, 16, 1024, 4096, BERT_VOCABULARY, 2)
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
        macs, _ = module_macs(model, torch.ones(1, 128, dtype=torch.int64))
    assert 2 * macs == 78_920_024_064


def test_tied_weights_count_once_and_frozen_ones_not() -> None:
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert num_parameters(tied) == 9 + 3 + 3
    tied[0].bias.requires_grad_(False)
    assert num_parameters(tied) == 9 + 3


def test_toy_figure() -> None:
    """3 inputs to 4 to 4: 16 + 20 parameters; 3 to 3 to 2: 12 + 8; the figure doubles both sums."""
    family = MLPFamily.from_widths([(3, 4), (2, 4)], inputs=3, outputs=None)
    large = count_parts(family, {"width_1": 4, "width_2": 4})
    small = count_parts(family, {"width_1": 3, "width_2": 2})
    assert (large["first"].parameters, large["last"].parameters) == (16, 20)
    assert (small["first"].parameters, small["last"].parameters) == (12, 8)
    assert (large["network"].parameters, small["network"].parameters) == (36, 20)
    assert (2 * large["network"].parameters, 2 * small["network"].parameters) == (72, 40)
    model = fit_counts(family)
    assert model.parameters is not None
    assert model.parameters({"width_1": 4, "width_2": 4}) == 36
