"""ONNX, written: a graph as a file, its forms with 8-bit integers, and what a file asks of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from subarch.errors import InputError, MissingPackageError
from subarch.running.graphs import FUSED, WHOLE, Graph, attention_of
from subarch.silence import quiet_console

if find_spec("onnxscript") is None:  # torch's exporter asks for it only when it writes
    raise MissingPackageError("ONNX export needs onnxscript: pip install 'subarch[onnx]'")
try:
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )
except ImportError as error:
    raise MissingPackageError("ONNX Runtime is needed for this: pip install 'subarch[onnx]'") from error

Inputs = Mapping[str, NDArray[np.int64]]
_OPSET = 20  # the first with GELU as an operator


def write(graph: Graph, path: Path) -> None:
    """Write a graph in 32-bit floats, with fused attention where the model's masks allow it.

    Raises:
        ValueError: for a model that cannot be traced or has operators that ONNX does not know.
    """
    try:
        program = _program(graph, FUSED)
    except Exception:  # a mask that is not plainly of keys alone, and whatever an unforeseen model raises
        try:
            program = _program(graph, WHOLE)
        except Exception as error:  # whatever a model's own code, the tracer and the writer raise
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"{type(graph.model).__name__} cannot be written as ONNX ({reason}): stock encoders can"
            ) from error
    with quiet_console():
        program.save(str(path), external_data=False)
    _lower_format(path)


@torch.no_grad()
def _program(graph: Graph, attention: str) -> Any:
    with attention_of(graph.model, attention), quiet_console():
        return torch.onnx.export(
            graph.forward(),
            graph.example(),
            dynamo=True,
            dynamic_shapes=(graph.shapes(),),
            input_names=list(graph.inputs),
            output_names=[graph.output],
            opset_version=_OPSET,
            verbose=False,
        )


def _lower_format(path: Path) -> None:
    """The oldest format that has the file's operators, so that older runtimes open it; and no notes of the exporter,
    which tell of folders of this machine."""
    model: Any = onnx.load(str(path), load_external_data=False)
    for node in model.graph.node:
        node.ClearField("metadata_props")
    model.ClearField("metadata_props")
    model.ir_version = min(model.ir_version, onnx.helper.find_min_ir_version_for(model.opset_import, True))
    onnx.save(model, str(path))


def quantize(source: Path, path: Path, *, reduce_range: bool) -> None:
    """8-bit weights for every matrix and table, a scale for each column; activations are measured as they come.

    Args:
        source: as :func:`write` left it.
        path: of the new file.
        reduce_range: keep weights to 7 bits (:func:`~subarch.running.processor.saturates`).
    """
    with quiet_console():
        quantize_dynamic(
            str(source), str(path), per_channel=True, reduce_range=reduce_range, weight_type=QuantType.QInt8
        )


def quantize_with_ranges(source: Path, path: Path, batches: Iterable[Inputs], *, reduce_range: bool) -> None:
    """8-bit weights and activations of matrix products, ranges measured beforehand.

    Args:
        source: as :func:`write` left it.
        path: of the new file.
        batches: inputs that ranges are measured on.
        reduce_range: as above.
    """
    with quiet_console():
        quantize_static(
            str(source),
            str(path),
            _Reader(graph_inputs(source), batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class _Reader(CalibrationDataReader):
    def __init__(self, names: Sequence[str], batches: Iterable[Inputs]) -> None:
        self._names, self._batches = names, iter(batches)

    def get_next(self) -> dict[str, Any] | None:  # type: ignore[override]
        found = next(self._batches, None)
        return None if found is None else {name: found[name] for name in self._names}


def graph_inputs(path: Path) -> list[str]:
    """Names of a file's inputs."""
    return [one.name for one in cast("Any", onnx.load(str(path), load_external_data=False)).graph.input]


# Versions of ONNX Runtime by the first that has an operator set of ai.onnx, and by the first that reads a format:
# https://onnxruntime.ai/docs/reference/compatibility.html and the release notes. Operators of com.microsoft by the
# first release whose docs/ContribOperators.md has them.
_BY_OPSET: Mapping[int, tuple[int, int]] = {
    13: (1, 7), 14: (1, 8), 15: (1, 10), 16: (1, 11), 17: (1, 12), 18: (1, 14), 19: (1, 15), 20: (1, 17), 21: (1, 18),
    22: (1, 21), 23: (1, 23),
}  # fmt: skip
_BY_FORMAT: Mapping[int, tuple[int, int]] = {7: (1, 7), 8: (1, 10), 9: (1, 15), 10: (1, 18), 11: (1, 23)}
_BY_OPERATOR: Mapping[str, tuple[int, int]] = {"MultiHeadAttention": (1, 14)}


def requirements(path: Path) -> dict[str, Any]:
    """What a file asks of ONNX Runtime: format, operator sets, and the oldest version that opens it (None: unknown)."""
    model: Any = onnx.load(str(path), load_external_data=False)
    opsets = {str(one.domain or "ai.onnx"): int(one.version) for one in model.opset_import}
    own = sorted({str(node.op_type) for node in model.graph.node if node.domain == "com.microsoft"})
    needed = [_BY_OPSET.get(opsets["ai.onnx"]), _BY_FORMAT.get(int(model.ir_version)), *map(_BY_OPERATOR.get, own)]
    known = [one for one in needed if one is not None]
    oldest = ".".join(map(str, max(known))) if len(known) == len(needed) else None
    return {
        "runtime": "onnxruntime",
        "ir_version": int(model.ir_version),
        "opsets": opsets,
        "own_operators": own,
        "oldest_onnxruntime": oldest,
    }
