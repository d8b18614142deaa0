"""OpenVINO: a graph as an IR file, its form with 8-bit integers by NNCF, and the runtime that runs them."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subarch.running.graphs import Graph

try:
    import openvino
except ImportError as error:
    raise ImportError("OpenVINO is needed for this: pip install 'subarch[openvino]'") from error

Inputs = Mapping[str, NDArray[np.int64]]
Arithmetic = Literal["float32", "bfloat16"]
_HINTS: Mapping[Arithmetic, str] = {"float32": "f32", "bfloat16": "bf16"}


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
        with _quietly():
            model: Any = openvino.convert_model(program)
    except Exception as error:  # the converter raises kinds of its own
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{type(graph.model).__name__} cannot be converted to OpenVINO ({reason})") from error
    for port, name in zip(model.inputs, graph.inputs, strict=True):
        port.get_tensor().set_names({name})
    model.outputs[0].get_tensor().set_names({graph.output})
    if calibration is not None:
        model = _quantized(model, calibration)
    openvino.save_model(model, str(path), compress_to_fp16=False)


def require(*, quantizer: bool) -> None:
    """See that what is needed is installed.

    Raises:
        ImportError: when NNCF is missing.
    """
    if quantizer and find_spec("nncf") is None:
        raise ImportError("NNCF is needed for 8-bit OpenVINO: pip install 'subarch[openvino]'")


def _quantized(model: Any, calibration: Sequence[Inputs]) -> Any:
    require(quantizer=True)
    with _quietly():
        import nncf

    names = [port.get_any_name() for port in model.inputs]
    batches = [{name: one[name] for name in names} for one in calibration]
    with _quietly():
        return nncf.quantize(
            model,
            nncf.Dataset(batches),
            subset_size=len(batches),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.PERFORMANCE,
        )


@contextmanager
def _quietly() -> Generator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class Program:
    """An IR file in OpenVINO.

    Args:
        path: of the .xml file.
        threads: of one pass; all cores when not given.
        arithmetic: of what is not in integers.

    Raises:
        ValueError: for files that are damaged.
        OSError: when one is not there.
    """

    def __init__(self, path: Path, *, threads: int | None = None, arithmetic: Arithmetic = "float32") -> None:
        for file in (path, path.with_suffix(".bin")):
            if not file.is_file():
                raise FileNotFoundError(2, "there is no such artifact", str(file))
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[arithmetic],
            "ENABLE_MMAP": "NO",
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            compiled: Any = openvino.Core().compile_model(str(path), "CPU", settings)
        except Exception as error:  # the runtime raises RuntimeError for everything
            reason = str(error).strip().splitlines()[-1].strip()
            raise ValueError(
                f"{path} cannot be opened by OpenVINO {openvino.__version__.split('-')[0]} ({reason}): export it again"
            ) from error
        self.inputs: Sequence[str] = [port.get_any_name() for port in compiled.inputs]
        self._request: Any = compiled.create_infer_request()

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        """One pass: the output for inputs ``(batch, length)``."""
        found = self._request.infer({name: inputs[name] for name in self.inputs}, share_inputs=True)
        return found[0]
