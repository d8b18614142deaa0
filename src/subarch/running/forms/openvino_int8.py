"""OpenVINO with 8-bit integers, tables too, by NNCF; what stays in floats has 32 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subarch.errors import MissingPackageError
from subarch.running.base import Inputs
from subarch.running.forms.openvino import FORM as FLOATS
from subarch.running.forms.openvino import OpenVino, converted, save
from subarch.silence import quiet_console

if TYPE_CHECKING:
    from subarch.running.graphs import Graph


@dataclass(frozen=True, kw_only=True)
class OpenVinoInt8(OpenVino):
    """From the graph, and from inputs."""

    def require(self) -> None:
        """OpenVINO and NNCF."""
        super().require()
        _require_quantizer()

    def write(self, graph: Graph, folder: Path, calibration: Sequence[Inputs]) -> None:
        """With the ranges of these inputs."""
        save(_quantized(converted(graph), calibration), graph, folder / self.file)


FORM = OpenVinoInt8(
    name="openvino-int8",
    precision="int8",
    file="openvino_model_quantized.xml",
    extra=FLOATS.extra,
)


def _require_quantizer() -> None:
    if find_spec("nncf") is None:
        raise MissingPackageError(f"NNCF is needed for 8-bit OpenVINO: pip install 'subarch[{FLOATS.extra}]'")


def _quantized(model: Any, calibration: Sequence[Inputs]) -> Any:
    _require_quantizer()
    with quiet_console():
        import nncf
        from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    names = [port.get_any_name() for port in model.inputs]
    batches = [{name: one[name] for name in names} for one in calibration]
    with quiet_console():
        return nncf.quantize(
            model,
            nncf.Dataset(batches),
            subset_size=len(batches),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            # Processors without VNNI add products of 8 by 8 bits up in 16, which overflow: weights take half the range,
            # so that a form answers alike wherever it is opened.
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
        )
