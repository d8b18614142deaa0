"""What holds of every result: it goes through JSON and comes back, it is frozen, and it tells itself as plain words."""

from __future__ import annotations

import dataclasses
import html
import json
from typing import Any

import pytest

from subarch.results.base import Line, Record, Result, Rows

HOSTILE = "<script>alert('x')</script> & more"
"""A name as nobody should have one: it must be shown as it is, never be markup."""


def goes_through_json(record: Record) -> None:
    """There and back, as a file and another process have it; what a newer version added comes along or is refused."""
    written = json.loads(json.dumps(record.to_json()))
    assert type(record).from_json(written) == record
    if any("rest" in one.metadata for one in dataclasses.fields(record)):  # type: ignore[arg-type]
        again = type(record).from_json({**written, "from_tomorrow": [1, None]})
        assert again.to_json() == {**written, "from_tomorrow": [1, None]}
    else:
        with pytest.raises(ValueError, match="'from_tomorrow' too: written by another version"):
            type(record).from_json({**written, "from_tomorrow": 1})
    for one in dataclasses.fields(record):  # type: ignore[arg-type]
        required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        less = {name: value for name, value in written.items() if name != one.name}
        if required:
            with pytest.raises(ValueError, match=one.name):
                type(record).from_json(less)


def is_frozen(record: Record) -> None:
    for one in dataclasses.fields(record):  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, one.name, None)


def told(result: Result) -> list[str]:
    """What a person reads: a line as ``lead: words``, a table as one line a row with cells between bars."""
    found: list[str] = []
    for one in result.told():
        if isinstance(one, Line):
            found.append(f"{one.lead}: {one.words}" if one.lead else one.words)
            continue
        assert isinstance(one, Rows)
        for row in one.rows:
            assert len(row) == len(one.columns)
            assert all(isinstance(cell, str) for cell in row)
        found += [" | ".join(row) for row in (one.columns, *one.rows)]
    return found


def shows_words_as_they_are(result: Result) -> None:
    """For a result that has :data:`HOSTILE` in it: neither a notebook nor a page takes it for markup."""
    shown = result._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert html.escape(HOSTILE) in shown
    assert "<script" not in shown and "& more" not in shown
    assert HOSTILE in str(result)


def holds(result: Result) -> None:
    """Everything here that needs no name of ill will."""
    goes_through_json(result)
    is_frozen(result)
    told(result)


def changed(result: Any, **given: Any) -> Any:
    """The same with other values."""
    return dataclasses.replace(result, **given)
