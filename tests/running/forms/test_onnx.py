"""ONNX files: opened, and what those that are written hold and ask for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from models import built

from subarch.running.artifacts import is_installed
from subarch.running.forms.onnx import FORM, OnnxProgram, graph_inputs, requirements, write


def test_a_file_that_is_not_there_and_one_that_is_damaged(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(FileNotFoundError, match="there is no such artifact"):
        OnnxProgram(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"cannot be opened by ONNX Runtime \d.*export it again"):
        OnnxProgram(tmp_path / "model.onnx")


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """A file that gives the tokens where there is text."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    names = ("input_ids", "attention_mask")
    given = [helper.make_tensor_value_info(name, kinds.INT64, ["batch", "length"]) for name in names]
    out = helper.make_tensor_value_info("logits", kinds.FLOAT, ["batch", "length"])
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["seen"]),
        helper.make_node("Cast", ["seen"], ["logits"], to=kinds.FLOAT),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "seen", given, [out]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, str(tmp_path / "model.onnx"))
    return tmp_path / "model.onnx"


def test_a_pass_takes_the_inputs_that_a_file_names(seen: Path) -> None:
    program = OnnxProgram(seen, threads=1)
    assert program.inputs == ["input_ids", "attention_mask"]
    more = {"token_type_ids": np.zeros((1, 3), np.int64)}  # not asked for by this file
    for ids in ([[5, 6, 7]], [[1], [2]]):
        mask = np.ones_like(ids)
        mask[:, -1] = 0
        said = program({"input_ids": np.array(ids), "attention_mask": mask, **more})
        assert said.dtype == np.float32 and said.tolist() == (np.array(ids) * mask).tolist()


def test_operators_of_a_newer_set_are_refused(seen: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(seen))
    model.opset_import[0].version = 999
    onnx.save(model, str(seen))
    with pytest.raises(ValueError, match="cannot be opened"):
        OnnxProgram(seen)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not is_installed("onnx"):
        pytest.skip("what writes ONNX is not installed")
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write(built("classification"), path)
    return path


def test_attention_is_one_operator(written: Path) -> None:
    onnx = pytest.importorskip("onnx")
    operators = [node.op_type for node in onnx.load(str(written)).graph.node]
    assert operators.count("MultiHeadAttention") == 2 and "Softmax" not in operators


def file(path: Path, *, opset: int = 17, version: int = 8, domain: str = "", operator: str = "Identity") -> Path:
    """A file of one operator."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    numbers = helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["batch", "length"])
    out = helper.make_tensor_value_info("logits", onnx.TensorProto.INT64, ["batch", "length"])
    node = helper.make_node(operator, ["input_ids"], ["logits"], domain=domain)
    graph = helper.make_graph([node], "one", [numbers], [out])
    sets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=version), str(path))
    return path


@pytest.mark.parametrize(
    ("opset", "version", "oldest"),
    [
        (13, 7, "1.7"),
        (17, 8, "1.12"),
        (13, 9, "1.15"),
        (20, 8, "1.17"),
        (17, 10, "1.18"),
        (99, 8, None),
        (17, 99, None),
    ],
)
def test_the_oldest_runtime_by_operators_and_format(
    opset: int, version: int, oldest: str | None, tmp_path: Path
) -> None:
    asked = requirements(file(tmp_path / "model.onnx", opset=opset, version=version))
    assert asked.to_json() == {
        "runtime": "onnxruntime",
        "ir_version": version,
        "opsets": {"ai.onnx": opset},
        "own_operators": [],
        "oldest_onnxruntime": oldest,
    }


@pytest.mark.parametrize(("operator", "oldest"), [("MultiHeadAttention", "1.14"), ("SomethingElse", None)])
def test_operators_of_the_runtimes_own_count_too(operator: str, oldest: str | None, tmp_path: Path) -> None:
    path = file(tmp_path / "model.onnx", domain="com.microsoft", operator=operator)
    asked = requirements(path)
    assert (asked.own_operators, asked.oldest_onnxruntime) == ((operator,), oldest)
    assert asked.opsets == {"ai.onnx": 17, "com.microsoft": 1}
    assert graph_inputs(path) == ["input_ids"]


def test_a_file_tells_nothing_of_the_machine_that_made_it(written: Path) -> None:
    content = written.read_bytes()
    assert str(Path(torch.__file__).parent.parent).encode() not in content and b"forward" not in content
    model = pytest.importorskip("onnx").load(str(written))
    assert all(dimension.dim_param for dimension in model.graph.input[0].type.tensor_type.shape.dim)
    assert requirements(written).oldest_onnxruntime == "1.17"


def test_it_is_answered_by_any_number_of_threads_and_made_of_the_graph_alone() -> None:
    assert (FORM.name, FORM.runtime, FORM.made_from, FORM.company_counts) == ("onnx", "onnxruntime", None, False)
    assert FORM.files() == ("model.onnx",)


@pytest.mark.parametrize("missing", ["onnxscript", "onnx", "onnxruntime"])
def test_what_is_not_installed_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setitem(sys.modules, f"{missing}.quantization", None)
    with pytest.raises(ImportError, match=r"pip install 'subarch\[onnx\]'"):
        FORM.require()
