"""Metrics against cases computed by hand, against scikit-learn and SciPy, and against the laws they obey."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.tasks.metrics import by_class, class_scores, interval
from subarch.text.examples import Example


def labelled(labels: Sequence[int | float], groups: Sequence[str] | None = None) -> list[Example]:
    names = groups or [f"{row // 2}" for row in range(len(labels))]
    return [Example("text", label=label, group=group) for label, group in zip(labels, names, strict=True)]


def query(candidates: Sequence[str], gold: Sequence[str]) -> Example:
    right = [row for row, name in enumerate(candidates) if name in gold]
    return Example(
        "A passage with @placeholder.",
        tuple(candidates),
        label=right[0] if right else 0,
        right=tuple(right[1:]),
        answers=(tuple(candidates), tuple(gold)),
    )


# --- by hand ----------------------------------------------------------------------------------------------------------


# labels 1 1 1 0 0 0 0 0, predicted 1 1 0 1 0 0 0 0: 2 true positives, 1 false negative, 1 false positive, 4 true
# negatives. Matthews: (2*4 - 1*1) / sqrt(3*3*5*5) = 7/15. F1 of class 0: 2*4/(5+5).
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 6 / 8),
        ("f1", 2 * 2 / (3 + 3)),
        ("f1a", 2 * 2 / (3 + 3)),
        ("macro_f1", (2 / 3 + 4 / 5) / 2),
        ("matthews", 7 / 15),
    ],
)
def test_classes_by_hand(name: str, value: float) -> None:
    examples = labelled([1, 1, 1, 0, 0, 0, 0, 0])
    assert kind_of("classification").score([name], examples, [1, 1, 0, 1, 0, 0, 0, 0])[name] == pytest.approx(value)


def test_macro_f1_is_over_the_classes_that_occur_in_the_labels() -> None:
    # Class 0: 1 of 1 found, 1 guessed; class 2: 1 of 2 found, 1 guessed; class 1 occurs in the predictions alone.
    found = kind_of("classification").score(["macro_f1"], labelled([0, 2, 2]), [0, 2, 1])
    assert found["macro_f1"] == pytest.approx((1 + 2 * 1 / (2 + 1)) / 2)


def test_correlations_by_hand() -> None:
    # Deviations -1.5 -0.5 0.5 1.5 and -2 -1 3 0: products 3 + 0.5 + 1.5 + 0 = 5, squares 5 and 14.
    # Ranks 1 2 3 4 against 1 2 4 3: 1 - 6 * 2 / (4 * 15).
    found = kind_of("regression").score(["pearson", "spearman"], labelled([1.0, 2.0, 3.0, 4.0]), [0.0, 1.0, 5.0, 2.0])
    assert found["pearson"] == pytest.approx(5 / math.sqrt(5 * 14))
    assert found["spearman"] == pytest.approx(0.8)
    assert found["score"] == pytest.approx((5 / math.sqrt(70) + 0.8) / 2)


def test_any_right_candidate_counts() -> None:
    examples = [
        Example("q", ("a", "b", "c"), label=1, right=(2,)),
        Example("q", ("a", "b"), label=0),
        Example("q", ("a", "b", "c"), label=0),
    ]
    assert kind_of("choice").score(["accuracy"], examples, [2, 0, 1])["accuracy"] == pytest.approx(2 / 3)


def test_multirc_by_hand() -> None:
    """Three questions with 3, 2 and 1 answers: the first and the last are judged rightly throughout.

    Right answers: 1 + 1 + 1; judged right: 1 + 2 + 1; both: 1 + 1 + 1.
    """
    examples = labelled([1, 0, 0, 0, 1, 1], ["0-0", "0-0", "0-0", "0-1", "0-1", "1-0"])
    found = kind_of("classification").score(["f1a", "em"], examples, [1, 0, 0, 1, 1, 1])
    assert found == {
        "f1a": pytest.approx(2 * 3 / (3 + 4)),
        "em": pytest.approx(2 / 3),
        "score": pytest.approx((6 / 7 + 2 / 3) / 2),
    }


@pytest.mark.parametrize(
    ("guess", "gold", "em", "f1"),
    [
        ("Obama", ["Obama"], 1, 1),
        ("the U.S.", ["US"], 1, 1),  # punctuation goes first, then articles: "the us" becomes "us"
        ("  Barack\tObama ", ["barack obama"], 1, 1),
        ("Barack Obama", ["Obama"], 0, 2 * 1 / (2 + 1)),
        ("Barack Obama", ["Michelle", "President Barack Obama"], 0, 2 * 2 / (2 + 3)),  # the closest one counts
        ("New York New York", ["New York"], 0, 2 * 2 / (4 + 2)),  # every word as often as it occurs in both
        ("A-Team", ["ateam"], 1, 1),  # the article is no word of its own any more
        ("An apple", ["apple"], 1, 1),
        ("Paris", ["London"], 0, 0),
        ("The", ["the"], 1, 0),  # nothing is left: equal, but without a common word
    ],
)
def test_record_by_hand(guess: str, gold: list[str], em: float, f1: float) -> None:
    found = kind_of("choice").score(["record_f1", "record_em"], [query(["somebody else", guess], gold)], [1])
    assert found == {"record_f1": pytest.approx(f1), "record_em": em, "score": pytest.approx((em + f1) / 2)}


def test_record_is_a_mean_over_queries() -> None:
    examples = [query(["Paris", "London"], ["Paris"]), query(["Barack Obama", "X"], ["Obama"])]
    found = kind_of("choice").score(["accuracy", "record_f1", "record_em"], examples, [0, 0])
    assert found["record_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["record_em"] == 0.5
    assert found["accuracy"] == 1.0  # the second has no candidate that is right to the letter; the label is the first


def test_gender_parity_by_hand() -> None:
    # Four pairs; predictions agree in three of them, once with both wrong. The lonely sentence is no pair.
    examples = labelled([0, 0, 1, 1, 0, 0, 1, 1, 1], ["a", "a", "b", "b", "c", "c", "d", "d", "e"])
    found = kind_of("classification").score(["gender_parity", "accuracy"], examples, [0, 0, 1, 0, 1, 1, 1, 1, 1])
    assert found["gender_parity"] == 0.75
    assert found["accuracy"] == pytest.approx(6 / 9)
    assert kind_of("classification").score(["gender_parity"], examples[8:], [1])["gender_parity"] == 0.0


def test_interval_by_hand() -> None:
    # Mean 2, deviation 1; the 97.5 % quantile of Student's t with two degrees of freedom is 4.302653.
    mean, half = interval([1.0, 2.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(4.302653 / math.sqrt(3), abs=1e-6))
    assert interval([0.5]) == (0.5, None)
    assert interval([0.25, 0.25]) == (0.25, 0.0)
    with pytest.raises(ValueError, match="at least one value, got none"):
        interval([])


def test_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.05, 7)
    low, high = stats.t.interval(0.95, 6, loc=values.mean(), scale=stats.sem(values))
    mean, half = interval(list(values))
    assert half is not None
    assert (mean - half, mean + half) == (pytest.approx(low), pytest.approx(high))


# --- against libraries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3])
def test_classes_agree_with_scikit_learn(seed: int, classes: int) -> None:
    random_state = np.random.default_rng(seed)
    labels = random_state.integers(0, classes, 200).tolist()
    predicted = np.where(random_state.random(200) < 0.6, labels, random_state.integers(0, classes, 200)).tolist()
    found = kind_of("classification").score(["accuracy", "f1", "macro_f1", "matthews"], labelled(labels), predicted)
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(labels, predicted, average="macro"))
    assert found["matthews"] == pytest.approx(sklearn_metrics.matthews_corrcoef(labels, predicted))
    ones = [[int(value == 1) for value in values] for values in (labels, predicted)]
    assert found["f1"] == pytest.approx(sklearn_metrics.f1_score(*ones))


@pytest.mark.parametrize("seed", range(5))
def test_correlations_agree_with_scipy(seed: int) -> None:
    random_state = np.random.default_rng(seed)
    labels = random_state.uniform(0, 5, 100).round(1)  # with ties
    predicted = labels + random_state.normal(0, 1, 100)
    found = kind_of("regression").score(["pearson", "spearman"], labelled(labels.tolist()), predicted.tolist())
    assert found["pearson"] == pytest.approx(stats.pearsonr(labels, predicted).statistic)
    assert found["spearman"] == pytest.approx(stats.spearmanr(labels, predicted).statistic)


# --- laws -------------------------------------------------------------------------------------------------------------


@st.composite
def scored(draw: st.DrawFn) -> tuple[str, list[str], list[Example], list[int | float]]:
    kind = draw(st.sampled_from(("classification", "regression", "choice")))
    size = draw(st.integers(1, 12))
    if kind == "classification":
        names = ["accuracy", "f1", "macro_f1", "matthews", "f1a", "em", "gender_parity"]
        classes = st.lists(st.integers(0, 2), min_size=size, max_size=size)
        groups = draw(st.lists(st.sampled_from("abc"), min_size=size, max_size=size))
        return kind, names, labelled(draw(classes), groups), draw(classes)
    if kind == "regression":
        numbers = st.lists(st.floats(-1e6, 1e6), min_size=size, max_size=size)
        return kind, ["pearson", "spearman"], labelled(draw(numbers)), draw(numbers)
    texts = st.lists(st.text("ab ,'", min_size=1, max_size=6), min_size=3, max_size=3)
    examples = [query(names, [names[1]]) for names in (draw(texts) for _ in range(size))]
    return (
        kind,
        ["accuracy", "record_f1", "record_em"],
        examples,
        draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)),
    )


@settings(max_examples=150, deadline=None)
@given(scored(), st.randoms(use_true_random=False))
def test_values_lie_in_range_and_do_not_depend_on_the_order(
    case: tuple[str, list[str], list[Example], list[int | float]], randomness: random.Random
) -> None:
    kind, names, examples, predicted = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kind_of(kind).score(names, examples, predicted)
    assert set(found) == {*names, "score"}
    for name, value in found.items():
        assert (-1 if name in ("matthews", "pearson", "spearman", "score") else 0) <= value + 1e-12
        assert value <= 1 + 1e-12
    order = list(range(len(examples)))
    randomness.shuffle(order)
    shuffled = kind_of(kind).score(names, [examples[row] for row in order], [predicted[row] for row in order])
    assert shuffled == pytest.approx(found, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=12).filter(lambda labels: len(set(labels)) > 1 and 1 in labels))
def test_perfect_classes_score_one(labels: list[int]) -> None:
    doubled = [label for label in labels for _ in range(2)]  # pairs of equal labels, as Winogender's
    for name in ("accuracy", "f1", "macro_f1", "matthews", "f1a", "em", "gender_parity"):
        assert kind_of("classification").score([name], labelled(doubled), doubled)[name] == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=12).filter(lambda labels: len(set(labels)) > 1))
def test_perfect_numbers_score_one_whatever_their_scale(labels: list[int]) -> None:
    found = kind_of("regression").score(
        ["pearson", "spearman"], labelled(labels), [0.1 * label - 3 for label in labels]
    )
    assert found == pytest.approx({"pearson": 1.0, "spearman": 1.0, "score": 1.0})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("bcd", min_size=1, max_size=5), min_size=2, max_size=5))
def test_perfect_choices_score_one(names: list[str]) -> None:
    example = query(names, [names[0]])
    found = kind_of("choice").score(["accuracy", "record_f1", "record_em"], [example], [names.index(names[0])])
    assert found == {"accuracy": 1.0, "record_f1": 1.0, "record_em": 1.0, "score": 1.0}


# --- what has no value, and what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "labels", "predicted"),
    [
        ("regression", "pearson", [1.0, 2.0, 3.0], [2.5, 2.5, 2.5]),
        ("regression", "spearman", [1.0, 2.0, 3.0], [2.5, 2.5, 2.5]),
        ("regression", "pearson", [2.0, 2.0], [1.0, 3.0]),
        ("regression", "pearson", [2.0], [1.0]),
        ("classification", "matthews", [0, 1, 1], [1, 1, 1]),
        ("classification", "matthews", [1, 1], [0, 1]),
        ("classification", "f1", [0, 0], [0, 0]),
        ("classification", "f1", [1, 1], [0, 0]),
    ],
)
def test_what_has_no_value_is_zero_without_a_warning(
    kind: str, name: str, labels: list[int | float], predicted: list[int | float]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kind_of(kind).score([name], labelled(labels), predicted) == {name: 0.0, "score": 0.0}


def test_nearly_constant_predictions_give_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kind_of("regression").score(["pearson"], labelled([1.0, 2.0, 3.0]), [1.0, 1.0 + 2**-52, 1.0])
    assert -1 <= found["pearson"] <= 1


@pytest.mark.parametrize(
    ("kind", "names", "examples", "predicted", "message"),
    [
        ("classification", ["bleu"], labelled([0]), [0], "metrics of a classification task .* got 'bleu'"),
        ("regression", ["accuracy"], labelled([0.5]), [0.5], r"of a regression task \(pearson, spearman\)"),
        ("classification", [], labelled([0]), [0], "got 0 metrics"),
        ("classification", ["accuracy"], [], [], "0 examples and 0 predictions"),
        ("classification", ["accuracy"], labelled([0, 1]), [0], "2 examples and 1 predictions"),
        ("classification", ["accuracy"], [*labelled([0]), Example("x")], [0, 0], "got none for example 1"),
        ("classification", ["em"], [Example("x", label=0)], [0], "in groups .* got none for example 0"),
        ("choice", ["record_em"], [Example("x", ("y", "z"), label=0)], [0], "names .* got none for example 0"),
    ],
)
def test_wrong_input_is_named(
    kind: str, names: list[str], examples: list[Example], predicted: list[int | float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind_of(kind).score(names, examples, predicted)


def test_every_metric_belongs_to_a_kind() -> None:
    examples = [query(["b", "c"], ["c"])._replace(group="0")] * 2
    tagged = [Example("x", label=(0, 1), answers=(("O", "B-X"), ()))] * 2
    for name in sorted({name for kind in KINDS for name in kind_of(kind).metrics}):
        kinds: list[str] = []
        for kind in KINDS:
            several, words = kind == "multilabel", kind_of(kind).has_words
            given = [one._replace(label=(0, 1)) for one in examples] if several else tagged if words else examples
            try:
                kind_of(kind).score([name], given, [(1,), (1,)] if several else [(0, 1)] * 2 if words else [1, 1])
                kinds.append(kind)
            except ValueError as error:
                assert f"got {name!r}" in str(error)
        assert kinds, name


def test_decisions() -> None:
    logits = [np.array([0.1, 2.0, -1.0], dtype=np.float32), np.array([3.0, 2.0, 1.0])]
    assert kind_of("classification").decide(logits) == [1, 0]
    assert kind_of("choice").decide([np.array([0.0, 1.0]), np.array([0.0, 1.0, 5.0, 2.0])]) == [1, 2]
    numbers = kind_of("regression").decide([np.array([2.5], dtype=np.float32), np.array([-1.0])])
    assert numbers == [2.5, -1.0] and all(type(number) is float for number in numbers)
    assert kind_of("classification").decide([]) == []
    with pytest.raises(ValueError, match="finite outputs, got nan for example 1"):
        kind_of("classification").decide([np.zeros(2), np.array([0.0, np.nan])])


# --- each class -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_measures_of_each_class_are_those_of_the_usual_library(pairs: list[tuple[int, int]]) -> None:
    labels, guesses = [label for label, _ in pairs], [guess for _, guess in pairs]
    found = class_scores("abcd", [[label] for label in labels], [[guess] for guess in guesses])
    assert [one.examples for one in found] == [labels.count(n) for n in range(4)]
    assert [one.answered for one in found] == [guesses.count(n) for n in range(4)]
    there = sorted(set(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # answers outside of the labels
        recalls = sklearn_metrics.recall_score(labels, guesses, labels=there, average=None, zero_division=0)
        balanced = sklearn_metrics.balanced_accuracy_score(labels, guesses)
    assert [found[n].recall for n in there] == pytest.approx(list(recalls))
    assert by_class(found)["balanced_accuracy"] == pytest.approx(balanced)
    f1 = sklearn_metrics.f1_score(labels, guesses, labels=there, average="macro", zero_division=0)
    assert by_class(found)["macro_f1"] == pytest.approx(f1)


def test_a_class_that_is_never_answered_rightly_is_said_by_name(caplog: pytest.LogCaptureFixture) -> None:
    examples = [Example("", label=label) for label in [0] * 996 + [1] * 4]
    told = kind_of("classification").told(("ok", "fraud"), examples, [0] * 1000)
    said = told.to_json()
    assert said["by_class"]["balanced_accuracy"] == 0.5 and said["classes"][1]["recall"] == 0
    assert "no example of 'fraud' (0 of 4, never answered) is answered rightly" in caplog.text
    caplog.clear()
    kind_of("classification").told(("ok", "fraud"), examples, [1, *[0] * 999], whose="the form")
    assert "the form: no example of 'fraud' (0 of 4, answered 1 times, all of them wrong)" in caplog.text
    caplog.clear()
    kind_of("classification").told(("ok", "fraud"), examples, [0] * 999 + [1])
    assert kind_of("regression").told((), [Example("", label=0.5)], [0.5]).to_json() == {} and not caplog.text
