"""What a checkpoint says it was made for: its task, and which rows it has learned from.

>>> from subarch.learning.purposes import Purpose
>>> Purpose.from_json({"task": "reviews.csv", "label_names": ["bad", "good"]}).label_names
('bad', 'good')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from subarch.results.base import Record, absent, rest
from subarch.storage import read_record, sha256_of
from subarch.tasks.columns import LabelsAt
from subarch.tasks.dealing import Rule

PURPOSE = "subarch.json"
Part = Literal["data", "development_data", "test_data"]


@dataclass(frozen=True, kw_only=True)
class DealtFile(Record):
    """A file of rows: where it was, and its digest."""

    path: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> DealtFile:
        """As it is now."""
        return cls(path=str(path.resolve()), sha256=sha256_of(path))


@dataclass(frozen=True, kw_only=True)
class DealtColumns(Record):
    """Columns as they were given: files of one split may call them by different names, which are found in each."""

    texts: tuple[str, ...]
    label: str | None
    labels: tuple[str, ...] | None = absent()


@dataclass(frozen=True, kw_only=True)
class DealtReading(Record):
    """How a table was read, as that was given."""

    quoting: Any = None
    missing_label: tuple[str, ...] = ()
    label_separator: str | None = absent()


@dataclass(frozen=True, kw_only=True)
class Dealt(Record):
    """Everything that decides which examples of a table are in which split.

    Attributes:
        seed: of chance.
        rule: what kept rows together; checkpoints of earlier versions do not say it.
        limit: training examples at most.
        columns: as they were given; checkpoints of earlier versions do not say it.
        reading: likewise.
        sealed: digest of the sealed split.
        files: that the rows came from.
    """

    seed: int
    rule: Rule = "equal texts"
    limit: int | None = None
    columns: DealtColumns | None = None
    reading: DealtReading = DealtReading()
    sealed: str = ""
    files: Mapping[Part, DealtFile] = field(default_factory=dict[Part, DealtFile])
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class Purpose(Record):
    """What a checkpoint was made for; nothing where it does not say so.

    Attributes:
        task: its name, or the path of the file.
        kind: of the task.
        label_names: of its classes.
        text_columns: of the table that was read.
        label_column: likewise.
        label_columns: likewise, where each label has one.
        metric: that choices were made on, where that is not the usual one.
        thresholds: above which each label holds, where that is not a half.
        length: tokens that a text is cut to.
        split: how its rows were dealt out.
        method: how it was trained, with Agora.
        seed: of the training, likewise.
        learned_development: whether it has learned from its development rows, likewise.
        training: the folder of the training.
    """

    task: str | None = None
    kind: str | None = None
    label_names: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    label_columns: tuple[str, ...] | None = absent()
    metric: str | None = absent()
    thresholds: tuple[float, ...] | None = absent()
    length: int | None = None
    split: Dealt | None = absent()
    method: str | None = absent()
    seed: int | None = absent()
    learned_development: bool | None = absent()
    training: str | None = absent()
    more: Mapping[str, Any] = rest()

    @classmethod
    def read(cls, checkpoint: Path) -> Purpose:
        """What a checkpoint says of itself."""
        return read_record(cls, checkpoint / PURPOSE) or cls()

    def labels_at(self, given: LabelsAt) -> LabelsAt:
        """Where the labels of a table stand: as somebody says it, or else as in the one that it was made with."""
        if given.label_column is not None or given.label_columns:
            return given
        separator = None if self.split is None else self.split.reading.label_separator
        return LabelsAt(self.label_column, self.label_columns or (), given.label_separator or separator)

    def file(self, part: Part = "data") -> DealtFile | None:
        """A file that its rows came from, where they came from files."""
        return None if self.split is None else self.split.files.get(part)

    def learned_from(self, path: Path, part: Part = "data") -> bool:
        """Whether a file is the one that it was fine-tuned on, or that part of the split."""
        known = self.file(part)
        return known is not None and known.sha256 == sha256_of(path)

    def judged_by(self, path: Path) -> bool:
        """Whether a file is its development file, and it has learned from its development rows as well."""
        return bool(self.learned_development) and self.learned_from(path, "development_data")
