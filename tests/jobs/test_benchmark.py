"""Times of networks beside a reference, told and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from examples import timed
from tiny import config, encoder

from commands import Command, refused
from subarch.jobs.benchmark import bench, form_of, opened
from subarch.options.running import BenchOptions


def test_wrong_benches(subarch: Command, tmp_path: Path) -> None:
    refused(subarch("bench"), "name at least one network")
    refused(subarch("bench", "no-such-network"), "presets are")
    refused(subarch("bench", "bort", "--sequence-length", "513", "--run", tmp_path / "run"), "512 tokens")
    refused(subarch("bench", "bort", "--rounds", "0"), "--rounds")
    assert not (tmp_path / "run").exists()


def test_a_row_is_of_a_form_by_its_runtime_and_precision() -> None:
    assert form_of(timed(runtime="onnxruntime", precision="int8")) == "onnx-int8"
    assert form_of(timed(runtime="openvino", precision="bfloat16")) == "openvino-bfloat16"
    assert form_of(timed(runtime="pytorch", precision="float32")) == "pytorch"


def test_what_a_name_stands_for(tmp_path: Path) -> None:
    assert opened("bort").settings["num_hidden_layers"] == 4
    shape = tmp_path / "shape.json"
    shape.write_text(json.dumps(config(num_hidden_layers=1).to_dict()))
    assert opened(str(shape)).settings["num_hidden_layers"] == 1
    assert opened(str(shape)).checkpoint is None
    (tmp_path / "run").mkdir()
    shape.rename(tmp_path / "run" / "architecture.json")
    assert opened(str(tmp_path / "run")).settings["num_hidden_layers"] == 1
    found = opened(str(encoder(tmp_path / "encoder", hidden_size=16)))
    assert found.checkpoint is not None and found.settings["hidden_size"] == 16
    with pytest.raises(ValueError, match="presets are bort, "):
        opened(str(tmp_path / "nothing"))


def test_times_are_beside_the_reference_and_are_not_taken_twice(tmp_path: Path) -> None:
    names: list[str] = []
    for layers in (1, 3):
        path = tmp_path / f"{layers}.json"
        path.write_text(json.dumps(config(num_hidden_layers=layers).to_dict()))
        names.append(str(path))
    small, large = names

    def asked(**given: object) -> BenchOptions:
        known = {"against": large, "runtime": ("pytorch",), "precision": ("float32",), "threads": (1,), "rounds": 2}
        cells = {"sequence_length": (4, 8), "memory": False, "run": tmp_path / "run"}
        return BenchOptions(**{"names": (small,), **known, **cells, **given})  # type: ignore[arg-type]

    made = bench(asked())
    told = made.to_json()
    assert [(row["name"], row["sequence_length"]) for row in told["rows"]] == [
        (large, 4),
        (small, 4),
        (large, 8),
        (small, 8),
    ]
    for reference, row in zip(told["rows"][::2], told["rows"][1::2], strict=True):
        assert reference["ratio"] == 1
        assert row["ratio"] == pytest.approx(reference["p50_ms"] / row["p50_ms"])
        assert row["sequences_per_second"] == pytest.approx(1000 / row["p50_ms"])
        assert 0 < row["min_ms"] <= row["p50_ms"] <= row["p95_ms"] and row["passes"] >= 2
    assert json.loads((tmp_path / "run" / "benchmark.json").read_text(encoding="utf-8")) == told
    assert bench(asked()).rows == made.rows
    with pytest.raises(ValueError, match="holds a bench with other options"):
        bench(asked(rounds=3))
    with pytest.raises(ValueError, match="has positions for 64 tokens, got --sequence-length 65"):
        bench(asked(sequence_length=(65,)))
