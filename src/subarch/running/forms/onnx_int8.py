"""ONNX with 8-bit weights and tables; activations are measured as they come, one scale for a whole pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from subarch.running.base import Inputs
from subarch.running.forms.onnx import FORM as FLOATS
from subarch.running.forms.onnx import Onnx, quantiser
from subarch.running.processor import features, saturates
from subarch.silence import quiet_console

if TYPE_CHECKING:
    from subarch.running.graphs import Graph


@dataclass(frozen=True, kw_only=True)
class OnnxInt8(Onnx):
    """Of the file in floats."""

    def write(self, graph: Graph, folder: Path, calibration: Sequence[Inputs]) -> None:
        """Nothing is measured beforehand."""
        del graph, calibration
        quantize(folder / FLOATS.file, folder / self.file, reduce_range=saturates(features()))


FORM = OnnxInt8(
    name="onnx-int8",
    precision="int8",
    file="model_quantized.onnx",
    extra=FLOATS.extra,
    made_from=FLOATS.name,
    company_counts=True,  # texts of a pass share the ranges of activations
)


def quantize(source: Path, path: Path, *, reduce_range: bool) -> None:
    """8-bit weights for every matrix and table, a scale for each column; activations are measured as they come.

    Args:
        source: as :func:`subarch.running.forms.onnx.write` left it.
        path: of the new file.
        reduce_range: keep weights to 7 bits (:func:`~subarch.running.processor.saturates`).
    """
    package = quantiser()
    with quiet_console():
        package.quantize_dynamic(
            str(source), str(path), per_channel=True, reduce_range=reduce_range, weight_type=package.QuantType.QInt8
        )
