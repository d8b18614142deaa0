"""How work tells where it is: anything that takes long is given a watch and calls it."""

from __future__ import annotations

import logging
from functools import cache
from typing import Protocol


class Watch(Protocol):
    """Told what goes on: a stage begins, or something in it is done."""

    def __call__(self, stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None: ...


def silent(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
    """A watch that looks away."""
    del stage, done, total, note


@cache
def say_once(log: logging.Logger, words: str) -> None:
    """A warning that is not repeated in this process, however often the same thing is opened.

    Args:
        log: of the module that says it.
        words: with the name of what they are about.
    """
    log.warning("%s", words)
