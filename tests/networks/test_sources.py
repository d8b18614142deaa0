"""What opens, as what, and what is refused with which message."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaConfig,
    RobertaForSequenceClassification,
    ViTConfig,
    ViTModel,
)

from subarch.networks.encoder import EncoderFamily
from subarch.networks.mlp import MLPFamily
from subarch.networks.sources import CodeNeededError, family_from_json, open_source
from subarch.networks.space import Space

SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
TINY = {**SIZES, "vocab_size": 50, "max_position_embeddings": 40}

CUSTOM = """
import torch
from torch import nn
from subarch.networks.family import Family, Parts
from subarch.networks.space import Parameter, Space

class Two(Family):
    name = "two"
    space = Space((Parameter(name="width", choices=(2, 4)),))
    reference = {"width": 4}
    def build(self, architecture):
        return nn.Sequential(nn.Linear(3, architecture["width"]), nn.Linear(architecture["width"], 2))
    def inputs(self, batch_size, sequence_length):
        return {"input": torch.zeros(batch_size, 3)}
    def parts(self, network):
        return Parts(("0",), (), ("1",))

def make():
    return Two()

instance = Two()
nothing = 3
def broken():
    raise RuntimeError("kaput")
"""


@pytest.mark.parametrize(
    ("model", "config", "kind"),
    [
        (BertModel, BertConfig, "encoder"),
        (BertForSequenceClassification, BertConfig, "classifier"),
        (BertForMaskedLM, BertConfig, "masked-lm"),
        (RobertaForSequenceClassification, RobertaConfig, "classifier"),
    ],
)
def test_checkpoints_open_by_kind(tmp_path: Path, model: type, config: type, kind: str) -> None:
    model(config(**TINY)).save_pretrained(tmp_path)
    source = open_source(str(tmp_path))
    assert source.kind == kind
    assert source.checkpoint == tmp_path
    assert source.family.reference == {k: v for k, v in SIZES.items() if k != "num_attention_heads"}
    assert family_from_json(json.loads(json.dumps(source.family.to_json()))) == source.family
    # without the architectures field the weights decide
    data = json.loads((tmp_path / "config.json").read_text())
    data.pop("architectures")
    (tmp_path / "config.json").write_text(json.dumps(data))
    assert open_source(str(tmp_path)).kind == kind


def test_presets_have_no_weights() -> None:
    bort = open_source("bort")
    assert (bort.checkpoint, bort.kind) == (None, None)
    assert isinstance(bort.family, EncoderFamily)
    assert len(bort.family.space.listed()) == 300
    mlp = open_source("mlp").family
    assert isinstance(mlp, MLPFamily)
    assert mlp.space.num_points == 16**8
    for family in (bort.family, mlp):
        assert family_from_json(json.loads(json.dumps(family.to_json()))) == family


def test_space_and_reference_can_be_replaced(tmp_path: Path) -> None:
    BertModel(BertConfig(**TINY)).save_pretrained(tmp_path)
    space = Space.from_json({"num_hidden_layers": [1, 2]})
    family = open_source(str(tmp_path), space=space).family
    assert family.reference == {"num_hidden_layers": 2}
    larger = open_source(str(tmp_path), space=space, reference={"num_hidden_layers": 9}).family
    assert larger.reference == {"num_hidden_layers": 9}
    assert larger.describe({"num_hidden_layers": 1})["hidden_size"] == 16
    preset = open_source("bort", space=Space.from_json({"num_hidden_layers": [1, 3]})).family
    assert preset.reference == {"num_hidden_layers": 24}
    with pytest.raises(ValueError, match="head size 8"):
        open_source(str(tmp_path), space=Space.from_json({"hidden_size": [12]}))
    with pytest.raises(ValueError, match="may name"):
        open_source(str(tmp_path), space=Space.from_json({"depth": [1]}))
    with pytest.raises(ValueError, match="reference"):
        open_source(str(tmp_path), space=space, reference={"hidden_size": 16})


@pytest.fixture
def custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_networks.py").write_text(CUSTOM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    yield "my_networks"
    sys.modules.pop("my_networks", None)


@pytest.mark.parametrize("name", ["Two", "make", "instance"])
def test_families_are_imported_from_the_current_directory(custom: str, name: str) -> None:
    before = list(sys.path)
    family = open_source(f"{custom}:{name}").family
    assert sys.path == before
    assert family.name == f"{custom}:{name}"
    assert family.network({"width": 2})(torch.zeros(1, 3)).shape == (1, 2)
    wider = open_source(f"{custom}:{name}", space=Space.from_json({"width": [2, 4, 8]}), reference={"width": 8}).family
    data = json.loads(json.dumps(wider.to_json()))
    again = family_from_json(data, family)
    assert (again.space, again.reference, again.name) == (wider.space, {"width": 8}, family.name)
    sys.modules.pop(custom)
    with pytest.raises(CodeNeededError, match=family.name):  # what is only written down is not imported
        family_from_json(data)
    assert custom not in sys.modules
    with pytest.raises(ValueError, match="another:Name"):
        family_from_json({**data, "name": "another:Name"}, family)


@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "int"), ("broken", "kaput"), ("absent", "absent"), ("Parts", "missing")]
)
def test_other_objects_are_no_families(custom: str, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_source(f"{custom}:{name}")


def test_unknown_names_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    for name in ("no-such-network", "./no/such/folder", "no_module_here:Name"):
        with pytest.raises(ValueError, match=r"no-such|no_module|no/such"):
            open_source(name)


def test_folders_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no config\.json"):
        open_source(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", **TINY}))
    with pytest.raises(ValueError, match="no weights"):
        open_source(str(tmp_path))
    with pytest.raises(ValueError, match="is a file"):
        open_source(str(tmp_path / "config.json"))
    BertModel(BertConfig(**TINY)).save_pretrained(tmp_path)
    for broken, message in (
        ('{"model_type": ', "not valid JSON"),
        ("[1]", "JSON object"),
        ("{}", "model_type"),
        ('{"model_type": "no-such-type"}', "no-such-type"),
        ('{"model_type": "bert", "hidden_size": 10, "num_attention_heads": 3}', "divisible|multiple"),
    ):
        (tmp_path / "config.json").write_text(broken)
        with pytest.raises(ValueError, match=message):
            open_source(str(tmp_path))


def test_other_kinds_of_networks_are_refused(tmp_path: Path) -> None:
    decoder, image, causal = tmp_path / "gpt", tmp_path / "vit", tmp_path / "causal"
    GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=50)).save_pretrained(decoder)
    ViTModel(ViTConfig(**SIZES, image_size=8, patch_size=4)).save_pretrained(image)
    BertModel(BertConfig(**TINY, is_decoder=True)).save_pretrained(causal)
    for folder, message in ((decoder, "gpt2"), (image, "vit"), (causal, "decoder")):
        with pytest.raises(ValueError, match=message):
            open_source(str(folder))


def test_described_architectures_run_in_the_stock_library(tmp_path: Path) -> None:
    BertModel(BertConfig(**TINY)).save_pretrained(tmp_path / "source")
    family = open_source(str(tmp_path / "source")).family
    smallest = family.space.architecture((0, 0, 0))
    (tmp_path / "config.json").write_text(json.dumps(family.describe(smallest)))
    stock = BertConfig.from_pretrained(tmp_path)
    model = AutoModel.from_config(stock)
    assert stock.architectures == ["BertModel"]
    assert model(input_ids=torch.ones(1, 4, dtype=torch.int64)).last_hidden_state.shape == (1, 4, 8)
