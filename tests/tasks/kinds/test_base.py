"""What every kind does alike: scores, refusals, and answers that are no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from subarch.tasks.kinds.rows import AS_THEY_ARE, Units
from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.text.examples import Example

KIND = kind_of("classification")
EXAMPLES = [Example("a", label=0), Example("b", label=1), Example("c", label=1), Example("d", label=0)]


def test_the_score_is_the_mean_of_its_metrics() -> None:
    found = KIND.score(["accuracy", "f1"], EXAMPLES, [0, 1, 0, 0])
    assert found == {"accuracy": 0.75, "f1": pytest.approx(2 / 3), "score": pytest.approx((0.75 + 2 / 3) / 2)}


def test_related_examples_are_left_out_of_the_score_apart() -> None:
    said, related = [0, 1, 0, 1], [False, False, True, True]
    assert KIND.score(["accuracy"], EXAMPLES, said)["score"] == 0.5
    assert KIND.score_apart(["accuracy"], EXAMPLES, said, related) == 1.0
    assert KIND.score_apart(["accuracy"], EXAMPLES, said, [True] * 4) is None


@pytest.mark.parametrize(
    ("metrics", "examples", "said", "words"),
    [
        (["pearson"], EXAMPLES, [0] * 4, r"expected metrics of a classification task \(accuracy, .*got 'pearson'"),
        ([], EXAMPLES, [0] * 4, "got 0 metrics, 4 examples and 4 predictions"),
        (["accuracy"], [], [], "got 1 metrics, 0 examples and 0 predictions"),
        (["accuracy"], EXAMPLES, [0], "4 examples and 1 predictions"),
        (["accuracy"], [Example("a")], [0], "got none for example 0: score a split with labels"),
    ],
)
def test_what_cannot_be_scored_is_refused(metrics: Any, examples: Any, said: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KIND.score(metrics, examples, said)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_not_finite_is_no_answer(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=r"got (nan|inf) for example 1: the network has diverged"):
        kind_of(name).decide([np.array([0.5]), np.array([value])])


def test_what_a_kind_does_not_say_is_nothing() -> None:
    numbers = kind_of("regression")
    assert numbers.told((), EXAMPLES, [0.0] * 4).to_json() == {} and numbers.counts(np.zeros((2, 1)), ()) == {}
    assert set(numbers.drawn_by(EXAMPLES)) == {None} and not numbers.is_nameless(("LABEL_0",))
    numbers.check_learnable("training", np.ones((3, 1)))
    assert Units() == AS_THEY_ARE == (0.0, 1.0)
    assert KIND.tolerance(np.eye(2), np.eye(2)) is None and KIND.name_of_score("f1") == "f1"
