"""Proposals in which tokens are drawn anew from a masked language model."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.agora.proposals import ProposalFunction
from subarch.errors import InputError
from subarch.learning.proposing import Ingredients, Need
from subarch.learning.replacing import reads_types, replacing
from subarch.learning.surfaces import Surfaces
from subarch.networks.behind import vocabulary_logits
from subarch.text.examples import Example

NEEDS: frozenset[Need] = frozenset({"language model"})


def make(ingredients: Ingredients) -> ProposalFunction[Example]:
    """From what there is."""
    assert ingredients.language_model is not None, "asked for by NEEDS"
    model, tokenizer = ingredients.language_model()
    return mask_fill(model, tokenizer, length=ingredients.length, common=ingredients.common)


def mask_fill(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    share: tuple[float, float] = (0.1, 0.3),
    temperature: float = 1.0,
    length: int = 128,
    common: frozenset[str] = frozenset(),
) -> ProposalFunction[Example]:
    """Some tokens masked, and drawn anew from a masked language model.

    The vocabulary is projected at masked tokens alone, and texts of similar length share a pass.

    Args:
        model: a stock masked language model: the pre-trained student, or a teacher with such a head.
        tokenizer: its own.
        share: of a text's tokens that are masked, drawn between these two.
        temperature: of the draw.
        length: tokens that the model reads of a text; what comes after these stays as it is.
        common: texts that stay as they are, as the task has them.

    Raises:
        ValueError: when the model has no such head, or the tokenizer no mask token.
    """
    mask = cast("Any", tokenizer).mask_token_id
    if not type(model).__name__.endswith("ForMaskedLM") or mask is None:
        raise InputError("mask_fill needs a masked language model, with its head and a mask token, got neither or one")
    surfaces = Surfaces(tokenizer)
    drawable = torch.from_numpy(surfaces.drawable)

    @torch.no_grad()
    def choose(ids: Tensor, where: Tensor, types: Tensor | None, rng: np.random.Generator) -> Tensor:
        inputs: dict[str, Tensor] = {"input_ids": ids.masked_fill(where, mask)}
        inputs["attention_mask"] = (ids != int(cast("Any", tokenizer).pad_token_id or 0)).long()
        if types is not None:
            inputs["token_type_ids"] = types
        states = model.eval().base_model(**inputs).last_hidden_state
        logits = vocabulary_logits(model, states[where]).float()[:, : len(drawable)] / temperature
        logits[:, ~drawable[: logits.shape[1]]] = -torch.inf
        # Gumbel's trick draws from all distributions at once, with this generator's numbers alone.
        noise = rng.random(logits.shape, dtype=np.float32).clip(1e-20, 1 - 1e-7)
        return (logits - torch.from_numpy(np.log(-np.log(noise)))).argmax(-1)

    return replacing(surfaces, share, choose, length=length, types=reads_types(model), common=common)
