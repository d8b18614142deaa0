"""A file that was made operator by operator: what it is called by, and how large it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from models import built

from subarch.running.conversion import write

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_inputs_and_outputs_have_names_and_any_batch_and_length(tmp_path: Path) -> None:
    write(built("classification"), tmp_path, ["onnx"], [])
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model)
    shapes = {
        one.name: [axis.dim_param or axis.dim_value for axis in one.type.tensor_type.shape.dim]
        for one in (*model.graph.input, *model.graph.output)
    }
    both = ["batch", "length"]
    assert shapes["input_ids"] == shapes["attention_mask"] == both and shapes["logits"][0] == "batch"


def test_every_weight_is_there_once_and_no_operator_does_nothing_in_a_layer(tmp_path: Path) -> None:
    graph = built("classification")
    write(graph, tmp_path, ["onnx"], [])
    model = onnx.load(tmp_path / "model.onnx")
    layers = graph.model.config.num_hidden_layers
    counts = Counter(node.op_type for node in model.graph.node)
    assert counts["MultiHeadAttention"] == layers and counts["Gelu"] == layers
    assert counts["LayerNormalization"] == 2 * layers + 1
    assert counts["MatMul"] == 6 * layers + 2  # and the head's two
    assert not counts["Reshape"] and not counts["Transpose"]
    weights = sum(one.numel() for one in graph.model.parameters())
    kept = sum(onnx.numpy_helper.to_array(one).size for one in model.graph.initializer)
    assert abs(kept - weights) < 1000  # places of tokens, and single numbers
