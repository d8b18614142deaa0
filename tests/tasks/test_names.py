"""A label's name: what of it can be seen, and the number that it may be."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.tasks.names import hardly_twice, in_order, key, likeness, name_of, number_in


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "true"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (math.nan, None),
        (Decimal("12345678901234567890"), "12345678901234567890"),
        (Decimal("1.50"), "1.5"),
        (" good\u200b ", "good"),
        ("\ufeff", None),
        ("", None),
        (None, None),
        ([1], None),
    ],
)
def test_a_label_as_text(value: Any, name: str | None) -> None:
    assert name_of(value) == name


@given(st.text())
def test_what_is_seen_of_a_name_is_seen_of_what_is_seen(name: str) -> None:
    assert key(key(name)) == key(name)
    assert likeness(key(name)) == likeness(name)


@pytest.mark.parametrize(
    ("one", "other", "same", "alike"),
    [
        ("caf\u00e9", "cafe\u0301", True, True),
        ("so\u200b-so", "so-so", True, True),
        ("very  good", "very good", True, True),
        ("Good", "good", False, True),
        ('"good".', "good", False, True),
        ("\u0421\u043e\u0440\u0430", "copa", False, True),  # in Cyrillic letters
        ("true", "1", False, True),
        ("good", "bad", False, False),
    ],
)
def test_names_that_are_the_same_and_names_that_look_alike(one: str, other: str, same: bool, alike: bool) -> None:
    assert (key(one) == key(other)) is same
    assert (likeness(one) == likeness(other)) is alike


@given(st.floats(allow_nan=False))
def test_numbers_are_read_as_python_reads_them(number: float) -> None:
    assert number_in(str(number)) == number


@pytest.mark.parametrize("name", ["1_000", "0x10", "nan", "1,5", "٣", "1.2.3", "e5", "", "1 "])
def test_what_only_looks_like_a_number_is_none(name: str) -> None:
    assert number_in(name) is None


def test_names_are_in_the_order_of_their_numbers_where_all_are_whole() -> None:
    assert in_order(["10", "9", "2", "9"]) == ("2", "9", "10")
    assert in_order(["10", "9", "x"]) == ("10", "9", "x")
    assert in_order(["1.5", "10", "2"]) == ("1.5", "10", "2")


def test_labels_of_which_most_are_different_are_hardly_classes() -> None:
    assert hardly_twice(6, 10) and not hardly_twice(5, 10) and not hardly_twice(9, 9)
