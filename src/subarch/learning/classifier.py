"""A small text classifier from nothing, for machines to which no trained network can be downloaded."""

from __future__ import annotations

from typing import cast

from transformers import BertConfig, PreTrainedTokenizerFast

from subarch.learning.heads import Target, TaskNetwork, from_architecture
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
    """A BERT of random weights with a head for the task, of a size that learns in minutes on two cores.

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
    return from_architecture(config, tokenizer, Target(task.kind, task.label_names), task.name, length)
