"""Heads: stock classes, losses checked against torch's and hand-made ones, outputs that do not depend on the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import config, encoder, tokenizer
from torch.nn import functional
from transformers import AutoModelForMultipleChoice, AutoModelForSequenceClassification, pipeline

from subarch.learning.checkpoints import open_fitted, save_checkpoint
from subarch.learning.heads import Target, TaskNetwork, forward, from_architecture, from_checkpoint, outputs
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example

SINGLE = [Example("good film", label=1), Example("a very bad and long film", label=0), Example("fine", label=1)]
CHOICES = [
    Example("film", ("good", "bad long story"), 1),
    Example("the play is", ("good", "bad", "very good"), 0, right=(2,)),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("encoder"))


def learner(folder: Path, target: Target) -> TaskNetwork:
    return from_checkpoint(folder, target, "a task", 32)


def test_classification_loss_is_the_stock_models(folder: Path) -> None:
    one = learner(folder, Target(kind_of("classification"), ("bad", "good")))
    model = one.make(0)
    batch = one.tokens(SINGLE, model).batch([0, 1, 2])
    assert torch.isclose(one.target.loss(model, batch), model(**batch).loss)
    assert model.config.id2label == {0: "bad", 1: "good"}


def test_choice_loss_sums_over_right_candidates(folder: Path) -> None:
    one = learner(folder, Target(kind_of("choice")))
    model = one.make(0)
    tokens = one.tokens(CHOICES, model)
    scores = [torch.tensor(found) for found in outputs(model, tokens)]
    shares = [scores[0].softmax(0)[1], scores[1].softmax(0)[[0, 2]].sum()]
    by_hand = -torch.stack(shares).log().mean()
    assert torch.isclose(one.target.loss(model, tokens.batch([0, 1])), by_hand, atol=1e-6)
    assert one.target.loss_of(outputs(model, tokens), CHOICES) == pytest.approx(float(by_hand), abs=1e-6)


def test_candidates_one_by_one_score_as_the_stock_model_scores_them_together(folder: Path) -> None:
    one = learner(folder, Target(kind_of("choice")))
    model = one.make(0)
    encoded = one.tokenizer(["film", "film"], ["good", "bad long story"], padding=True, return_tensors="pt")
    stock = model(**{name: value.unsqueeze(0) for name, value in encoded.items()}).logits[0]
    assert np.allclose(outputs(model, one.tokens(CHOICES[:1], model))[0], stock.detach(), atol=1e-6)


def test_numbers_are_learned_in_standard_units_and_saved_in_the_users(folder: Path) -> None:
    examples = [Example("good film", label=250.0), Example("bad film", label=150.0)]
    target = Target.of(kind_of("regression"), (), [250.0, 150.0])
    assert (target.mean, target.scale) == (200.0, 50.0)
    one = learner(folder, target)
    model = one.make(0)
    tokens = one.tokens(examples, model)
    raw = np.array([found[0] for found in outputs(model, tokens)])
    wanted = functional.mse_loss(torch.tensor(raw), torch.tensor([1.0, -1.0]))
    assert torch.isclose(target.loss(model, tokens.batch([0, 1])), wanted, atol=1e-6)
    target.in_units(model)
    assert np.allclose([found[0] for found in outputs(model, tokens)], 200 + 50 * raw, atol=1e-3)


def test_outputs_do_not_depend_on_the_company(folder: Path) -> None:
    one = learner(folder, Target(kind_of("classification"), ("bad", "good")))
    model = one.make(0)
    together = outputs(model, one.tokens(SINGLE, model))
    alone = [outputs(model, one.tokens([example], model))[0] for example in SINGLE]
    assert np.allclose(together, alone, atol=1e-6)


def test_the_head_is_drawn_by_seed_and_the_encoder_is_the_checkpoints(folder: Path) -> None:
    one = learner(folder, Target(kind_of("classification"), ("bad", "good")))
    first, again, other = (one.make(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    differing = {name for name in first if not torch.equal(first[name], other[name])}
    assert differing == {"classifier.weight"}


def test_a_head_of_another_task_is_not_kept_and_one_of_the_same_is(folder: Path, tmp_path: Path) -> None:
    one = learner(folder, Target(kind_of("classification"), ("bad", "good")))
    save_checkpoint(one.make(3), one, tmp_path / "made")
    kept = (
        from_checkpoint(tmp_path / "made", Target(kind_of("classification"), ("bad", "good")), "t", 32)
        .make(0)
        .state_dict()
    )
    fresh = (
        from_checkpoint(tmp_path / "made", Target(kind_of("classification"), ("no", "yes")), "t", 32)
        .make(0)
        .state_dict()
    )
    assert torch.equal(kept["classifier.weight"], one.make(3).state_dict()["classifier.weight"])
    assert not torch.equal(fresh["classifier.weight"], kept["classifier.weight"])


def test_saved_checkpoints_are_stock_and_answer_the_same(folder: Path, tmp_path: Path) -> None:
    one = learner(folder, Target(kind_of("classification"), ("bad", "good")))
    model = one.make(0)
    save_checkpoint(model, one, tmp_path / "made")
    found = outputs(model, one.tokens(SINGLE, model))
    classify = pipeline("text-classification", model=str(tmp_path / "made"), top_k=None)
    for example, logits in zip(SINGLE, found, strict=True):
        shares = {entry["label"]: entry["score"] for entry in classify([example.first])[0]}
        assert shares == pytest.approx(
            dict(zip(("bad", "good"), torch.tensor(logits).softmax(0).tolist(), strict=True))
        )
    fitted = open_fitted(tmp_path / "made")
    assert (fitted.kind, fitted.label_names, fitted.task, fitted.length) == (
        "classification",
        ("bad", "good"),
        "a task",
        32,
    )
    assert np.allclose(outputs(fitted.model, fitted.tokens(SINGLE)), found, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "stock"),
    [
        (Target(kind_of("regression")), AutoModelForSequenceClassification),
        (Target(kind_of("choice")), AutoModelForMultipleChoice),
    ],
)
def test_the_kind_is_read_off_a_checkpoint(folder: Path, tmp_path: Path, target: Target, stock: type) -> None:
    one = learner(folder, target)
    save_checkpoint(one.make(0), one, tmp_path / "made")
    assert open_fitted(tmp_path / "made").kind == target.kind
    assert stock.from_pretrained(tmp_path / "made").config.architectures == [type(one.make(0)).__name__]


def test_a_headless_checkpoint_is_not_fitted(folder: Path) -> None:
    with pytest.raises(ValueError, match="no head for a task"):
        open_fitted(folder)


def test_a_network_of_one_segment_gets_no_segments() -> None:
    one = from_architecture(
        config(type_vocab_size=1), tokenizer(), Target(kind_of("classification"), ("a", "b")), "t", 32
    )
    model = one.make(0)
    batch = one.tokens([Example("good", ("bad",), 0)], model).batch([0])
    assert "token_type_ids" not in batch
    assert forward(model, batch).shape == (1, 2)


def test_sequences_are_no_longer_than_the_network_takes(folder: Path) -> None:
    assert from_checkpoint(folder, Target(kind_of("choice")), "t", 500).length == 64


def test_a_tokenizer_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        from_architecture(config(vocab_size=20), tokenizer(), Target(kind_of("choice")), "t", 32)
