"""The options of export and bench.

Light on purpose: importing this module imports no numerical library, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from subarch.errors import InputError
from subarch.options.forms import EXPORTED_TO, ArtifactName, Precision, Runtime
from subarch.options.ranges import POINTS, at_least, checked

Positional = tyro.conf.Positional


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """Write what runs fastest on this processor without losing accuracy.

    Every form of the network (ONNX and OpenVINO, 32-bit floats and 8-bit integers) is scored on development data beside
    PyTorch; the fastest one that loses no more than --max-drop is chosen. Sealed rows are not read. The folder serves
    as it is: subarch.running.predictor.Predictor, ONNX Runtime, OpenVINO.

    Examples:
    subarch export --run runs/mine;
    subarch export ./my-bert-reviews --data reviews.csv --max-drop 1
    """

    model: Annotated[str | None, Positional, tyro.conf.arg(metavar="MODEL")] = None
    """A checkpoint folder or Hugging Face name; --run's fine-tuned (or else pre-trained) student when not given."""
    run: Path | None = None
    """Run directory: the result goes to DIR/export; a new one under runs/ when not given."""
    task: str | None = None
    """The task whose development data decide (or a file); what the checkpoint was fine-tuned on when not given."""
    data: Path | None = None
    """Your own labelled file: the same as a path given to --task."""
    task_data: Path | None = None
    """Folder with the benchmark's files in the official layout; the Hugging Face hub when not given."""
    text_columns: tuple[str, ...] = ()
    """Columns of your file that hold the text, or the two texts; found by their usual names when not given."""
    label_column: str | None = None
    """Column of your file that holds the label; found by its usual names when not given."""
    label_columns: tuple[str, ...] = ()
    """Instead of it, a column for each label, in which 0 or 1 stands: several may hold in a row (multi-label)."""
    label_separator: str | None = None
    """What stands between several labels in one cell, such as "|"; lists are read as they are."""
    quoting: Literal["doubled", "backslash", "none", "escaped"] | None = None
    """What quotes are in your CSV or TSV: doubled or backslash (the table's own, with quotes inside so written), none
    (characters), escaped (characters after backslashes); seen from the whole file when not given."""
    missing_label: tuple[str, ...] = ()
    """Words that stand for no label, such as null: rows with them, or with nothing, are left out; refused when not
    given."""
    kind: str | None = None
    """What it was fine-tuned for, where that is module.path:Kind of yours: code that a checkpoint names is not run."""
    max_drop: Annotated[float, POINTS] = 0.5
    """Points of the metric (of 100) that the chosen form may lose against PyTorch."""
    artifacts: tuple[ArtifactName, ...] = ()
    """Forms to try; all that can be had here when not given."""
    calibration: Annotated[int, at_least(1)] = 300
    """Training texts that ranges of 8-bit activations are measured on."""
    sequence_length: Annotated[int | None, at_least(2)] = None
    """Tokens of the passes that are timed; the median of the data when not given."""
    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        if self.model is None and self.run is None:
            raise InputError("MODEL or --run DIR is needed: for example subarch export --run runs/mine")
        if self.task is not None and self.data is not None:
            raise InputError("--task and --data were both given: one of them says which examples are meant")
        checked(self)

    @property
    def data_name(self) -> str | None:
        """The task's name or the file's path, where one was given."""
        return str(self.data) if self.data is not None else self.task


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchOptions:
    """Time built networks in one run, in turns, against a reference in PyTorch with 32-bit floats.

    Writes benchmark.json to --run; the same command goes on where it stopped. Ratios compare medians of one run: on a
    busy machine, milliseconds drift, ratios hardly do.

    Examples:
    subarch bench bort --against bert-large --sequence-length 16 128 512;
    subarch bench runs/mine ./my-bert --against ./my-bert --threads 1 2
    """

    names: Annotated[tuple[str, ...], Positional, tyro.conf.arg(metavar="NAME_OR_PATH")]
    """Presets (bort, bert-base, ...; random weights), config.json files, checkpoints, run directories or exports."""
    against: str = "bert-large"
    """The reference: likewise, in PyTorch with 32-bit floats."""
    runtime: tuple[Runtime, ...] = ("pytorch", *EXPORTED_TO)
    """What runs the networks; compile is torch.compile."""
    precision: tuple[Precision, ...] = ("float32", "int8")
    """Of the arithmetic, where the runtime has it; PyTorch has float32 and bfloat16."""
    threads: Annotated[tuple[int, ...], at_least(1)] = ()
    """Threads of one pass; all cores when not given."""
    batch_size: Annotated[tuple[int, ...], at_least(1)] = (1,)
    """Sequences a pass."""
    sequence_length: Annotated[tuple[int, ...], at_least(2)] = (128,)
    """Tokens a sequence."""
    rounds: Annotated[int, at_least(1)] = 5
    """How often everything is visited in turn."""
    memory: bool = True
    """Also run each network once in a process of its own and read its peak memory."""
    run: Path | None = None
    """Run directory; a new one under runs/ when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        if not self.names:
            raise InputError("name at least one network: subarch bench bort")
        for name in ("runtime", "precision", "batch_size", "sequence_length"):
            if not getattr(self, name):
                raise InputError(f"--{name.replace('_', '-')} needs at least one value")
        checked(self)
