"""A stock network's head, told its encoder's states, says what the whole network says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification
from zoo import TOKENS, make

from subarch.networks.behind import HeadAlone, said_of, vocabulary_logits
from subarch.networks.counting import num_parameters
from subarch.networks.layouts import LAYOUTS


def states_and_logits(model: Any) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return model.base_model(**TOKENS).last_hidden_state, model(**TOKENS).logits


@pytest.mark.parametrize("auto", [AutoModelForMaskedLM, AutoModelForSequenceClassification])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_heads_say_of_given_states_what_the_network_says(kind: str, auto: Any) -> None:
    model = make(kind, auto=auto)
    states, logits = states_and_logits(model)
    with torch.no_grad():
        torch.testing.assert_close(said_of(model, states), logits)
        torch.testing.assert_close(HeadAlone(model)(states), logits)
        if auto is AutoModelForMaskedLM:
            torch.testing.assert_close(vocabulary_logits(model, states[0]), logits[0])
    torch.testing.assert_close(states_and_logits(model)[1], logits)  # the network is as it was


@pytest.mark.parametrize("kind", LAYOUTS)
def test_heads_alone_have_what_the_encoder_has_not(kind: str) -> None:
    model = make(kind, auto=AutoModelForSequenceClassification)
    base: Any = model.base_model
    pooler = getattr(base, "pooler", None)
    pooled = 0 if pooler is None else num_parameters(pooler)
    assert num_parameters(HeadAlone(model)) == num_parameters(model) - num_parameters(base) + pooled


def test_an_encoder_gives_states_back() -> None:
    states = torch.zeros(2, 13, 48)
    assert said_of(make("bert"), states) is states
