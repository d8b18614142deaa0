"""The names of what networks run on. Light on purpose, as all options are."""

from __future__ import annotations

from typing import Literal

Runtime = Literal["pytorch", "compile", "onnxruntime", "openvino"]
Precision = Literal["float32", "bfloat16", "int8"]
ArtifactName = Literal["onnx", "onnx-int8", "onnx-int8-static", "openvino", "openvino-bfloat16", "openvino-int8"]
Head = Literal["classification", "regression", "choice", "masked-lm", "encoder", "embedding"]
"""What a network that runs predicts: logits of classes, a number, a candidate, tokens, states, or one vector a text."""
