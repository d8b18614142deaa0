"""How forms are made, and the network itself as a program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from models import batch, built

from subarch.networks.mlp import mlp_preset
from subarch.running.artifacts import FORMS
from subarch.running.conversion import TorchProgram, passes, write


def test_a_step_on_the_way_is_not_left(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    write(built("classification"), tmp_path, ["onnx-int8"], [])
    assert [file.name for file in tmp_path.iterdir()] == ["model_quantized.onnx"]


def test_only_stock_encoders_run_there() -> None:
    family = mlp_preset()
    network = family.network(family.reference)
    with pytest.raises(ValueError, match="only stock encoders"):
        passes(network, family.inputs(1, 8), [("onnx", 1)])


def test_the_network_itself_is_a_program() -> None:
    graph = built("classification")
    inputs = batch(graph, 3, 20)
    with torch.no_grad():
        stock = graph.model(**{name: torch.from_numpy(inputs[name]) for name in graph.inputs}).logits.numpy()
    assert np.array_equal(TorchProgram(graph, threads=1)(inputs), stock)
    rounded = TorchProgram(graph, precision="bfloat16")(inputs)
    assert rounded.dtype == np.float32 and 0 < np.abs(rounded - stock).max() < 0.1


def test_forms_that_share_a_file_are_written_once(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    told: list[tuple[int, int | None, str]] = []
    forms = write(
        built("classification"),
        tmp_path,
        ["openvino", "openvino-bfloat16"],
        [],
        watch=lambda stage, *, done=0, total=None, note="": told.append((done, total, note)),
    )
    assert [form.name for form in forms] == ["openvino", "openvino-bfloat16"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["openvino_model.bin", "openvino_model.xml"]
    assert told == [(0, 2, "openvino"), (1, 2, "openvino-bfloat16"), (2, 2, "")]


def test_a_network_is_timed_in_a_form() -> None:
    pytest.importorskip("onnxruntime")
    model = built("encoder").model
    ids = torch.full((1, 8), 7)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    run = passes(model, inputs, [("onnx", 1)])["onnx", 1]
    with torch.no_grad():
        assert np.abs(run() - model(input_ids=ids).last_hidden_state.numpy()).max() < 1e-4
    assert model.config._attn_implementation == "sdpa"  # it keeps its own attention


@pytest.mark.parametrize("name", ["onnx", "openvino-int8"])
def test_what_makes_a_form_must_be_here(name: str) -> None:
    for package in ("onnxscript", "onnx", "onnxruntime") if name == "onnx" else ("openvino", "nncf"):
        pytest.importorskip(package)
    FORMS[name].require()


def test_a_form_says_what_it_asks_for(tmp_path: Path) -> None:
    layer = '<layer id="0" type="Parameter" version="opset1"/>'
    (tmp_path / "openvino_model.xml").write_text(f'<net version="11"><layers>{layer}</layers></net>')
    asked = FORMS["openvino"].requirements(tmp_path)
    assert (asked.runtime, asked.oldest_openvino) == ("openvino", "2022.1")
