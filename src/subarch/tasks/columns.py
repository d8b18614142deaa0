"""Which columns of a table hold the texts, the label and the identifier: by their usual names, or as named."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from subarch.errors import InputError
from subarch.text.tables import rows

_LOG = logging.getLogger(__name__)

SAMPLE = 200  # rows by which columns are judged

TEXT_COLUMNS = ("text", "sentence", "review", "content", "comment", "document", "body", "message", "tweet", "question")


PAIR_COLUMNS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "passage"),
    ("question", "context"),
    ("question", "sentence"),
    ("question", "answer"),
    ("query", "document"),
    ("query", "passage"),
    ("first", "second"),
)


# fmt: off
LABEL_COLUMNS = (
    "label", "labels", "class", "category", "sentiment", "target", "rating", "stars", "intent", "topic", "gold_label",
    "score", "similarity",
)


# fmt: on
ID_COLUMNS = ("id", "idx", "index")


class Columns(NamedTuple):
    """What a table calls its texts (one or two), its label or a column for each label, and its identifiers."""

    texts: tuple[str, ...]
    label: str | None
    id: str | None
    labels: tuple[str, ...] = ()


class LabelsAt(NamedTuple):
    """Where the labels of a table stand, as somebody said it.

    Attributes:
        label_column: that holds them.
        label_columns: a column for each label, in which 0 or 1 stands.
        label_separator: what stands between several labels in one cell.
    """

    label_column: str | None = None
    label_columns: tuple[str, ...] = ()
    label_separator: str | None = None

    def checked(self) -> LabelsAt:
        """Itself.

        Raises:
            ValueError: where it says two things at once.
        """
        if self.label_columns and (self.label_column is not None or self.label_separator is not None):
            other = "--label-column" if self.label_column is not None else "--label-separator"
            raise InputError(f"--label-columns and {other} were both given: labels stand in one place")
        if len(self.label_columns) == 1 or len(set(self.label_columns)) < len(self.label_columns):
            raise InputError(
                f"--label-columns: expected two different columns or more, one for each label, got "
                f"{', '.join(self.label_columns)}: a single one is a --label-column"
            )
        if self.label_separator == "":
            raise InputError("--label-separator: expected what stands between labels, such as '|', got nothing")
        return self


_BINARY = frozenset(("0", "1", "0.0", "1.0", "true", "false", ""))


def _binary(path: Path, columns: Sequence[str]) -> list[str]:
    """Columns in which nothing but 0 and 1 stands."""
    sample = [values for _, values in islice(rows(path), SAMPLE)]
    seen = {name: {str(values.get(name, "x")).casefold() for values in sample} for name in columns}
    return [name for name, values in seen.items() if name and values <= _BINARY and len(values - {""}) > 1]


@dataclass(frozen=True)
class Wanted:
    """What the caller said about the columns."""

    texts: tuple[str, ...]
    label: str | None
    labelled: bool
    labels: tuple[str, ...] = ()

    def usual_names(self) -> frozenset[str]:
        given = {name.casefold() for name in (*self.texts, *self.labels, *([self.label] if self.label else []))}
        return frozenset(given.union(TEXT_COLUMNS, LABEL_COLUMNS, ID_COLUMNS, chain.from_iterable(PAIR_COLUMNS)))

    def label_of(self, columns: Columns) -> str | None:
        """The column that is a label, or was named as one."""
        return columns.label or self.label

    def found(self, path: Path, names: list[str]) -> Columns:
        header = _Header(path, names)
        label, several = None, tuple(header.given(name) for name in self.labels if self.labelled)
        if self.labelled and not several:
            label = header.given(self.label) if self.label is not None else header.first(LABEL_COLUMNS)
        elif self.label is not None and self.label.casefold() in header.by_name:
            label = header.given(self.label)  # not read, and not taken for a text either
        texts = tuple(header.given(name) for name in self.texts) or header.texts(label)
        if not texts or (self.labelled and label is None and not several):
            pair = "{!r} and {!r} for pairs".format(*PAIR_COLUMNS[0])
            needed = f"a text column ({_listed(TEXT_COLUMNS)}; {pair})"
            needed += f" and a label column ({_listed(LABEL_COLUMNS)})" if self.labelled else ""
            if texts and len(binary := _binary(path, [name for name in names if name not in texts])) > 1:
                raise InputError(
                    f"{path}: expected a label column ({_listed(LABEL_COLUMNS)}), got columns of 0 and 1 "
                    f"({', '.join(binary[:12])}): where each is a label of its own (multi-label), say so: "
                    f"--label-columns {' '.join(binary)}; where every row has exactly one of them, write its name "
                    "into a column 'label'"
                )
            raise InputError(
                f"{path}: expected {needed} in row 1, got {names[:12]}: rename the columns, or say which they are "
                "(--text-columns, --label-column); or is the header line missing?"
            )
        if self.labelled and self.label is None and not several:
            others = [name for usual in LABEL_COLUMNS for name in header.by_name.get(usual, ()) if name != label]
            if others := [name for name in others if name not in texts]:
                _LOG.warning(
                    "%s: column %r is taken for the label; %s could be it as well, and is not used: --label-column "
                    "says which is meant",
                    path,
                    label,
                    " or ".join(map(repr, others)),
                )
        chosen = [*texts, *several, *([label] if label is not None else [])]
        if len(set(chosen)) < len(chosen):
            raise InputError(f"{path}: expected a column of its own for each text and the label, got {chosen}")
        identifier = header.first(ID_COLUMNS)
        return Columns(texts, label if self.labelled else None, None if identifier in chosen else identifier, several)


class _Header:
    """Names of columns, looked up in any case."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.path = path
        self.names = names
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self.by_name[name.strip().casefold()].append(name)

    def given(self, name: str) -> str:
        if name in self.names:
            return name
        if name.casefold() not in self.by_name:
            raise InputError(f"{self.path}: expected a column {name!r}, got {self.names[:12]}: name one of these")
        return self._only(name.casefold())

    def first(self, usual: Sequence[str]) -> str | None:
        return next((self._only(name) for name in usual if name in self.by_name), None)

    def texts(self, label: str | None) -> tuple[str, ...]:
        """A pair where there is one, otherwise a single text; none where there is neither."""
        free = {name for name, columns in self.by_name.items() if label not in columns}
        pair = next((names for names in PAIR_COLUMNS if free.issuperset(names)), None)
        if pair is not None:
            return self._only(pair[0]), self._only(pair[1])
        single = next((name for name in TEXT_COLUMNS if name in free), None)
        if single is not None:
            return (self._only(single),)
        half = next((names for names in PAIR_COLUMNS if not free.isdisjoint(names)), None)
        if half is not None:
            there, absent = sorted(half, key=lambda name: name not in free)
            raise InputError(
                f"{self.path}: expected a column {absent!r} beside {there!r}, got {self.names[:12]}: add it, or say "
                "which columns hold the texts"
            )
        return ()

    def _only(self, name: str) -> str:
        columns = self.by_name[name]
        if len(columns) > 1:
            raise InputError(f"{self.path}: expected one column {name!r}, got {columns}: rename one of them")
        return columns[0]


def _listed(names: Sequence[str]) -> str:
    return f"{names[0]!r}, or such as {', '.join(names[1:4])}"
