"""IR files: few shapes are compiled, a request serves one thread at a time; and what files hold and ask for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from models import built

from subarch.running.forms.openvino import (
    FORM,
    OpenVinoProgram,
    _padded_length,  # pyright: ignore[reportPrivateUsage]
    _powers_of_two,  # pyright: ignore[reportPrivateUsage]
    converted,
    requirements,
    save,
)


def test_memory_does_not_grow_with_shapes() -> None:
    """Code is compiled for few shapes: as many as there are sizes and lengths that inputs are brought to."""
    lengths = {_padded_length(length, 512) for length in range(1, 513)}
    assert len(lengths) <= 48 and max(lengths) == 512
    for length in range(1, 513):
        padded = _padded_length(length, 512)
        assert length <= padded <= max(length + 3, length * 9 / 8)
        assert _padded_length(length, length) == length
    sizes = set[int]()
    for rows in range(1, 65):
        parts = list(_powers_of_two(rows))
        assert [row for start, end in parts for row in range(start, end)] == list(range(rows))
        sizes |= {end - start for start, end in parts}
    assert sizes == {1, 2, 4, 8, 16, 32, 64}


@pytest.fixture
def summing(tmp_path: Path) -> Path:
    """A file that gives the sum of each row's tokens where there is text; token 9 is padding."""
    openvino = pytest.importorskip("openvino")
    ops = pytest.importorskip("openvino.opset13")
    ids, mask = (ops.parameter([-1, -1], np.int64, name=name) for name in ("input_ids", "attention_mask"))
    seen = ops.convert(ops.multiply(ids, mask), "f32")
    total = ops.reduce_sum(seen, ops.constant(np.array([1])), keep_dims=True)
    model = openvino.Model([total], [ids, mask], "summing")
    for port, name in zip(model.inputs, ("input_ids", "attention_mask"), strict=True):
        port.get_tensor().set_names({name})
    model.set_rt_info("40", ["subarch", "longest"])
    model.set_rt_info("9", ["subarch", "token"])
    openvino.save_model(model, str(tmp_path / "model.xml"), compress_to_fp16=False)
    return tmp_path / "model.xml"


@pytest.mark.parametrize(("threads", "passes"), [(1, 1), (1, 2), (None, None)])
def test_rows_in_parts_and_padding_change_no_answer(summing: Path, threads: int | None, passes: int | None) -> None:
    program = OpenVinoProgram(summing, threads=threads, passes=passes)
    rng = np.random.default_rng(0)
    for rows, length in ((1, 1), (3, 5), (7, 33), (11, 40), (2, 45)):
        ids = rng.integers(0, 9, (rows, length))
        said = program({"input_ids": ids, "attention_mask": np.ones_like(ids), "more": ids})
        assert said[:, 0].tolist() == ids.sum(1).tolist()


def test_what_comes_back_is_the_callers_own(summing: Path) -> None:
    program = OpenVinoProgram(summing, threads=1)
    ids = np.ones((2, 4), np.int64)
    first = program({"input_ids": ids, "attention_mask": ids})
    second = program({"input_ids": 3 * ids, "attention_mask": ids})
    assert (first[:, 0].tolist(), second[:, 0].tolist()) == ([4, 4], [12, 12])


def test_files_that_are_missing_or_damaged_are_refused(summing: Path) -> None:
    summing.with_suffix(".bin").unlink()
    with pytest.raises(FileNotFoundError, match="there is no such artifact"):
        OpenVinoProgram(summing)
    summing.with_suffix(".bin").write_bytes(b"")
    summing.write_text("<net>")
    with pytest.raises(ValueError, match=r"cannot be opened by OpenVINO \d.*export it again"):
        OpenVinoProgram(summing)


def network(path: Path, *layers: tuple[str, str], version: int = 11) -> Path:
    written = "".join(f'<layer id="{n}" type="{kind}" version="{own}"/>' for n, (kind, own) in enumerate(layers))
    path.write_text(f'<net name="one" version="{version}"><layers>{written}</layers></net>', encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("layers", "version", "oldest", "newest"),
    [
        ([("Parameter", "opset1"), ("MatMul", "opset8")], 11, "2022.1", 8),
        ([("Gelu", "opset7")], 10, "2022.1", 7),
        ([("Pad", "opset12")], 11, "2023.1", 12),
        ([("ScaledDotProductAttention", "opset13")], 11, "2023.3", 13),  # not in 2023.2, where the set is from
        ([("Identity", "opset16"), ("MatMul", "opset1")], 11, "2025.1", 16),
        ([("Identity", "opset99")], 11, None, 99),
        ([("MatMul", "opset1")], 99, None, 1),
        ([("Own", "extension"), ("MatMul", "opset1")], 11, None, 1),
    ],
)
def test_the_oldest_runtime_by_operators_and_format(
    layers: list[tuple[str, str]], version: int, oldest: str | None, newest: int, tmp_path: Path
) -> None:
    asked = requirements(network(tmp_path / "model.xml", *layers, version=version))
    assert (asked.oldest_openvino, asked.opsets["opset"], asked.ir_version) == (oldest, newest, version)
    assert ("extension" in asked.opsets) == any(own == "extension" for _, own in layers)
    assert set(asked.to_json()) == {"runtime", "ir_version", "opsets", "oldest_openvino"}


def test_a_file_knows_its_padding_where_that_changes_no_answer(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    graph = built("classification")
    save(converted(graph), graph, tmp_path / "model.xml")
    text = (tmp_path / "model.xml").read_text(encoding="utf-8")
    assert '<longest value="66"' in text and '<token value="0"' in text
    assert requirements(tmp_path / "model.xml").oldest_openvino is not None


def test_it_has_its_weights_in_a_file_beside_it() -> None:
    assert (FORM.name, FORM.runtime, FORM.precision) == ("openvino", "openvino", "float32")
    assert FORM.files() == ("openvino_model.xml", "openvino_model.bin")


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"OpenVINO is needed for this: pip install 'subarch\[openvino\]'"):
        FORM.require()
