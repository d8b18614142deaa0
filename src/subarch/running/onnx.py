"""ONNX Runtime, which answers from ONNX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError, MissingPackageError

try:
    import onnxruntime
except ImportError as error:
    raise MissingPackageError("ONNX Runtime is needed for this: pip install 'subarch[onnx]'") from error

Inputs = Mapping[str, NDArray[np.int64]]


class Program:
    """An ONNX file in ONNX Runtime, which any number of threads may ask at once: each runs its own pass.

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
        options.enable_mem_pattern = False  # of every shape there is; texts have too many
        # Threads that wait for the next pass in a loop would take the cores from whatever runs in between.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises kinds of its own
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"{path} cannot be opened by ONNX Runtime {onnxruntime.__version__} ({reason}): export it again"
            ) from error
        self.inputs: Sequence[str] = [one.name for one in self._session.get_inputs()]

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        """One pass: the output for inputs ``(batch, length)``."""
        return self._session.run(None, {name: inputs[name] for name in self.inputs})[0]
