"""ONNX with 8-bit weights and activations of matrix products, ranges measured beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subarch.running.base import Inputs
from subarch.running.forms.onnx import FORM as FLOATS
from subarch.running.forms.onnx import Onnx, graph_inputs, quantiser
from subarch.running.processor import features, saturates
from subarch.silence import quiet_console

if TYPE_CHECKING:
    from subarch.running.graphs import Graph


@dataclass(frozen=True, kw_only=True)
class OnnxInt8Static(Onnx):
    """Of the file in floats, and of inputs."""

    def write(self, graph: Graph, folder: Path, calibration: Sequence[Inputs]) -> None:
        """With the ranges of these inputs."""
        del graph
        source = folder / FLOATS.file
        quantize_with_ranges(source, folder / self.file, calibration, reduce_range=saturates(features()))


FORM = OnnxInt8Static(
    name="onnx-int8-static",
    precision="int8",
    file="model_static_quantized.onnx",
    extra=FLOATS.extra,
    made_from=FLOATS.name,
)


def quantize_with_ranges(source: Path, path: Path, batches: Iterable[Inputs], *, reduce_range: bool) -> None:
    """8-bit weights and activations of matrix products, ranges measured beforehand.

    Args:
        source: as :func:`subarch.running.forms.onnx.write` left it.
        path: of the new file.
        batches: inputs that ranges are measured on.
        reduce_range: keep weights to 7 bits (:func:`~subarch.running.processor.saturates`).
    """
    package = quantiser()
    with quiet_console():
        package.quantize_static(
            str(source),
            str(path),
            _reader(package, graph_inputs(source), batches),
            quant_format=package.QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=package.QuantType.QUInt8,
            weight_type=package.QuantType.QInt8,
        )


def _reader(package: Any, names: Sequence[str], batches: Iterable[Inputs]) -> Any:
    rest = iter(batches)

    class _Reader(package.CalibrationDataReader):
        def get_next(self) -> Inputs | None:
            found = next(rest, None)
            return None if found is None else {name: found[name] for name in names}

    return _Reader()
