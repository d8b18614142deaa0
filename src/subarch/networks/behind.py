"""A stock network behind its encoder: what its head makes of states, whatever the head is made of."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


def said_of(model: nn.Module, states: Tensor) -> Tensor:
    """What a stock model's head says of the states of its encoder; an encoder without head gives them back.

    Args:
        model: with any head.
        states: ``(batch, sequence, hidden)``.

    Returns:
        Its logits.
    """
    known, stub = cast("Any", model), _given(model, states)
    if stub is None:
        return states
    # Other threads may run the model meanwhile: what is changed is a copy around the same parts.
    shell = _shallow(known)
    shell._modules[known.base_model_prefix] = stub
    tokens = torch.zeros(states.shape[:2], dtype=torch.long, device=states.device)
    return cast("Tensor", shell(input_ids=tokens).logits)


def vocabulary_logits(model: nn.Module, states: Tensor) -> Tensor:
    """Of a masked language model: states ``(any, hidden)`` to logits ``(any, vocabulary)``."""
    return said_of(model, states.unsqueeze(0)).squeeze(0)


class HeadAlone(nn.Module):
    """The head of a stock model, its pooler included, as a network of its own that reads states.

    Args:
        model: with a head.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        prefix = model.base_model_prefix
        for name, part in model.named_children():
            if name != prefix:
                self.add_module(name, part)
        if (pooler := _pooler(model)) is not None:
            self.add_module("pooler_of_encoder", pooler)
        self.__dict__["_model"] = model  # not a part, so that the encoder's own are not counted

    def forward(self, states: Tensor) -> Tensor:
        """Logits of ``(batch, sequence, hidden)``."""
        return said_of(self.__dict__["_model"], states)


def _pooler(model: nn.Module) -> nn.Module | None:
    base = getattr(model, str(cast("Any", model).base_model_prefix), None)
    return getattr(base, "pooler", None)


def _given(model: nn.Module, states: Tensor) -> nn.Module | None:
    """An encoder that has come to these states."""
    base = getattr(model, str(cast("Any", model).base_model_prefix), None)
    if base is None:
        return None
    pooler, pooled = getattr(base, "pooler", None), None
    if isinstance(pooler, nn.Linear):  # reads the first token's state, which others find themselves
        pooled = torch.tanh(pooler(states[:, 0]))
    elif pooler is not None:
        pooled = pooler(states)
    stub = _shallow(base)
    found = BaseModelOutputWithPooling(last_hidden_state=cast("Any", states), pooler_output=pooled)

    def forward(*_args: Any, **_named: Any) -> BaseModelOutputWithPooling:
        return found

    stub.__dict__["forward"] = forward
    return stub


def _shallow(module: Any) -> Any:
    made = copy.copy(module)
    made.__dict__["_modules"] = dict(module._modules)
    return made
