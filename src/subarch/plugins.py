"""What users bring of their own, by the name ``module.path:name``."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Generator
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
        with _current_directory_importable():
            return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise ValueError(
            f"{what} {name!r} could not be imported ({type(error).__name__}: {error}): give {expected}"
        ) from error


def made(name: str, what: str, expected: str, make: Callable[[Any], Any]) -> Any:
    """What ``make`` makes of the object of that name, such as an instance of a class.

    Args:
        name: as for :func:`imported`, like the next two.
        what: it is needed for.
        expected: what should be given.
        make: calls what the user wrote.

    Raises:
        ValueError: when it cannot be imported or made, whatever the user's code raises.
    """
    found = imported(name, what, expected)
    try:
        with _current_directory_importable():
            return make(found)
    except Exception as error:
        raise ValueError(
            f"{what} {name!r} could not be made ({type(error).__name__}: {error}): give {expected}"
        ) from error


@contextmanager
def _current_directory_importable() -> Generator[None]:
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
