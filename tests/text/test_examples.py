"""Tasks as data: the seal tells what it holds, and classes are found by their names."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.text.examples import (
    Example,
    SealedSplit,
    Split,
    nameless,
    places,
)


def test_the_seal_tells_size_and_digest_and_hides_the_rest() -> None:
    sealed = SealedSplit(Split([Example("a secret", label=1)]))
    assert len(sealed) == 1 and "secret" not in repr(sealed)
    assert sealed.open() == (Example("a secret", label=1),)
    assert sealed != SealedSplit(Split([Example("a secret", label=0)]))
    assert not any(isinstance(getattr(sealed, name), tuple) for name in dir(sealed) if not name.startswith("_"))


def test_labels_must_be_there() -> None:
    with pytest.raises(ValueError, match="1 of 2 without a label"):
        _ = Split([Example("a", label=0), Example("b")]).labels


@given(st.lists(st.text(min_size=1), min_size=1, unique_by=str.casefold), st.randoms())
def test_classes_are_found_by_name_whatever_their_case_and_order(names: list[str], rng: random.Random) -> None:
    theirs = [rng.choice([name, name.casefold()]) for name in rng.sample(names, len(names))]
    found = places(names, theirs)
    assert found is not None
    assert [theirs[place].casefold() for place in found] == [name.casefold() for name in names]


def test_other_classes_have_no_places_but_those_without_names_have_their_order() -> None:
    assert places(["a", "b"], ["a", "c"]) is None and places(["a", "b"], ["a", "b", "c"]) is None
    assert places(["a", "A"], ["A", "a"]) == [1, 0]  # two classes that only their case tells apart
    assert nameless(["LABEL_0", "LABEL_1"]) and not nameless(["LABEL_1", "LABEL_0"])
    assert places(["b", "a"], ["LABEL_0", "LABEL_1"]) == [0, 1] and places(["b"], ["LABEL_0", "LABEL_1"]) is None


def test_a_guess_by_the_order_of_names_is_told(caplog: pytest.LogCaptureFixture) -> None:
    places(["0", "1"], ["LABEL_0", "LABEL_1"])
    assert not caplog.text  # numbers are what the outputs are called
    places(["contradiction", "entailment"], ["LABEL_0", "LABEL_1"])
    assert "contradiction for LABEL_0, entailment for LABEL_1" in caplog.text and "guess" in caplog.text
