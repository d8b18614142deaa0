"""Presets against the published models' own arithmetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertForSequenceClassification, GPT2Config

from subarch.networks.inspection import PRESETS, inspect_network

# total, embedding tables, encoder, pooler, head without its tied output matrix (differences of the published table)
EXPECTED = {
    "bort": (75_106_304, 51_995_648, 23_108_608, 1_049_600, 76_208_217 - 75_106_304),
    "bort-flipped": (54_758_656, 38_996_736, 15_760_384, 590_592, 55_401_049 - 54_758_656),
    "bort-2": (62_502_912, 51_995_648, 10_505_216, 1_049_600, 63_604_825 - 62_502_912),
    "bert-base": (108_891_648, 23_835_648, 85_054_464, 590_592, 109_514_298 - 108_891_648),
    "bert-large": (334_092_288, 31_780_864, 302_309_376, 1_049_600, 335_174_458 - 334_092_288),
    "roberta-large": (354_310_144, 51_998_720, 302_309_376, 1_049_600, 355_412_057 - 354_310_144),
    # 30,522 and 512 rows of 768; no segments, no pooler; six layers of BERT-base's shape; head H^2 + 3H + V
    "distilbert": (66_362_880, 31_034 * 768, 6 * 7_087_872, 0, 768 * 768 + 3 * 768 + 30_522),
    "minilm-l6-h384": (22_565_376, 31_036 * 384, 10_646_784, 384 * 385, 384 * 384 + 3 * 384 + 30_522),
    "tinybert-4": (14_252_592, 31_036 * 312, 4_568_736, 312 * 313, 312 * 312 + 3 * 312 + 30_522),
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_to_the_unit(name: str) -> None:
    result = inspect_network(name, sequence_length=16)
    parameters = result.parameters
    keys = ("total", "embedding_tables", "encoder", "pooler", "mlm_head")
    assert tuple(parameters[key] for key in keys) == EXPECTED[name]
    assert parameters["total"] == parameters["embedding"] + parameters["encoder"]
    shape = result.architecture
    d, h, i = (shape[key] for key in ("num_hidden_layers", "hidden_size", "intermediate_size"))
    assert result.macs_per_token == d * (4 * h * h + 2 * h * i + 2 * 16 * h)
    assert parameters["encoder"] == d * (4 * (h * h + h) + 2 * h * i + i + h + 4 * h)
    json.dumps(result.to_json())


def test_bort_prints_both_readings_and_what_does_not_reconcile() -> None:
    bort = inspect_network("bort")
    assert bort.macs_per_token == 24_117_248
    assert bort.stock is not None and bort.stock.parameters["total"] == bort.parameters["total"] + 1024
    rows = {row.figure: row for row in bort.published or ()}
    flipped = {
        "parameters": True,
        "parameters (first version of the paper)": False,
        "embedding": True,
        "share of the encoder": True,
        "effective size against BERT-large": True,
        "net size against BERT-large": True,
    }
    assert {figure: rows[figure].reconciles_with_flipped_shape for figure in flipped} == flipped
    # of the released shape only the encoder's share agrees, by the reading backbone + head: 30.32 %
    assert [figure for figure, row in rows.items() if row.reconciles] == ["share of the encoder"]
    assert rows["share of the encoder"].exact["encoder over with head"] == 30.32
    assert rows["effective size against BERT-large"].exact["encoder over encoder"] == 7.64
    assert rows["speed against BERT-large"].exact == {"operations": 12.78}
    assert rows["speed against BERT-base"].exact == {"operations": 3.62}


def tiny(**changes: Any) -> BertConfig:
    sizes: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8, "intermediate_size": 6}
    return BertConfig(vocab_size=30, max_position_embeddings=20, **sizes, **changes)


def test_checkpoints_and_config_files(tmp_path: Path) -> None:
    model = BertForSequenceClassification(tiny())
    model.save_pretrained(tmp_path)
    by_folder = inspect_network(str(tmp_path), sequence_length=20)
    by_file = inspect_network(str(tmp_path / "config.json"), sequence_length=20)
    assert by_folder.parameters == by_file.parameters
    backbone = sum(p.numel() for p in model.bert.parameters())
    assert by_folder.parameters["total"] + by_folder.parameters["pooler"] == backbone
    with pytest.raises(ValueError, match="1 to 20"):
        inspect_network(str(tmp_path), sequence_length=21)


def test_others_are_refused(tmp_path: Path) -> None:
    tiny(is_decoder=True).save_pretrained(tmp_path / "causal")
    GPT2Config(n_layer=1).save_pretrained(tmp_path / "gpt")
    (tmp_path / "folder").mkdir()
    for name, message in (("causal", "decoder"), ("gpt", "gpt2"), ("folder", r"no config\.json")):
        with pytest.raises(ValueError, match=message):
            inspect_network(str(tmp_path / name))
    with pytest.raises(ValueError, match="Presets to inspect: bort"):
        inspect_network("./nothing/like/this")
