"""Tasks: the built-in one is balanced, leaks no names and is learnable; splits never share a text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier

from subarch.text.documentation import Document
from subarch.text.tasks import DEMO_PACKAGES, NEUTRAL_NAME, Task, _split, load_task, without_names


@pytest.fixture(scope="module")
def packages() -> Task:
    return load_task("demo/packages")


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def test_demo_is_balanced_and_its_pieces_have_the_stated_length(packages: Task) -> None:
    assert packages.label_names == tuple(sorted(DEMO_PACKAGES))
    labels = packages.train.labels + packages.development.labels + packages.test.labels
    counts = Counter(labels)
    assert len(counts) == 8 and len(set(counts.values())) == 1 and counts[0] >= 800
    texts = packages.train.texts + packages.development.texts + packages.test.texts
    assert all(60 <= len(text.split()) <= 120 for text in texts)
    assert len(packages.development) == pytest.approx(0.15 * len(labels), rel=0.1)
    assert min(Counter(packages.test.labels).values()) > 0.12 * counts[0]


def test_demo_names_no_package(packages: Task) -> None:
    named = re.compile(r"\b(numpy|scipy|sklearn|networkx|sympy|sqlalchemy|torch|pytorch|transformers|python)\b", re.I)
    assert not [text for text in packages.train.texts if named.search(text)]


def test_demo_is_neither_trivial_nor_hopeless_for_a_bag_of_words(packages: Task) -> None:
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2)
    model = SGDClassifier(max_iter=20, tol=None, random_state=0).fit(
        vectorizer.fit_transform(packages.train.texts), packages.train.labels
    )
    accuracy = model.score(vectorizer.transform(packages.development.texts), packages.development.labels)
    assert 0.8 < accuracy < 0.96


def test_names_are_replaced_but_prose_is_not() -> None:
    document = Document(
        "Fit the linear model. Linear calls torch.nn.functional.relu and set_params() like PyTorch and NumPy do.",
        "torch",
        "torch.nn.modules.linear.Linear",
    )
    name = NEUTRAL_NAME
    assert without_names(document) == f"Fit the {name} model. {name} calls {name} and {name} like {name} and {name} do."


def test_same_seed_same_task_other_seed_other_split(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [(f"text number {i}", "ab"[i % 2]) for i in range(60)])
    first, again, other = (load_task(path, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.fingerprint != other.fingerprint
    assert first.train.texts != other.train.texts
    assert first.label_names == ("a", "b")
    # What "a" is in the file is label 0 everywhere.
    for split in (first.train, first.development, first.test):
        assert all((int(text.split()[-1]) % 2) == label for text, label in zip(split.texts, split.labels, strict=True))


rows = st.lists(st.tuples(st.sampled_from(["x y", "X, y!", "z", "u", "v", "w", "q", "k"]), st.integers(0, 9)))


@settings(max_examples=60, deadline=None)
@given(extra=rows, seed=st.integers(0, 5))
def test_no_text_and_no_group_is_parted_and_none_is_lost(extra: list[tuple[str, int]], seed: int) -> None:
    texts = [f"{word} of {label}" for label in "ab" for word in ("one", "two", "three", "four")]
    labels = [label for label in "ab" for _ in range(4)]
    groups = [f"{i}" for i in range(8)]
    for i, (text, group) in enumerate(extra):
        texts.append(text)
        labels.append("ab"[i % 2])
        groups.append(f"g{group}")
    task = _split("t", texts, labels, groups, seed=seed, development=0.2, test=0.2)
    splits = (task.train, task.development, task.test)
    assert sorted(t for s in splits for t in s.texts) == sorted(texts)
    where = [{words(t) for t in split.texts} for split in splits]
    assert not (where[0] & where[1] or where[0] & where[2] or where[1] & where[2])
    by_text = {words(t): i for i, split in enumerate(splits) for t in split.texts}
    parts_of_group: dict[str, set[int]] = {}
    for text, group in zip(texts, groups, strict=True):
        parts_of_group.setdefault(group, set()).add(by_text[words(text)])
    assert all(len(parts) == 1 for parts in parts_of_group.values())


@pytest.mark.parametrize(
    ("name", "message"), [("demo/nothing", "demo/packages"), ("no-such.csv", "there is no such file")]
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_task(name)


def test_unusable_shares_and_tiny_classes(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [("one", "a"), ("two", "a"), ("three", "a"), ("four", "b"), ("Four!", "b")])
    with pytest.raises(ValueError, match="three different texts of every class, got 1 of 'b'"):
        load_task(path)
    with pytest.raises(ValueError, match="shares"):
        load_task(path, development=0.5, test=0.5)
