"""Several labels a text: what is taken for granted of a kind, beside the usual libraries and by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from transformers import BertConfig, BertForSequenceClassification

from subarch.tasks.kinds.rows import Units
from subarch.tasks.kinds.table import kind_of
from subarch.testing import KindSuite
from subarch.text.examples import Example

KIND = kind_of("multilabel")
NAMES = ("toxic", "insult", "threat")
EXAMPLES = [Example("a", label=(0, 1)), Example("b", label=()), Example("c", label=(2,))]


class TestMultiLabel(KindSuite):
    kind = "multilabel"
    examples = (Example("a bad film", label=(0, 1)), Example("a good one", label=()), Example("so so", label=(2,)))
    names = NAMES
    labels = ("['toxic', 'insult']", "[]", '["threat"]') * 4
    wrong = "['praise']"


def sets(rows: Any) -> list[tuple[int, ...]]:
    return [tuple(np.flatnonzero(row).tolist()) for row in rows]


PAIRS = st.integers(2, 5).flatmap(
    lambda width: st.lists(
        st.tuples(*[st.lists(st.booleans(), min_size=width, max_size=width)] * 2), min_size=1, max_size=30
    )
)


@given(PAIRS)
def test_scores_are_those_of_the_usual_library(pairs: list[tuple[list[bool], list[bool]]]) -> None:
    labels, said = (np.array([pair[n] for pair in pairs]) for n in (0, 1))
    examples = [Example("", label=label) for label in sets(labels)]
    found = KIND.score(("micro_f1", "macro_f1", "exact_match"), examples, sets(said))
    there = np.flatnonzero(labels.any(0)).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        micro = sklearn_metrics.f1_score(labels, said, average="micro", zero_division=0)
        each = sklearn_metrics.f1_score(labels, said, average=None, zero_division=0)
        exact = sklearn_metrics.accuracy_score(labels, said)
        recall = sklearn_metrics.recall_score(labels, said, average=None, zero_division=0)
    assert found["micro_f1"] == pytest.approx(micro) and found["exact_match"] == pytest.approx(exact)
    assert found["macro_f1"] == pytest.approx(np.mean(each[there]) if there else 0.0)
    told = KIND.told([str(n) for n in range(labels.shape[1])], examples, sets(said))
    assert told.classes is not None
    assert [told.classes[n].f1 for n in there] == pytest.approx(list(each[there]))
    assert [told.classes[n].recall for n in there] == pytest.approx(list(recall[there]))
    assert told.by_class == {name: found[name] for name in ("micro_f1", "macro_f1", "exact_match")}


def test_the_loss_is_the_stock_librarys() -> None:
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=50, problem_type="multi_label_classification", num_labels=3, **sizes)
    model = BertForSequenceClassification(config).eval()
    ids = torch.arange(12).view(3, 4)
    hot = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    with torch.no_grad():
        stock = model(input_ids=ids, labels=hot)
    places = torch.tensor([[0, 1], [-1, -1], [2, -1]])
    assert float(KIND.loss(stock.logits, {"labels": places}, Units())) == pytest.approx(float(stock.loss), rel=1e-6)
    assert float(KIND.loss_of_rows(stock.logits, {"labels": hot}, Units())) == pytest.approx(
        float(stock.loss), rel=1e-6
    )
    soft = torch.full((3, 3), 0.25)
    p = torch.sigmoid(stock.logits)
    by_hand = -(0.25 * p.log() + 0.75 * (1 - p).log()).mean()
    assert float(KIND.loss_of_rows(stock.logits, {"labels": soft}, Units())) == pytest.approx(float(by_hand), rel=1e-5)


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=6))
def test_the_distance_is_of_two_bernoullis_a_label_with_a_true_zero(pairs: list[tuple[float, float]]) -> None:
    from scipy.spatial.distance import jensenshannon

    one, other = (torch.tensor([[pair[n] for pair in pairs]], dtype=torch.float64) for n in (0, 1))
    found = float(KIND.distance(one, other))
    shares = [torch.sigmoid(values)[0].numpy() for values in (one, other)]
    each = [jensenshannon([p, 1 - p], [q, 1 - q], base=2) ** 2 for p, q in zip(*shares, strict=True)]
    assert found == pytest.approx(np.nanmean([*each, 0.0]) * (len(each) + 1) / len(each), abs=1e-6)
    assert 0 <= found <= 1 and float(KIND.distance(one, one)) == pytest.approx(0.0, abs=1e-12)
    assert float(KIND.divergence(one, one)) == pytest.approx(0.0, abs=1e-12)


def test_labels_hold_above_their_thresholds() -> None:
    outputs = [np.array([0.1, -1.0, 3.0]), np.array([-0.1, -5.0, -5.0])]
    assert KIND.decide(outputs) == [(0, 2), ()]
    assert KIND.decide(outputs, (0.6, 0.2, 0.96)) == [(1,), ()]  # 0.52, 0.27, 0.953
    answer = KIND.answer(outputs[0], NAMES, (0.6, 0.2, 0.5))
    assert answer["labels"] == ["insult", "threat"]
    assert answer["probabilities"] == {"toxic": 0.524979, "insult": 0.268941, "threat": 0.952574}
    cells = KIND.cells(answer)
    assert cells["labels"] == '["insult", "threat"]' and (cells["toxic"], cells["insult"]) == (0, 1)
    assert KIND.cells(KIND.answer(None, NAMES)) == {"labels": None}


def test_rows_of_labels_are_probabilities() -> None:
    rows = KIND.rows(EXAMPLES, 3)
    assert rows.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    said = KIND.rows_said([np.array([0.0, 2.0, -2.0])], 3)
    assert said[0].tolist() == pytest.approx([0.5, 0.880797, 0.119203], abs=1e-6)
    assert KIND.outputs_of(said[0]).tolist() == pytest.approx([0.0, 2.0, -2.0])
    assert KIND.wrong(rows, np.array([[0.9, 0.4, 0.1], [0.1, 0.1, 0.1], [0, 0.6, 0.9]]), None).tolist() == [
        True,
        False,
        True,
    ]
    assert KIND.sure(np.array([[0.9, 0.4, 0.1]])).tolist() == [0.6]
    assert KIND.hard(np.array([[0.9, 0.4, 0.1]])).tolist() == [[1, 0, 0]]
    assert KIND.counts(rows, NAMES) == {"toxic": 1, "insult": 1, "threat": 1}
    assert KIND.in_words(np.array([0.9, 0.6, 0.1]), NAMES, EXAMPLES[0]) == "toxic (90%), insult (60%)"
    assert KIND.in_words(np.array([0.1, 0.2, 0.1]), NAMES, EXAMPLES[0]) == "no label (insult 20%)"


def test_a_teacher_is_as_good_as_it_ranks_each_label() -> None:
    rows = KIND.rows(EXAMPLES, 3)
    said = np.array([[0.3, 0.2, 0.4], [0.2, 0.3, 0.1], [0.1, 0.1, 0.2]])
    areas = [sklearn_metrics.roc_auc_score(rows[:, n], said[:, n]) for n in range(3)]
    able = KIND.ability(rows, said)
    assert able.value == pytest.approx(np.mean(areas)) and able.bar == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="a label that some training examples have and others lack"):
        KIND.check_learnable("training", np.ones((3, 2)))


def test_every_split_gets_its_share_of_rare_labels() -> None:
    examples = [Example("", label=(0,))] * 90 + [Example("", label=(0, 1))] * 6 + [Example("", label=())] * 3
    strata = KIND.strata(examples, NAMES)
    assert (strata.count("toxic"), strata.count("insult"), strata.count("no label")) == (90, 6, 3)
    # A label that is the rarest of too few rows leaves them to the next one.
    strata = KIND.strata([*examples, Example("", label=(0, 1, 2)), Example("", label=())], NAMES)
    assert (strata.count("toxic"), strata.count("insult"), strata.count("no label")) == (90, 7, 4)
    assert KIND.strata([*examples[:96], Example("", label=())], NAMES).count("toxic") == 91
    assert KIND.drawn_by([Example("", label=(0, 1)), Example("", label=(0,)), Example("", label=())]) == [1, 0, None]


def test_labels_that_hold_too_rarely_are_said(caplog: pytest.LogCaptureFixture) -> None:
    KIND.strata([Example("", label=(0,))] * 9 + [Example("", label=(0, 2))] * 2, NAMES)
    assert "1 labels stand in fewer than 3 rows ('threat')" in caplog.text


def test_a_model_of_more_labels_is_asked_for_some_of_them(caplog: pytest.LogCaptureFixture) -> None:
    assert KIND.places("mine", ("b", "a"), of=KIND, among=("a", "b", "c")) == [1, 0]
    assert "mine has no rows with 'c'" in caplog.text
    with pytest.raises(ValueError, match="has the labels 'a', 'x', the model 'a', 'b'"):
        KIND.places("mine", ("a", "x"), of=KIND, among=("a", "b"))
    with pytest.raises(ValueError, match=r"made for multilabel \(it says of each label .* --kind multilabel"):
        kind_of("classification").places("mine", ("a", "b"), of=KIND, among=("a", "b"))


@pytest.mark.parametrize("seed", range(3))
def test_the_plainest_model_is_one_against_the_rest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, rows = rng.normal(size=(60, 4)), rng.random((60, 3)) > 0.7
    found = KIND.linear(features, rows.astype(float), 1.0)
    usual = OneVsRestClassifier(LogisticRegression(C=1.0, max_iter=1000)).fit(features, rows.astype(int))
    ours = 1 / (1 + np.exp(-(features @ found.weights + found.bias)))
    assert np.allclose(ours, usual.predict_proba(features), atol=1e-4)
    one_sided = KIND.linear(features, np.stack([np.ones(60), np.zeros(60), rows[:, 0]], 1).astype(float), 1.0)
    assert one_sided.bias[:2].tolist() == [30.0, -30.0]
