"""Where texts lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentences import SINGLE, TOKENIZER, encoder

from subarch.learning.places import mean_pooled


def test_mean_pooled_is_the_mean_over_a_texts_own_tokens() -> None:
    places = mean_pooled(encoder(), TOKENIZER, 32)(SINGLE)
    assert np.linalg.norm(places, axis=1) == pytest.approx(1, abs=1e-5)
    for example, place in zip(SINGLE, places, strict=True):
        with torch.no_grad():
            states = encoder()(**TOKENIZER(example.first, return_tensors="pt")).last_hidden_state[0].mean(0)
        assert place == pytest.approx((states / states.norm()).numpy(), abs=1e-5)
