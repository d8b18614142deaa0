"""Relatives: what is found by an index is what comparing all with all finds, in every script, and in little time."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.tasks.relatives import NEAR, Families, Relatives, is_long, join_relatives, normalised

WORDS = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=9).map(" ".join)


def near(one: str, other: str) -> bool:
    """Jaccard's similarity of two texts of words."""
    first, second = set(one.split()), set(other.split())
    return len(first & second) >= NEAR * len(first | second) - 1e-9


def lies_in(one: str, other: str) -> bool:
    words, whole = one.split(), other.split()
    places = range(len(whole) - len(words) + 1)
    return len(words) >= 4 and any(whole[n : n + len(words)] == words for n in places)


def families(texts: Sequence[str], *, contained: bool = True) -> list[set[str]]:
    found = Families(len(texts))
    join_relatives(texts, range(len(texts)), found, contained=contained)
    return [{texts[n] for n in members} for members in found.all()]


@given(st.lists(WORDS, min_size=1, max_size=12), WORDS)
def test_relatives_are_those_that_comparing_with_all_finds(texts: list[str], text: str) -> None:
    expected = any(near(text, one) or lies_in(text, one) or lies_in(one, text) for one in texts)
    assert Relatives(texts).of([text]) == [expected]
    assert Relatives(texts, contained=False).of([text]) == [any(near(text, one) for one in texts)]


@given(st.lists(WORDS, min_size=1, max_size=14, unique=True), st.booleans())
def test_families_are_those_that_joining_all_pairs_makes(texts: list[str], contained: bool) -> None:
    parts = [{text} for text in texts]
    for one in texts:
        for other in texts:
            if near(one, other) or (contained and (lies_in(one, other) or lies_in(other, one))):
                joined = [part for part in parts if one in part or other in part]
                parts = [part for part in parts if part not in joined] + [set().union(*joined)]
    assert sorted(map(sorted, families(texts, contained=contained))) == sorted(map(sorted, parts))


def test_long_lists_are_searched_as_short_ones_are() -> None:
    """Few words, so that hundreds of texts have a rare one in common: loops and arrays come to the same."""
    rng = random.Random(0)
    texts = list({" ".join(rng.choices("abcdefghijklmnop", k=rng.randint(6, 11))) for _ in range(2000)})
    asked = [" ".join(rng.choices("abcdefghijklmnop", k=8)) for _ in range(60)]
    found = Relatives(texts).of(asked)
    assert found == [any(near(a, b) or lies_in(a, b) or lies_in(b, a) for b in texts) for a in asked]
    assert len(set(found)) == 2


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("The film, in short, is a VERY good one", "the film in short is a very good one!!", True),
        ("an e\u0301clair of the old kind", "an \u00e9clair of the old kind", True),  # two ways to write one letter
        ("so co\u00adoperative are they all", "so cooperative are they all", True),  # a soft hyphen
        ("nobody\u200b knows where it is", "nobody knows where it is", True),
        ("he left his house early today", "he left his house late tonight", False),
        ("the day was long", "we said that the day was long enough", True),  # four words lie in nine
        ("day was long", "we said that the day was long enough", False),  # three are too few
        ("the day was long", "we said that the days was long enough", False),  # a word is whole
        ("今天天气很好我们去公园", "他说今天天气很好我们去公园然后回家", True),
        ("今天天气", "他说今天天气很好我们去公园然后回家", False),  # four characters are two words
        ("今天天气很好我们一起去公园散步然后吃晚饭", "今天天气很好,我们一起去公园散步,然后吃晚饭吧", True),
        ("วันนี้อากาศดีมากเราไปเดินเล่นที่สวน", "เขาบอกว่าวันนี้อากาศดีมากเราไปเดินเล่นที่สวนกัน", True),
        ("हिन्दी में लिखा हुआ", "हिन्दी मैं लिखी हुई", False),  # vowels are marks, and tell words apart
        ("", "anything else at all", False),
    ],
)
def test_what_is_alike(one: str, other: str, alike: bool) -> None:
    for first, second in ((one, other), (other, one)):
        assert Relatives([normalised(first)]).of([normalised(second)]) == [alike]


def test_four_words_are_long_and_two_characters_without_spaces_count_as_one() -> None:
    assert [is_long(text) for text in ("a b c", "a b c d", "今天天气很好我", "今天天气很好我们")] == [
        False,
        True,
        False,
        True,
    ]


def test_a_letter_and_its_thousand_forms_hang_together_at_once() -> None:
    """All pairs would be 18 million."""
    forms = [f"your order {n} of the many that we had this week is still on its way to you" for n in range(6000)]
    others = [f"something else that nobody said about thing {n} or {n * 7} or {n * 13}" for n in range(3)]
    began = time.monotonic()
    found = families([*forms, *others])
    assert time.monotonic() - began < 20
    assert sorted(map(len, found)) == [1, 1, 1, 6000]
