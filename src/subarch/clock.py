"""How long the stages of a run have taken, over all calls of the command that went on with it."""

from __future__ import annotations

import time
from pathlib import Path

from subarch.storage import read_json, write_json

FILE = "seconds.json"


class Clock:
    """Tells one stage after another; each begins where the one before it ends. On disk after every stage.

    A stage that an earlier call has begun has its seconds added to; what was killed inside a stage is not known.

    Args:
        run: directory of the run, which is there.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / FILE
        self._seconds = {str(name): float(value) for name, value in (read_json(self._path) or {}).items()}
        self._stage, self._began = "", time.monotonic()

    def begin(self, stage: str) -> None:
        """End the stage before, and begin this one; no name ends alone."""
        now = time.monotonic()
        if self._stage:
            self._seconds[self._stage] = round(self._seconds.get(self._stage, 0.0) + now - self._began, 3)
            write_json(self._path, self._seconds)
        self._stage, self._began = stage, now

    @property
    def seconds(self) -> dict[str, float]:
        """Of each stage that has ended."""
        return dict(self._seconds)
