"""What a person sees on standard error: progress with time left, tables, what was written where."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import rich.console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from subarch.results.base import Result, Rows, Tone

_QUIET_SECONDS = 10.0
"""Without a terminal a line at most this often says where the work is."""

_STYLES: Mapping[Tone, str] = {"plain": "", "good": "green", "warning": "yellow", "bad": "red", "dim": "dim"}


class _Once(logging.Filter):
    """Lets a message through the first time alone."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[tuple[int, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        said = (record.levelno, record.getMessage())
        new = said not in self._told
        self._told.add(said)
        return new


class Console:
    """A progress bar while the work goes on, then tables. On a terminal live; otherwise a line now and then."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._out = rich.console.Console(stderr=True, quiet=quiet, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=self._out,
            transient=True,
            disable=not self._out.is_terminal,
        )
        self._stage = ""
        self._task: TaskID | None = None
        self._told = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def handler(self) -> logging.Handler:
        """Warnings go above the progress bar, not through it; what several stages notice is said once."""
        found = RichHandler(console=self._out, show_time=False, show_path=False, show_level=True, markup=False)
        found.addFilter(_Once())
        return found

    def watch(self, stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        """Show where the work is; ``total`` is what is expected now and may change."""
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._stage, self._task, self._told = stage, self._progress.add_task(stage, total=total, note=note), 0.0
        self._progress.update(self._task, completed=done, total=total, note=note)
        now = time.monotonic()
        if not self._out.is_terminal and now - self._told >= _QUIET_SECONDS:
            self._told = now
            count = "" if not done and total is None else f", {done}" if total is None else f", {done} of {total}"
            self._out.print(f"{stage}{count}{': ' + note if note else ''}", soft_wrap=True, markup=False)

    def tell(self, result: Result) -> None:
        """All that a result has to tell."""
        for told in result.told():
            if isinstance(told, Rows):
                self._table(told.columns, told.rows, told.title)
                continue
            style = _STYLES[told.tone]
            lead = f"[bold {style}]{escape(told.lead)}[/]: " if told.lead else ""
            words = escape(told.words) if told.lead or not style else f"[{style}]{escape(told.words)}[/]"
            self._out.print(f"{lead}{words}", soft_wrap=True)

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        # As texts: names of classes and files may hold brackets, which are markup to whoever is given plain words.
        table = Table(title=Text(title) if title else None, title_justify="left", box=None, pad_edge=False)
        for n, name in enumerate(columns):
            table.add_column(Text(name), justify="right" if n and len(columns) < 4 else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._out.print(table)
