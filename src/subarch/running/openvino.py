"""OpenVINO, which answers from IR files."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError, MissingPackageError
from subarch.running.processor import usable_cores

try:
    import openvino
except ImportError as error:
    raise MissingPackageError("OpenVINO is needed for this: pip install 'subarch[openvino]'") from error

Inputs = Mapping[str, NDArray[np.int64]]
Arithmetic = Literal["float32", "bfloat16"]
MOST_PASSES = 8  # at the same time, where nobody says how many: each takes memory of its own
PADDING = ("longest", "token")  # what a file says of padding: how many tokens there can be, and which is none
_HINTS: Mapping[Arithmetic, str] = {"float32": "f32", "bfloat16": "bf16"}


class Program:
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
