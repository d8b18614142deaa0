"""TF-IDF learns what words say, and answers as scikit-learn's own pipeline does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from subarch.rungs.ways.tfidf import Tfidf
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example, Split


def test_it_answers_as_scikit_learn_does(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground, rung = place.ground(), Tfidf()
    rung.make(ground, tmp_path)
    train, asked = ground.task.train.texts, ground.task.development.texts
    stock = [
        TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2)),
        TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5)),
    ]
    features = hstack([one.fit_transform(train) for one in stock]).tocsr()
    others = hstack([one.transform(asked) for one in stock]).tocsr()
    said = np.stack(rung.answer(ground, tmp_path).outputs(asked))
    near = [
        np.abs(model.decision_function(others) - (said[:, 1] - said[:, 0])).max()
        for model in (LogisticRegression(C=c, max_iter=1000).fit(features, ground.task.train.labels) for c in (1, 10))
    ]
    assert min(near) < 1e-3  # one of the two strengths was kept
    score = np.mean(said.argmax(1) == np.array(ground.task.development.labels))
    assert score > 0.9


def test_pairs_with_numbers_are_compared_too(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    texts = place.ground().task.train.texts
    rows = [
        Example(a, (a if n % 2 else b,), float(n % 2)) for n, (a, b) in enumerate(zip(texts, texts[::-1], strict=True))
    ]
    task = replace(
        place.ground().task,
        kind=kind_of("regression"),
        label_names=(),
        metrics=("pearson",),
        train=Split(rows[:200]),
        development=Split(rows[200:260]),
    )
    ground = replace(place.ground(), task=task, order=None)
    Tfidf().make(ground, tmp_path)
    said = Tfidf().answer(ground, tmp_path).outputs([Example(one.first, one.seconds) for one in task.development])
    found = np.corrcoef(np.concatenate(said), task.development.labels)[0, 1]
    assert found > 0.9  # a text is like itself


def test_a_class_that_no_training_row_has_is_never_the_answer(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground = place.ground()
    names = ("absent", *ground.task.label_names)
    train = Split(one._replace(label=int(one.label or 0) + 1) for one in ground.task.train)
    development = Split(one._replace(label=int(one.label or 0) + 1) for one in ground.task.development)
    task = replace(ground.task, label_names=names, train=train, development=development)
    other = replace(ground, task=task)
    Tfidf().make(other, tmp_path)
    (said,) = Tfidf().answer(other, tmp_path)(["a good film"])
    assert set(said["probabilities"]) == set(names)
    assert said["probabilities"]["absent"] == pytest.approx(0, abs=1e-6)
