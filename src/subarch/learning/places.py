"""Where examples lie for a network: points whose distances say how near two texts are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.agora.proposals import Space
from subarch.learning.heads import read
from subarch.text.examples import Example

_POOLED_TOKENS = 8192


def mean_pooled(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, length: int) -> Space[Example]:
    """Where examples lie: the mean of the last hidden states over their tokens, with length 1: ``(examples, hidden)``.

    Half the squared distance of two of them is 1 - cosine. The candidates of a choice are read as one second text.

    Args:
        model: any stock encoder, with or without a head.
        tokenizer: its own.
        length: tokens that a sequence is cut to.
    """

    @torch.no_grad()
    def place(examples: Sequence[Example]) -> NDArray[np.float32]:
        network = cast("Any", model.base_model).eval()
        whole = [Example(one.first, (" ".join(one.seconds),) if one.seconds else ()) for one in examples]
        tokens = read(whole, tokenizer, network, length)
        found = np.zeros((len(examples), int(cast("Any", model.config).hidden_size)), np.float32)
        for rows in tokens.by_length(_POOLED_TOKENS):
            batch = tokens.batch(rows)
            inputs = {n: batch[n] for n in ("input_ids", "attention_mask", "token_type_ids") if n in batch}
            states: Tensor = network(**inputs).last_hidden_state.float()
            mask = inputs.get("attention_mask", torch.ones(states.shape[:2]))[..., None]
            pooled = (states * mask).sum(1) / mask.sum(1)
            found[rows] = nn.functional.normalize(pooled, dim=-1).numpy()
        return found

    return place
