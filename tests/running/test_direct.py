"""What is written without tracing says what the network says, or it is traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import PreTrainedModel

from subarch.running import direct
from subarch.running.artifacts import FORMS
from subarch.running.conversion import write
from subarch.running.direct import WRITTEN
from subarch.running.graphs import Graph
from subarch.running.onnx_operators import OnnxOperators
from subarch.running.openvino_operators import OpenVinoOperators

pytest.importorskip("onnxruntime")
SIZES = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 60,
    "num_labels": 3,
}
_AUTO: dict[str, Any] = {
    "encoder": transformers.AutoModel,
    "classification": transformers.AutoModelForSequenceClassification,
    "choice": transformers.AutoModelForMultipleChoice,
    "tokens": transformers.AutoModelForTokenClassification,
    "masked-lm": transformers.AutoModelForMaskedLM,
}


def network(family: str, head: str, **given: Any) -> PreTrainedModel:
    """With weights that are no two alike, so that nothing is right by chance."""
    torch.manual_seed(0)
    model = _AUTO[head].from_config(transformers.AutoConfig.for_model(family, **SIZES | given)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    return model


def said(model: PreTrainedModel, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """By the stock library alone."""
    with torch.no_grad():
        given = {name: torch.from_numpy(one) for name, one in inputs.items()}
        if type(model).__name__.endswith("ForMultipleChoice"):
            given = {name: one[:, None] for name, one in given.items()}
        found = model(**given)
        return (found.logits if "logits" in found else found.last_hidden_state).numpy()


def texts(model: PreTrainedModel) -> dict[str, np.ndarray]:
    """Two rows of 11 tokens, the second with padding."""
    config: Any = model.config
    padding = int(config.pad_token_id)
    ids = np.random.default_rng(1).integers(padding + 1, config.vocab_size, (2, 11))
    mask = np.ones_like(ids)
    ids[1, 7:], mask[1, 7:] = padding, 0
    types = {} if config.type_vocab_size < 2 else {"token_type_ids": np.repeat([[0] * 5 + [1] * 6], 2, axis=0)}
    return {"input_ids": ids, "attention_mask": mask, **types}


@pytest.mark.parametrize("form", ["onnx", "openvino"])
@pytest.mark.parametrize("head", ["encoder", "classification", "choice", "tokens"])
@pytest.mark.parametrize("family", WRITTEN)
def test_every_family_and_head_is_written_directly_and_says_the_same(
    family: str, head: str, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(form.removeprefix("onnx") or "onnxruntime")
    monkeypatch.setattr(torch.export, "export", None)  # nothing is traced
    monkeypatch.setattr(torch.onnx, "export", None)
    model = network(family, head)
    write(Graph.of(model), tmp_path, [form], [])
    inputs = texts(model)
    found, told = FORMS[form].open(tmp_path, 1)(inputs), said(model, inputs)
    seen = inputs["attention_mask"].astype(bool) if head == "encoder" else ...
    np.testing.assert_allclose(found[seen], told[seen], rtol=0, atol=1e-4 * np.abs(told).max())


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_network_that_is_more_than_it_seems_is_traced(form: Any, tmp_path: Path) -> None:
    pytest.importorskip(form.removeprefix("onnx") or "onnxruntime")
    model = network("bert", "classification")
    model.get_submodule("bert.encoder.layer.1").register_forward_hook(lambda _part, _given, states: 1.5 * states.tanh())
    write(Graph.of(model), tmp_path, [form], [])
    inputs = texts(model)
    found, told = FORMS[form].open(tmp_path, 1)(inputs), said(model, inputs)
    np.testing.assert_allclose(found, told, rtol=0, atol=1e-4 * np.abs(told).max())


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_what_fails_on_the_way_is_traced(form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an older runtime lacks an operator, or a part of a network is not the stock library's."""
    pytest.importorskip(form.removeprefix("onnx") or "onnxruntime")
    for kind in (OnnxOperators, OpenVinoOperators):
        monkeypatch.delattr(kind, "attention")
    model = network("bert", "classification")
    write(Graph.of(model), tmp_path, [form], [])
    inputs = texts(model)
    found, told = FORMS[form].open(tmp_path, 1)(inputs), said(model, inputs)
    np.testing.assert_allclose(found, told, rtol=0, atol=1e-4 * np.abs(told).max())


def test_a_program_that_says_something_else_is_found_out() -> None:
    """Also where it errs with padding, or far into a text, alone."""
    graph = Graph.of(network("roberta", "classification"))

    class Wrong:
        inputs = graph.inputs

        def __init__(self, where: str) -> None:
            self.where = where

        def __call__(self, inputs: Any) -> np.ndarray:
            found = said(graph.model, inputs)
            wrong = {"nowhere": False, "padding": not inputs["attention_mask"].all(), "far": found.shape[0] == 3}
            return found + np.float32(0.1 * wrong[self.where])

    found = {where: direct.agrees(graph, Wrong(where)) for where in ("nowhere", "padding", "far")}
    assert found == {"nowhere": True, "padding": False, "far": False}


@pytest.mark.parametrize(
    ("family", "head", "given"),
    [
        ("bert", "masked-lm", {}),
        ("bert", "classification", {"hidden_act": "relu"}),
        ("distilbert", "classification", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}),
    ],
)
def test_what_is_not_known_is_left_to_the_tracer(family: str, head: str, given: dict[str, Any]) -> None:
    assert direct.written(Graph.of(network(family, head, **given)), None) is None  # type: ignore[arg-type]


def test_gelu_may_be_the_approximated_one(tmp_path: Path) -> None:
    model = network("bert", "classification", hidden_act="gelu_new")
    write(Graph.of(model), tmp_path, ["onnx"], [])
    inputs = texts(model)
    np.testing.assert_allclose(FORMS["onnx"].open(tmp_path, 1)(inputs), said(model, inputs), atol=1e-4)
