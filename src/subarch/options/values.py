"""Values as the fields of an options class have them, from a recipe's file or from Python: fitted, or refused in words.

>>> from subarch.options.values import fitting
>>> fitting([1, 2], tuple[float, ...])
(1.0, 2.0)
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin


def fitting(value: Any, hint: Any) -> Any:
    """The value as the type has it.

    Args:
        value: of a file, or given by a caller.
        hint: of the field, without annotations.

    Raises:
        TypeError: with words for what was expected.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _any_of(value, [one for one in inner if one is not type(None)])
    if origin is Literal:
        if value not in inner:
            raise TypeError(f"one of {', '.join(map(str, inner))}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"a list, such as [{next(iter(_words(inner[0])))}]")
        return tuple(fitting(one, inner[0]) for one in cast("Sequence[Any]", value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # steps = 20, where words are possible too
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise TypeError(" ".join(_words(hint)))
    return value


def nearest(name: str, names: Iterable[str]) -> str:
    """What was probably meant, as a message says it; nothing where no name is near."""
    near = difflib.get_close_matches(name, list(names), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _any_of(value: Any, hints: Sequence[Any]) -> Any:
    said: list[str] = []
    for hint in hints:
        try:
            return fitting(value, hint)
        except TypeError as error:
            said.append(str(error))
    raise TypeError(" or ".join(said))


def _words(hint: Any) -> Iterator[str]:
    yield {int: "an integer", float: "a number", bool: "true or false", str: "a word", Path: "a path"}.get(
        hint, "value"
    )
