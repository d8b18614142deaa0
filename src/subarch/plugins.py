"""What users bring of their own, by the name ``module.path:name``."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def imported(name: str, what: str, expected: str) -> Any:
    """The object of that name; a module is looked for in the current directory too, as Python does for scripts.

    Args:
        name: ``module.path:name``.
        what: it is needed for, such as ``family``.
        expected: what should be given, for the message.

    Raises:
        ValueError: when it cannot be imported, whatever the module raises.
    """
    module, _, attribute = name.partition(":")
    try:
        with current_directory_importable():
            return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise ValueError(
            f"{what} {name!r} could not be imported ({type(error).__name__}: {error}): give {expected}"
        ) from error


@contextmanager
def current_directory_importable() -> Generator[None]:
    """This folder counts too while names are imported, and nothing else changes."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
