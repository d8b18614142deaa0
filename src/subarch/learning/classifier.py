"""Training a text classifier from nothing, for machines to which no trained network can be downloaded."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from subarch.text.tasks import Split, Task

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe:
    """Shape and training of the classifier.

    Args:
        num_hidden_layers: depth.
        hidden_size: width, a multiple of ``head_size``.
        intermediate_size: width of the feed-forward part.
        head_size: width of one attention head.
        epochs: passes over the training split.
        batch_size: texts a step.
        length: tokens a text is cut to.
        learning_rate: peak of a linear warm-up and decay.
        seed: of weights and order.
    """

    num_hidden_layers: int = 4
    hidden_size: int = 192
    intermediate_size: int = 768
    head_size: int = 32
    epochs: int = 3
    batch_size: int = 32
    length: int = 64
    learning_rate: float = 8e-4
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainedClassifier:
    """Where the checkpoint is, and its accuracy on the development split."""

    checkpoint: Path
    accuracy: float
    steps: int


def train_classifier(
    task: Task,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    recipe: ClassifierRecipe,
    *,
    watch: Callable[[int, int, float], None] | None = None,
) -> TrainedClassifier:
    """Train on the task's training split and save a stock Hugging Face checkpoint, whole or not at all.

    Args:
        task: texts and classes.
        tokenizer: saved beside the weights.
        folder: of the checkpoint; must not exist.
        recipe: shape and training.
        watch: called with (step, steps, loss).
    """
    torch.manual_seed(recipe.seed)
    model = BertForSequenceClassification(_config(task, tokenizer, recipe))
    texts = _encoded(task.train, tokenizer, recipe.length)
    steps = recipe.epochs * math.ceil(len(texts) / recipe.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    warmup = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, max(0.0, (steps - step) / max(1, steps - warmup)))
    )
    model.train()
    for step, batch in enumerate(_epochs(texts, task.train.labels, recipe, _pad(tokenizer)), 1):
        loss = cast("Tensor", model(**batch).loss)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if watch is not None:
            watch(step, steps, float(loss.detach()))
    accuracy = accuracy_of(model, tokenizer, task.development, length=recipe.length)
    part = folder.with_name(folder.name + ".part")
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    part.rename(folder)
    _LOG.info("trained %s: accuracy %.3f on %d texts", folder, accuracy, len(task.development))
    return TrainedClassifier(checkpoint=folder, accuracy=accuracy, steps=steps)


def accuracy_of(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, split: Split, *, length: int, batch_size: int = 64
) -> float:
    """Share of the texts of ``split`` whose class the model gives right."""
    texts = _encoded(split, tokenizer, length)
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    right = 0
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = _batch([texts[n] for n in rows], [split.labels[n] for n in rows], _pad(tokenizer))
            labels = batch.pop("labels")
            right += int((model(**batch).logits.argmax(dim=-1) == labels).sum())
    return right / len(order)


def _config(task: Task, tokenizer: PreTrainedTokenizerFast, recipe: ClassifierRecipe) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.num_hidden_layers,
        num_attention_heads=recipe.hidden_size // recipe.head_size,
        intermediate_size=recipe.intermediate_size,
        max_position_embeddings=512,
        type_vocab_size=1,
        pad_token_id=_pad(tokenizer),
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(task.label_names)),
        label2id={name: n for n, name in enumerate(task.label_names)},
    )


def _pad(tokenizer: PreTrainedTokenizerFast) -> int:
    return cast("int | None", tokenizer.pad_token_id) or 0


def _encoded(split: Split, tokenizer: PreTrainedTokenizerFast, length: int) -> list[list[int]]:
    encoded: Any = tokenizer(list(split.texts), truncation=True, max_length=length)
    return cast("list[list[int]]", encoded["input_ids"])


def _epochs(
    texts: list[list[int]], labels: tuple[int, ...], recipe: ClassifierRecipe, pad: int
) -> Iterator[dict[str, Tensor]]:
    """Batches of similar length in random order: little padding, and every epoch mixes anew."""
    rng = np.random.default_rng(recipe.seed)
    for _ in range(recipe.epochs):
        noisy = np.array([len(text) for text in texts]) + rng.uniform(0, 12, size=len(texts))
        order = np.argsort(noisy)
        groups = [order[start : start + recipe.batch_size] for start in range(0, len(order), recipe.batch_size)]
        for group in rng.permutation(len(groups)):
            rows = groups[int(group)].tolist()
            yield _batch([texts[n] for n in rows], [labels[n] for n in rows], pad)


def _batch(rows: list[list[int]], labels: list[int], pad: int) -> dict[str, Tensor]:
    longest = max(len(row) for row in rows)
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor(labels)}
