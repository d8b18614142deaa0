"""Texts of a Python caller: read rightly, or refused by their place and value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.text.examples import Example
from subarch.text.given import examples_of


class Frame:
    """What a table of another library looks like from here."""

    columns = ("text", "label")


RIGHT: dict[str, tuple[Any, list[tuple[str, ...]]]] = {
    "nothing": ([], []),
    "a list": (["a", ""], [("a",), ("",)]),
    "a tuple": (("a", "b"), [("a",), ("b",)]),
    "an array": (np.array(["a", "b"]), [("a",), ("b",)]),
    "an array of objects": (np.array(["a", "b"], dtype=object), [("a",), ("b",)]),
    "a generator": ((word for word in "ab"), [("a",), ("b",)]),
    "pairs": ([("a", "b"), ["c", "d"]], [("a", "b"), ("c", "d")]),
    "an array of pairs": (np.array([["a", "b"], ["c", "d"]]), [("a", "b"), ("c", "d")]),
    "examples": ([Example("a"), Example("b")], [("a",), ("b",)]),
    "choices": ([Example("a", ("b", "c")), Example("d", ("e", "f", "g"))], [("a", "b", "c"), ("d", "e", "f", "g")]),
    "an emoji": (["\U0001f600"], [("\U0001f600",)]),
}
WRONG: dict[str, tuple[Any, str]] = {
    "one text": ("a", "put it into a list"),
    "bytes": (b"a", "put it into a list"),
    "a dict": ({"text": ["a"]}, "a dict with text"),
    "a table": (Frame(), "a Frame with text, label: give one of its columns"),
    "a set": ({"a"}, "a set"),
    "a number": (3, "a int"),
    "None": (None, "a NoneType"),
    "None inside": (["a", None], "at place 1, got None"),
    "not a number": (["a", float("nan")], "at place 1, got nan"),
    "a number inside": ([7], "at place 0, got 7"),
    "bytes inside": (["a", "b", b"c"], "at place 2, got b'c'"),
    "a dict inside": ([{"text": "a"}], "at place 0, got {'text': 'a'}"),
    "a triple": ([("a", "b", "c")], "at place 0, got 3 parts"),
    "half a pair": ([("a", None)], "at place 0, got None"),
    "one in a tuple": ([("a",)], "at place 0, got 1 parts"),
    "a mixture": (["a", ("b", "c")], "as the first one is, got pairs of texts at place 1"),
    "another mixture": ([("b", "c"), "a"], "as the first one is, got single texts at place 1"),
    "half a character": (["a", "\ud83d"], "at place 1, got half a character"),
    "a cube": (np.zeros((2, 2, 2)), "3 dimensions"),
    "an array of numbers": (np.array([1.0]), "at place 0"),
    "an example without a text": ([Example(None)], "at place 0"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_read(name: str) -> None:
    texts, expected = RIGHT[name]
    assert [one.texts for one in examples_of(texts)] == expected


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str) -> None:
    texts, words = WRONG[name]
    with pytest.raises(ValueError, match="expected") as raised:
        examples_of(texts)
    assert words in str(raised.value)


def test_a_network_of_pairs_takes_pairs_and_one_of_texts_takes_texts() -> None:
    assert len(examples_of(["a"], each=1)) == len(examples_of([("a", "b")], each=2)) == 1
    with pytest.raises(ValueError, match="expected pairs of texts, as the network was fine-tuned on, got single"):
        examples_of(["a"], each=2)
    with pytest.raises(ValueError, match="expected single texts, as the network was fine-tuned on, got pairs"):
        examples_of([("a", "b")], each=1)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.data())
def test_nothing_is_cut_or_dropped(texts: list[str], data: st.DataObject) -> None:
    assert [one.first for one in examples_of(texts)] == texts
    place = data.draw(st.integers(0, len(texts)))
    odd = data.draw(st.sampled_from([None, 1, 1.5, b"x", {}, [], ("a",), object()]))
    with pytest.raises(ValueError, match=f"at place {place}"):
        examples_of([*texts[:place], odd, *texts[place:]])


def test_a_text_among_examples_with_candidates_is_refused_by_its_place() -> None:
    with pytest.raises(ValueError, match="3 candidates at place 1"):
        examples_of([Example("a", ("b", "c", "d")), "e"])
