"""ONNX: a graph as a file, its forms with 8-bit integers, and ONNX Runtime that runs them."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from subarch.running.graphs import FUSED, Graph, attention_of

if find_spec("onnxscript") is None:  # torch's exporter asks for it only when it writes
    raise ImportError("ONNX export needs onnxscript: pip install 'subarch[onnx]'")
try:
    import onnx
    import onnxruntime
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )
except ImportError as error:
    raise ImportError("ONNX Runtime is needed for this: pip install 'subarch[onnx]'") from error

Inputs = Mapping[str, NDArray[np.int64]]
_OPSET = 20  # the first with GELU as an operator


@torch.no_grad()
def write(graph: Graph, path: Path) -> None:
    """Write a graph with fused attention, in 32-bit floats.

    Raises:
        ValueError: for a model that cannot be traced or has operators that ONNX does not know.
    """
    try:
        with attention_of(graph.model, FUSED), _quietly():
            program: Any = torch.onnx.export(
                graph.forward(),
                graph.example(),
                dynamo=True,
                dynamic_shapes=(graph.shapes(),),
                input_names=list(graph.inputs),
                output_names=[graph.output],
                opset_version=_OPSET,
                verbose=False,
            )
            program.save(str(path), external_data=False)
    except Exception as error:  # whatever a model's own code, the tracer and the writer raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{type(graph.model).__name__} cannot be written as ONNX ({reason}): stock encoders can"
        ) from error


def quantize(source: Path, path: Path, *, reduce_range: bool) -> None:
    """8-bit weights for every matrix and table, a scale for each column; activations are measured as they come.

    Args:
        source: as :func:`write` left it.
        path: of the new file.
        reduce_range: keep weights to 7 bits (:func:`~subarch.running.processor.saturates`).
    """
    with _quietly():
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
    with _quietly():
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


@contextmanager
def _quietly() -> Generator[None]:
    """Exporter and quantiser talk to the console and to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class Program:
    """An ONNX file in ONNX Runtime.

    Args:
        path: of the file.
        threads: of one pass; all cores when not given.

    Raises:
        ValueError: for a file that is damaged or asks for operators that this ONNX Runtime does not have.
        OSError: when it is not there.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such artifact", str(path))
        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        # Threads that wait for the next pass in a loop would take the cores from whatever runs in between.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises kinds of its own
            reason = str(error).strip().splitlines()[0]
            raise ValueError(
                f"{path} cannot be opened by ONNX Runtime {onnxruntime.__version__} ({reason}): export it again"
            ) from error
        self.inputs: Sequence[str] = [one.name for one in self._session.get_inputs()]

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        """One pass: the output for inputs ``(batch, length)``."""
        return self._session.run(None, {name: inputs[name] for name in self.inputs})[0]


def graph_inputs(path: Path) -> list[str]:
    """Names of a file's inputs."""
    return [one.name for one in cast("Any", onnx.load(str(path), load_external_data=False)).graph.input]


def opset(path: Path) -> int:
    """The version of the standard operators that a file asks for."""
    model = onnx.load(str(path), load_external_data=False)
    return max(int(one.version) for one in cast("Any", model).opset_import if one.domain in ("", "ai.onnx"))
