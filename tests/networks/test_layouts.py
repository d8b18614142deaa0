"""Every row of the table is true of the stock library's networks, and leads through the whole pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from tiny import reviews, tokenizer, write
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForMultipleChoice,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from commands import Command
from subarch.networks.inheritance import Inheritance
from subarch.networks.layouts import LAYOUTS, layout_of, sizes_in, tells_texts_apart, without_pooler

SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
WORDS = {"vocab_size": 400, "max_position_embeddings": 66, "pad_token_id": 0}
MORE: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 20},
    "albert": {"embedding_size": 20},
    "roformer": {"embedding_size": 20},
    "deberta-v2": {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "type_vocab_size": 0,
        "position_biased_input": False,
    },
    "modernbert": {"cls_token_id": 3, "sep_token_id": 4, "local_attention": 8},
}
HEADS: list[Any] = [AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForMultipleChoice]


def make(kind: str, head: Any = AutoModel, **changes: Any) -> PreTrainedModel:
    """A random network of the stock library, in which every part matters."""
    torch.manual_seed(0)
    row, given = LAYOUTS[kind], {**SIZES, **WORDS, "num_labels": 3, "initializer_range": 0.2, **changes}
    given = {row.own(name): value for name, value in given.items()}
    given |= {field: given[row.own(size)] for field, size in row.follows.items()} | MORE.get(kind, {})
    model = head.from_config(AutoConfig.for_model(kind, **given))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def batch(seed: int) -> dict[str, Tensor]:
    ids = torch.randint(5, WORDS["vocab_size"], (24, 12), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones_like(ids)
    mask[::3, 9:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def outputs(model: PreTrainedModel, seed: int = 1) -> Tensor:
    choice = type(model).__name__.endswith("MultipleChoice")
    inputs = {name: value.unsqueeze(1) if choice else value for name, value in batch(seed).items()}
    with torch.no_grad():
        found = cast("Any", model)(**inputs)
    return found.logits if "logits" in found else found.last_hidden_state


@pytest.mark.parametrize("kind", LAYOUTS)
def test_rows_name_what_the_stock_library_has(kind: str) -> None:
    row, encoder = LAYOUTS[kind], make(kind)
    assert layout_of(encoder.config) is row
    layers = [*encoder.get_submodule(row.layers).children()]
    assert len(layers) == (1 if row.shared else 3)
    for name in row.attention:
        assert isinstance(layers[-1].get_submodule(name), nn.Linear)
    assert sizes_in(encoder.config) == SIZES
    assert sizes_in(encoder.config.to_dict()) == SIZES
    bare = cast("Any", AutoModel.from_config(encoder.config, **without_pooler(encoder.config)))
    assert getattr(bare, "pooler", None) is None


@pytest.mark.parametrize("head", HEADS[:3])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_students_are_exact_copies_and_stock_networks(kind: str, head: Any, tmp_path: Path) -> None:
    source = make(kind, head)
    inheritance = Inheritance(source, [batch(0)])
    assert torch.equal(outputs(inheritance.student({})), outputs(source))
    cut = inheritance.student({"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 20})
    cut.save_pretrained(tmp_path)
    again = head.from_pretrained(tmp_path).eval()
    assert type(again) is type(source) and again.config.hidden_size == 16
    torch.testing.assert_close(outputs(again), outputs(cut))


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_choice_is_no_other_network(kind: str) -> None:
    source = make(kind, AutoModelForMultipleChoice)
    assert outputs(source).shape == (24, 1)


def test_texts_are_told_apart_where_the_table_has_two_rows() -> None:
    for size, told in ((0, False), (1, False), (2, True)):
        assert tells_texts_apart({"type_vocab_size": size}) is told
    assert tells_texts_apart(AutoConfig.for_model("bert")) and not tells_texts_apart(AutoConfig.for_model("distilbert"))


def test_another_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"model_type bert, roberta, .* or .*, got 'vit'"):
        layout_of({"model_type": "vit"})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("table") / "reviews.csv", [*reviews(240)])


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if kind != "bert"])  # BERT is in all other tests
def test_the_whole_pipeline(subarch: Command, table: Path, tmp_path: Path, kind: str) -> None:
    """Extract, pre-train, fine-tune, export: the answers of the export are those of the stock library."""
    pytest.importorskip("onnxruntime")
    from subarch.running.predictor import Predictor

    make(kind, AutoModelForMaskedLM, num_hidden_layers=2).save_pretrained(tmp_path / "source")
    tokenizer().save_pretrained(tmp_path / "source")
    (tmp_path / "space.json").write_text(json.dumps({"num_hidden_layers": [1, 2], "hidden_size": [16, 32]}))
    words = [first for first, _ in reviews(2400, seed=1)]
    (tmp_path / "corpus.txt").write_text("\n\n".join(" ".join(words[n : n + 8]) for n in range(0, len(words), 8)))
    text = ("--corpus", tmp_path / "corpus.txt", "--sequence-length", 16, "--threads", 1)
    given = ("--space", tmp_path / "space.json", "--steps", 1, "--epsilon", 0.5, "--held-out", 16)
    ran = subarch("extract", tmp_path / "source", "--run", "run", *given, *text)
    assert ran.status == 0, ran
    steps = ("--steps", 2, "--batch-size", 8, "--held-out", 8)
    ran = subarch(
        "pretrain", "--run", "run", "--teacher", tmp_path / "source", "--initialize", "inherit", *steps, *text
    )
    assert ran.status == 0, ran
    quick = ("--epochs", 1, "--seeds", 1, "--learning-rates", "3e-3", "--max-length", 16, "--threads", 1)
    ran = subarch("finetune", "--run", "run", "--data", table, *quick)
    assert ran.status == 0, ran
    ran = subarch("export", "--run", "run", "--artifacts", "onnx", "--threads", 1, "--max-drop", 100)
    assert ran.status == 0, ran
    folder = next((tmp_path / "run" / "finetune").glob("**/checkpoint"))
    stock = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert stock.config.model_type == kind
    inputs = tokenizer()("good film", return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        expected = stock(**inputs).logits.softmax(-1)[0]
    answer = Predictor.from_pretrained(tmp_path / "run" / "export", artifact="onnx")(["good film"])[0]
    names = stock.config.id2label
    found = torch.tensor([answer["probabilities"][names[n]] for n in range(2)])
    torch.testing.assert_close(found, expected.to(found.dtype), atol=1e-4, rtol=1e-4)
