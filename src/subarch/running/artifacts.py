"""The forms that a network runs in: files of a folder, how they are made, and how they are opened."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from subarch.errors import InputError
from subarch.options.forms import ArtifactName, Precision, Runtime
from subarch.progress import Watch, silent
from subarch.running.graphs import Graph
from subarch.running.processor import features, multiplies_bfloat16, saturates
from subarch.running.timing import Builder, Pass, pinned

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

    def require(self) -> None:
        """Make sure that what makes and runs this form is installed.

        Raises:
            ImportError: when it is not, naming the extra.
        """
        if self.runtime == "onnxruntime":
            import_module("subarch.running.onnx")
        else:
            from subarch.running import openvino

            openvino.require(quantizer=self.precision == "int8")

    @property
    def company_counts(self) -> bool:
        """Whether what it says of a text depends on the others of its pass: they share the ranges of activations."""
        return self.name == "onnx-int8"

    def requirements(self, folder: Path) -> dict[str, Any]:
        """What its file asks of a runtime: format, operator sets, and the oldest version that has them, as data."""
        if self.runtime == "onnxruntime":
            from subarch.running import onnx

            return onnx.requirements(folder / self.file)
        from subarch.running import openvino

        return openvino.requirements(folder / self.file)

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


def write(
    graph: Graph,
    folder: Path,
    names: Sequence[ArtifactName],
    calibration: Sequence[Inputs],
    *,
    watch: Watch = silent,
) -> list[Artifact]:
    """Write forms of a network.

    Args:
        graph: of the network.
        folder: where files go; those that are there are not made again.
        names: of the forms.
        calibration: inputs that the ranges of 8-bit activations are measured on.
        watch: told of every form.

    Raises:
        ValueError: for a network that a runtime cannot have.
        ImportError: when a runtime is not installed, naming the extra.
    """
    forms = [FORMS[name] for name in names]
    made = set[str]()
    for number, form in enumerate(forms):
        watch("writing forms", done=number, total=len(forms), note=form.name)
        if form.runtime == "onnxruntime":
            _write_onnx(graph, folder, form, calibration, made)
        elif form.file not in made:
            from subarch.running import openvino

            ranges = calibration if form.precision == "int8" else None
            openvino.write(graph, folder / form.file, calibration=ranges)
        made.add(form.file)
    plain = FORMS["onnx"]
    if plain not in forms:  # it was only a step on the way
        (folder / plain.file).unlink(missing_ok=True)
    watch("writing forms", done=len(forms), total=len(forms))
    return forms


def _write_onnx(graph: Graph, folder: Path, form: Artifact, calibration: Sequence[Inputs], made: set[str]) -> None:
    from subarch.running import onnx

    plain, reduce_range = folder / FORMS["onnx"].file, saturates(features())
    if FORMS["onnx"].file not in made:
        onnx.write(graph, plain)
        made.add(FORMS["onnx"].file)
    if form.name == "onnx-int8":
        onnx.quantize(plain, folder / form.file, reduce_range=reduce_range)
    elif form.name == "onnx-int8-static":
        onnx.quantize_with_ranges(plain, folder / form.file, calibration, reduce_range=reduce_range)


def builder(name: ArtifactName, threads: int | None) -> Builder:
    """Puts networks into one form, for the timing of a search.

    Args:
        name: of the form.
        threads: of one pass; all cores when not given.
    """

    def build(network: nn.Module, inputs: Mapping[str, Tensor]) -> Pass:
        if not isinstance(network, PreTrainedModel):
            raise InputError(f"only stock encoders run as {name}, got a {type(network).__name__}: time it in PyTorch")
        graph = Graph.of(network)
        ids = inputs["input_ids"].numpy()
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        with tempfile.TemporaryDirectory(prefix="subarch-") as folder:
            (form,) = write(graph, Path(folder), [name], [given])
            program = form.open(Path(folder), threads)
        return lambda: program(given)

    return build


class TorchProgram:
    """A network in PyTorch.

    Args:
        graph: of the network.
        threads: of one pass; torch's own number when not given.
        precision: float32 or bfloat16.
        compiled: by ``torch.compile``, for any batch and length.
    """

    def __init__(
        self, graph: Graph, *, threads: int | None = None, precision: Precision = "float32", compiled: bool = False
    ) -> None:
        self.inputs: Sequence[str] = graph.inputs
        self._forward, self._threads, self._precision = graph.forward().eval(), threads, precision
        if compiled:
            self._forward = cast("Any", torch.compile(self._forward, dynamic=True))

    @torch.no_grad()
    def __call__(self, inputs: Inputs, /) -> NDArray[np.float32]:
        """As :class:`Program`."""
        small = self._precision == "bfloat16"
        with pinned(self._threads), torch.autocast("cpu", torch.bfloat16, enabled=small):
            found: Any = self._forward(*(torch.from_numpy(inputs[name]) for name in self.inputs))
            return found.float().numpy()
