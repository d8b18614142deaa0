"""Several labels in a cell, as programs write them."""

from __future__ import annotations

import ast
import json

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.tasks.listings import Several, joint_in, parted, parts_of, written

NAMES = st.lists(st.from_regex(r"[a-zA-Zäß][a-z' ,|-]{0,8}[a-z]", fullmatch=True), max_size=4)


@given(NAMES)
def test_lists_of_json_and_of_python_are_read_back(names: list[str]) -> None:
    assert parts_of(json.dumps(names)) == names and parts_of(repr(names)) == names
    assert parts_of(written(names)) == names
    if len(names) > 1:
        assert parts_of(repr(tuple(names))) == names and sorted(parts_of(repr(set(names))) or []) == sorted(set(names))


def test_what_numpy_prints_is_no_joined_text() -> None:
    assert ast.literal_eval("['a' 'b c']") == ["ab c"]  # what Python makes of it
    printed = str(np.array(["a", "b c", "it's"], dtype=object))
    assert parts_of(printed) == ["a", "b c", "it's"]
    assert parts_of(str(np.array([2, 27]))) == ["2", "27"]
    table = pandas.DataFrame({"labels": [np.array(["x", "y"])]}).to_csv(index=False)
    assert parts_of(table.splitlines()[1].strip('"')) == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("plain", ["plain"]),
        ("[]", []),
        ("{}", []),
        ("[a, b]", ["a", "b"]),
        ("[1, 2.0]", ["1", "2"]),
        ("{'a': 1}", None),
        ("['a', ['b']]", None),
        ("['a', None]", None),
        ('["a", \'b]', None),
    ],
)
def test_more_lists(name: str, parts: list[str] | None) -> None:
    assert parts_of(name) == parts


def test_what_stands_between_names_is_left_out_and_found() -> None:
    assert parted("a| b ||c|", "|") == ["a", "b", "c"] and parted("2,27", ",") == ["2", "27"]
    counts = dict.fromkeys(["a", "b", "a|b", "c", "a|c"], 4)
    assert joint_in(counts) == ("|", ["a|b", "a|c"]) and joint_in({"a|b": 1, "c|d": 1}) is None


def test_columns_of_0_and_1_are_names_of_those_that_hold() -> None:
    several = Several(("toxic", "insult"))
    assert several.read("", {"toxic": 1, "insult": "0.0"}) == ('["toxic"]', None)
    assert several.read("", {"toxic": True, "insult": False}) == ('["toxic"]', None)
    for wrong in (0.5, "", None, "yes", -1):
        value, reason = several.read("", {"toxic": wrong, "insult": 0})
        assert value is None and reason is not None and "expected 0 or 1 in column 'toxic'" in reason
    assert Several(("toxic", "insult"), missing=("-1",)).read("", {"toxic": -1, "insult": 0}) == (None, None)
