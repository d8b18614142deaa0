"""Entities are those of seqeval, whatever the tags; schemes are known by what they never break."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from subarch.tasks.metrics import entity_f1, token_accuracy
from subarch.tasks.tags import Tag, all_tags, counts, entities, read_tag, scheme_of, types_of
from subarch.text.examples import Example


def spans(*tags: str) -> list[tuple[str, int, int]]:
    return [tuple(one) for one in entities(map(read_tag, tags))]


def test_entities_by_hand() -> None:
    assert spans("B-PER", "I-PER", "O", "B-LOC") == [("PER", 0, 2), ("LOC", 3, 4)]
    assert spans("I-PER", "B-PER", "I-LOC") == [("PER", 0, 1), ("PER", 1, 2), ("LOC", 2, 3)]
    assert spans("S-PER", "S-PER", "B-LOC", "E-LOC", "E-LOC") == [
        ("PER", 0, 1),
        ("PER", 1, 2),
        ("LOC", 2, 4),
        ("LOC", 4, 5),
    ]
    assert spans("U-PER", "B-LOC", "L-LOC") == [("PER", 0, 1), ("LOC", 1, 3)]
    assert spans("NOUN", "NOUN", "VERB", "O") == [("NOUN", 0, 2), ("VERB", 2, 3)]
    assert spans() == [] and read_tag("B-a-b") == Tag("B", "a-b")


@pytest.mark.parametrize("marks", ["BI", "I", "BIES"], ids=["IOB2", "IOB1", "IOBES"])
def test_counts_are_those_of_seqeval(marks: str) -> None:
    """On 1,000 random taggings, most of which break their scheme."""
    seqeval = pytest.importorskip("seqeval.metrics")
    names = ("O", *(f"{mark}-{kind}" for mark in {*marks, "B"} for kind in ("PER", "LOC", "MISC")))
    rng = random.Random(marks)
    for _ in range(1000):
        lengths = [rng.randint(1, 9) for _ in range(rng.randint(1, 3))]
        true, said = ([[rng.randrange(len(names)) for _ in range(n)] for n in lengths] for _ in range(2))
        said = [
            [n if rng.random() < 0.4 else m for n, m in zip(*pair, strict=True)]
            for pair in zip(said, true, strict=True)
        ]
        written = [[[names[n] for n in tags] for tags in one] for one in (true, said)]
        examples = [Example("", label=tuple(tags), answers=(names, ())) for tags in true]
        predicted = [tuple(tags) for tags in said]
        right = seqeval.f1_score(*written, zero_division=0)
        assert entity_f1(examples, predicted) == pytest.approx(right), written
        assert token_accuracy(examples, predicted) == pytest.approx(seqeval.accuracy_score(*written))
        for tags in written[0]:
            found = [(kind, start, end + 1) for kind, start, end in seqeval.sequence_labeling.get_entities(tags)]
            assert spans(*tags) == found


def test_a_word_that_was_not_read_is_outside() -> None:
    names = ("O", "B-X", "I-X")
    found = counts(names, (1, 2, 0), (1, -1, 0))
    assert (found.true, found.said, found.right) == ({"X": 1}, {"X": 1}, {})
    assert counts(names, (1, 0, 0), (1, -1, 0)).right == {"X": 1}


@pytest.mark.parametrize(
    ("sentences", "name", "broken"),
    [
        ([["B-X", "I-X", "O"], ["B-X", "B-X"]], "BIO (IOB2)", 0),
        ([["I-X", "I-X", "O"], ["I-X", "B-X"], ["I-Y"]], "IOB1", 0),
        ([["B-X", "I-X", "O"], ["I-X"], ["B-X"], ["B-Y"]], "BIO (IOB2)", 1),
        ([["B-X", "E-X", "S-Y", "O"]], "BIOES", 0),
        ([["B-X", "I-X", "O", "S-X"]], "BIOES", 1),
        ([["NOUN", "VERB"]], "plain tags, neighbours of which are one", 0),
    ],
)
def test_schemes(sentences: Sequence[Sequence[str]], name: str, broken: int) -> None:
    found = scheme_of(sentences)
    assert (found.name, found.broken) == (name, broken)


def test_all_tags_of_a_scheme() -> None:
    assert all_tags(scheme_of([["B-X", "O", "B-A"]]), ["B-X", "O", "B-A"]) == ("O", "B-A", "I-A", "B-X", "I-X")
    written = ["B-X", "L-X", "U-X"]
    assert all_tags(scheme_of([written]), written) == ("O", "B-X", "I-X", "L-X", "U-X")
    assert all_tags(scheme_of([["NOUN", "A"]]), ["NOUN", "A"]) == ("A", "NOUN")
    assert types_of(("O", "B-X", "NOUN")) == ("", "X", "NOUN")
