"""Static embeddings: trained in torch, answered by numpy, the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from subarch.rungs.ways.static import Pooled, Static, StaticNetwork
from subarch.text.examples import Example
from subarch.text.tokenizers import load_tokenizer


def test_it_learns_and_is_served(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground, rung = place.ground(pool=place.pool), Static()
    assert ground.pool and rung.depends_on(ground) != rung.depends_on(place.ground())
    rung.make(ground, tmp_path)
    predictor = rung.answer(ground, tmp_path)
    asked = [Example(one.first) for one in ground.task.development]
    said = np.stack(predictor.outputs(asked))
    assert np.mean(said.argmax(1) == np.array(ground.task.development.labels)) > 0.9
    # The map is in the table: a row a token and a column a class.
    vocabulary = ground.teacher.checkpoint.config["vocab_size"]
    assert rung.size_bytes(ground, tmp_path) < vocabulary * 2 * 4 + 1000


def test_the_network_reads_pairs_by_their_difference() -> None:
    network = StaticNetwork(torch.eye(3), 1, pairs=True)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.zero_()
        network.head.weight[0, 6:9] = 1.0  # |u - v|
    ids, mask = torch.tensor([[0, 1], [2, 2]]), torch.ones(2, 2, dtype=torch.int64)
    types = torch.tensor([[0, 1], [0, 1]])
    assert network(Pooled(ids, mask, types)).flatten().tolist() == [2.0, 0.0]


def test_pairs_that_the_tokenizer_tells_apart_keep_their_map(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground = place.ground()
    paired = {
        name: type(rows)(one._replace(seconds=("good",)) for one in rows)
        for name, rows in (("train", ground.task.train), ("development", ground.task.development))
    }
    tokenizer = load_tokenizer(place.teacher)
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]  # as BERT's own
    teacher = replace(ground.teacher, tokenizer=tokenizer)
    other = replace(ground, teacher=teacher, task=replace(ground.task, **paired), folder=tmp_path / "said")
    Static().make(other, tmp_path)
    predictor = Static().answer(other, tmp_path)
    assert "token_type_ids" in predictor.program.inputs
    found = predictor([("a good film", "good"), ("a bad film", "good")])
    assert {one["label"] for one in found} <= set(ground.task.label_names)
