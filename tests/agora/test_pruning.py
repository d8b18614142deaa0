"""The pruning rules on worked examples, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.agora.pruning import Pruning, common_subsequence, surviving, theory

# Five sets; ranked worst first as 3, 1, 0, 4, 2.
SETS: list[dict[str, Any]] = [
    {"rate": 1, "decay": 0},  # 0
    {"rate": 1, "decay": 1},  # 1
    {"rate": 2, "decay": 1},  # 2
    {"rate": 1, "decay": 2},  # 3
    {"rate": 3, "decay": 3},  # 4
]
RANKING = [3, 1, 0, 4, 2]


def test_halving_drops_the_worst_half() -> None:
    assert surviving("halving", RANKING, SETS, None) == [0, 2, 4]  # two of five go: 3 and 1
    assert surviving("halving", [1, 0], SETS, None) == [0]
    assert surviving("halving", [1], SETS, None) == [1]


def test_common_subsequence_drops_on_while_something_is_shared() -> None:
    # S = (rate 1, decay 2); with 1: (rate 1), dropped; with 0: (rate 1), dropped; with 4: nothing, stop.
    assert surviving("common_subsequence", RANKING, SETS, None) == [2, 4]
    # S = (rate 3, decay 3); with 2 nothing is shared: the worst alone goes.
    assert surviving("common_subsequence", [4, 2, 1], SETS, None) == [1, 2]
    # All share (rate 1): the best stays all the same.
    assert surviving("common_subsequence", [3, 1, 0], SETS, None) == [0]


def test_what_is_shared_shrinks_on_the_way() -> None:
    # S = (decay 1, rate 2); with 1 (decay 1 alone); then 3 shares rate 1 with 1, but not with what is left of S.
    sets = [{"decay": 1, "rate": 2}, {"decay": 1, "rate": 1}, {"decay": 2, "rate": 1}]
    assert surviving("common_subsequence", [0, 1, 2], sets, None) == [2]
    assert surviving("common_subsequence", [0, 2, 1], sets, None) == [1, 2]


def test_common_prefix_drops_what_two_rankings_begin_with() -> None:
    assert surviving("common_prefix", RANKING, SETS, None) == [0, 1, 2, 4]  # no ranking before: the worst
    assert surviving("common_prefix", RANKING, SETS, [3, 1, 4, 0, 2]) == [0, 2, 4]  # 3, 1
    assert surviving("common_prefix", RANKING, SETS, [1, 3, 0, 4, 2]) == [0, 1, 2, 4]  # none: the worst
    assert surviving("common_prefix", RANKING, SETS, RANKING) == [2]  # all: the best stays
    assert surviving("common_prefix", [0, 4, 2], SETS, RANKING) == [2]  # 3 and 1 are gone, the rest is as it was


@given(
    st.sampled_from(["halving", "common_subsequence", "common_prefix"]),
    st.permutations(range(5)),
    st.integers(1, 5),
    st.one_of(st.none(), st.permutations(range(5))),
)
def test_the_best_always_stays_and_the_worst_always_goes(
    rule: Pruning, order: list[int], count: int, last: list[int] | None
) -> None:
    ranking = order[:count]
    kept = surviving(rule, ranking, SETS, last)
    assert ranking[-1] in kept
    assert set(kept) <= set(ranking)
    assert ranking[0] not in kept or count == 1


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_a_common_subsequence_is_one_and_the_longest(one: list[str], other: list[str]) -> None:
    found = common_subsequence(one, other)
    for whole in (one, other):
        rest = iter(whole)
        assert all(element in rest for element in found)
    every = {tuple(e for n, e in enumerate(one) if mask >> n & 1) for mask in range(2 ** len(one))}
    rests = [sub for sub in every if len(sub) > len(found)]
    for sub in rests:
        rest = iter(other)
        assert not all(element in rest for element in sub)


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(ValueError, match="at least one"):
        surviving("halving", [], SETS, None)
    with pytest.raises(ValueError, match="'quarter'"):
        surviving("quarter", [0], SETS, None)  # type: ignore[arg-type]


def test_the_curve_of_the_announcement() -> None:
    assert theory(4) == [0.5, 0.75, 0.875, 0.9375]
