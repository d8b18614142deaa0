"""What can be exported."""

from __future__ import annotations

from typing import Any

from subarch.rungs.exporting import that_can_be_made


def test_what_was_asked_for_is_tried(place: Any) -> None:
    assert that_can_be_made(place.ground(artifacts=("onnx",))) == ("onnx",)
    assert "onnx-int8" in that_can_be_made(place.ground(artifacts=()))
