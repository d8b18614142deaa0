"""Results: JSON there and back, and what a notebook shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.errors import InputError
from subarch.results.base import Line, Record, Result, Rows, Told, absent


@dataclass(frozen=True, kw_only=True)
class Part(Record):
    name: str
    value: float | None
    pair: tuple[int, str] = (0, "")
    more: str | None = absent()


@dataclass(frozen=True, kw_only=True)
class Whole(Result):
    path: Path
    parts: tuple[Part, ...]
    by_name: Mapping[str, Part]
    best: Part | None = None

    def told(self) -> Iterator[Told]:
        yield Line("<b>bold</b> & plain", lead="said")
        yield Rows(("name", "value"), [(one.name, str(one.value)) for one in self.parts], title="parts")


PARTS = st.builds(
    Part,
    name=st.text(),
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    pair=st.tuples(st.integers(), st.text()),
    more=st.none() | st.text(),
)
WHOLES = st.builds(
    Whole,
    path=st.sampled_from([Path("a/b"), Path("/")]),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    by_name=st.dictionaries(st.text(), PARTS, max_size=2),
    best=st.none() | PARTS,
)


@given(WHOLES)
def test_json_there_and_back(whole: Whole) -> None:
    assert Whole.from_json(json.loads(json.dumps(whole.to_json()))) == whole


@given(WHOLES)
def test_parts_of_the_json_form_are_found_by_their_names(whole: Whole) -> None:
    assert {name: whole[name] for name in whole.to_json()} == whole.to_json()
    with pytest.raises(KeyError):
        whole["from tomorrow"]
    assert "parts" in whole and "from tomorrow" not in whole
    with pytest.raises(TypeError):
        list(whole)  # pyright: ignore[reportArgumentType]


def test_a_field_that_is_absent_is_left_out_and_another_none_is_null() -> None:
    assert Part(name="a", value=None).to_json() == {"name": "a", "value": None, "pair": [0, ""]}


def test_what_is_unknown_or_missing_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'other'"):
        Part.from_json({"name": "a", "value": 1.0, "other": 2})
    with pytest.raises(InputError, match="value"):
        Part.from_json({"name": "a"})


def test_frozen_and_shown_with_words_escaped() -> None:
    whole = Whole(path=Path("a"), parts=(Part(name="<x>", value=1.0),), by_name={})
    with pytest.raises(FrozenInstanceError):
        whole.path = Path("b")  # type: ignore[misc]
    shown = whole._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert "<b>said</b>" in shown and "&lt;b&gt;bold" in shown and "<td>&lt;x&gt;</td>" in shown


@pytest.mark.parametrize("data", [[], 3, "text", None, {"path": "a", "parts": [3], "by_name": {}}])
def test_what_is_no_object_is_refused(data: object) -> None:
    with pytest.raises(InputError, match="JSON form of"):
        Whole.from_json(data)  # pyright: ignore[reportArgumentType]
