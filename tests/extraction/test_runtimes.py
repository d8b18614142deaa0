"""A search whose latencies are those of an exported network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import encoder

from subarch.jobs.extraction import extract
from subarch.options.search import ExtractOptions


def test_a_speedup_on_another_runtime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    source = encoder(tmp_path / "source", hidden_size=64, num_attention_heads=4, intermediate_size=256)
    space = tmp_path / "space.json"
    space.write_text(json.dumps({"parameters": [{"name": "num_hidden_layers", "choices": [1, 2]}]}))
    asked = {"source": str(source), "run": tmp_path / "run", "steps": "2", "threads": 1, "sequence_length": 32}
    found = extract(ExtractOptions(**asked, space=space, runtime="onnx", max_latency_ms=1000.0))  # type: ignore[arg-type]
    table = json.loads((tmp_path / "run" / "latency.json").read_text())
    assert table["settings"]["runtime"] == "onnx" and len(table["measured_ms"]) == 2
    assert (found.picks["constrained"].latency_ms or 0) > 0
    with pytest.raises(ValueError, match="--runtime onnx"):
        extract(ExtractOptions(**asked, space=space, max_latency_ms=1000.0))  # type: ignore[arg-type]
