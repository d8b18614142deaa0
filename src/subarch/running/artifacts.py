"""The forms that a network runs in: files of a folder, and how they are opened. Light, as what answers has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from subarch.options.forms import ArtifactName, Precision, Runtime
from subarch.running.processor import features, multiplies_bfloat16

Inputs = Mapping[str, NDArray[np.int64]]


class Program(Protocol):
    """What runs a network: inputs ``(batch, length)`` by name to its output; any number of threads may ask at once."""

    inputs: Sequence[str]

    def __call__(self, inputs: Inputs, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Artifact:
    """One form of a network.

    Attributes:
        name: of the form.
        runtime: that runs it.
        precision: of matrix products.
        file: in the folder; an .xml file has its weights beside it in a .bin file.
    """

    name: ArtifactName
    runtime: Runtime
    precision: Precision
    file: str

    def files(self) -> tuple[str, ...]:
        """All of its files."""
        path = Path(self.file)
        return (self.file, path.with_suffix(".bin").name) if path.suffix == ".xml" else (self.file,)

    @property
    def company_counts(self) -> bool:
        """Whether what it says of a text depends on the others of its pass: they share the ranges of activations."""
        return self.name == "onnx-int8"

    def open(self, folder: Path, threads: int | None = None, passes: int | None = 1) -> Program:
        """Ready to run.

        Args:
            folder: of its files.
            threads: of one pass; all cores when not given.
            passes: that may run at the same time in OpenVINO; None: as many as the cores allow.

        Raises:
            ValueError: for a damaged file.
            ImportError: when the runtime is not installed, naming the extra.
            OSError: when a file is not there.
        """
        path = folder / self.file
        if self.runtime == "onnxruntime":
            from subarch.running import onnx

            return onnx.Program(path, threads=threads)
        from subarch.running import openvino

        # Of a network in integers what stays in floats has 32 bits: with bfloat16 OpenVINO 2026 takes one axis for
        # another where a sequence is as long as a head is wide, and it is not faster.
        small = "bfloat16" if self.precision == "bfloat16" else "float32"
        return openvino.Program(path, threads=threads, passes=passes, arithmetic=small)


# Names of files are those that the stock libraries' own exports have.
FORMS: Mapping[ArtifactName, Artifact] = {
    form.name: form
    for form in (
        Artifact("onnx", "onnxruntime", "float32", "model.onnx"),
        Artifact("onnx-int8", "onnxruntime", "int8", "model_quantized.onnx"),
        Artifact("onnx-int8-static", "onnxruntime", "int8", "model_static_quantized.onnx"),
        Artifact("openvino", "openvino", "float32", "openvino_model.xml"),
        Artifact("openvino-bfloat16", "openvino", "bfloat16", "openvino_model.xml"),
        Artifact("openvino-int8", "openvino", "int8", "openvino_model_quantized.xml"),
    )
}


def possible() -> tuple[ArtifactName, ...]:
    """Forms that this processor has a use for."""
    fast = multiplies_bfloat16(features())
    return tuple(name for name, form in FORMS.items() if form.precision != "bfloat16" or fast)
