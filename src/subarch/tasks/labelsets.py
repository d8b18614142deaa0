"""Labels of a table whose rows may have several, or none: the same names, and a set of them for each row."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from subarch.errors import InputError
from subarch.tasks.labels import Labels
from subarch.tasks.listings import is_list, parts_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelSets:
    """Names of the labels of each row.

    Attributes:
        labels: as they stand in the file.
        sets: of each row that has them, each name once.
    """

    labels: Labels
    sets: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, labels: Labels) -> LabelSets:
        """Lists taken apart; a name that is none is the one label of its row.

        Raises:
            ValueError: naming the row, for a list that cannot be read, and for a name among lists that is none.
        """
        lists, twice = labels.are_sets(), 0
        sets: list[tuple[str, ...]] = []
        for row, name in zip(labels.rows, labels.names, strict=True):
            assert name is not None, "rows without a label are left out before"
            parts = parts_of(name)
            if parts is None or (lists and not is_list(name)):
                raise InputError(
                    f"{labels.path}, row {row}: expected a list of labels in column {labels.column!r}, as in the other "
                    f'rows, got {name!r:.60}: write ["a", "b"], or [] where no label holds'
                )
            sets.append(tuple(dict.fromkeys(parts)))
            twice += len(sets[-1]) < len(parts)
        if not lists:
            _LOG.warning(
                "%s: column %r has one label a row, which is taken for the only one that holds",
                labels.path,
                labels.column,
            )
        if twice:
            _LOG.warning("%s: %d rows name a label twice, which counts once", labels.path, twice)
        if labels.several.blank:
            _LOG.warning(
                "%s: %d rows have nothing in column %r, and are taken for rows in which no label holds; where that "
                "means that nobody knows, leave them out with --missing-label null",
                labels.path,
                labels.several.blank,
                labels.column,
            )
        return cls(labels, tuple(sets))

    def as_indices(
        self, classes: Sequence[str], declared: Sequence[str]
    ) -> tuple[tuple[str, ...], list[tuple[int, ...]]]:
        """Names of all labels, and for each row the indices of its own in their order.

        Args:
            classes: names that labels must be of; any, when empty.
            declared: names in the order that the table itself gives them.

        Raises:
            ValueError: naming the row, for a label that is not known; where fewer than two labels occur.
        """
        flat = Labels(self.labels.path, self.labels.column)
        for row, names in zip(self.labels.rows, self.sets, strict=True):
            flat.rows += [row] * len(names)
            flat.names += names
        if not classes:
            self._check(flat)
        known, found = tuple(classes), list[int]()
        if flat.names:
            known, numbers = flat.as_classes(classes, self.labels.several.columns or declared)
            found = list(numbers)
        if self.labels.several.columns and not classes:
            known, found = self._with_all_columns(known, found)
        each = iter(found)
        return known, [tuple(sorted({next(each) for _ in names})) for names in self.sets]

    def _check(self, flat: Labels) -> None:
        different = set(flat.names)
        if len(different) < 2:
            got = f"only {flat.names[0]!r}, in {len(flat.names)}" if different else "none in any"
            raise InputError(
                f"{self.labels.path}: expected at least two labels in column {self.labels.column!r}, got {got} of "
                f"{len(self.sets)} rows: name the right label columns; where one label holds or not, write yes or no "
                "in every row"
            )

    def _with_all_columns(self, known: tuple[str, ...], found: Sequence[int]) -> tuple[tuple[str, ...], list[int]]:
        """Every column is a label, in the order in which they were given."""
        columns = self.labels.several.columns
        if never := [name for name in columns if name not in set(known)]:
            _LOG.warning(
                "%s: %s 0 in every row: such labels cannot be learned",
                self.labels.path,
                ", ".join(map(repr, never)) + (" is" if len(never) == 1 else " are"),
            )
        return columns, [columns.index(known[n]) for n in found]
