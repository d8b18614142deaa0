"""The error of a candidate: zero for the source, reproducible, by what the source has, padding without effect."""

import csv
import json
import math
import pickle
import random
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from candidates import QUICK, SMALL, SPACE, SUBJECTS, WHOLE, checkpoint, sentence, unlabelled
from torch import nn
from transformers import (
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from subarch.extraction.objectives import CandidateError, rank_correlation
from subarch.learning import distances
from subarch.learning.batches import drawn
from subarch.learning.training import Hyperparameters, fit
from subarch.networks.encoder import EncoderFamily
from subarch.networks.sources import Source, open_source
from subarch.networks.space import Space
from subarch.text.encoding import tokenize
from subarch.text.tokenizers import train_tokenizer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    documents = [" ".join(sentence(rng) for _ in range(6)) for _ in range(300)]
    path.write_text("\n\n".join(documents), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer(corpus: Path) -> PreTrainedTokenizerFast:
    return train_tokenizer([corpus.read_text(encoding="utf-8")], 300)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that differ in their words."""
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("table") / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(240):
            side = rng.randrange(2)
            writer.writerow([sentence(rng, SUBJECTS[:5] if side else SUBJECTS[5:]), "ab"[side]])
    return path


@pytest.fixture(scope="module", params=[BertModel, BertForMaskedLM, BertForSequenceClassification])
def error(
    request: Any, corpus: Path, tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> CandidateError:
    source = checkpoint(request.param, tmp_path_factory.mktemp("source"), tokenizer)
    return CandidateError(source, corpus=corpus, threads=1, **cast("Any", QUICK))


def test_the_source_has_error_zero_and_keeps_it(error: CandidateError) -> None:
    assert error.measure(WHOLE, steps=0).error < 1e-9
    assert error.measure(WHOLE).error < 1e-6


def test_measurements_repeat_exactly_and_survive_pickling(error: CandidateError) -> None:
    first = error.measure(SMALL)
    data = pickle.dumps(error)
    assert len(data) < 20_000
    copy = pickle.loads(data)
    assert copy.definition == error.definition
    assert copy.measure(SMALL).runs == first.runs
    assert first.error > 1e-4
    assert json.loads(json.dumps(error.definition)) == error.definition
    json.dumps([run.to_json() for run in first.runs], allow_nan=False)


def test_steps_teach_and_repeats_differ(error: CandidateError) -> None:
    start, trained = error.measure(SMALL, steps=0), error.measure(SMALL, steps=24)
    assert trained.error < start.error
    again = error.measure(SMALL, repeat=1)
    assert again.error != error.measure(SMALL).error
    assert 0.1 < again.error / error.measure(SMALL).error < 10


def test_best_hyperparameters_count_and_seeds_are_averaged(
    corpus: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    source = checkpoint(BertModel, tmp_path, tokenizer)
    both = CandidateError(source, corpus=corpus, seeds=2, learning_rates=(1e-3, 1e-6), **cast("Any", QUICK))
    measured = both.measure(SMALL)
    assert len(measured.runs) == 4
    means = [
        [run.error for run in measured.runs if run.hyperparameters["learning_rate"] == rate] for rate in (1e-3, 1e-6)
    ]
    best = min(means, key=np.mean)
    assert measured.error == pytest.approx(np.mean(best))
    assert measured.standard_error == pytest.approx(np.std(best, ddof=1) / math.sqrt(2))


def test_divergence_is_recorded(
    corpus: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkpoint(BertModel, tmp_path, tokenizer)
    lone = CandidateError(source, corpus=corpus, learning_rates=(1e35,), **cast("Any", QUICK))
    measured = lone.measure(SMALL)
    assert measured.error == math.inf
    assert measured.runs[0].failure
    assert measured.runs[0].error is None
    saved = CandidateError(source, corpus=corpus, learning_rates=(1e35, 1e-4), **cast("Any", QUICK)).measure(SMALL)
    assert math.isfinite(saved.error)


def test_error_rate_of_a_source_that_knows_the_classes(
    table: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    source = checkpoint(BertForSequenceClassification, tmp_path / "raw", tokenizer)
    labelled = CandidateError(source, data=table, **cast("Any", QUICK))
    teacher = labelled.material.teacher  # train it for the task, so that distilling it means something
    task = labelled.material.task
    assert task is not None
    batches = drawn(tokenize(task.train, tokenizer, length=32), 40 * 16, 16, held_out=False, seed=0)

    def loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(distances._outputs(model, batch).logits, batch["labels"])

    assert fit(teacher, loss, batches, Hyperparameters(learning_rate=3e-3), steps=40).failure is None
    teacher.save_pretrained(tmp_path / "trained")
    tokenizer.save_pretrained(tmp_path / "trained")
    trained = open_source(str(tmp_path / "trained"), space=Space.from_json(SPACE))
    measured = CandidateError(trained, data=table, **cast("Any", QUICK))
    assert "distillation" in measured.definition["loss"]
    assert measured.definition["data"]["fingerprint"] == task.fingerprint
    whole = measured.measure(WHOLE, steps=0).error
    assert whole <= 0.2
    assert round(whole * min(16, len(task.development)), 6) % 1 == 0  # a share of the held-out texts
    assert measured.measure(SMALL, steps=40).error <= 0.4


def test_a_fresh_head_is_learned_where_the_source_has_none(
    table: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    source = checkpoint(BertModel, tmp_path, tokenizer)
    labelled = CandidateError(source, data=table, learning_rates=(3e-3,), **cast("Any", QUICK))
    assert "fresh head" in labelled.definition["loss"]
    assert labelled.measure(WHOLE, steps=40).error <= 0.2


@pytest.mark.parametrize("outputs", [1, 3])
def test_whole_texts_judge_a_classifier(outputs: int, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    source = checkpoint(BertForSequenceClassification, tmp_path / "source", tokenizer, num_labels=outputs)
    texts = unlabelled(tmp_path / "texts.jsonl", pairs=True)
    asked = CandidateError(source, texts=texts, **cast("Any", {**QUICK, "length": 40}))
    assert asked.measure(WHOLE, steps=0).error < 1e-9
    assert asked.measure(SMALL, steps=0).error > 1e-4
    (batch,) = asked.material.batches(4, 4, held_out=True, seed=0)
    assert (batch["input_ids"] == tokenizer.convert_tokens_to_ids("[SEP]")).sum(1).tolist() == [2] * 4
    judged, learned = (
        {tuple(x) for b in asked.material.batches(200, 50, held_out=side, seed=0) for x in b["input_ids"].tolist()}
        for side in (True, False)
    )
    assert not judged & learned
    assert asked.definition["data"]["name"] == "texts.jsonl"
    assert pickle.loads(pickle.dumps(asked)).measure(SMALL).error == asked.measure(SMALL).error


def test_scratch_lowers_the_cross_entropy_of_a_uniform_guess(corpus: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    config = {**WHOLE, "num_attention_heads": 4, "vocab_size": 400, "max_position_embeddings": 64, "model_type": "bert"}
    family = EncoderFamily.from_config(config, Space.from_json(SPACE))
    scratch = CandidateError(Source("none", family), corpus=corpus, learning_rates=(3e-3,), **cast("Any", QUICK))
    assert not scratch.inherits
    untrained, trained = scratch.measure(SMALL, steps=0), scratch.measure(SMALL, steps=30)
    assert untrained.error == pytest.approx(math.log(400), rel=0.05)
    assert trained.error < 0.8 * untrained.error
    assert scratch.measure(SMALL, steps=2).runs == scratch.measure(SMALL, steps=2).runs


def bowl(architecture: dict[str, Any], seed: int) -> float:
    return 1 / architecture["hidden_size"] + 0.001 * seed


def test_a_callable_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "user_error.py").write_text(
        "def flat(architecture, seed):\n    return architecture['width_1'] + seed\n"
        "class Stepped:\n    def __call__(self, architecture, seed, steps):\n        return 1 / (1 + steps)\n"
        "broken = lambda architecture, seed: float('nan')\nnumber = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    source = open_source("mlp")
    flat = CandidateError(source, start="user_error:flat", seeds=2, steps=1)
    measured = flat.measure({"width_1": 4})
    assert measured.error == pytest.approx(4.5)
    assert measured.standard_error == pytest.approx(0.5)
    assert flat.measure({"width_1": 4}, repeat=1).error != measured.error
    assert CandidateError(source, start="user_error:Stepped", steps=3).measure({}).error == 0.25
    assert CandidateError(source, start="user_error:broken", steps=3).measure({}).error == math.inf
    with pytest.raises(ValueError, match="function"):
        CandidateError(source, start="user_error:number")
    with pytest.raises(ValueError, match="could not be imported"):
        CandidateError(source, start="user_error:missing")
    with pytest.raises(ValueError, match="your own"):
        CandidateError(source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": -1}, "steps"),
        ({"seeds": 0}, "seeds"),
        ({"length": 2}, "length"),
        ({"learning_rates": (-1.0,)}, "learning_rate"),
        ({"start": "magic"}, "magic"),
        ({"start": "inherit"}, "needs a source with weights"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CandidateError(open_source("bort"), **options)


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    # Differences of ranks 1, 1, 0, 0: 1 - 6 * 2 / (4 * 15).
    assert rank_correlation([1, 2, 3, 4], [20, 10, 30, 40]) == pytest.approx(0.8)
    with pytest.raises(ValueError, match="three or more"):
        rank_correlation([1, 2], [1, 2])
