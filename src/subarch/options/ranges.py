"""What a number among the options may be: said once, beside its type, and checked in one place.

>>> from dataclasses import dataclass
>>> from typing import Annotated
>>> from subarch.options.ranges import at_least, checked
>>> @dataclass(frozen=True)
... class Options:
...     seeds: Annotated[int, at_least(1)] = 3
...     def __post_init__(self):
...         checked(self)
>>> Options(seeds=0)
Traceback (most recent call last):
...
subarch.errors.InputError: --seeds must be an integer from 1, got 0
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_type_hints

from subarch.errors import InputError


@dataclass(frozen=True)
class Range:
    """Beside a type, in ``Annotated``: which of its values are meant. Of a tuple each value is, of None nothing.

    Attributes:
        words: what the value must be, as a message says it.
        holds: whether a number is within.
    """

    words: str
    holds: Callable[[float], bool]


def at_least(least: int) -> Range:
    """Integers from ``least``."""
    return Range(f"must be an integer from {least}", lambda number: number >= least)


POSITIVE = Range("must be a positive number", lambda number: 0 < number < math.inf)
UNSIGNED = Range("must be a number from 0", lambda number: 0 <= number < math.inf)
FRACTION = Range("must lie in [0, 1)", lambda number: 0 <= number < 1)
PART = Range("must lie between 0 and 1", lambda number: 0 <= number <= 1)
POINTS = Range("is in points of 100", lambda number: 0 <= number <= 100)
FASTER = Range("must be a number from 1 (3 = three times as fast)", lambda number: 1 <= number < math.inf)
EPSILON = Range("must lie between 0 and 1 (0.1 = within ten percent)", lambda number: 0 < number < 1)


def checked(options: Any) -> None:
    """Refuse what lies outside of its range.

    Args:
        options: a dataclass with a :class:`Range` beside the types of some fields.

    Raises:
        InputError: naming the option as the command line has it, the range, and what came.
    """
    for name, allowed in _ranges(type(options)).items():
        value = getattr(options, name)
        for one in cast("Iterable[Any]", value) if isinstance(value, tuple) else (value,):
            if one is not None and not allowed.holds(one):
                raise InputError(f"--{name.replace('_', '-')} {allowed.words}, got {one}")


@functools.cache
def _ranges(options: type) -> Mapping[str, Range]:
    return {
        name: mark
        for name, hint in get_type_hints(options, include_extras=True).items()
        for mark in getattr(hint, "__metadata__", ())
        if isinstance(mark, Range)
    }
