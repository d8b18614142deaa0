"""Dealing: nothing that belongs together is parted, nothing is lost, and classes keep their shares."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.tasks.dealing import Kinship, Shares, common_texts, deal, linking_keys, related_to_others
from subarch.tasks.relatives import normalised
from subarch.tasks.task import Task
from subarch.text.examples import Example, SealedSplit, Split

SHARES = (0.6, 0.2, 0.2)
WORDS = ["x y", "X, y!", "z", "u", "v", "w", "q", "k"]


@given(
    extra=st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from([None, "a", "b", "c"])), max_size=40),
    seed=st.integers(0, 5),
)
def test_no_text_and_no_group_is_parted_and_none_is_lost(extra: list[tuple[str, str | None]], seed: int) -> None:
    examples = [
        Example(f"{word} of {label}", label=label) for label in (0, 1) for word in ("one", "two", "three", "four")
    ]
    examples += [Example(text, label=n % 2, group=group) for n, (text, group) in enumerate(extra)]
    splits = deal("t", examples, SHARES, seed=seed, strata=[str(example.label) for example in examples])
    assert Counter(example for split in splits for example in split) == Counter(examples)
    for key in (lambda e: normalised(e.first), lambda e: e.group):
        where: dict[str, set[int]] = {}
        for n, split in enumerate(splits):
            for example in split:
                if key(example) is not None:
                    where.setdefault(key(example), set()).add(n)
        assert all(len(parts) == 1 for parts in where.values())
    assert splits == deal("t", examples, SHARES, seed=seed, strata=[str(example.label) for example in examples])


def test_shares_and_classes_are_kept() -> None:
    examples = [Example(f"text {n}", label=int(n % 10 == 0)) for n in range(1000)]
    splits = deal("t", examples, (0.7, 0.15, 0.15), seed=0, strata=[str(example.label) for example in examples])
    assert [len(split) for split in splits] == [700, 150, 150]
    assert [sum(split.labels) for split in splits] == [70, 15, 15]


def test_pairs_are_linked_by_long_texts_and_not_by_short_ones() -> None:
    linked = [Example("a sentence of five words", (f"other {n}",), 0) for n in range(30)]
    loose = [Example(f"question number {n} of many", ("yes",), 1) for n in range(30)]
    splits = deal("t", [*linked, *loose], (0.5, 0.5), seed=0, strata=["all"] * 60)
    assert sorted(sum(e.label == 0 for e in split) for split in splits) == [0, 30]
    assert [len(split) for split in deal("t", loose, (0.5, 0.5), seed=0, strata=["all"] * 30)] == [15, 15]
    # The same short pair again is the same example.
    twice = [Example("why", ("yes",), 0)] * 2 + [Example(f"t {n}", ("x",), 0) for n in range(9)]
    where = [("why" in split.texts) for split in deal("t", twice, (0.5, 0.5), seed=0, strata=["0"] * 11)]
    assert sum(where) == 1


def test_premises_of_a_script_without_spaces_keep_their_pairs_together() -> None:
    linked = [Example("今天天气很好,我们去公园", (f"假设 {n}",), 0) for n in range(30)]
    loose = [Example(f"问题 {n} 的文字是这样的", ("是的",), 1) for n in range(30)]
    splits = deal("t", [*linked, *loose], (0.5, 0.5), seed=0, strata=["all"] * 60)
    assert sorted(sum(e.label == 0 for e in split) for split in splits) == [0, 30]
    assert normalised("猫,狗!") == normalised("猫 狗") != normalised("猫")


def test_a_few_questions_asked_of_every_text_part_nothing() -> None:
    questions = ["what do you think of the food", "what do you think of the service", "how do you like the place"]
    pairs = [Example(f"review number {n} of many", (question,), 0) for n in range(40) for question in questions]
    common = common_texts(pairs)
    assert common == frozenset(questions)
    splits = deal("t", pairs, (0.5, 0.5), seed=0, strata=["all"] * 120, common=common)
    assert [len(split) for split in splits] == [60, 60]
    where = [{e.first for e in split} for split in splits]
    assert not where[0] & where[1]  # what is said of one review stays together
    # Short answers link nothing, whatever their number, and are no reason to part what long first texts link.
    assert not common_texts([Example("one premise of several words", ("yes",), 0)] * 60)
    # Contexts that many questions share still keep these together.
    assert not common_texts([Example(f"q {n}", (f"the long context number {n // 20}",), 0) for n in range(100)])


def test_candidates_of_choices_link_nothing_but_what_they_share_does() -> None:
    same = [Example("one article of several words", (f"a{n}", f"b{n}"), 0) for n in range(8)]
    others = [Example(f"article {n}", ("yes it is so", "no it is not"), 0) for n in range(40)]
    splits = deal("t", [*same, *others], (0.5, 0.5), seed=1, strata=["all"] * 48)
    assert sorted(sum(e.first.startswith("one") for e in split) for split in splits) == [0, 8]
    assert min(map(len, splits)) >= 20


def test_a_huge_cluster_is_learned_from() -> None:
    examples = [Example("always the same text", label=0)] * 500 + [Example(f"t {n}", label=0) for n in range(2)]
    for seed in range(5):
        train, *_ = deal("t", examples, (0.7, 0.15, 0.15), seed=seed, strata=["0"] * 502)
        assert len(train) == 500
    examples = [Example("no comment", label=0)] * 300 + [Example(f"text {n}", label=0) for n in range(700)]
    for seed in range(20):
        train, development, sealed = deal("t", examples, (0.7, 0.15, 0.15), seed=seed, strata=["0"] * 1000)
        assert (len(train), len(development), len(sealed)) == (700, 150, 150)
        assert "no comment" not in {*development.texts, *sealed.texts}


def test_classes_without_enough_texts() -> None:
    examples = [Example("Four!", label=0), Example("four", label=0), Example("five", label=0)]
    with pytest.raises(ValueError, match="three different texts of every class, got 2 of 'rare'"):
        deal("t", examples, SHARES, seed=0, strata=["rare"] * 3)


@pytest.mark.parametrize("classes", [2, 10, 14])
def test_small_classes_are_told_at_once_or_ten_of_them(classes: int) -> None:
    strata = [name for n in range(classes) for name in [f"c{n:02d}"] * (1 + n % 2)] + ["large"] * 9
    examples = [Example(f"the text number {n}", label=0) for n in range(len(strata))]
    with pytest.raises(ValueError, match="merge small classes") as refused:
        deal("t", examples, SHARES, seed=0, strata=strata)
    message = str(refused.value)
    alone, twice = ([f"c{n:02d}" for n in range(first, classes, 2)] for first in (0, 1))
    named = [*(f"1 of '{name}'" for name in alone), *(f"2 of '{name}'" for name in twice)][:10]
    assert ", ".join(named) in message and "large" not in message
    assert ("4 more classes" in message) == (classes == 14)


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.1, 0.0), (0.5, 0.5), (-0.1, 0.2)])
def test_impossible_shares(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="shares above 0"):
        Shares(*shares).checked()


SENTENCE = "the old lighthouse keeper wrote a long letter to his sister about the storm"


def sides(examples: list[Example], splits: tuple[Split, ...]) -> list[int]:
    """The split that each example lies in."""
    return [next(n for n, split in enumerate(splits) if example in split) for example in examples]


def test_near_copies_and_texts_within_texts_stay_on_one_side() -> None:
    family = [
        Example(SENTENCE, label=0),
        Example(SENTENCE.replace("storm", "fire").upper(), label=0),  # twelve of fourteen words
        Example("wrote a long letter", label=0),  # lies in the first
        Example("she says he wrote a long letter", label=1),  # contains the third
    ]
    others = [Example(f"{n} {n + 60} {n}{n + 60}", label=n % 2) for n in range(60)]
    for seed in range(8):
        splits = deal("t", [*others, *family], SHARES, seed=seed, strata=[str(e.label) for e in [*others, *family]])
        assert len(set(sides(family, splits))) == 1
        assert sum(map(len, splits)) == 64
    parted = (
        deal("t", [*others, *family], SHARES, seed=seed, strata=["all"] * 64, rule="equal texts") for seed in range(8)
    )
    assert any(len(set(sides(family, splits))) > 1 for splits in parted)  # as earlier versions dealt


def test_of_pairs_every_long_text_has_relatives_and_common_ones_have_none() -> None:
    one = Example("what did the keeper write", (SENTENCE,), 0)
    assert Kinship([one]).of(
        [
            Example("who was it", (SENTENCE + " and the fire",)),  # contains the sealed second text
            Example("What did the keeper write?", ("something else entirely, and at some length",)),
            Example(SENTENCE, ("yes",)),  # the same text on the other side
            Example("who was it", ("a long",)),
            Example("who was it", ("yes",)),
        ]
    ) == [True, True, True, False, False]
    known = Kinship([one], frozenset(["what did the keeper write"]))
    asked = [Example("what did the keeper write?", ("no",)), Example("no", ("What did the keeper write",))]
    assert known.of(asked) == [False, False]


@given(st.data())
def test_no_split_keeps_together_what_the_guard_lets_pass(data: st.DataObject) -> None:
    """Whatever shares a linking key with a row belongs with it."""
    text = st.lists(st.sampled_from("abcd"), min_size=1, max_size=6).map(" ".join)
    kind = data.draw(st.sampled_from([0, 1, 3]))
    example = st.builds(Example, text, st.tuples(*[text] * kind))
    rows, new = data.draw(st.lists(example, min_size=1, max_size=6)), data.draw(example)
    common = data.draw(st.frozensets(text, max_size=2))
    linked = any(set(linking_keys(new, common)) & set(linking_keys(row, common)) for row in rows)
    assert Kinship(rows, common).of([new]) >= [linked]
    assert Kinship(rows, common, near=1).of([new]) == [linked]


def test_families_that_would_fill_a_split_are_parted_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Forms with a number: all are near copies, so that which ones are sealed is no matter; and some that are not."""
    forms = [f"your order {n} of the many that we had this week is still on its way to you" for n in range(200)]
    texts = [f"nothing like it {n} {n + 1000} {n + 2000} {n + 3000}" for n in range(100)]
    examples = [Example(text, label=0) for text in [*forms, *texts]]
    splits = deal("t", examples, (0.7, 0.15, 0.15), seed=0, strata=["all"] * 300)
    assert [len(split) for split in splits] == [210, 45, 45]
    assert all(20 <= sum(text in forms for text in split.texts) <= 170 for split in splits)
    assert "200 of 300 examples hang together" in caplog.text


def test_a_small_class_of_relatives_is_parted_rather_than_refused() -> None:
    rare = [Example(f"{SENTENCE} {n}", label=1) for n in range(6)]
    examples = [*rare, *(Example(f"{n} {n + 100}", label=0) for n in range(60))]
    splits = deal("t", examples, SHARES, seed=0, strata=[str(example.label) for example in examples])
    assert [sum(example.label == 1 for example in split) for split in splits] == [4, 1, 1]


def test_families_of_all_classes_are_not_parted() -> None:
    """Every text once with each label, as where it has a partner that fits and one that does not."""
    words = [f"{n} {n + 300} {n + 700} {n + 900}" for n in range(40)]
    families = [[Example(text, label=label) for label in (0, 1) for text in (one, f"so {one} it")] for one in words]
    examples = [example for family in families for example in family]
    splits = deal("t", examples, SHARES, seed=0, strata=[str(example.label) for example in examples])
    assert all(len(set(sides(family, splits))) == 1 for family in families)
    assert [len(split) for split in splits] == [96, 32, 32]


def test_sealed_rows_with_relatives_on_the_other_side_are_known() -> None:
    task = Task(
        name="t",
        label_names=("a", "b"),
        train=Split([Example(SENTENCE, label=0), Example("short", label=1)]),
        development=Split([Example("an apple is a fruit of a tree", label=0)]),
        sealed=SealedSplit(
            Split(
                [
                    Example("to his sister about", label=0),
                    Example("a fruit of a tree, and more", label=1),
                    Example("an apple, a fruit of an old tree, is", label=1),
                    Example("short of it", label=1),
                ]
            )
        ),
    )
    assert related_to_others(task) == [True, False, True, False]
