"""A labelled task: what is predicted, and examples in three splits.

Networks learn from ``train``, choices are made on ``development``, and the ``sealed`` split is opened for the final
score alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import SealedSplit, Split


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task with its data.

    Args:
        name: the task's name or the file's path.
        kind: what is predicted.
        label_names: names of the outputs in the order of their indices; empty where they have none.
        metrics: names of the metrics; the score is their mean.
        length: tokens of a sequence that do for nearly all of its examples.
        text_columns: what a table calls its texts; empty for other tasks.
        label_column: what a table calls its label.
        label_columns: what it calls its labels, where each has a column.
        common: texts that keep nothing together (:func:`subarch.tasks.dealing.common_texts`).
        train: what a network learns from.
        development: what choices are made on.
        sealed: for the final score alone.
    """

    name: str
    kind: Kind = field(default_factory=lambda: kind_of("classification"))
    label_names: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("accuracy",)
    length: int = 128
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    label_columns: tuple[str, ...] = ()
    common: frozenset[str] = frozenset()
    train: Split
    development: Split
    sealed: SealedSplit

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of names, examples and splits."""
        content = [self.kind, self.label_names, self.train.digest, self.development.digest, self.sealed.digest]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def metric(self) -> str:
        """What the score is called."""
        *others, last = self.metrics
        return f"mean of {', '.join(others)} and {last}" if others else last
