"""Commands run in this process, and what every refusal has in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """What a command left: exit status, standard output, and standard error with its line breaks and boxes undone."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        return json.loads(lines[0])


Command = Callable[..., Ran]


def refused(ran: Ran, *words: str, status: int = 2) -> None:
    """One message, no traceback, nothing on standard output, and the words that tell what was wrong."""
    assert ran.status == status, ran
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.count("subarch: ") + ran.err.count("For full helptext") == 1, ran.err
    for word in words:
        assert word in ran.err, (word, ran.err)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
