"""What somebody gave wrong, as opposed to work that failed.

:class:`InputError` alone ends a command with status 2: its message says what was expected, what came, and what to do.
Anything else is a failure of the work, status 1. The kinds below are what Python users expect to catch as well.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any


class InputError(ValueError):
    """Something that was given is wrong: what was expected, what came, what to do.

    >>> from subarch.errors import InputError
    >>> try:
    ...     raise InputError("--seeds must be an integer from 1, got 0")
    ... except ValueError as error:
    ...     print(error)
    --seeds must be an integer from 1, got 0
    """


def require_ranges(given: object, holds: Mapping[str, bool], words: str) -> None:
    """Refuse the first attribute that is out of its range.

    Args:
        given: whose attributes they are.
        holds: by their names, whether they are in range.
        words: what the ranges are.

    Raises:
        ValueError: naming it, and what came.
    """
    for name, good in holds.items():
        if not good:
            raise InputError(f"{name} is out of range: got {getattr(given, name)!r}; {words}")


class UnknownOptionError(InputError, TypeError):
    """An option that there is not, or one that is missing: the message names the nearest."""


class MissingPackageError(InputError, ImportError):
    """What was asked for needs a package that is not installed: the message names the extra."""


class UnusableFileError(InputError, OSError):
    """A file or folder that was named cannot be read or written as asked."""

    def __reduce__(self) -> tuple[Any, ...]:
        """By its message, as it was made: libraries that hand errors on with their tracebacks make those of the system
        in another way, which is not for what is an error of values, too."""
        return type(self), self.args


class MissingFileError(UnusableFileError, FileNotFoundError):
    """A file or folder that was named is not there."""


_DISK = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "ESTALE", "ENOMEM") if hasattr(errno, name)
)


def as_input(error: OSError) -> InputError | None:
    """A file that cannot be read or written as it was named, in words; None for a disk's own trouble.

    >>> from subarch.errors import as_input
    >>> print(as_input(FileNotFoundError(2, "No such file or directory", "reviews.csv")))
    reviews.csv: No such file or directory
    """
    return None if any(_is_of_the_disk(cause) for cause in _causes(error)) else UnusableFileError(in_words(error))


def in_words(error: OSError) -> str:
    """What happened to which file."""
    return f"{error.filename}: {error.strerror}" if error.strerror and error.filename else str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _is_of_the_disk(error: BaseException) -> bool:
    name = getattr(error, "sqlite_errorname", "") or getattr(getattr(error, "orig", None), "sqlite_errorname", "")
    return getattr(error, "errno", None) in _DISK or str(name).startswith(("SQLITE_FULL", "SQLITE_IOERR"))
