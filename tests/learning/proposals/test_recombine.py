"""Pairs from pairs."""

from __future__ import annotations

import numpy as np
import pytest
from sentences import PAIR_POOL, PAIRS, SINGLE, random

from subarch.learning.proposals.recombine import recombine


def test_one_text_stays_and_the_other_comes_from_the_pool() -> None:
    pool = {text for one in PAIR_POOL for text in one.texts}
    for n, new in recombine(PAIR_POOL)(PAIRS, 20, random()):
        stays = [a == b for a, b in zip(new.texts, PAIRS[n].texts, strict=True)]
        assert any(stays) and {text for text, same in zip(new.texts, stays, strict=True) if not same} <= pool


def test_single_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="two texts"):
        list(recombine(PAIR_POOL)(SINGLE, 1, np.random.default_rng(0)))
