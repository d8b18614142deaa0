"""A label's name: what of it can be seen, what it is like, and the number that it may be."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

MAX_INTEGER_CLASSES = 20


_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.IGNORECASE | re.ASCII)


def hardly_twice(different: int, rows: int) -> bool:
    """Whether so many labels in so many rows can hardly be classes."""
    return rows >= 10 and different > rows / 2


def name_of(value: object) -> str | None:
    """The label as text, None where there is nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, Decimal):  # exactly: long identifiers are no floats
        return str(int(value)) if value.is_finite() and value == int(value) else name_of(float(value))
    if not isinstance(value, (str, int)):
        return None
    return str(value).strip(_EDGES) or None


_EDGES = (
    " \t\r\n\v\f\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\u3000\ufeff"  # seen by nobody at an end
)


def key(name: str) -> str:
    """What can be seen of a name: composed, without invisible characters, one kind of blank."""
    composed = unicodedata.normalize("NFC", name)
    seen = "".join(one for one in composed if one.isspace() or unicodedata.category(one) not in ("Cf", "Cc"))
    return " ".join(seen.split())


_SAME_LETTERS = str.maketrans("аеорсухіјѕԁαοικν", "aeopcyxijsdaoikv")  # Cyrillic and Greek ones that look Latin


_TRUTHS = {"true": "1", "false": "0"}


def likeness(name: str) -> str:
    """What is left of a name without case, quotes and full stops around it, in one alphabet."""
    left = unicodedata.normalize("NFKC", key(name)).casefold().strip(" .\"'`«»„“”‘’")
    return _TRUTHS.get(left, left.translate(_SAME_LETTERS))


def number_in(name: str) -> float | None:
    """The number that a name is, in digits of ASCII; None where it is a word."""
    return float(name) if _NUMBER.fullmatch(name) else None


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once: by number where all are integers, otherwise as words."""
    numbers = {name: number_in(name) for name in names}
    whole = all(number is not None and number.is_integer() for number in numbers.values())
    return tuple(sorted(numbers, key=lambda name: (numbers[name] or 0.0 if whole else 0.0, name)))


def are_codes(names: Sequence[str]) -> bool:
    """Whether numbers are names: some have leading zeros, or one value is written in two ways, as 1.1 and 1.10."""
    if any(map(_CODE.fullmatch, names)):
        return True
    different = set(names)
    decimals: dict[float, set[str]] = defaultdict(set)
    for name in different:
        number = number_in(name)
        if number is not None and "." in name and not number.is_integer():
            decimals[number].add(name.lstrip("+"))
    return not hardly_twice(len(different), len(names)) and any(len(ways) > 1 for ways in decimals.values())


_CODE = re.compile(r"[+-]?0\d+", re.ASCII)
