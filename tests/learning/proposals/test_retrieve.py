"""The nearest of a pool."""

from __future__ import annotations

import numpy as np
from sentences import POOL, TOKENIZER, encoder, random

from subarch.learning.places import mean_pooled
from subarch.learning.proposals.retrieve import retrieve
from subarch.text.examples import Example


def test_retrieve_takes_the_nearest_real_texts() -> None:
    space = mean_pooled(encoder(), TOKENIZER, 32)
    found = [new for _, new in retrieve(POOL, space)([POOL[3]], 3, random())]
    assert found[0] == POOL[3]
    distances = np.linalg.norm(space(POOL) - space([POOL[3]]), axis=1)
    assert found == [POOL[n] for n in np.argsort(distances)[:3]]


def test_the_nearest_of_a_pool_by_products_are_those_by_distances() -> None:
    rng = np.random.default_rng(0)
    pool, points = rng.normal(size=(500, 16)), rng.normal(size=(150, 16))  # of any length
    examples = [Example(f"pool {n}") for n in range(500)], [Example(f"point {n}") for n in range(150)]
    places = dict(zip([one.first for one in (*examples[0], *examples[1])], [*pool, *points], strict=True))
    found = list(
        retrieve(examples[0], lambda ones: np.stack([places[one.first] for one in ones]))(examples[1], 7, random())
    )
    for n in range(150):
        nearest = np.argsort(np.linalg.norm(pool - points[n], axis=1))[:7]
        assert [new.first for m, new in found if m == n] == [f"pool {k}" for k in nearest]
