"""The built-in tasks are balanced, leak no names, and can be learned, but not by what they were made from."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier

from subarch.tasks.demos import DEMO_PACKAGES, NEUTRAL_NAME, without_names
from subarch.tasks.loading import load_task
from subarch.tasks.task import Task
from subarch.text.examples import Split

NAMED = re.compile(r"\b(numpy|scipy|sklearn|networkx|sympy|sqlalchemy|torch|pytorch|transformers|python)\b", re.I)


@pytest.fixture(scope="module")
def packages() -> Task:
    return load_task("demo/packages")


@pytest.fixture(scope="module")
def docs() -> Task:
    return load_task("demo/docs")


def everything(task: Task) -> Split:
    return Split((*task.train, *task.development, *task.sealed.open()))


def test_packages_are_balanced_and_pieces_have_the_stated_length(packages: Task) -> None:
    assert packages.label_names == tuple(sorted(DEMO_PACKAGES))
    counts = Counter(everything(packages).labels)
    assert len(counts) == 8 and len(set(counts.values())) == 1 and counts[0] >= 800
    assert all(16 <= len(text.split()) <= 32 for text in everything(packages).texts)
    assert len(packages.development) == pytest.approx(0.15 * 8 * counts[0], rel=0.1)
    assert min(Counter(packages.sealed.open().labels).values()) > 0.12 * counts[0]


def test_no_package_is_named(packages: Task, docs: Task) -> None:
    texts = [text for task in (packages, docs) for example in everything(task) for text in example.texts]
    assert not [text for text in texts if NAMED.search(text)]


def test_packages_are_neither_trivial_nor_hopeless_for_a_bag_of_words(packages: Task) -> None:
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2)
    model = SGDClassifier(max_iter=20, tol=None, random_state=0).fit(
        vectorizer.fit_transform(packages.train.texts), packages.train.labels
    )
    accuracy = model.score(vectorizer.transform(packages.development.texts), packages.development.labels)
    assert 0.6 < accuracy < 0.9


def test_docs_hold_every_text_once_in_each_class(docs: Task) -> None:
    examples = everything(docs)
    assert 4000 <= len(examples) <= 12_000 and Counter(examples.labels) == {0: len(examples) / 2, 1: len(examples) / 2}
    for position in (0, 1):
        labels: dict[str, list[int | float | None]] = {}
        for example in examples:
            labels.setdefault(example.texts[position], []).append(example.label)
        assert all(sorted(found) == [0, 1] for found in labels.values())  # type: ignore[type-var]


def test_docs_splits_share_no_text(docs: Task) -> None:
    splits = [docs.train, docs.development, docs.sealed.open()]
    texts = [{text for example in split for text in example.texts} for split in splits]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])


def test_docs_cannot_be_told_from_words_but_from_words_in_common(docs: Task) -> None:
    vectorizer = TfidfVectorizer(min_df=2)
    vectorizer.fit([text for example in docs.train for text in example.texts])

    def sides(split: Split) -> list[object]:
        return [vectorizer.transform([example.texts[n] for example in split]) for n in (0, 1)]

    (a, b), (c, d) = sides(docs.train), sides(docs.development)
    bag = LogisticRegression(max_iter=300).fit(hstack([a, b]), docs.train.labels)  # type: ignore[list-item]
    assert bag.score(hstack([c, d]), docs.development.labels) < 0.55  # type: ignore[list-item]
    overlap = [np.asarray(x.multiply(y).sum(axis=1)) for x, y in ((a, b), (c, d))]  # type: ignore[attr-defined]
    common = LogisticRegression().fit(overlap[0], docs.train.labels)
    assert common.score(overlap[1], docs.development.labels) > 0.65


def test_names_are_replaced_but_prose_is_not() -> None:
    text = "Fit the linear model. Linear calls torch.nn.functional.relu and set_params() like PyTorch and NumPy do."
    name = NEUTRAL_NAME
    assert (
        without_names(text, "torch.nn.modules.linear.Linear")
        == f"Fit the {name} model. {name} calls {name} and {name} like {name} and {name} do."
    )
