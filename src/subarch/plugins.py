"""What users bring of their own, by the name ``module.path:name``.

Importing runs code. So the names here are those that somebody typed, in a command or in a program; a name that merely
stands in a file, above all in the folder of a run that came from elsewhere, is never imported.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from subarch.errors import InputError

NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def imported(name: str, what: str, expected: str, *, apart_from: Path | None = None) -> Any:
    """The object of that name; a module is looked for in the current directory too, as Python does for scripts.

    Args:
        name: ``module.path:name``, as somebody typed it.
        what: it is needed for, such as ``family``.
        expected: what should be given, for the message.
        apart_from: a folder in which no module is looked for, such as a run that is verified.

    Raises:
        ValueError: when it cannot be imported, whatever the module raises.
    """
    module, _, attribute = name.partition(":")
    try:
        with _current_directory_importable(apart_from):
            return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        where = f" (not from {apart_from}, whose code is not run)" if apart_from is not None else ""
        raise InputError(
            f"{what} {name!r} could not be imported ({type(error).__name__}: {error}): give {expected}{where}"
        ) from error


def made(name: str, what: str, expected: str, make: Callable[[Any], Any], *, apart_from: Path | None = None) -> Any:
    """What ``make`` makes of the object of that name, such as an instance of a class.

    Args:
        name: as for :func:`imported`, like the next two and the last.
        what: it is needed for.
        expected: what should be given.
        make: calls what the user wrote.
        apart_from: where nothing is imported from.

    Raises:
        ValueError: when it cannot be imported or made, whatever the user's code raises.
    """
    found = imported(name, what, expected, apart_from=apart_from)
    try:
        with _current_directory_importable(apart_from):
            return make(found)
    except Exception as error:
        raise InputError(
            f"{what} {name!r} could not be made ({type(error).__name__}: {error}): give {expected}"
        ) from error


@contextmanager
def _current_directory_importable(apart_from: Path | None) -> Generator[None]:
    """This folder counts too while names are imported, that other one does not, and nothing else changes."""
    before = list(sys.path)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if apart_from is not None:
        forbidden = apart_from.resolve()
        sys.path[:] = [one for one in sys.path if not _is_within(one, forbidden)]
    try:
        yield
    finally:
        sys.path[:] = [*before, *(one for one in sys.path if one not in before and one != here)]


def _is_within(entry: str, folder: Path) -> bool:
    return (Path(entry) if entry else Path.cwd()).resolve().is_relative_to(folder)
