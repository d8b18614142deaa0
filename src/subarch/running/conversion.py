"""How the forms of a network are made, and the network itself as a program of PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
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
from subarch.running.artifacts import FORMS
from subarch.running.base import Artifact, Inputs
from subarch.running.graphs import Graph
from subarch.running.timing import Pass
from subarch.threads import pinned


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
        folder: where files go; forms that share one have it once.
        names: of the forms.
        calibration: inputs that the ranges of 8-bit activations are measured on.
        watch: told of every form.

    Raises:
        ValueError: for a network that a runtime cannot have.
        ImportError: when a runtime is not installed, naming the extra.
    """
    forms = [FORMS[name] for name in names]
    made = dict[str, Artifact]()

    def make(form: Artifact) -> None:
        if form.made_from is not None:
            make(FORMS[form.made_from])
        if form.file not in made:
            form.write(graph, folder, calibration)
            made[form.file] = form

    for number, form in enumerate(forms):
        watch("writing forms", done=number, total=len(forms), note=form.name)
        make(form)
    asked = {file for form in forms for file in form.files()}
    for file in {file for form in made.values() for file in form.files()} - asked:  # only steps on the way
        (folder / file).unlink(missing_ok=True)
    watch("writing forms", done=len(forms), total=len(forms))
    return forms


def passes(
    network: nn.Module, inputs: Mapping[str, Tensor], kinds: Sequence[tuple[str, int | None]]
) -> dict[tuple[str, int | None], Pass]:
    """A network in some forms, to be timed.

    Args:
        network: a stock encoder.
        inputs: of one pass.
        kinds: forms, each with the threads of a pass (None: all cores).

    Raises:
        ValueError: for a network of another kind, or one that a runtime cannot have.
        ImportError: when a runtime is not installed, naming the extra.
    """
    names = list(dict.fromkeys(name for name, _ in kinds))
    if not isinstance(network, PreTrainedModel):
        told = ", ".join(names)
        raise InputError(f"only stock encoders run as {told}, got a {type(network).__name__}: time it in PyTorch")
    graph = Graph.of(network)
    ids = inputs["input_ids"].numpy()
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    with tempfile.TemporaryDirectory(prefix="subarch-") as folder:
        write(graph, Path(folder), names, [given])
        opened = {(name, n): FORMS[name].open(Path(folder), n) for name, n in kinds}
    return {kind: partial(program, given) for kind, program in opened.items()}


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
