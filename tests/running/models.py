"""Stock networks of a few thousand weights, one for each head, and inputs with padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForMultipleChoice,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
)

from subarch.running.graphs import Graph

SIZES: dict[str, Any] = {
    "vocab_size": 3000,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 66,
}


MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "classification": lambda: BertForSequenceClassification(BertConfig(**SIZES, num_labels=3)),
    "regression": lambda: RobertaForSequenceClassification(RobertaConfig(**SIZES, pad_token_id=1, num_labels=1)),
    "choice": lambda: BertForMultipleChoice(BertConfig(**SIZES)),
    "masked-lm": lambda: DistilBertForMaskedLM(
        DistilBertConfig(vocab_size=3000, dim=64, n_layers=2, n_heads=4, hidden_dim=128, max_position_embeddings=66)
    ),
    "encoder": lambda: RobertaModel(RobertaConfig(**SIZES, pad_token_id=1, type_vocab_size=1)),
}


def built(head: str) -> Graph:
    torch.manual_seed(0)
    model = MODELS[head]()
    for parameter in model.parameters():  # as far from their initial values as a training takes them
        parameter.data += 0.03 * torch.randn_like(parameter)
    return Graph.of(model.eval())


def batch(graph: Graph, rows: int, length: int) -> dict[str, Any]:
    """Random tokens; all rows but the first end in padding."""
    rng = np.random.default_rng(length)
    padding = int(graph.model.config.pad_token_id or 0)
    ids = rng.integers(2, 3000, (rows, length))
    mask = np.ones_like(ids)
    for row in range(1, rows):
        end = int(rng.integers(1, length))
        ids[row, end:], mask[row, end:] = padding, 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": rng.integers(0, 2, ids.shape)}
