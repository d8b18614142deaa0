"""Proposals of pairs: one text stays, the other is taken from a pool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from subarch.agora.proposals import ProposalFunction
from subarch.errors import InputError
from subarch.learning.proposing import Ingredients, Need
from subarch.text.examples import Example

NEEDS: frozenset[Need] = frozenset({"pool"})


def make(ingredients: Ingredients) -> ProposalFunction[Example]:
    """From what there is."""
    return recombine(ingredients.pool)


def recombine(pool: Sequence[Example]) -> ProposalFunction[Example]:
    """Pairs: one text stays, the other one comes from a random example of the pool.

    A guard refuses those whose text that stays would keep them beside the mistake in one split: what is left are short
    texts (fewer than four words), and such as stand beside most others, as fixed questions do.
    """

    def propose(examples: Sequence[Example], count: int, rng: np.random.Generator) -> Iterable[tuple[int, Example]]:
        for n, example in enumerate(examples):
            if len(example.seconds) != 1 or not pool:
                raise InputError("recombine makes pairs of pairs: it needs examples of two texts, and a pool of them")
            for row in rng.integers(len(pool), size=count):
                first, second = (example, pool[row]) if rng.random() < 0.5 else (pool[row], example)
                yield n, Example(first.first, second.seconds)

    return propose
