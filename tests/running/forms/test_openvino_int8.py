"""OpenVINO with 8-bit integers needs its quantiser."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from models import batch, built

from subarch.running.artifacts import is_installed
from subarch.running.forms import openvino, openvino_int8
from subarch.running.forms.openvino_int8 import FORM


def test_without_the_quantizer_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(openvino_int8, "find_spec", lambda name: None)
    openvino.FORM.require()
    with pytest.raises(ImportError, match=r"NNCF is needed for 8-bit OpenVINO: pip install 'subarch\[openvino\]'"):
        FORM.require()


def test_matrices_and_tables_are_integers(tmp_path: Path) -> None:
    if not is_installed("openvino-int8"):
        pytest.skip("what quantises for OpenVINO is not installed")
    graph = built("classification")
    FORM.write(graph, tmp_path, [batch(graph, 1, length) for length in range(4, 20)])
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(FORM.files())
    layers = ElementTree.parse(tmp_path / FORM.file).getroot().iter("layer")
    kept = [data.get("element_type") for layer in layers if layer.get("type") == "Const" for data in layer.iter("data")]
    assert kept.count("i8") >= 12  # of each of two layers six matrices
