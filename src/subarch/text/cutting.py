"""What goes with a piece, in each kind of tokenizer: what has to stay where it stays, and a model without the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from subarch.errors import InputError

Settings = dict[str, Any]
"""A fast tokenizer, or its model, as JSON."""
_BYTE = re.compile("<0x[0-9A-F]{2}>")


def numbers_of(model: Settings) -> dict[str, int]:
    """The number of each piece."""
    pieces = model["vocab"]
    return {row[0]: n for n, row in enumerate(pieces)} if isinstance(pieces, list) else pieces


@dataclass(frozen=True)
class Cutting:
    """A kind of tokenizer.

    Attributes:
        closed: the wanted numbers, and those without which texts would be taken apart otherwise.
        cut: leaves a model only what has a new number, in place.
    """

    closed: Callable[[Settings, set[int]], set[int]]
    cut: Callable[[Settings, Mapping[int, int]], None]


def cutting_of(model: Settings) -> Cutting:
    """The kind that a tokenizer's model is of.

    Raises:
        ValueError: for one that is not known here, or that takes a text apart in several ways.
    """
    name = str(model.get("type"))
    if name not in _KINDS:
        raise InputError(
            f"the tokenizer is a {name} model: --vocabulary knows {', '.join(_KINDS)} alone. Leave it away"
        )
    if model.get("dropout"):
        raise InputError(
            f"the tokenizer leaves out merges by chance (dropout {model['dropout']}): it takes no text apart twice in "
            "the same way. Set dropout to null in tokenizer.json"
        )
    return _KINDS[name]


def _single(model: Settings) -> set[int]:
    """Single characters, bytes, and what stands for the unknown."""
    prefix, suffix = (str(model.get(name) or "") for name in ("continuing_subword_prefix", "end_of_word_suffix"))
    unknown = model.get("unk_token")
    return {
        number
        for piece, number in numbers_of(model).items()
        if len(piece.removeprefix(prefix).removesuffix(suffix)) <= 1 or _BYTE.fullmatch(piece) or piece == unknown
    }


def _words_closed(model: Settings, wanted: set[int]) -> set[int]:
    return wanted | _single(model)


def _words_cut(model: Settings, numbers: Mapping[int, int]) -> None:
    model["vocab"] = {piece: numbers[old] for piece, old in model["vocab"].items() if old in numbers}


def _merged(model: Settings, pair: Sequence[str]) -> str:
    return pair[0] + pair[1].removeprefix(str(model.get("continuing_subword_prefix") or ""))


def _merges(model: Settings) -> list[tuple[str, str]]:
    return [cast("Any", tuple(one if isinstance(one, list) else one.split(" "))) for one in model["merges"]]


def _pairs_closed(model: Settings, wanted: set[int]) -> set[int]:
    numbers = numbers_of(model)
    made: dict[int, list[tuple[str, str]]] = {}
    for pair in _merges(model):
        made.setdefault(numbers[_merged(model, pair)], []).append(pair)
    found = wanted | _single(model)
    todo = list(found)
    while todo:
        for pair in made.get(todo.pop(), ()):
            new = {numbers[piece] for piece in pair} - found
            found |= new
            todo += new
    return found


def _pairs_cut(model: Settings, numbers: Mapping[int, int]) -> None:
    merges = _merges(model)
    _words_cut(model, numbers)
    pieces = model["vocab"]
    model["merges"] = [list(pair) for pair in merges if all(piece in pieces for piece in (*pair, _merged(model, pair)))]


def _scored_closed(model: Settings, wanted: set[int]) -> set[int]:
    rows = model["vocab"]
    found = wanted | _single(model)
    if rows:  # what an unknown character costs is reckoned from the lowest score
        found.add(min(range(len(rows)), key=lambda number: rows[number][1]))
    return found if model["unk_id"] is None else {*found, int(model["unk_id"])}


def _scored_cut(model: Settings, numbers: Mapping[int, int]) -> None:
    model["vocab"] = [row for number, row in enumerate(model["vocab"]) if number in numbers]
    if model["unk_id"] is not None:
        model["unk_id"] = numbers[int(model["unk_id"])]


_KINDS = {
    "WordPiece": Cutting(_words_closed, _words_cut),
    "BPE": Cutting(_pairs_closed, _pairs_cut),
    "Unigram": Cutting(_scored_closed, _scored_cut),
}
