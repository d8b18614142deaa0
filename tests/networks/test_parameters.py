"""One architectural parameter: what its choices may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.networks.parameters import Parameter


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=9))
def test_ordered_choices_ascend_without_repeats(choices: list[int]) -> None:
    if choices == sorted(set(choices)):
        assert Parameter(name="width", choices=tuple(choices)).choices == tuple(choices)
    else:
        with pytest.raises(ValueError, match=r"repeats a choice|must ascend"):
            Parameter(name="width", choices=tuple(choices))


def test_unordered_choices_are_any_distinct_words_and_numbers() -> None:
    made = Parameter(name="kind", choices=["b", "a", 1, 0.5], ordered=False)  # type: ignore[arg-type]
    assert made.choices == ("b", "a", 1, 0.5)
    assert made == Parameter(name="kind", choices=("b", "a", 1, 0.5), ordered=False)
    assert hash(made) == hash(Parameter(name="kind", choices=("b", "a", 1, 0.5), ordered=False))


@pytest.mark.parametrize(
    ("name", "choices", "ordered", "words"),
    [
        ("hidden size", (1,), True, "must be identifiers such as 'hidden_size', got 'hidden size'"),
        ("width", (), True, "'width' has no choices"),
        ("width", tuple(range(40_000)), True, "has 40000 choices, at most 32767"),
        ("width", (1, True), True, "repeats a choice"),
        ("flag", (False, True), True, "must be numbers or strings, got False"),
        ("flag", (None,), False, "must be numbers or strings, got None"),
        ("width", (1.0, float("inf")), True, "must be finite, got inf"),
        ("kind", ("a", "b"), True, "ordered parameter 'kind' needs numeric choices"),
    ],
)
def test_what_is_no_parameter_is_refused(name: str, choices: tuple[Any, ...], ordered: bool, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Parameter(name=name, choices=choices, ordered=ordered)
