"""What answers, and what a form that a network is exported to says of itself. Light, as what answers has to be.

A further form is one file of :mod:`subarch.running.forms`, known by its name, with its test: an :class:`Artifact` of
its own, called ``FORM``. Such a file loads nothing but numpy until something is written or opened: whoever answers from
another form may have neither torch nor this one's runtime.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from subarch.errors import MissingPackageError
from subarch.options.forms import ArtifactName, Precision, Runtime, runtime_of
from subarch.results.export import NeedsResult
from subarch.text.examples import Example

if TYPE_CHECKING:
    from subarch.running.graphs import Graph

Inputs = Mapping[str, NDArray[np.int64]]


class Program(Protocol):
    """What runs a network: inputs ``(batch, length)`` by name to its output; any number of threads may ask at once."""

    inputs: Sequence[str]

    def __call__(self, inputs: Inputs, /) -> NDArray[np.float32]: ...


class TextProgram(ABC):
    """What answers texts as they are, without tokens; any number of threads may ask at once."""

    inputs: Sequence[str] = ()

    @abstractmethod
    def texts(self, examples: Sequence[Example], /) -> NDArray[np.float32]:
        """What is said of each example: ``(examples, outputs)``, as a network's head would say it."""


class Form(Protocol):
    """Files of a folder that answer, and how they are opened."""

    @property
    def company_counts(self) -> bool:
        """Whether what is said of a text depends on the others of its pass."""
        ...

    def files(self) -> tuple[str, ...]:
        """All of them."""
        ...

    def open(self, folder: Path, threads: int | None = None, passes: int | None = 1) -> Program | TextProgram:
        """Ready to run, as :meth:`Artifact.open`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Artifact(ABC):
    """One form of a network: how it is written, opened and answered from.

    Attributes:
        name: as options and results have it: its file's, with hyphens.
        precision: of matrix products.
        file: in the folder, by which it is opened; called as in the stock libraries' own exports.
        extra: of this package, with which all that it needs is installed; None: nothing more is needed.
        made_from: another form that lies in the folder before; None: it is made from the graph alone.
        company_counts: whether what it says of a text depends on the others of its pass.
    """

    name: ArtifactName
    precision: Precision
    file: str
    extra: str | None = None
    made_from: ArtifactName | None = None
    company_counts: bool = False

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return runtime_of(self.name)

    def files(self) -> tuple[str, ...]:
        """All of its files."""
        return (self.file,)

    def require(self) -> None:
        """Make sure that what makes and runs it is installed.

        Raises:
            ImportError: when it is not, naming the extra.
        """
        return

    @abstractmethod
    def write(self, graph: Graph, folder: Path, calibration: Sequence[Inputs]) -> None:
        """Leave its files in a folder.

        Args:
            graph: of the network.
            folder: where they go; what it is made from lies there.
            calibration: inputs that the ranges of 8-bit activations are measured on.

        Raises:
            ValueError: for a network that the runtime cannot have.
            ImportError: when something is not installed, naming the extra.
        """

    @abstractmethod
    def open(self, folder: Path, threads: int | None = None, passes: int | None = 1) -> Program:
        """Ready to run.

        Args:
            folder: of its files.
            threads: of one pass; all cores when not given.
            passes: that may run at the same time, where the runtime has to know; None: as many as the cores allow.

        Raises:
            ValueError: for a damaged file.
            ImportError: when the runtime is not installed, naming the extra.
            OSError: when a file is not there.
        """

    def requirements(self, folder: Path) -> NeedsResult:
        """What its file asks of the runtime, as far as it tells."""
        del folder
        return NeedsResult(runtime=self.runtime)


def optional_package(package: str, extra: str, words: str) -> Any:
    """An optional package, which is imported where it is used.

    Args:
        package: dotted name of its module.
        extra: with which it is installed.
        words: what it is and that it is needed.

    Raises:
        ImportError: when it is not there, naming the extra.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingPackageError(f"{words}: pip install 'subarch[{extra}]'") from error
