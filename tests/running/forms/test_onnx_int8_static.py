"""ONNX with 8-bit weights and activations, whose ranges are measured beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest
from models import batch, built

from subarch.running.artifacts import is_installed
from subarch.running.forms import onnx
from subarch.running.forms.onnx_int8_static import FORM


def test_company_changes_nothing() -> None:
    assert not FORM.company_counts and (FORM.made_from, FORM.runtime) == ("onnx", "onnxruntime")


def test_ranges_stand_in_the_file(tmp_path: Path) -> None:
    if not is_installed("onnx-int8-static"):
        pytest.skip("what quantises ONNX is not installed")
    graph = built("classification")
    onnx.FORM.write(graph, tmp_path, [])
    FORM.write(graph, tmp_path, [batch(graph, 1, length) for length in range(4, 12)])
    model = pytest.importorskip("onnx").load(str(tmp_path / FORM.file))
    operators = {node.op_type for node in model.graph.node}
    assert "QuantizeLinear" in operators and "DynamicQuantizeLinear" not in operators
