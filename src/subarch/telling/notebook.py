"""Progress in a notebook: one bar, which is changed in its place."""

from __future__ import annotations

import html
import sys
import time
from types import TracebackType
from typing import Any, Self

_SECONDS = 0.25  # between two changes, at least


def is_here() -> bool:
    """Whether this program runs in a notebook; IPython is not imported for that."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Notebook:
    """A bar under the cell that is at work: what it does, how far it is, since when."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._stage, self._began, self._told = "", time.monotonic(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            seconds = time.monotonic() - self._began
            self._show(f"{'done' if kind is None else 'stopped'} after {seconds:.0f} s")

    def watch(self, stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        """Show where the work is; ``total`` is what is expected now and may change."""
        now = time.monotonic()
        if stage == self._stage and now - self._told < _SECONDS:
            return
        self._stage, self._told = stage, now
        share = f'<progress value="{done}" max="{total}"></progress> {done} of {total}' if total else ""
        self._show(f"{html.escape(stage)} {share} <i>{html.escape(note)}</i> ({now - self._began:.0f} s)")

    def _show(self, words: str) -> None:
        from IPython.display import HTML, display

        if self._shown is None:
            self._shown = display(HTML(words), display_id=True)
        else:
            self._shown.update(HTML(words))
