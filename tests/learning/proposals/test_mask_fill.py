"""Tokens drawn anew by a language model."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from sentences import TOKENIZER, encoder, random, speaking

from subarch.learning.proposals.mask_fill import mask_fill
from subarch.text.examples import Example


def test_mask_fill_draws_from_the_models_own_distribution() -> None:
    """One masked word of four; its frequencies against the probabilities that the stock model gives."""
    example = Example("good film good play")
    found = [
        new.first.split() for _, new in mask_fill(speaking(), TOKENIZER, share=(0.25, 0.25))([example], 8000, random())
    ]
    words = example.first.split()
    at = 3
    drawn = Counter(new[at] for new in found if len(new) == 4 and new[:at] == words[:at])
    ids = TOKENIZER(example.first, return_tensors="pt")["input_ids"]
    ids[0, 1 + at] = TOKENIZER.mask_token_id
    with torch.no_grad():
        logits = speaking()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, 1 + at, : len(TOKENIZER)]
    logits[TOKENIZER.all_special_ids] = -math.inf
    expected = logits.softmax(-1)
    total = 8000 / 4  # each of the four words is masked as often
    for word in ("good", "bad", "story"):
        probability = float(expected[TOKENIZER.convert_tokens_to_ids(TOKENIZER.tokenize(word))[0]])
        if word != words[at]:
            spread = 4 * math.sqrt(total * probability) + 4
            assert drawn[word] == pytest.approx(total * probability, abs=spread)


def test_no_proposal_begins_in_the_middle_of_a_word() -> None:
    pieces = [token for token in TOKENIZER.get_vocab() if token.startswith("##")]
    assert pieces  # so that one in so many draws is such a piece
    found = [
        new.first
        for _, new in mask_fill(speaking(), TOKENIZER, share=(1.0, 1.0))([Example("good film")], 2000, random())
    ]
    assert len(set(found)) > 100
    assert not any(text.startswith("##") for text in found)


def test_mask_fill_needs_a_head() -> None:
    with pytest.raises(ValueError, match="masked language model"):
        mask_fill(encoder(), TOKENIZER)
