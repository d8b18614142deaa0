"""Several labels in one cell: lists as programs write them, and names with something between them."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from subarch.tasks.names import name_of

_LIST = re.compile(r"\[.*\]|\{.*\}|\(.*,.*\)", re.DOTALL)
_BESIDE = re.compile(r"""(?<=['"])\s+(?=['"])""")  # numpy's lists have blanks alone between their elements
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_BARE = re.compile(r"""[^\[\]{}()'":]*""")
_JOINTS = ("|", ",", ";", "#", "/", "+", "&")


NO_WORDS = ("nan", "null", "<na>", "#n/a")
"""What programs write where there is nothing."""
_TRUTHS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass
class Several:
    """How several labels may stand in a row, and what was met of that.

    Attributes:
        columns: one for each label, in which 0 or 1 stands.
        separator: what stands between several labels in one cell.
        missing: words that stand for no label.
        lists: rows whose cells are lists, not written ones.
        blank: rows in which nothing stands between separators.
    """

    columns: tuple[str, ...] = ()
    separator: str | None = None
    missing: tuple[str, ...] = ()
    lists: int = 0
    blank: int = 0

    @property
    def is_meant(self) -> bool:
        """Whether rows have several labels because that was said, or because there are lists."""
        return bool(self.columns or self.separator is not None or self.lists)

    def read(self, column: str, values: Mapping[str, object]) -> tuple[object, str | None]:
        """A row's labels as a written list, or the one that stands there; and why it is refused, if it is."""
        if self.columns:
            return self._in_columns(values)
        value = values.get(column)
        if isinstance(value, dict):
            return None, (
                f"expected labels in column {column!r}, got scores of several labels, {value!r:.60}: write a list of "
                "those that hold"
            )
        if isinstance(value, (list, tuple, set)):
            if self.separator is not None:
                return None, f"expected text in column {column!r}, got the list {value!r:.60}: leave --label-separator"
            return self._listed(column, list(cast("Sequence[object]", value)))
        if self.separator is None:
            return value, None
        return self._parted(value, self.separator), None

    def _in_columns(self, values: Mapping[str, object]) -> tuple[object, str | None]:
        """Names of the columns that hold a 1; nothing where one of them has no label."""
        held: list[str] = []
        words = {word.casefold() for word in self.missing}
        for column in self.columns:
            name = name_of(values.get(column))
            if words and (name is None or name.casefold() in words):
                return None, None
            if (truth := _TRUTHS.get("" if name is None else name.casefold())) is None:
                return None, (
                    f"expected 0 or 1 in column {column!r}, a label's own, got {values.get(column)!r:.60}: write one "
                    "of them, or leave such rows out with --missing-label"
                )
            held += [column] * truth
        return written(held), None

    def _listed(self, column: str, value: Sequence[object]) -> tuple[object, str | None]:
        names = [name_of(one) for one in value]
        if None in names:
            wrong = value[names.index(None)]
            return None, (
                f"expected a list of labels in column {column!r}, got {wrong!r:.60} in it: write each as a string, and "
                "nothing else"
            )
        self.lists += 1
        return written(cast("list[str]", names)), None

    def _parted(self, value: object, separator: str) -> object:
        """Joined names; none where nothing stands there, unless that says that there is no label."""
        name = name_of(value)
        if name is None:
            self.blank += not self.missing
            return None if self.missing else written([])
        words = {word.casefold() for word in self.missing or NO_WORDS}
        return name if name.casefold() in words else written(parted(name, separator))


def is_list(name: str) -> bool:
    """Whether a cell looks like a written list."""
    return _LIST.fullmatch(name) is not None


def written(names: Sequence[str]) -> str:
    """Names as a list in one cell, which :func:`parts_of` reads."""
    return json.dumps(names, ensure_ascii=False)


def parts_of(name: str) -> list[str] | None:
    """The elements of a written list, as JSON, Python and numpy write them, also without quotes; the name itself where
    it is none; None where it looks like a list and cannot be read as one of names.

    >>> parts_of("['a', 'b']"), parts_of('["a"]'), parts_of("['a' 'b']"), parts_of("[2 27]"), parts_of("plain")
    (['a', 'b'], ['a'], ['a', 'b'], ['2', '27'], ['plain'])
    """
    if not is_list(name):
        return [name]
    found = None if _BESIDE.search(name) else _read(name)
    if found is None and _BESIDE.search(name):  # Python would join what stands beside each other
        return [one or other for one, other in _QUOTED.findall(name)]
    if found is None and _BARE.fullmatch(name[1:-1]):
        inside = name[1:-1]
        found = inside.split(",") if "," in inside else inside.split()
    if found is None:
        return None
    names = [name_of(one) for one in found]
    return None if None in names else cast("list[str]", names)


def _read(name: str) -> Sequence[object] | None:
    try:
        value: object = json.loads(name)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(name)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None
    if isinstance(value, dict):
        return None if value else []
    return list(cast("Sequence[object]", value)) if isinstance(value, (list, tuple, set)) else None


def parted(name: str, separator: str) -> list[str]:
    """Names between which something stands."""
    return [part for part in (piece.strip() for piece in name.split(separator)) if part]


def joint_in(counts: Mapping[str, int]) -> tuple[str, list[str]] | None:
    """What seems to stand between several names in one cell, and such cells: parts recur alone, or in other
    combinations."""
    for joint in _JOINTS:
        parts = {name: [part.strip() for part in name.split(joint)] for name in counts}
        joined = [name for name, pieces in parts.items() if len(pieces) > 1 and all(pieces)]
        uses = Counter(part for pieces in parts.values() for part in set(pieces))
        if len(joined) > 1 and all(uses[part] > 1 for name in joined for part in parts[name]):
            return joint, joined
    return None
