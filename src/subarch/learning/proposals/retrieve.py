"""Proposals from a pool: the nearest real texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from subarch.agora.proposals import ProposalFunction, Space
from subarch.learning.proposing import Ingredients, Need
from subarch.text.examples import Example

_POINTS = 64  # whose distances to a pool are in memory at once

NEEDS: frozenset[Need] = frozenset({"pool"})


def make(ingredients: Ingredients) -> ProposalFunction[Example]:
    """From what there is."""
    return retrieve(ingredients.pool, ingredients.space)


def retrieve(pool: Sequence[Example], space: Space[Example]) -> ProposalFunction[Example]:
    """The nearest examples of an unlabelled pool: real text. Where they lie is computed once, when first asked for."""
    places: list[NDArray[np.float32]] = []
    bare = [example.bare for example in pool]

    def propose(examples: Sequence[Example], count: int, _: np.random.Generator) -> Iterable[tuple[int, Example]]:
        if not examples or not pool:
            return
        if not places:
            places.append(np.asarray(space(bare), np.float32))
        rows = _nearest(places[0], np.asarray(space(examples), np.float32), count)
        yield from ((n, bare[row]) for n, near in enumerate(rows) for row in near)

    return propose


def _nearest(pool: NDArray[np.float32], points: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Positions of the nearest so many of a pool ``(points, count)``, nearest first: by products of matrices, which in
    hundreds of dimensions are faster than trees."""
    count = min(count, len(pool))
    squares = np.einsum("ij,ij->i", pool, pool)
    found = np.empty((len(points), count), np.int64)
    for start in range(0, len(points), _POINTS):
        # Squared distances, but for what is the same for the whole row.
        distances = squares - 2 * points[start : start + _POINTS] @ pool.T
        near = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.lexsort((near, np.take_along_axis(distances, near, axis=1)), axis=1)
        found[start : start + _POINTS] = np.take_along_axis(near, order, axis=1)
    return found
