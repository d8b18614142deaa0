"""Tables of what was trained: the front and the picks by their roles, and only columns that say something."""

from __future__ import annotations

from typing import Any

from subarch.telling.numbers import numbers


def point(layers: int, error: float) -> dict[str, Any]:
    shape = {"num_hidden_layers": layers}
    return {"architecture": shape, "parameters": 1000 * layers, "macs": 2000 * layers, "error": error}


def test_each_architecture_is_told_once_with_all_of_its_roles() -> None:
    small, large = point(1, 0.2), point(2, 0.1)
    picks = {"w": {**small, "certified": True}, "knee": {**small, "certified": False}, "constrained": None}
    extract = {**small, "front": [large, small], "picks": picks, "trained": [{**large, "number": 0}, small]}
    first, every, _ = numbers({**extract, "source": {"parameters": 4000}})
    assert first.text.count("<tr>") == 3 and "2 architectures, smallest first" in first.text
    assert "extracted, Best W (certified), Knee of the front (not certified)" in first.text
    assert first.text.index("1 layer") < first.text.index("2 layers") and "25.0 %" in first.text
    assert "Latency" not in first.text and "no. 0" in every.text
