"""TF-IDF of words and characters with a linear model, as scikit-learn learns it: what takes a second and no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from subarch.learning.epochs import scored
from subarch.options.forms import PlainName
from subarch.rungs.base import PlainRung
from subarch.rungs.ground import Ground, Outputs
from subarch.running import tfidf as running
from subarch.running.tfidf import LinearModel, Terms, TfidfProgram
from subarch.tasks.kinds.base import Linear
from subarch.text.examples import Example

_STRENGTHS = (1.0, 10.0)  # inverse to regularisation; the better one on development rows is kept
_MOST_WORDS, _MOST_PIECES = 50_000, 100_000
_RARE = 1000  # rows from which on a term has to occur twice


class Tfidf(PlainRung):
    """Gold labels alone: no teacher, no pool."""

    name: str = "tfidf"
    place: int = 20
    words: str = "TF-IDF of words and characters with a linear model"
    form: PlainName = "tfidf"

    def write(self, ground: Ground, folder: Path) -> bool:
        """Fitted on training rows; how much it is regularised is chosen on development rows."""
        train, task = list(ground.task.train), ground.task
        ground.watch("TF-IDF", note="counting terms")
        vectorizers = _vectorizers(train)
        features = _features(vectorizers, train)
        best: tuple[float, LinearModel] | None = None
        for number, strength in enumerate(_STRENGTHS):
            ground.watch("TF-IDF", done=number, total=len(_STRENGTHS), note="a linear model")
            fitted = task.kind.linear(features, ground.labels, strength)
            model = _model(vectorizers, fitted, texts=len(train[0].texts))
            said = cast("Outputs", list(TfidfProgram(model).texts(task.development)))
            score = scored(task, said)["score"]
            if best is None or score > best[0]:
                best = score, model
        assert best is not None
        TfidfProgram(best[1]).write(folder)
        return False


def _vectorizers(examples: Sequence[Example]) -> tuple[Any, Any]:
    texts = [text for example in examples for text in example.texts]
    least = 2 if len(examples) >= _RARE else 1
    made = [
        TfidfVectorizer(analyzer=cast("Any", analyzer), sublinear_tf=True, min_df=least, max_features=most)
        for analyzer, most in ((running.words, _MOST_WORDS), (running.pieces, _MOST_PIECES))
    ]
    return made[0].fit(texts), made[1].fit(texts)


def _features(vectorizers: tuple[Any, Any], examples: Sequence[Example]) -> csr_matrix:
    """``(examples, features)``: words before pieces for each text, and of pairs both cosines at the end."""
    count = len(examples[0].texts)
    parts = [
        vectorizer.transform([example.texts[n] for example in examples])
        for n in range(count)
        for vectorizer in vectorizers
    ]
    if count == 2:
        alike = [np.asarray(one.multiply(other).sum(1)) for one, other in zip(parts[:2], parts[2:], strict=True)]
        parts += [csr_matrix(column) for column in alike]
    return csr_matrix(hstack(parts))


def _model(vectorizers: tuple[Any, Any], fitted: Linear, *, texts: int) -> LinearModel:
    known = [
        Terms({term: n for n, term in enumerate(one.get_feature_names_out().tolist())}, one.idf_) for one in vectorizers
    ]
    terms = sum(len(one.terms) for one in known)
    outputs = len(fitted.bias)
    weights = fitted.weights[: texts * terms].reshape(texts, terms, outputs)
    likeness = fitted.weights[texts * terms :] if texts == 2 else np.zeros((2, outputs))
    one, other = known
    return LinearModel(
        (one, other), weights.astype(np.float32), likeness.astype(np.float32), fitted.bias.astype(np.float32)
    )


RUNG = Tfidf()
