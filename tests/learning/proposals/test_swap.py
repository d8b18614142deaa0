"""Tokens replaced by their neighbours."""

from __future__ import annotations

from sentences import SINGLE, TOKENIZER, encoder, random

from subarch.learning.proposals.swap import swap


def test_a_share_of_the_words_changes_and_the_others_stay() -> None:
    """One of the five words of the first text, a fifth."""
    found = [new.first.split() for n, new in swap(encoder(), TOKENIZER)(SINGLE, 30, random()) if n == 0]
    words = SINGLE[0].first.split()
    assert len(found) == 30
    for new in found:
        assert len(new) == len(words)
        assert sum(a != b for a, b in zip(new, words, strict=True)) == 1
