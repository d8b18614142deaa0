"""ONNX with 8-bit weights, whose activations are measured as they come."""

from __future__ import annotations

from pathlib import Path

import pytest
from models import built

from subarch.running.artifacts import is_installed
from subarch.running.forms import onnx
from subarch.running.forms.onnx_int8 import FORM


def test_texts_of_a_pass_share_ranges_which_is_said() -> None:
    assert FORM.company_counts and (FORM.made_from, FORM.runtime) == ("onnx", "onnxruntime")


def test_ranges_are_found_in_each_pass(tmp_path: Path) -> None:
    if not is_installed("onnx-int8"):
        pytest.skip("what quantises ONNX is not installed")
    graph = built("classification")
    onnx.FORM.write(graph, tmp_path, [])
    FORM.write(graph, tmp_path, [])
    model = pytest.importorskip("onnx").load(str(tmp_path / FORM.file))
    operators = [node.op_type for node in model.graph.node]
    assert "DynamicQuantizeLinear" in operators and "MatMul" not in operators
