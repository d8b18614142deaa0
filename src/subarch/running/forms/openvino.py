"""OpenVINO in 32-bit floats: a graph as an IR file, and what answers from it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.export import NeedsResult
from subarch.running.base import Artifact, Inputs, optional_package
from subarch.running.processor import usable_cores
from subarch.silence import quiet_console

if TYPE_CHECKING:
    from subarch.running.graphs import Graph

Arithmetic = Literal["float32", "bfloat16"]
MOST_PASSES = 8  # at the same time, where nobody says how many: each takes memory of its own
PADDING = ("longest", "token")  # what a file says of padding: how many tokens there can be, and which is none
_HINTS: Mapping[Arithmetic, str] = {"float32": "f32", "bfloat16": "bf16"}


@dataclass(frozen=True, kw_only=True)
class OpenVino(Artifact):
    """An IR file in OpenVINO, with its weights beside it."""

    def files(self) -> tuple[str, ...]:
        """The network and its weights."""
        return (self.file, Path(self.file).with_suffix(".bin").name)

    def require(self) -> None:
        """OpenVINO, which also writes."""
        _openvino()

    def write(self, graph: Graph, folder: Path, calibration: Sequence[Inputs]) -> None:
        """From the graph."""
        del calibration
        save(converted(graph), graph, folder / self.file)

    def open(self, folder: Path, threads: int | None = None, passes: int | None = 1) -> OpenVinoProgram:
        """For so many passes at the same time."""
        # Of a network in integers what stays in floats has 32 bits: with bfloat16 OpenVINO 2026 takes one axis for
        # another where a sequence is as long as a head is wide, and it is not faster.
        small = "bfloat16" if self.precision == "bfloat16" else "float32"
        return OpenVinoProgram(folder / self.file, threads=threads, passes=passes, arithmetic=small)

    def requirements(self, folder: Path) -> NeedsResult:
        """Format, operator sets, and the oldest version that has them."""
        return requirements(folder / self.file)


FORM = OpenVino(name="openvino", precision="float32", file="openvino_model.xml", extra="openvino")


def _openvino() -> Any:
    return optional_package("openvino", "openvino", "OpenVINO is needed for this")


# --- answering --------------------------------------------------------------------------------------------------------


class OpenVinoProgram:
    """An IR file in OpenVINO, which any number of threads may ask at once.

    A pass runs in a request, and every request serves one thread at a time. There are as many requests as passes of
    ``threads`` cores fit beside one another. Without ``threads`` a pass has all cores; where passes of several threads
    overlap, a second set of requests with one core each is made, and taken while more than half of the cores are asked
    for.

    OpenVINO compiles code for every shape of its inputs and keeps it. So that memory stays bounded and most shapes are
    known already, inputs are padded to one of a few lengths, and the rows of a pass are split into powers of two.

    Args:
        path: of the .xml file.
        threads: of one pass; all cores when not given.
        passes: that may run at the same time; as many as the cores allow, at most eight, when not given.
        arithmetic: of what is not in integers.

    Raises:
        ValueError: for files that are damaged.
        ImportError: when OpenVINO is not installed, naming the extra.
        OSError: when one is not there.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        passes: int | None = None,
        arithmetic: Arithmetic = "float32",
    ) -> None:
        for file in (path, path.with_suffix(".bin")):
            if not file.is_file():
                raise FileNotFoundError(2, "there is no such artifact", str(file))
        self._path, self._hint = path, _HINTS[arithmetic]
        self._cores = usable_cores()
        each = min(threads or self._cores, self._cores)
        most = passes or MOST_PASSES
        self._wide = _Requests(path, self._hint, each, max(1, min(most, self._cores // each)))
        self._many = most if threads is None and self._cores > 1 and most > 1 else None
        self._narrow: _Requests | None = None
        self._asking = 0
        self._lock, self._making = threading.Lock(), threading.Lock()
        self.inputs: Sequence[str] = self._wide.inputs

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        """One pass: the output for inputs ``(batch, length)``."""
        given = {name: inputs[name] for name in self.inputs}
        rows, length = given[self.inputs[0]].shape
        padded = length
        if self._wide.padding is not None:
            longest, token = self._wide.padding
            padded = _padded_length(length, longest)
            given = {name: _widened(value, padded, token * (name == "input_ids")) for name, value in given.items()}
        with self._lock:
            self._asking += 1
            crowded = self._many is not None and 2 * self._asking > self._cores
        try:
            requests = self._beside() if crowded else self._wide
            said = [requests.run({n: v[a:b] for n, v in given.items()}) for a, b in _powers_of_two(rows)]
        finally:
            with self._lock:
                self._asking -= 1
        found = said[0] if len(said) == 1 else np.concatenate(said)
        # Of states there is one for each token, also of the padding.
        return found[:, :length] if self._wide.by_token and padded > length else found

    def _beside(self) -> _Requests:
        """Requests of one core each; whoever comes while they are made goes on with the others."""
        if self._narrow is None and self._making.acquire(blocking=False):
            try:
                if self._narrow is None:
                    count = min(self._cores, self._many or 1)
                    self._narrow = _Requests(self._path, self._hint, 1, count)
            finally:
                self._making.release()
        return self._narrow or self._wide


class _Requests:
    """A compiled network and its requests, one for each pass that may run at the same time."""

    def __init__(self, path: Path, hint: str, threads: int, count: int) -> None:
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": hint,
            "NUM_STREAMS": count,
            "INFERENCE_NUM_THREADS": threads * count,
        }
        openvino = _openvino()
        try:
            core: Any = openvino.Core()
            core.set_property({"ENABLE_MMAP": False})
            model: Any = core.read_model(str(path))
            compiled: Any = core.compile_model(model, "CPU", settings)
        except Exception as error:  # the runtime raises RuntimeError for everything
            reason = str(error).strip().splitlines()[-1].strip()
            raise InputError(
                f"{path} cannot be opened by OpenVINO {openvino.__version__.split('-')[0]} ({reason}): export it again"
            ) from error
        self.inputs: Sequence[str] = [port.get_any_name() for port in compiled.inputs]
        self.by_token = len(compiled.outputs[0].get_partial_shape()) == 3
        known = all(model.has_rt_info(["subarch", name]) for name in PADDING)
        self.padding = [int(model.get_rt_info(["subarch", name]).value) for name in PADDING] if known else None
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(compiled.create_infer_request())

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """One pass, as soon as a request is free; what comes back is a copy."""
        request = self._idle.get()
        try:
            # The runtime wants memory without gaps, which rows of a larger array have.
            return request.infer({name: np.ascontiguousarray(value) for name, value in inputs.items()})[0]
        finally:
            self._idle.put(request)


def _padded_length(length: int, longest: int) -> int:
    """The length that inputs are padded to: a multiple of 4, and of a sixteenth of the next power of two."""
    step = max(4, 1 << (length - 1).bit_length() - 4) if length > 32 else 4
    return min(-(-length // step) * step, max(length, longest))


def _widened(value: NDArray[np.int64], length: int, filling: int) -> NDArray[np.int64]:
    if value.shape[1] == length:
        return value
    found = np.full((value.shape[0], length), filling, dtype=value.dtype)
    found[:, : value.shape[1]] = value
    return found


def _powers_of_two(rows: int) -> Iterator[tuple[int, int]]:
    """Rows in parts of which there are few sizes, the largest first."""
    start = 0
    while start < rows:
        size = 1 << (rows - start).bit_length() - 1
        yield start, start + size
        start += size


# --- writing ----------------------------------------------------------------------------------------------------------


def converted(graph: Graph) -> Any:
    """A graph as OpenVINO has it, in 32-bit floats.

    Raises:
        ValueError: for a model that cannot be converted.
        ImportError: when OpenVINO is not installed, naming the extra.
    """
    openvino = _openvino()
    if (model := _untraced(openvino, graph)) is None:
        program = graph.traced()
        try:
            with quiet_console():
                model = openvino.convert_model(program)
        except Exception as error:  # the converter raises kinds of its own
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{type(graph.model).__name__} cannot be converted to OpenVINO ({reason})") from error
    for port, name in zip(model.inputs, graph.inputs, strict=True):
        port.get_tensor().set_names({name})
    model.outputs[0].get_tensor().set_names({graph.output})
    return model


@dataclass(eq=False)
class _Compiled:
    """A model before it is saved, ready to run."""

    model: Any
    inputs: Sequence[str]
    compiled: Any

    def __call__(self, inputs: Inputs, /) -> NDArray[np.float32]:
        return self.compiled([inputs[name] for name in self.inputs])[0]


def _untraced(openvino: Any, graph: Graph) -> Any:
    """The model of a network that is known; otherwise None."""
    from subarch.running.direct import untraced
    from subarch.running.openvino_operators import OpenVinoOperators

    operators = OpenVinoOperators(openvino, graph)

    def compiled(output: Any) -> _Compiled:
        model = operators.model(output)
        ready = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": _HINTS["float32"]})
        return _Compiled(model, graph.inputs, ready)

    made = untraced(graph, operators, compiled)
    return None if made is None else made.model


def save(model: Any, graph: Graph, path: Path) -> None:
    """Write what was made of a graph as ``path`` (.xml) and its weights beside it (.bin)."""
    if graph.ignores_padding():
        for name, value in zip(PADDING, (graph.longest, graph.padding), strict=True):
            model.set_rt_info(str(value), ["subarch", name])
    _openvino().save_model(model, str(path), compress_to_fp16=False)


# --- what a file needs ------------------------------------------------------------------------------------------------

# Versions of OpenVINO by the first that has an operator set, and by the first that reads a format:
# https://docs.openvino.ai/2025/documentation/openvino-ir-format/operation-sets/available-opsets.html
_BY_OPSET: Mapping[int, str] = {
    8: "2022.1", 9: "2022.2", 10: "2022.3", 11: "2023.0", 12: "2023.1", 13: "2023.2", 14: "2024.0", 15: "2024.5",
    16: "2025.1",
}  # fmt: skip
_BY_FORMAT: Mapping[int, str] = {10: "2022.1", 11: "2022.1"}
_BY_OPERATOR: Mapping[str, str] = {"ScaledDotProductAttention": "2023.3"}  # tried: of set 13, but not in 2023.2


def requirements(path: Path) -> NeedsResult:
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
    return NeedsResult(
        runtime="openvino",
        ir_version=version,
        opsets={"opset": max(numbers, default=None), **dict.fromkeys(foreign, 1)},
        oldest_openvino=oldest,
    )
