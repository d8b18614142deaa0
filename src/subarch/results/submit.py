"""What ``submit`` returns: an archive that a benchmark's portal takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Result, Told, absent, rest


@dataclass(frozen=True, kw_only=True)
class SubmitResult(Result):
    """An archive that was written, or validated.

    Attributes:
        archive: the file.
        files: in it.
        accepted: whether it has the portal's form.
        placeholders: files with one answer everywhere; None of an archive made elsewhere.
    """

    archive: Path
    files: tuple[str, ...]
    accepted: bool
    placeholders: tuple[str, ...] | None = absent()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(", ".join(self.files), lead="accepted", tone="good")
        if self.placeholders:
            yield Line(f"placeholders, one answer everywhere: {', '.join(self.placeholders)}", tone="warning")
        if self.placeholders is not None:
            yield Line(f"wrote {self.archive}")
