"""Every form of a network says what PyTorch says, for every head and any batch and length."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import MODELS, SIZES, batch, built
from transformers import (
    BertConfig,
    BertForSequenceClassification,
)

from subarch.networks.checkpoints import open_checkpoint
from subarch.networks.loading import whole_network
from subarch.networks.sentences import Embedding
from subarch.running.artifacts import FORMS, any_of_extras, extras, is_installed, timed
from subarch.running.base import Artifact
from subarch.running.conversion import TorchProgram, write
from subarch.running.graphs import Graph

SHAPES = [(1, 2), (1, 33), (5, 64)]
FLOATS = [name for name, form in FORMS.items() if form.precision == "float32"]
INTEGERS = [name for name, form in FORMS.items() if form.precision == "int8"]


def require(name: str) -> None:
    """Skip where a form cannot be made."""
    if not is_installed(name):
        pytest.skip(f"what {name} needs is not installed")


def test_what_a_form_names_is_there_and_is_its_own() -> None:
    wheel = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    for form in FORMS.values():
        assert form.extra is None or form.extra in wheel["project"]["optional-dependencies"]
        assert form.made_from is None or FORMS[form.made_from].made_from is None
        assert form.file in form.files() and all(Path(file).name == file for file in form.files())
        shared = [other for other in FORMS.values() if set(other.files()) & set(form.files())]
        assert all((other.runtime, other.files()) == (form.runtime, form.files()) for other in shared)


def test_what_is_timed_is_one_form_of_each_runtime_and_precision() -> None:
    found = timed()
    assert set(found) == {(form.runtime, form.precision) for form in FORMS.values()}
    assert found["onnxruntime", "int8"] == "onnx-int8" and found["openvino", "bfloat16"] == "openvino-bfloat16"


def test_where_nothing_can_be_had_every_extra_is_named() -> None:
    assert {"onnx", "openvino"} <= set(extras())
    assert any_of_extras() == " or ".join(f"'subarch[{one}]'" for one in extras())


def difference(graph: Graph, form: Artifact, folder: Path, rows: int, length: int) -> float:
    """The largest one where there is text, as a share of the largest output."""
    inputs = batch(graph, rows, length)
    ours, theirs = form.open(folder, threads=1)(inputs), TorchProgram(graph, threads=1)(inputs)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    if ours.ndim == 3:
        ours, theirs = (said[inputs["attention_mask"] > 0] for said in (ours, theirs))
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize("head", MODELS)
@pytest.mark.parametrize("runtime", FLOATS)
def test_forms_in_floats_agree_with_pytorch(head: str, runtime: Any, tmp_path: Path) -> None:
    require(runtime)
    graph = built(head)
    assert graph.head == head
    (form,) = write(graph, tmp_path, [runtime], [])
    # Floats have seven digits, and every processor adds in an order of its own.
    assert max(difference(graph, form, tmp_path, *shape) for shape in SHAPES) < 1e-4


@pytest.mark.parametrize("runtime", FLOATS)
@pytest.mark.parametrize("embedding", [Embedding("cls", normalize=True), Embedding("max")])
def test_pooling_and_unit_length_are_part_of_every_form(embedding: Embedding, runtime: Any, tmp_path: Path) -> None:
    require(runtime)
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


@pytest.mark.parametrize("name", INTEGERS)
def test_forms_in_integers_are_close_and_a_quarter_as_large(name: Any, tmp_path: Path) -> None:
    require(name)
    graph = built("classification")
    plain: Any = name.split("-")[0]
    forms = write(graph, tmp_path, [plain, name], [batch(graph, 1, length) for length in range(4, 40)])
    assert 1e-5 < max(difference(graph, forms[1], tmp_path, *shape) for shape in SHAPES) < 0.5
    sizes = [sum((tmp_path / file).stat().st_size for file in form.files() if ".xml" not in file) for form in forms]
    assert sizes[1] < 0.5 * sizes[0]  # tables too; what is not a matrix weighs more in so small a network


@pytest.mark.parametrize("runtime", FLOATS)
def test_a_model_that_cannot_be_traced_is_refused(runtime: Any, tmp_path: Path) -> None:
    require(runtime)

    class PeculiarForSequenceClassification(BertForSequenceClassification):
        def forward(self, input_ids: Any, **given: Any) -> Any:  # type: ignore[override]
            if input_ids.float().mean() > 3:  # depends on the numbers: no graph has that
                given["attention_mask"] = None
            return super().forward(input_ids, **given)

    graph = Graph.of(PeculiarForSequenceClassification(BertConfig(**SIZES)).eval())
    with pytest.raises(ValueError, match="PeculiarForSequenceClassification cannot be"):
        write(graph, tmp_path, [runtime], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FLOATS)
def test_damaged_files_are_refused(name: Any, tmp_path: Path) -> None:
    require(name)
    (form,) = write(built("classification"), tmp_path, [name], [])
    file = tmp_path / form.file
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be opened"):
        form.open(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no such artifact"):
        form.open(tmp_path)
