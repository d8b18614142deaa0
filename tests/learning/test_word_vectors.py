"""Vectors of tokens by what stands beside them."""

from __future__ import annotations

import numpy as np
import pytest

from subarch.learning.word_vectors import SPREAD, word_vectors


def rows(seed: int = 0) -> list[list[int]]:
    """Texts about two subjects, tokens 0 to 9 and 10 to 19; token 20 is never seen."""
    drawn = np.random.default_rng(seed)
    return [(10 * (n % 2) + drawn.integers(0, 10, 8)).tolist() for n in range(200)]


def test_tokens_of_one_subject_are_nearer_to_each_other() -> None:
    found = word_vectors(rows(), vocabulary=21, size=4)
    assert found.shape == (21, 4) and found.dtype == np.float32
    unit = found[:20] / np.linalg.norm(found[:20], axis=1, keepdims=True)
    alike = unit @ unit.T
    within = [alike[a, b] for a in range(20) for b in range(20) if a != b and a // 10 == b // 10]
    across = [alike[a, b] for a in range(20) for b in range(20) if a // 10 != b // 10]
    assert min(within) > max(across)
    assert not found[20].any() and np.sqrt(np.mean(found**2)) == pytest.approx(SPREAD, rel=1e-5)


def test_they_are_the_same_for_the_same_rows() -> None:
    assert np.array_equal(word_vectors(rows(), vocabulary=21, size=4), word_vectors(rows(), vocabulary=21, size=4))


def test_texts_without_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match="two tokens"):
        word_vectors([[1], []], vocabulary=5, size=2)
