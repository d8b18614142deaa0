"""ONNX in 32-bit floats, with attention as one operator where the model's masks allow it, and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError, MissingPackageError
from subarch.results.export import NeedsResult
from subarch.running.base import Artifact, Inputs, optional_package
from subarch.silence import quiet_console

if TYPE_CHECKING:
    from subarch.running.graphs import Graph

_EXTRA = "onnx"
_NEEDED = "ONNX Runtime is needed for this"
_OPSET = 20  # the first with GELU as an operator


@dataclass(frozen=True, kw_only=True)
class Onnx(Artifact):
    """An ONNX file in ONNX Runtime."""

    def require(self) -> None:
        """ONNX Runtime with its quantiser, and what writes."""
        if find_spec("onnxscript") is None:  # torch's exporter asks for it only when it writes
            raise MissingPackageError(f"ONNX export needs onnxscript: pip install 'subarch[{_EXTRA}]'")
        onnx_package()
        quantiser()

    def write(self, graph: Graph, folder: Path, calibration: Sequence[Inputs]) -> None:
        """From the graph; attention is fused where that says the same."""
        del calibration
        self.require()
        write(graph, folder / self.file)

    def open(self, folder: Path, threads: int | None = None, passes: int | None = 1) -> OnnxProgram:
        """For any number of passes at the same time."""
        del passes
        return OnnxProgram(folder / self.file, threads=threads)

    def requirements(self, folder: Path) -> NeedsResult:
        """Format, operator sets, and the oldest version that has them."""
        return requirements(folder / self.file)


FORM = Onnx(name="onnx", precision="float32", file="model.onnx", extra=_EXTRA)


def onnx_package() -> Any:
    """What reads and writes files.

    Raises:
        ImportError: when it is not there, naming the extra.
    """
    return optional_package("onnx", _EXTRA, _NEEDED)


def quantiser() -> Any:
    """What makes 8-bit integers.

    Raises:
        ImportError: when it is not there, naming the extra.
    """
    return optional_package("onnxruntime.quantization", _EXTRA, _NEEDED)


# --- answering --------------------------------------------------------------------------------------------------------


class OnnxProgram:
    """An ONNX file in ONNX Runtime, which any number of threads may ask at once: each runs its own pass.

    Args:
        path: of the file.
        threads: of one pass; all cores when not given.

    Raises:
        ValueError: for a file that is damaged or asks for operators that this ONNX Runtime does not have.
        ImportError: when ONNX Runtime is not installed, naming the extra.
        OSError: when it is not there.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        runtime = optional_package("onnxruntime", _EXTRA, _NEEDED)
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such artifact", str(path))
        options: Any = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # of every shape there is; texts have too many
        # Threads that wait for the next pass in a loop would take the cores from whatever runs in between.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session: Any = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises kinds of its own
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"{path} cannot be opened by ONNX Runtime {runtime.__version__} ({reason}): export it again"
            ) from error
        self.inputs: Sequence[str] = [one.name for one in self._session.get_inputs()]

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        """One pass: the output for inputs ``(batch, length)``."""
        return self._session.run(None, {name: inputs[name] for name in self.inputs})[0]


# --- writing ----------------------------------------------------------------------------------------------------------


def write(graph: Graph, path: Path) -> None:
    """Write a graph in 32-bit floats, with fused attention where the model's masks allow it.

    Raises:
        ValueError: for a model that cannot be traced or has operators that ONNX does not know.
    """
    from subarch.running.direct import untraced
    from subarch.running.onnx_operators import OnnxOperators

    onnx = onnx_package()
    operators = OnnxOperators(onnx, _OPSET)

    def saved(output: str) -> OnnxProgram:
        _save(onnx, operators.model(graph, output), path)
        return OnnxProgram(path)

    if untraced(graph, operators, saved) is not None:
        return
    path.unlink(missing_ok=True)
    program = _traced(graph)
    with quiet_console():
        program.save(str(path), external_data=False)
    _save(onnx, onnx.load(str(path), load_external_data=False), path)


def _traced(graph: Graph) -> Any:
    """With fused attention, where that can be.

    Raises:
        ValueError: where it cannot be traced at all.
    """
    try:
        return _program(graph, fused=True)
    except Exception:  # a mask that is not plainly of keys alone, and whatever an unforeseen model raises
        try:
            return _program(graph, fused=False)
        except Exception as error:  # whatever a model's own code, the tracer and the writer raise
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"{type(graph.model).__name__} cannot be written as ONNX ({reason}): stock encoders can"
            ) from error


def _program(graph: Graph, *, fused: bool) -> Any:
    import torch

    from subarch.running.fused import FUSED, FusedAttention
    from subarch.running.graphs import WHOLE, WholeAttention, attention_of

    name, kind = (FUSED, FusedAttention()) if fused else (WHOLE, WholeAttention())
    with torch.no_grad(), attention_of(graph.model, name, kind), quiet_console():
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


def _save(onnx: Any, model: Any, path: Path) -> None:
    """In the oldest format that has the file's operators, so that older runtimes open it; without notes of an exporter,
    which tell of folders of this machine."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
    model.ClearField("metadata_props")
    model.ir_version = min(model.ir_version, onnx.helper.find_min_ir_version_for(model.opset_import, True))
    onnx.save(model, str(path))


def graph_inputs(path: Path) -> list[str]:
    """Names of a file's inputs."""
    return [one.name for one in onnx_package().load(str(path), load_external_data=False).graph.input]


# --- what a file needs ------------------------------------------------------------------------------------------------

# Versions of ONNX Runtime by the first that has an operator set of ai.onnx, and by the first that reads a format:
# https://onnxruntime.ai/docs/reference/compatibility.html and the release notes. Operators of com.microsoft by the
# first release whose docs/ContribOperators.md has them.
_BY_OPSET: Mapping[int, tuple[int, int]] = {
    13: (1, 7), 14: (1, 8), 15: (1, 10), 16: (1, 11), 17: (1, 12), 18: (1, 14), 19: (1, 15), 20: (1, 17), 21: (1, 18),
    22: (1, 21), 23: (1, 23),
}  # fmt: skip
_BY_FORMAT: Mapping[int, tuple[int, int]] = {7: (1, 7), 8: (1, 10), 9: (1, 15), 10: (1, 18), 11: (1, 23)}
_BY_OPERATOR: Mapping[str, tuple[int, int]] = {"MultiHeadAttention": (1, 14)}


def requirements(path: Path) -> NeedsResult:
    """What a file asks of ONNX Runtime: format, operator sets, and the oldest version that opens it (None: unknown)."""
    model: Any = onnx_package().load(str(path), load_external_data=False)
    opsets = {str(one.domain or "ai.onnx"): int(one.version) for one in model.opset_import}
    own = sorted({str(node.op_type) for node in model.graph.node if node.domain == "com.microsoft"})
    needed = [_BY_OPSET.get(opsets["ai.onnx"]), _BY_FORMAT.get(int(model.ir_version)), *map(_BY_OPERATOR.get, own)]
    known = [one for one in needed if one is not None]
    oldest = ".".join(map(str, max(known))) if len(known) == len(needed) else None
    return NeedsResult(
        runtime="onnxruntime",
        ir_version=int(model.ir_version),
        opsets=opsets,
        own_operators=tuple(own),
        oldest_onnxruntime=oldest,
    )
