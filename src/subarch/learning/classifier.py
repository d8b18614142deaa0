"""A small text classifier from nothing, for machines to which no trained network can be downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerFast

from subarch.learning.heads import Target, TaskNetwork, from_architecture
from subarch.learning.word_vectors import word_vectors
from subarch.tasks.task import Task

HEAD_SIZE = 32


def small_classifier(
    task: Task,
    tokenizer: PreTrainedTokenizerFast,
    *,
    num_hidden_layers: int = 4,
    hidden_size: int = 192,
    intermediate_size: int = 768,
    length: int = 64,
) -> TaskNetwork:
    """A BERT with a head for the task, of a size that learns in minutes on two cores.

    Its token vectors begin with what the task's training texts tell of their neighbours, which is worth more than
    minutes of training; all else is random.

    Args:
        task: with classes.
        tokenizer: usually one trained on the task's own texts.
        num_hidden_layers: depth.
        hidden_size: width, a multiple of 32.
        intermediate_size: width of the feed-forward part.
        length: tokens a text is cut to.
    """
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=hidden_size // HEAD_SIZE,
        intermediate_size=intermediate_size,
        max_position_embeddings=512,
        type_vocab_size=1,
        pad_token_id=cast("int | None", tokenizer.pad_token_id) or 0,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
    )
    random = from_architecture(config, tokenizer, Target(task.kind, task.label_names), task.name, length)
    rows = tokenizer(list(task.train.texts), add_special_tokens=False, truncation=True, max_length=length)["input_ids"]
    vectors = word_vectors(cast("list[list[int]]", rows), vocabulary=len(tokenizer), size=hidden_size)
    return replace(random, make=_Begun(random.make, vectors))


@dataclass(frozen=True)
class _Begun:
    """A class and not a closure: a learner travels to other processes."""

    make: Callable[[int], PreTrainedModel]
    vectors: NDArray[np.float32]

    def __call__(self, seed: int) -> PreTrainedModel:
        model = self.make(seed)
        with torch.no_grad():
            cast("torch.nn.Embedding", model.get_input_embeddings()).weight.copy_(torch.from_numpy(self.vectors))
        return model
