"""Ranges beside types: every option of every command that has one refuses what lies outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from subarch.errors import InputError
from subarch.options.ranges import EPSILON, FASTER, FRACTION, PART, POINTS, POSITIVE, UNSIGNED, Range, at_least, checked


@pytest.mark.parametrize(
    ("allowed", "within", "outside"),
    [
        (at_least(2), [2, 3], [1, -5]),
        (POSITIVE, [1e-9, 5], [0, -1, float("inf"), float("nan")]),
        (UNSIGNED, [0, 5], [-1e-9, float("inf"), float("nan")]),
        (FRACTION, [0, 0.99], [1, -0.1, float("nan")]),
        (PART, [0, 1], [1.1, -0.1]),
        (POINTS, [0, 100], [-1, 101]),
        (FASTER, [1, 20], [0.5, float("inf")]),
        (EPSILON, [0.1], [0, 1]),
    ],
)
def test_ends_of_ranges(allowed: Range, within: list[float], outside: list[float]) -> None:
    assert all(map(allowed.holds, within)) and not any(map(allowed.holds, outside))


@dataclass(frozen=True)
class Options:
    learning_rates: Annotated[tuple[float, ...], POSITIVE] = ()
    batch_size: Annotated[int | None, at_least(1)] = None

    def __post_init__(self) -> None:
        checked(self)


def test_each_value_of_a_tuple_is_checked_and_none_is_not() -> None:
    Options()
    Options(learning_rates=(1e-5, 2.0), batch_size=1)
    with pytest.raises(InputError, match=r"--learning-rates must be a positive number, got -1"):
        Options(learning_rates=(1e-5, -1.0))
    with pytest.raises(InputError, match=r"--batch-size must be an integer from 1, got 0"):
        Options(batch_size=0)
