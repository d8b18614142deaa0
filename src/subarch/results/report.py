"""What ``report`` returns: a page, which a notebook shows where it stands."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from subarch.results.base import Line, Result, Told


class Page(str):
    """The path of a page, as Python takes one (``open(page)``, ``Path(page)``); a notebook shows the page itself."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """In a frame of its own: it asks for nothing outside of it."""
        page = html.escape(Path(self).read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{page}" sandbox="allow-scripts" width="100%" height="600"></iframe>'


@dataclass(frozen=True, kw_only=True)
class ReportResult(Result):
    """The page of a run.

    Attributes:
        path: of ``report.html``.
    """

    path: Page

    def told(self) -> Iterator[Told]:
        yield Line(f"wrote {self.path}")

    def _repr_html_(self) -> str:
        return self.path._repr_html_()  # pyright: ignore[reportPrivateUsage]
