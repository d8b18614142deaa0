"""TF-IDF answers as scikit-learn's own classes do, without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from tiny import reviews

from subarch.errors import InputError
from subarch.running.tfidf import LinearModel, Terms, TfidfProgram, cosine, pieces, words
from subarch.text.examples import Example

TEXTS = [*(text for text, _ in reviews(30)), "I  am\ta b", "", "日本語 Straße!", "x"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (words, {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)}),
        (pieces, {"analyzer": "char_wb", "ngram_range": (2, 5)}),
    ],
)
def test_vectors_are_those_of_scikit_learn(ours, theirs) -> None:  # type: ignore[no-untyped-def]
    stock = TfidfVectorizer(sublinear_tf=True, **theirs).fit(TEXTS[:20])
    known = Terms(stock.vocabulary_, stock.idf_)
    for text, row in zip(TEXTS, stock.transform(TEXTS).toarray(), strict=True):
        places, values = known.vector(ours(text))
        found = np.zeros(len(stock.vocabulary_))
        found[places] = values
        assert found == pytest.approx(row, abs=1e-12)


def model(texts: int) -> LinearModel:
    rng = np.random.default_rng(0)
    known = [Terms({one: n for n, one in enumerate(terms)}, 1 + rng.random(3)) for terms in (["good", "a", "bad"],) * 2]
    return LinearModel(
        (known[0], known[1]),
        rng.normal(size=(texts, 6, 2)).astype(np.float32),
        rng.normal(size=(2, 2)).astype(np.float32),
        rng.normal(size=2).astype(np.float32),
    )


@pytest.mark.parametrize("texts", [1, 2])
def test_it_comes_back_from_its_files(texts: int, tmp_path: Path) -> None:
    made = TfidfProgram(model(texts))
    made.write(tmp_path)
    examples = [Example("a good one", ("bad",) * (texts - 1)), Example("", ("a",) * (texts - 1))]
    assert np.array_equal(TfidfProgram.opened(tmp_path).texts(examples), made.texts(examples))
    assert made.texts([]).shape == (0, 2)
    with pytest.raises(InputError, match=f"examples of {texts} text"):
        made.texts([Example("a", ("b",) * texts)])


def test_scores_are_the_sum_of_weights_and_of_a_pair_of_its_likeness() -> None:
    made = model(2)
    one, other = Example("good bad", ("good",)), Example("good", ("good",))
    (alike,) = TfidfProgram(made).texts([other])
    vector = made.vocabularies[0].vector(["good"])
    assert cosine(vector, vector) == pytest.approx(1)
    # Of both texts the word and the piece of four letters, and two cosines of 1.
    by_hand = made.bias + made.weights[:, [0, 3]].sum((0, 1)) + made.likeness.sum(0)
    assert alike == pytest.approx(by_hand, abs=1e-5)
    assert not np.allclose(TfidfProgram(made).texts([one])[0], alike)


def test_numbers_that_do_not_go_together_are_refused() -> None:
    made = model(1)
    with pytest.raises(InputError, match="6 terms and 2 outputs"):
        TfidfProgram(LinearModel(made.vocabularies, made.weights[:, :4], made.likeness, made.bias))
