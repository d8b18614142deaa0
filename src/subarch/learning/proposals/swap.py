"""Proposals in which tokens are replaced by their neighbours among the embeddings."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.agora.proposals import ProposalFunction
from subarch.learning.proposing import Ingredients, Need
from subarch.learning.replacing import reads_types, replacing
from subarch.learning.surfaces import Surfaces
from subarch.text.examples import Example

NEEDS: frozenset[Need] = frozenset()


def make(ingredients: Ingredients) -> ProposalFunction[Example]:
    """From what there is."""
    return swap(ingredients.student(), ingredients.tokenizer, common=ingredients.common)


def swap(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    share: float = 0.2,
    nearest: int = 10,
    common: frozenset[str] = frozenset(),
) -> ProposalFunction[Example]:
    """Some tokens replaced by neighbours in the table of token embeddings.

    Args:
        model: whose embeddings.
        tokenizer: its own.
        share: of a text's tokens that are replaced, in (0, 1].
        nearest: neighbours among which one is drawn.
        common: texts that stay as they are, as the task has them.
    """
    surfaces = Surfaces(tokenizer)
    table = cast("Any", model.get_input_embeddings()).weight.detach()[: len(surfaces.drawable)]
    table = nn.functional.normalize(table, dim=-1)
    drawable = torch.from_numpy(surfaces.drawable[: len(table)])

    def choose(ids: Tensor, where: Tensor, _: Tensor | None, rng: np.random.Generator) -> Tensor:
        own = ids[where][:, None]
        similar = (table[own[:, 0]] @ table.T).masked_fill(~drawable, -torch.inf).scatter(1, own, -torch.inf)
        near = similar.topk(min(nearest, int(drawable.sum()) - 1)).indices
        drawn = torch.from_numpy(rng.integers(near.shape[1], size=len(near)))
        return near.gather(1, drawn[:, None])[:, 0]

    return replacing(surfaces, (share, share), choose, length=512, types=reads_types(model), common=common)
