"""What networks of a run take as they are served: one latency table a run, kept, and corrected where it decides.

The limit of a search is the user's own. What it is decided on is read as networks will run; where a fit decides, the
pick and its nearest rivals are read as well, and the search is asked again where that changes the table.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from subarch.errors import InputError
from subarch.extraction.certificate import Derived
from subarch.extraction.problem import Problem
from subarch.networks.family import Family
from subarch.networks.space import Index
from subarch.options.search import ExtractOptions
from subarch.progress import Watch
from subarch.running.latency_table import LatencyTable
from subarch.running.stopwatch import Timekeeper, timekeeper_of
from subarch.storage import write_json

FILE = "latency.json"
TIMES = frozenset({"latency_ms", "speedup"})
"""Limits that a latency table decides."""
RIVALS = 3
_BEYOND = 1.15  # times the limit: what is slower is no near rival
_LOOKED_AT = 4096  # architectures of a large space among which rivals are looked for


class Timings:
    """The latency table of a run directory, measured once, every reading written down before the next.

    Args:
        options: of the search.
        family: whose networks are timed.
        run: the directory.
        watch: told what is timed.
        kept: whether readings are written down as they come; otherwise by :meth:`keep` alone.
    """

    def __init__(self, options: ExtractOptions, family: Family, run: Path, watch: Watch, *, kept: bool = True) -> None:
        self._options, self._family, self._watch = options, family, watch
        self.path = run / FILE
        self._table: LatencyTable | None = None
        self._kept = kept

    def begun(self) -> LatencyTable:
        """The table with its first readings at least, which say whether a limit can be met at all.

        Raises:
            ValueError: for a file that is none of this space, or of another runtime.
        """
        if self._table is None:
            self._table = self._known()
        if self._table is None:
            made = LatencyTable.begun(self._family.space, self.timekeeper)
            settings = {**made.settings, "asked": self._options.runtime, "complete": False}
            self._changed(replace(made, settings=settings))
            assert self._table is not None
        return self._table

    def table(self) -> LatencyTable:
        """The whole table."""
        table = self.begun()
        if not table.is_complete:
            told = "timing networks as they are served"
            table = table.completed(
                self.timekeeper, keep=self._changed, tick=lambda done, total: self._watch(told, done=done, total=total)
            )
        return table

    def read(self, indices: list[Index]) -> None:
        """Time these as well, and correct the table."""
        for index in indices:
            self._changed(self.table().with_reading(self.timekeeper, index))

    def keep(self) -> None:
        """Write the table down."""
        write_json(self.path, self.begun().to_json())

    def _changed(self, table: LatencyTable) -> None:
        self._table = table
        if self._kept:
            self.keep()

    @cached_property
    def timekeeper(self) -> Timekeeper:
        """What tells times, comparable with those of the table that there is."""
        asked = self._options
        return timekeeper_of(
            self._family,
            asked.runtime,
            forms=asked.forms,
            threads=asked.threads,
            sequence_length=asked.sequence_length,
            known=None if self._table is None else self._table.settings,
            watch=self._watch,
        )

    def _known(self) -> LatencyTable | None:
        if not self.path.is_file():
            return None
        try:
            known = LatencyTable.from_json(json.loads(self.path.read_text(encoding="utf-8")), self._family.space)
        except ValueError as error:
            raise InputError(f"{self.path} cannot be used ({error}): delete it, and it is measured again") from error
        before = known.settings.get("asked", known.settings.get("runtime", "pytorch"))
        if before != self._options.runtime:
            raise InputError(
                f"{self.path} was measured with --runtime {before}, got {self._options.runtime}: give another --run"
            )
        return known


def unread(problem: Problem, table: LatencyTable, derived: Derived, errors: dict[Index, float]) -> list[Index]:
    """Networks by whose times the answer stands or falls, as far as they were not timed.

    These are the pick, and of the networks just beyond the limit that can be better than it those nearest to the limit:
    the fit may be wrong about them.

    Args:
        problem: what was asked.
        table: that its limits are decided on.
        derived: what the errors prove.
        errors: of what was trained.
    """
    limits = [limit for limit in problem.limits if limit.name in TIMES]
    if not limits or derived.best is None:
        return []
    most, listed = min(limit.maximum for limit in limits), problem.space.listing(_LOOKED_AT)
    rows = problem.space.sample(_LOOKED_AT, 0) if listed is None else listed
    ms = table.predict(rows)
    near = (ms > most) & (ms <= _BEYOND * most)
    for limit in problem.limits:
        near &= (limit.name in TIMES) | (limit.values(rows) <= limit.maximum)
    rows, ms = rows[near], ms[near]
    known = np.array(list(errors), dtype=np.int16)
    at_least = np.zeros(len(rows))
    for row, error in zip(known, errors.values(), strict=True):
        np.maximum(at_least, np.where(problem.space.leq(rows, row), (1 - derived.delta) * error, 0.0), out=at_least)
        at_least[(rows == row).all(axis=1)] = error
    able = at_least < derived.value
    left_out = {one.index for one in derived.excluded}
    rivals = [tuple(row) for row in rows[able][np.argsort(ms[able], kind="stable")].tolist()]
    nearest = [index for index in rivals if index not in left_out][:RIVALS]
    return [index for index in (derived.best, *nearest) if not table.has(index)]
