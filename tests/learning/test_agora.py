"""Agora on text: students learn soft labels on disk, texts are proposed, copies are refused, and the loop runs."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import WORDS, config, tokenizer
from transformers import BertModel

from subarch.agora.course import Course, Settings
from subarch.agora.data import Labelled
from subarch.agora.loop import agora
from subarch.agora.proposals import Bounds
from subarch.learning.agora import Deciding, Stopping, TextGuard, TextLearner, answered
from subarch.learning.heads import Target, from_architecture, outputs
from subarch.learning.places import mean_pooled
from subarch.learning.proposals.retrieve import retrieve
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example, Split

TOKENIZER = tokenizer()
SINGLE = [Example("the film is very good"), Example("a long and poor story of the actor")]
PAIRS = [Example("the film is good", ("a fine film",)), Example("a bad play", ("the scene was long and bad",))]
CHOICES = [Example("the film is good", ("a fine film", "a bad play", "poor")), Example("a bad play", ("long", "bad"))]


@pytest.fixture(scope="module")
def encoder() -> Any:
    torch.manual_seed(0)
    return BertModel(config(), add_pooling_layer=False).eval()


def labelled(count: int, seed: int, words: tuple[str, ...] = ("good", "fine", "bad", "poor")) -> Labelled[Example]:
    rng = random.Random(seed)
    chosen = [words[n % len(words)] for n in range(count)]
    texts = [f"the {rng.choice(WORDS[4:9])} is {rng.choice(('very', 'not'))} {w} {rng.choice(WORDS)}" for w in chosen]
    return Labelled.of([Example(text) for text in texts], [int(word in ("good", "fine")) for word in chosen], 2)


def learner(folder: Path, **given: Any) -> TextLearner:
    target = given.pop("target", Target(kind_of("classification"), ("no", "yes")))
    network = from_architecture(config(), TOKENIZER, target, "words", 32)
    return TextLearner(learner=network, network="tiny", folder=folder, **({"steps": 60, "batch_size": 8} | given))


# --- students ---------------------------------------------------------------------------------------------------------


def test_a_student_learns_and_is_never_trained_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, student = labelled(40, 0), learner(tmp_path)
    theta = {"learning_rate": 2e-3}
    answers = student.fit(data, theta, 0)(labelled(40, 1).points)
    assert np.mean(answers.argmax(1) == labelled(40, 1).classes) > 0.9
    assert answers.sum(1) == pytest.approx(1)
    monkeypatch.setattr(TextLearner, "_train", lambda *_: pytest.fail("trained again"))
    assert np.array_equal(learner(tmp_path).fit(data, theta, 0)(labelled(40, 1).points), answers)


def test_soft_labels_are_learned_as_they_are(tmp_path: Path) -> None:
    points = labelled(32, 0).points
    data = Labelled(points, np.tile([0.3, 0.7], (32, 1)))
    found = learner(tmp_path, steps=150).fit(data, {"learning_rate": 2e-3}, 0)(points)
    assert found.mean(0) == pytest.approx([0.3, 0.7], abs=0.05)


def test_numbers_come_in_their_own_units(tmp_path: Path) -> None:
    texts = labelled(40, 0)
    numbers = 100 + 50.0 * texts.classes
    target = Target.of(kind_of("regression"), (), numbers.tolist())
    student = learner(tmp_path, target=target, steps=120)
    found = student.fit(Labelled.of_numbers(texts.points, numbers), {"learning_rate": 2e-3}, 0)(texts.points)
    assert found.shape == (40, 1)
    assert np.corrcoef(found[:, 0], numbers)[0, 1] > 0.9
    assert found.mean() == pytest.approx(125, abs=10)


def test_thresholds_are_of_development_rows_that_were_not_learned_from(tmp_path: Path) -> None:
    kind, names = kind_of("multilabel"), ("yes", "no")
    rows = labelled(24, 1)
    held = [(int(one),) if n % 3 else () for n, one in enumerate(rows.classes)]
    development = Split(Example(point.first, label=one) for point, one in zip(rows.points, held, strict=True))
    deciding = Deciding(metrics=("micro_f1",), development=development)
    student = learner(tmp_path, target=Target(kind, names), steps=20, deciding=deciding)
    data = Labelled(labelled(24, 0).points, labelled(24, 0).labels)
    theta = {"learning_rate": 2e-3}
    found = student.thresholds(data, theta, 0)
    model = student.student(data, theta, 0)
    said = outputs(model, student.learner.tokens(list(development), model))
    assert found == kind.thresholds(said, development, ("micro_f1",)) and len(found) == 2
    # The student that has learned from them as well keeps those of its like; its own answers lie around a half.
    more = data + Labelled(tuple(Example(one.first) for one in development), kind.rows(development, 2))
    assert student.thresholds(more, theta, 0) == found
    rows_said = student.fit(data, theta, 0)([Example(one.first) for one in development])
    assert [tuple(np.flatnonzero(row > 0.5).tolist()) for row in rows_said] == kind.decide(said, found)
    assert "micro_f1" in student.identity and "micro_f1" not in replace(student, deciding=None).identity
    bare = kind.rows_said(said, 2)
    assert answered(kind, bare, ()) is bare
    assert ((answered(kind, bare, (0.2, 0.9)) > 0.5) == (bare > np.array([0.2, 0.9]))).all()


def test_a_choice_is_a_position_and_its_loss_is_that_of_the_stock_model(tmp_path: Path) -> None:
    """Candidates: two or three; right is the one that praises, wherever it stands."""
    points = [
        Example("the film", tuple(f"it is {'good' if n == k % size else 'bad'}" for n in range(size)))
        for k in range(24)
        for size in (2, 3)
    ]
    labels = np.zeros((len(points), 3))
    for row, point in zip(labels, points, strict=True):
        row[["good" in one for one in point.seconds].index(True)] = 1
    data, student = Labelled(tuple(points), labels), learner(tmp_path, target=Target(kind_of("choice")))
    found = student.fit(data, {"learning_rate": 2e-3}, 0)(points)
    assert found.shape == (48, 3) and found.sum(1) == pytest.approx(1)
    assert (found.argmax(1) == data.classes).all()
    assert (found[::2, 2] == 0).all()  # no third candidate there
    model = student.learner.make(0)
    tokens = student.learner.tokens(points[1:4:2], model)
    batch = tokens.batch([0, 1]) | {"labels": torch.from_numpy(labels[1:4:2]).float()}
    stacked = {
        name: batch[name].view(2, 3, -1) for name in ("input_ids", "token_type_ids", "attention_mask") if name in batch
    }
    stock = model(**stacked, labels=torch.from_numpy(labels[1:4:2].argmax(1))).loss
    assert student.learner.target.loss_of_rows(model, batch).item() == pytest.approx(stock.item(), abs=1e-5)


def test_what_a_student_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rate_of_learning"):
        learner(tmp_path).fit(labelled(8, 0), {"rate_of_learning": 1}, 0)


def test_with_patience_a_student_is_what_it_was_when_it_was_best(tmp_path: Path) -> None:
    data, development = labelled(24, 0, ("good", "bad")), labelled(40, 1)
    examples = Split(
        Example(one.first, label=int(c)) for one, c in zip(development.points, development.classes, strict=True)
    )
    theta = {"learning_rate": 3e-2}  # so large that it gets worse again

    def stopping(patience: int, folder: str) -> TextLearner:
        stop = Stopping(patience=patience, every=3, metrics=("accuracy",), development=examples)
        return learner(tmp_path / folder, steps=60, stopping=stop)

    watched: list[int] = []
    impatient = replace(stopping(1, "one"), watch=lambda stage, *, done=0, total=None, note="": watched.append(done))
    answers = impatient.fit(data, theta, 0)(development.points)
    assert max(watched) < 60 and max(watched) % 3 == 0
    patient = stopping(100, "all").fit(data, theta, 0)(development.points)
    # With patience without end the best of all epochs counts, which is no worse than the best of the first ones.
    right = [np.mean(said.argmax(1) == development.classes) for said in (answers, patient)]
    assert right[1] >= right[0]
    # What has learned from the development examples cannot be judged by them: it makes all steps, as without patience.
    both = data + development
    watched.clear()
    told = impatient.fit(both, {"learning_rate": 2e-3}, 0)(data.points)
    assert max(watched) == 60
    plain = learner(tmp_path / "plain", steps=60).fit(both, {"learning_rate": 2e-3}, 0)(data.points)
    assert np.array_equal(told, plain)
    assert len({one.identity for one in (impatient, stopping(2, "x"), learner(tmp_path))}) == 3


# --- copies -----------------------------------------------------------------------------------------------------------


def test_copies_are_refused_exact_near_and_within_others() -> None:
    guard = TextGuard([Example("The film, in short, is a very good one.")], [Example("a fine film")])
    assert guard.forbids(
        [
            Example("the film in short is a VERY good one"),
            Example("the film in short is a very good play one"),  # nine of ten words
            Example("in short, is a very"),  # lies in it
            Example("we say that the film in short is a very good one, and so do they all"),  # contains it
            Example("the film is good"),
            Example("a fine film"),
            Example("a fine film and so on"),  # three words are too few
        ]
    ) == [True, True, True, True, False, True, False]
    # Without spaces, runs of characters are compared: texts of one script share most of their characters.
    chinese = TextGuard([Example("今天天气很好我们一起去公园散步然后吃晚饭")])
    assert chinese.forbids([Example("今天天气很好,我们一起去公园散步,然后吃晚饭吧!")]) == [True]
    assert chinese.forbids([Example("晚饭吃很好天气今天然后我们散步公园去一起")]) == [False]


def test_of_pairs_whatever_a_split_would_keep_together_is_refused() -> None:
    guard = TextGuard([PAIRS[0]])
    assert guard.forbids(
        [
            Example("The film is good", ("A fine film!",)),
            Example("the film is good", ("a bad play",)),  # four words, verbatim beside another text
            Example("a bad play", ("they say the film is good",)),
            Example("a bad play", ("a fine film",)),  # three words link nothing
        ]
    ) == [True, True, True, False]
    common = TextGuard([PAIRS[0]], common=frozenset(["the film is good"]))
    assert common.forbids([Example("the film is good", ("a bad play",)), PAIRS[0]]) == [False, True]
    assert TextGuard(PAIRS, near=1).forbids([Example("the film is so good", ("a fine film so",))]) == [False]
    # Of choices what the candidates share is what links.
    choice = TextGuard([CHOICES[0]])
    assert choice.forbids([Example("The film is good", ("so", "or so")), Example("so", CHOICES[0].seconds)]) == [
        True,
        False,
    ]


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=7), min_size=1, max_size=6),
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=7),
    st.sampled_from([0.5, 0.7, 0.8, 1.0]),
)
def test_near_is_jaccard_over_every_forbidden_text(texts: list[list[str]], text: list[str], near: float) -> None:
    forbidden = [Example(" ".join(one)) for one in texts]
    similar = [len({*one} & {*text}) / len({*one} | {*text}) for one in texts]
    within = any(
        f" {' '.join(a)} " in f" {' '.join(b)} " for one in texts for a, b in ((one, text), (text, one)) if len(a) >= 4
    )
    expected = text in texts or (near < 1 and (max(similar) >= near or within))
    assert TextGuard(forbidden, near=near).forbids([Example(" ".join(text))]) == [expected]


# --- the loop ---------------------------------------------------------------------------------------------------------


def test_the_loop_learns_words_that_the_training_set_does_not_show(tmp_path: Path, encoder: Any) -> None:
    data, development = labelled(24, 0, ("good", "bad")), labelled(40, 1)
    pool = [Example(example.first) for example in labelled(200, 2).points]

    def teacher(points: Any) -> Any:
        return np.eye(2)[[int(bool(re.search("good|fine", point.first))) for point in points]]

    found = agora(
        Course(
            learner=learner(tmp_path / "students", steps=160),
            teacher=teacher,
            data=data,
            development=development,
            hyperparameters=[{"learning_rate": 2e-3}, {"learning_rate": 1e-3}],
            functions=[retrieve(pool, mean_pooled(encoder, TOKENIZER, 32))],
            guard=TextGuard(development.points, near=1),
            folder=tmp_path / "loop",
            settings=Settings(bounds=Bounds(per_mistake=8), max_rounds=3),
        ),
    )
    assert found.rounds[0].best_so_far < 0.95
    assert found.score > found.rounds[0].best_so_far
    forbidden = {example.first for example in development.points}
    assert forbidden.isdisjoint(example.first for example in found.everything.points[len(data) :])
