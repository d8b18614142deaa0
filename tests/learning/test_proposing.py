"""Every way of making proposals, found by its file's name, keeps the contract."""

from __future__ import annotations

from typing import Any

import pytest
from sentences import CHOICES, PAIR_POOL, PAIRS, POOL, SINGLE, TOKENIZER, encoder, random, speaking

from subarch.learning.places import mean_pooled
from subarch.learning.proposing import Ingredients, way
from subarch.options.tasks import PROPOSALS
from subarch.testing import check_proposals
from subarch.text.examples import Example


def pack(example: Example) -> Any:
    return [example.first, list(example.seconds)]


@pytest.mark.parametrize("examples", [SINGLE, PAIRS, CHOICES], ids=["single", "pairs", "choices"])
@pytest.mark.parametrize("name", PROPOSALS)
def test_the_functions_conform(name: str, examples: list[Example]) -> None:
    pool = POOL if examples is SINGLE else PAIR_POOL if examples is PAIRS else CHOICES
    ingredients = Ingredients(
        student=speaking,
        tokenizer=TOKENIZER,
        length=128,
        space=mean_pooled(encoder(), TOKENIZER, 32),
        pool=pool,
        language_model=lambda: (speaking(), TOKENIZER),
    )
    found = way(name)
    assert {"pool", "language model"} >= found.NEEDS
    if name == "recombine" and examples is not PAIRS:
        return  # refuses what are no pairs, as its own test says
    function = found.make(ingredients)
    check_proposals(function, examples, pack)
    for n, new in function(examples, 4, random()):
        if name != "retrieve":
            assert len(new.seconds) == len(examples[n].seconds)
        assert new.label is None
