"""Texts as a caller of the Python interface gives them: read as examples, or refused by place and value."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Set
from typing import Any, cast

from subarch.errors import InputError
from subarch.text.examples import Example

_SHOWN = 60


def examples_of(texts: object, *, each: int | None = None) -> list[Example]:
    """Examples of a list, column, array or generator of texts, of pairs of texts, or of examples.

    Args:
        texts: each a string, two strings, or an :class:`~subarch.text.examples.Example`; all single or all pairs.
        each: how many texts each must have, where that is known.

    Raises:
        ValueError: for what is no list of texts, and for the first of its parts that is no text, by its place. Nothing
            is dropped or made to fit.
    """
    found: list[Example] = []
    for place, one in enumerate(_listed(texts)):
        example = _example(place, one)
        asked = len(found[0].seconds) if found else len(example.seconds) if each is None else each - 1
        if not isinstance(one, Example) and asked > 1:
            raise InputError(
                f"expected a text with {asked} candidates at place {place}, as the first one is, got {_shown(one)}: "
                "give all of them as examples"
            )
        if not isinstance(one, Example) and len(example.seconds) != asked:
            before = "as the first one is" if found else "as the network was fine-tuned on"
            raise InputError(
                f"expected {_NUMBERS[asked]}, {before}, got {_NUMBERS[len(example.seconds)]} at place {place} "
                f"({_shown(one)}): give {_FORMS[asked]}"
            )
        found.append(example)
    return found


_NUMBERS = ("single texts", "pairs of texts")
_FORMS = ("strings", "tuples of two strings")


def _listed(texts: object) -> Iterable[object]:
    advice = "give a list of strings, or of pairs of strings"
    if isinstance(texts, str | bytes | bytearray):
        raise InputError("expected a list of texts, got one text: put it into a list")
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        kind = type(texts).__name__
        names = [str(name) for name in cast("Any", texts if isinstance(texts, Mapping) else cast("Any", texts).columns)]
        raise InputError(f"expected a list of texts, got a {kind} with {', '.join(names[:5])}: give one of its columns")
    if isinstance(texts, Set | io.IOBase) or not isinstance(texts, Iterable):
        raise InputError(f"expected a list of texts, got a {type(texts).__name__}: {advice}")
    if (dimensions := getattr(texts, "ndim", 1)) not in (1, 2):
        raise InputError(f"expected a list of texts, got an array of {dimensions} dimensions: {advice}")
    return cast("Iterable[object]", texts)


def _example(place: int, one: object) -> Example:
    if isinstance(one, str):
        return Example(_text(place, one, one))
    if isinstance(one, Example):
        for part in one.texts:
            _text(place, part, one)
        return one
    array = getattr(one, "ndim", None) == 1 and hasattr(one, "tolist")
    parts = cast("list[object]", cast("Any", one).tolist()) if array else one
    if not isinstance(parts, tuple | list):
        raise InputError(
            f"expected a text at place {place}, got {_shown(one)} ({type(one).__name__}): give a string, or two for a "
            "pair"
        )
    if len(parts) != 2:
        raise InputError(
            f"expected a text or a pair of two texts at place {place}, got {len(parts)} parts ({_shown(one)}): give "
            "one string or two"
        )
    first, second = (_text(place, part, one) for part in cast("tuple[object, object]", tuple(parts)))
    return Example(first, (second,))


def _text(place: int, part: object, whole: object) -> str:
    if not isinstance(part, str):
        raise InputError(
            f"expected texts at place {place}, got {_shown(part)} ({type(part).__name__}) in {_shown(whole)}: give "
            "strings"
        )
    if not part.isascii():
        try:
            part.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"expected a text at place {place}, got half a character ({_shown(part)}): decode it again from its "
                "source, as UTF-8"
            ) from error
    return str(part)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
