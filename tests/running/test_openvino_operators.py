"""A model that was made operator by operator: what it is called by, and what it leaves to the runtime to fuse."""

from __future__ import annotations

from collections import Counter

import pytest
from models import built

from subarch.running.forms.openvino import converted

pytest.importorskip("openvino")


def test_inputs_and_outputs_have_names_and_any_batch_and_length() -> None:
    graph = built("classification")
    model = converted(graph)
    assert [port.get_any_name() for port in model.inputs] == list(graph.inputs)
    assert all(port.partial_shape.is_dynamic and len(port.partial_shape) == 2 for port in model.inputs)
    assert [port.get_any_name() for port in model.outputs] == ["logits"]


def test_attention_is_one_operator_a_layer_and_weights_have_names() -> None:
    graph = built("classification")
    model = converted(graph)
    counts = Counter(node.get_type_name() for node in model.get_ops())
    layers = graph.model.config.num_hidden_layers
    assert counts["ScaledDotProductAttention"] == layers and counts["Gelu"] == layers
    assert counts["MVN"] == 2 * layers + 1 and counts["MatMul"] == 6 * layers + 2
    named = {node.get_friendly_name() for node in model.get_ops()}
    assert {f"encoder.layer.{n}.output.dense.weight" for n in range(layers)} <= named
