"""What every result is: a frozen dataclass that reads and writes its JSON form and tells itself in rows.

Console, report, model card and notebook render what :meth:`Result.told` gives, so that each figure is worded once.
"""

from __future__ import annotations

import dataclasses
import html
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, Union, cast, get_args, get_origin, get_type_hints

from subarch.errors import InputError

Tone = Literal["plain", "good", "warning", "bad", "dim"]
Json = Mapping[str, Any]
"""A JSON object whose fields others decide: a stock library, a plug-in, whoever draws it."""


def absent(**more: Any) -> Any:
    """The default of a field that stands in the JSON form only where it has a value."""
    return dataclasses.field(default=None, metadata={"absent": True}, **more)


def rest() -> Any:
    """A field for what the JSON form has beside the fields that are named: it stands there by its own names.

    Results of a stage are also read from files, of other versions too; what a version adds is not lost.
    """
    return dataclasses.field(default_factory=dict, metadata={"rest": True}, repr=False)


@dataclass(frozen=True)
class Line:
    """A sentence that a person reads.

    Attributes:
        words: the sentence.
        lead: what stands before it, and stands out.
        tone: how it is meant.
    """

    words: str
    lead: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Rows:
    """A table that a person reads.

    Attributes:
        columns: their names.
        rows: cells in words, a row as long as there are columns.
        title: above it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


Told = Line | Rows


class Record:
    """A frozen dataclass that is a JSON object: fields by their names, records inside of records likewise.

    A field of :func:`absent` that is None is left out; a path is written as text; a tuple is a list; what a field of
    :func:`rest` holds stands beside the others.
    """

    def to_json(self) -> dict[str, Any]:
        """The JSON form: what ``--json`` prints and what stands in a run's file."""
        given: dict[str, Any] = {}
        for one in dataclasses.fields(cast("Any", self)):
            value = getattr(self, one.name)
            if "rest" in one.metadata:
                given |= _plain(value)
            elif value is not None or "absent" not in one.metadata:
                given[one.name] = _plain(value)
        return given

    def __getitem__(self, name: str) -> Any:
        """A part of the JSON form, which earlier versions returned: ``found["rows"]``, ``"rows" in found``."""
        return self.to_json()[name]

    def __contains__(self, name: object) -> bool:
        return name in self.to_json()

    __iter__ = None  # not by numbers, as Python would try otherwise

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            InputError: for data without a field that is needed, or with one that is not known.
        """
        if not isinstance(cast("object", data), Mapping):
            raise InputError(f"expected the JSON form of {cls.__name__}, an object, got {data!r:.60}")
        hints = _hints(cls)
        known = {one.name: one for one in dataclasses.fields(cast("Any", cls)) if "rest" not in one.metadata}
        other = next((one.name for one in dataclasses.fields(cast("Any", cls)) if "rest" in one.metadata), None)
        unknown = [name for name in data if name not in known]
        if unknown and other is None:
            raise InputError(
                f"expected the fields of {cls.__name__}, got {unknown[0]!r} too: written by another version?"
            )
        try:
            given = {name: _typed(value, hints[name]) for name, value in data.items() if name in known}
            return cls(**given if other is None else {**given, other: {name: data[name] for name in unknown}})
        except TypeError as error:
            raise InputError(
                f"expected the JSON form of {cls.__name__}: {error}; written by another version?"
            ) from error


class Result(Record):
    """What a command returns."""

    def told(self) -> Iterator[Told]:
        """What a person is told of it, in order."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return "\n".join(map(_html, self.told()))

    def __str__(self) -> str:
        """The same in plain text, as ``print`` shows it."""
        return "\n".join(map(_text, self.told()))


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in cast("Sequence[Any]", value)]
    return value


@cache
def _hints(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _typed(value: Any, hint: Any) -> Any:
    """A JSON value as the field has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if value is None:
        return None
    if origin in (Union, types.UnionType):
        named = [one for one in inner if one is not type(None)]
        return _typed(value, named[0]) if len(named) == 1 else value
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_json(value)
    if hint is Path or (isinstance(hint, type) and issubclass(hint, str) and hint is not str):
        return hint(value)
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Sequence)):
        kinds = inner if inner and inner[-1] is not Ellipsis and origin is tuple else (inner[0],) * len(value)
        return tuple(_typed(one, kind) for one, kind in zip(value, kinds, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _typed(one, inner[1]) for key, one in value.items()}
    return value


def _text(told: Told) -> str:
    if isinstance(told, Line):
        return f"{told.lead}: {told.words}" if told.lead else told.words
    table = [list(told.columns), *map(list, told.rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(told.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([told.title, *lines] if told.title else lines)


def _html(told: Told) -> str:
    if isinstance(told, Line):
        lead = f"<b>{html.escape(told.lead)}</b>: " if told.lead else ""
        return f"<p>{lead}{html.escape(told.words)}</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in told.columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in told.rows)
    title = f"<caption>{html.escape(told.title)}</caption>" if told.title else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
