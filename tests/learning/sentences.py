"""Examples of every number of texts, a pool for each, and networks that are far from uniform."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from tiny import WORDS, config, tokenizer
from transformers import BertForMaskedLM, BertModel

from subarch.text.examples import Example

TOKENIZER = tokenizer()
SINGLE = [Example("the film is very good"), Example("a long and poor story of the actor")]
PAIRS = [Example("the film is good", ("a fine film",)), Example("a bad play", ("the scene was long and bad",))]
CHOICES = [Example("the film is good", ("a fine film", "a bad play", "poor")), Example("a bad play", ("long", "bad"))]
POOL = [Example(f"the {noun} was {word}") for noun in WORDS[4:9] for word in WORDS[:4]]
PAIR_POOL = [Example(one.first, (other.first,)) for one, other in zip(POOL, POOL[::-1], strict=True)]


@cache
def speaking() -> Any:
    """A masked language model, far from uniform, unlike a fresh one."""
    torch.manual_seed(0)
    model = BertForMaskedLM(config()).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@cache
def encoder() -> Any:
    """A network without a head."""
    torch.manual_seed(0)
    return BertModel(config(), add_pooling_layer=False).eval()


def random() -> np.random.Generator:
    """The same numbers each time."""
    return np.random.default_rng(0)
