"""Every form of a network says what PyTorch says, for every head and any batch and length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
)

from subarch.networks.checkpoints import open_checkpoint
from subarch.networks.loading import whole_network
from subarch.networks.sentences import Embedding
from subarch.running.artifacts import FORMS, Artifact
from subarch.running.conversion import TorchProgram, write
from subarch.running.graphs import Graph

SIZES: dict[str, Any] = {
    "vocab_size": 3000,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 66,
}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "classification": lambda: BertForSequenceClassification(BertConfig(**SIZES, num_labels=3)),
    "regression": lambda: RobertaForSequenceClassification(RobertaConfig(**SIZES, pad_token_id=1, num_labels=1)),
    "choice": lambda: BertForMultipleChoice(BertConfig(**SIZES)),
    "masked-lm": lambda: DistilBertForMaskedLM(
        DistilBertConfig(vocab_size=3000, dim=64, n_layers=2, n_heads=4, hidden_dim=128, max_position_embeddings=66)
    ),
    "encoder": lambda: RobertaModel(RobertaConfig(**SIZES, pad_token_id=1, type_vocab_size=1)),
}
SHAPES = [(1, 2), (1, 33), (5, 64)]
INSTALLED = ["onnx", "openvino"]


def built(head: str) -> Graph:
    torch.manual_seed(0)
    model = MODELS[head]()
    for parameter in model.parameters():  # as far from their initial values as a training takes them
        parameter.data += 0.03 * torch.randn_like(parameter)
    return Graph.of(model.eval())


def batch(graph: Graph, rows: int, length: int) -> dict[str, Any]:
    """Random tokens; all rows but the first end in padding."""
    rng = np.random.default_rng(length)
    padding = int(graph.model.config.pad_token_id or 0)
    ids = rng.integers(2, 3000, (rows, length))
    mask = np.ones_like(ids)
    for row in range(1, rows):
        end = int(rng.integers(1, length))
        ids[row, end:], mask[row, end:] = padding, 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": rng.integers(0, 2, ids.shape)}


def difference(graph: Graph, form: Artifact, folder: Path, rows: int, length: int) -> float:
    """The largest one where there is text, as a share of the largest output."""
    inputs = batch(graph, rows, length)
    ours, theirs = form.open(folder, threads=1)(inputs), TorchProgram(graph, threads=1)(inputs)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    if ours.ndim == 3:
        ours, theirs = (said[inputs["attention_mask"] > 0] for said in (ours, theirs))
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize("head", MODELS)
@pytest.mark.parametrize("runtime", INSTALLED)
def test_forms_in_floats_agree_with_pytorch(head: str, runtime: Any, tmp_path: Path) -> None:
    pytest.importorskip(runtime)
    graph = built(head)
    assert graph.head == head
    (form,) = write(graph, tmp_path, [runtime], [])
    # Floats have seven digits, and every processor adds in an order of its own.
    assert max(difference(graph, form, tmp_path, *shape) for shape in SHAPES) < 1e-4


@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("embedding", [Embedding("cls", normalize=True), Embedding("max")])
def test_pooling_and_unit_length_are_part_of_every_form(embedding: Embedding, runtime: Any, tmp_path: Path) -> None:
    pytest.importorskip(runtime)
    model = built("encoder").model
    graph = Graph.of(model, embedding)
    (form,) = write(graph, tmp_path, [runtime], [])
    inputs = batch(graph, 3, 20)
    found = form.open(tmp_path, threads=1)(inputs)
    for row in range(3):
        count = int(inputs["attention_mask"][row].sum())
        with torch.no_grad():
            states = model(torch.tensor(inputs["input_ids"][row : row + 1, :count])).last_hidden_state[0].numpy()
        wanted = states[0] / np.linalg.norm(states[0]) if embedding.normalize else states.max(0)
        assert found[row] == pytest.approx(wanted, abs=1e-4)


def test_what_a_cross_encoders_output_goes_through_is_part_of_every_form(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    plain = built("regression").model
    plain.config.sentence_transformers = {"activation_fn": "torch.nn.modules.activation.Sigmoid"}
    plain.save_pretrained(tmp_path / "cross")
    graph = Graph.of(whole_network(open_checkpoint(tmp_path / "cross")))
    (form,) = write(graph, tmp_path, ["onnx"], [])
    inputs = batch(graph, 1, 20)
    with torch.no_grad():
        logit = float(plain(**{name: torch.tensor(inputs[name]) for name in graph.inputs}).logits)
    assert form.open(tmp_path, threads=1)(inputs).item() == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)


@pytest.mark.parametrize("name", ["onnx-int8", "onnx-int8-static", "openvino-int8"])
def test_forms_in_integers_are_close_and_a_quarter_as_large(name: Any, tmp_path: Path) -> None:
    pytest.importorskip(FORMS[name].runtime)
    graph = built("classification")
    plain: Any = name.split("-")[0]
    forms = write(graph, tmp_path, [plain, name], [batch(graph, 1, length) for length in range(4, 40)])
    assert 1e-5 < max(difference(graph, forms[1], tmp_path, *shape) for shape in SHAPES) < 0.5
    sizes = [sum((tmp_path / file).stat().st_size for file in form.files() if ".xml" not in file) for form in forms]
    assert sizes[1] < 0.5 * sizes[0]  # tables too; what is not a matrix weighs more in so small a network


def test_attention_is_one_operator(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    write(built("classification"), tmp_path, ["onnx"], [])
    operators = [node.op_type for node in onnx.load(str(tmp_path / "model.onnx")).graph.node]
    assert operators.count("MultiHeadAttention") == 2 and "Softmax" not in operators


def test_a_step_on_the_way_is_not_left(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    write(built("classification"), tmp_path, ["onnx-int8"], [])
    assert [file.name for file in tmp_path.iterdir()] == ["model_quantized.onnx"]


def test_a_model_keeps_its_own_attention(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    graph = built("classification")
    write(graph, tmp_path, ["onnx"], [])
    assert graph.model.config._attn_implementation == "sdpa"


def test_other_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="BertForQuestionAnswering"):
        Graph.of(BertForQuestionAnswering(BertConfig(**SIZES)))


@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_model_that_cannot_be_traced_is_refused(runtime: Any, tmp_path: Path) -> None:
    pytest.importorskip(runtime)

    class PeculiarForSequenceClassification(BertForSequenceClassification):
        def forward(self, input_ids: Any, **given: Any) -> Any:  # type: ignore[override]
            if input_ids.float().mean() > 3:  # depends on the numbers: no graph has that
                given["attention_mask"] = None
            return super().forward(input_ids, **given)

    graph = Graph.of(PeculiarForSequenceClassification(BertConfig(**SIZES)).eval())
    with pytest.raises(ValueError, match="PeculiarForSequenceClassification cannot be"):
        write(graph, tmp_path, [runtime], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_damaged_files_are_refused(name: Any, tmp_path: Path) -> None:
    pytest.importorskip(name)
    (form,) = write(built("classification"), tmp_path, [name], [])
    file = tmp_path / form.file
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be opened"):
        form.open(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no such artifact"):
        form.open(tmp_path)


def test_a_newer_opset_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    (form,) = write(built("classification"), tmp_path, ["onnx"], [])
    model = onnx.load(str(tmp_path / form.file))
    model.opset_import[0].version = 999
    onnx.save(model, str(tmp_path / form.file))
    with pytest.raises(ValueError, match="cannot be opened"):
        form.open(tmp_path)
