"""One class a text: what is taken for granted of a kind, and numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subarch.tasks.kinds.rows import Units
from subarch.tasks.kinds.table import kind_of
from subarch.testing import KindSuite
from subarch.text.examples import Example


class TestClassification(KindSuite):
    kind = "classification"
    names = ("bad", "good")
    examples = (Example("a bad film", label=0), Example("a good one", label=1), Example("so bad", label=0))
    labels = ("bad", "good", "good") * 4
    wrong = "so so"


KIND, NAMES = kind_of("classification"), ("bad", "good")
EXAMPLES = [Example("a", label=0), Example("b", label=1), Example("c", label=1)]


def test_a_models_outputs_are_found_by_name() -> None:
    assert KIND.places("reviews", NAMES, of=KIND, among=("Good", "Bad")) == [1, 0]
    with pytest.raises(ValueError, match=r"reviews has the classes \['bad', 'good'\], the model \['a', 'b'\]"):
        KIND.places("reviews", NAMES, of=KIND, among=("a", "b"))
    with pytest.raises(ValueError, match="reviews is a classification, the model's head is made for choice"):
        KIND.places("reviews", NAMES, of=kind_of("choice"), among=())
    assert KIND.is_nameless(("LABEL_0", "LABEL_1")) and not KIND.is_nameless(NAMES)


def test_labels_as_rows_and_back() -> None:
    rows = KIND.rows(EXAMPLES, KIND.width(NAMES, EXAMPLES))
    assert rows.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert KIND.decide(list(rows)) == [0, 1, 1]
    assert KIND.counts(rows, NAMES) == {"bad": 1, "good": 2}
    assert KIND.in_words(np.array([0.25, 0.75]), NAMES, EXAMPLES[0]) == "good (75%)"
    assert KIND.strata(EXAMPLES, NAMES) == ["bad", "good", "good"] and [*KIND.drawn_by(EXAMPLES)] == [0, 1, 1]


def test_the_loss_of_soft_labels_is_their_cross_entropy() -> None:
    logits, labels = torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    shares = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    by_hand = -(labels.numpy() * np.log(shares)).sum(1).mean()
    assert float(KIND.loss_of_rows(logits, {"labels": labels}, Units())) == pytest.approx(by_hand, rel=1e-6)


def test_each_class_is_told_beside_the_score() -> None:
    told = KIND.told(NAMES, EXAMPLES, [0, 0, 1]).to_json()
    assert [one["right"] for one in told["classes"]] == [1, 1]
    assert told["by_class"]["balanced_accuracy"] == pytest.approx(0.75)
