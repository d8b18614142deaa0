"""The teacher's first layers: the right ones, with a new head, as many as the time allows."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import config
from transformers import BertForSequenceClassification

from subarch.results.ladder import LadderResult
from subarch.rungs import layers
from subarch.rungs.layers import ABOUT, LayersMade, cut, deep_enough, first, with_layers
from subarch.rungs.timing import Times
from subarch.rungs.ways import first_layers
from subarch.storage import read_record


def test_what_is_kept_computes_as_the_teachers_layers_do() -> None:
    torch.manual_seed(0)
    whole = BertForSequenceClassification(config(num_hidden_layers=4)).eval()
    ids = torch.arange(5, 13)[None]
    states = whole.bert(ids, output_hidden_states=True).hidden_states
    made = cut(whole, (0, 1))
    assert made.config.num_hidden_layers == 2
    assert torch.equal(made.bert(ids).last_hidden_state, states[2])  # of the embeddings, then of each layer
    assert first(3, 4) == (0, 1, 2) and first(9, 2) == (0, 1)


def test_each_start_has_a_head_of_its_own(place: Any) -> None:
    learner = with_layers(place.ground(), (0,))
    one, again, other = learner.make(0), learner.make(0), learner.make(1)
    assert one.config.num_hidden_layers == 1
    heads = [model.classifier.weight for model in (one, again, other)]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
    query = [model.bert.encoder.layer[0].attention.self.query.weight for model in (one, other)]
    assert torch.equal(*query)


@pytest.mark.parametrize(
    ("asked", "student", "kept"),
    [
        ({"speedup": 2.0}, None, 5),  # 6.5 ms at most: 2 + 4 ms
        ({"speedup": 10.0}, None, 1),  # nothing is that fast, but there has to be a layer
        ({"max_latency_ms": 4.9}, None, 3),
        ({"max_latency_ms": 100.0}, None, 12),
        ({"speedup": 2.0, "max_latency_ms": 3.0}, None, 2),
        ({"speedup": 2.0}, 4.0, 3),  # the student's speed goes before the target's
        ({}, None, 4),  # a third where nobody asks
    ],
)
def test_as_many_layers_as_the_time_allows(
    asked: dict[str, float], student: float | None, kept: int, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve layers take 13 ms, one takes 2: a millisecond each."""
    known = {"one": 2.0, "whole": 13.0, "student": student or 0.0}
    monkeypatch.setattr(layers, "depth_of", lambda _: 12)
    monkeypatch.setattr(layers, "_one_layer", lambda *_: None)
    monkeypatch.setattr(layers, "times", lambda given, _: {name: Times(known[name], 1.0) for name in given})
    ground: Any = SimpleNamespace(options=place.options(**asked))
    student_predictor: Any = None if student is None else "the student"
    assert deep_enough(ground, "the teacher", student_predictor) == kept  # type: ignore[arg-type]


def test_both_ways_are_tried_and_the_better_one_is_kept(place: Any, climbed: LadderResult) -> None:
    folder = place.ground().folder / "first-layers"
    made = read_record(LayersMade, folder / ABOUT)
    assert made is not None and made.of == 2 and made.layers == tuple(range(len(made.layers)))
    assert set(made.development) == {"plain", "distilled"}
    assert made.development[made.way] == max(made.development.values())
    row = climbed.rung("first-layers")
    assert row is not None and row.words.endswith(f"{len(made.layers)} of 2, {made.way}")
    assert row.development == pytest.approx(made.development[made.way], abs=0.03)  # another runtime rounds


def test_another_depth_is_another_rung(place: Any) -> None:
    ground = place.ground()
    one, other = (first_layers.RUNG.depends_on(replace(ground, layers=n)) for n in (1, 2))
    assert one != other
