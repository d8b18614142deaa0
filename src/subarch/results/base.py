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


def absent(**more: Any) -> Any:
    """The default of a field that stands in the JSON form only where it has a value."""
    return dataclasses.field(default=None, metadata={"absent": True}, **more)


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

    A field of :func:`absent` that is None is left out; a path is written as text; a tuple is a list.
    """

    def to_json(self) -> dict[str, Any]:
        """The JSON form: what ``--json`` prints and what stands in a run's file."""
        given: dict[str, Any] = {}
        for one in dataclasses.fields(cast("Any", self)):
            value = getattr(self, one.name)
            if value is not None or "absent" not in one.metadata:
                given[one.name] = _plain(value)
        return given

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            InputError: for data without a field that is needed, or with one that is not known.
        """
        hints = _hints(cls)
        if unknown := [name for name in data if name not in hints]:
            raise InputError(
                f"expected the fields of {cls.__name__}, got {unknown[0]!r} too: written by another version?"
            )
        try:
            return cls(**{name: _typed(value, hints[name]) for name, value in data.items()})
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
    if hint is Path:
        return Path(value)
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Sequence)):
        kinds = inner if inner and inner[-1] is not Ellipsis and origin is tuple else (inner[0],) * len(value)
        return tuple(_typed(one, kind) for one, kind in zip(value, kinds, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _typed(one, inner[1]) for key, one in value.items()}
    return value


def _html(told: Told) -> str:
    if isinstance(told, Line):
        lead = f"<b>{html.escape(told.lead)}</b>: " if told.lead else ""
        return f"<p>{lead}{html.escape(told.words)}</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in told.columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in told.rows)
    title = f"<caption>{html.escape(told.title)}</caption>" if told.title else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
