"""How the forms of a network are made, and the network itself as a program of PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from subarch.errors import InputError
from subarch.options.forms import ArtifactName, Precision
from subarch.progress import Watch, silent
from subarch.running.artifacts import FORMS, Artifact, Inputs
from subarch.running.graphs import Graph
from subarch.running.processor import features, saturates
from subarch.running.timing import Builder, Pass
from subarch.threads import pinned


def require(form: Artifact) -> None:
    """Make sure that what makes and runs a form is installed.

    Raises:
        ImportError: when it is not, naming the extra.
    """
    if form.runtime == "onnxruntime":
        import_module("subarch.running.onnx_export")
    else:
        from subarch.running import openvino_export

        openvino_export.require(quantizer=form.precision == "int8")


def requirements(form: Artifact, folder: Path) -> dict[str, Any]:
    """What the file of a form asks of a runtime: format, operator sets, and the oldest version that has them."""
    if form.runtime == "onnxruntime":
        from subarch.running import onnx_export

        return onnx_export.requirements(folder / form.file)
    from subarch.running import openvino_export

    return openvino_export.requirements(folder / form.file)


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
            from subarch.running import openvino_export

            ranges = calibration if form.precision == "int8" else None
            openvino_export.write(graph, folder / form.file, calibration=ranges)
        made.add(form.file)
    plain = FORMS["onnx"]
    if plain not in forms:  # it was only a step on the way
        (folder / plain.file).unlink(missing_ok=True)
    watch("writing forms", done=len(forms), total=len(forms))
    return forms


def _write_onnx(graph: Graph, folder: Path, form: Artifact, calibration: Sequence[Inputs], made: set[str]) -> None:
    from subarch.running import onnx_export

    plain, reduce_range = folder / FORMS["onnx"].file, saturates(features())
    if FORMS["onnx"].file not in made:
        onnx_export.write(graph, plain)
        made.add(FORMS["onnx"].file)
    if form.name == "onnx-int8":
        onnx_export.quantize(plain, folder / form.file, reduce_range=reduce_range)
    elif form.name == "onnx-int8-static":
        onnx_export.quantize_with_ranges(plain, folder / form.file, calibration, reduce_range=reduce_range)


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
