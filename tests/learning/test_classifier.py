"""A small classifier from nothing."""

from __future__ import annotations

import torch
from tiny import reviews, tokenizer

from subarch.learning.classifier import small_classifier
from subarch.tasks.task import Task
from subarch.text.examples import Example, SealedSplit, Split

ROWS = Split(Example(text, label=int(label == "praise")) for text, label in reviews(12))
TASK = Task(name="reviews", label_names=("blame", "praise"), train=ROWS, development=ROWS, sealed=SealedSplit(ROWS))


def test_it_has_the_shape_that_was_asked_for_and_a_head_for_the_task() -> None:
    learner = small_classifier(TASK, tokenizer(), num_hidden_layers=1, hidden_size=64, intermediate_size=96, length=16)
    model = learner.make(0)
    settings = model.config
    assert (settings.num_hidden_layers, settings.hidden_size, settings.intermediate_size) == (1, 64, 96)
    assert settings.num_attention_heads == 2  # of 32 units each
    assert settings.id2label == {0: "blame", 1: "praise"} and settings.finetuning_task == "reviews"
    assert settings.vocab_size == len(tokenizer()) and settings.pad_token_id == tokenizer().pad_token_id
    batch = learner.tokens(list(ROWS), model).batch([0, 1, 2])
    assert batch["input_ids"].shape[1] <= 16 and "token_type_ids" not in batch
    assert model(**{name: value for name, value in batch.items() if name != "labels"}).logits.shape == (3, 2)


def test_its_weights_are_the_seeds() -> None:
    learner = small_classifier(TASK, tokenizer(), num_hidden_layers=1, hidden_size=32, intermediate_size=32)
    one, same, other = (learner.make(seed).classifier.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
