"""OpenVINO, written: a graph as an IR file, its form with 8-bit integers by NNCF, and what a file asks of OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from subarch.errors import InputError, MissingPackageError
from subarch.running.graphs import Graph
from subarch.running.openvino import PADDING, Inputs
from subarch.silence import quiet_console

try:
    import openvino
except ImportError as error:
    raise MissingPackageError("OpenVINO is needed for this: pip install 'subarch[openvino]'") from error


def write(graph: Graph, path: Path, *, calibration: Sequence[Inputs] | None = None) -> None:
    """Write a graph as ``path`` (.xml) and its weights beside it (.bin).

    Args:
        graph: of a stock model.
        path: of the .xml file.
        calibration: inputs that the ranges of activations are measured on: matrix products and tables then have 8-bit
            integers; 32-bit floats when not given.

    Raises:
        ValueError: for a model that cannot be converted.
        ImportError: when NNCF is missing.
    """
    program = graph.traced()
    try:
        with quiet_console():
            model: Any = openvino.convert_model(program)
    except Exception as error:  # the converter raises kinds of its own
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{type(graph.model).__name__} cannot be converted to OpenVINO ({reason})") from error
    for port, name in zip(model.inputs, graph.inputs, strict=True):
        port.get_tensor().set_names({name})
    model.outputs[0].get_tensor().set_names({graph.output})
    if calibration is not None:
        model = _quantized(model, calibration)
    if graph.ignores_padding():
        for name, value in zip(PADDING, (graph.longest, graph.padding), strict=True):
            model.set_rt_info(str(value), ["subarch", name])
    openvino.save_model(model, str(path), compress_to_fp16=False)


def require(*, quantizer: bool) -> None:
    """See that what is needed is installed.

    Raises:
        ImportError: when NNCF is missing.
    """
    if quantizer and find_spec("nncf") is None:
        raise MissingPackageError("NNCF is needed for 8-bit OpenVINO: pip install 'subarch[openvino]'")


def _quantized(model: Any, calibration: Sequence[Inputs]) -> Any:
    require(quantizer=True)
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


# Versions of OpenVINO by the first that has an operator set, and by the first that reads a format:
# https://docs.openvino.ai/2025/documentation/openvino-ir-format/operation-sets/available-opsets.html
_BY_OPSET: Mapping[int, str] = {
    8: "2022.1", 9: "2022.2", 10: "2022.3", 11: "2023.0", 12: "2023.1", 13: "2023.2", 14: "2024.0", 15: "2024.5",
    16: "2025.1",
}  # fmt: skip
_BY_FORMAT: Mapping[int, str] = {10: "2022.1", 11: "2022.1"}
_BY_OPERATOR: Mapping[str, str] = {"ScaledDotProductAttention": "2023.3"}  # tried: of set 13, but not in 2023.2


def requirements(path: Path) -> dict[str, Any]:
    """What a file asks of OpenVINO: format, operator sets, and the oldest version that opens it, None where unknown.

    An operator's set is that in which it came as it is; the newest of a file decides.
    """
    network = ElementTree.parse(path).getroot()
    layers = list(network.iter("layer"))
    sets = {str(layer.get("version", "")) for layer in layers}
    numbers = [int(one.removeprefix("opset")) for one in sets if one.removeprefix("opset").isdecimal()]
    version = int(network.get("version", "0"))
    foreign = sorted(one for one in sets if not one.removeprefix("opset").isdecimal())
    needed = [_BY_OPSET.get(max([8, *numbers])), _BY_FORMAT.get(version), None if foreign else "2022.1"]
    needed += [_BY_OPERATOR[kind] for kind in {str(layer.get("type")) for layer in layers} if kind in _BY_OPERATOR]
    known = [one for one in needed if one is not None]
    oldest = max(known) if len(known) == len(needed) else None
    return {
        "runtime": "openvino",
        "ir_version": version,
        "opsets": {"opset": max(numbers, default=None), **dict.fromkeys(foreign, 1)},
        "oldest_openvino": oldest,
    }
