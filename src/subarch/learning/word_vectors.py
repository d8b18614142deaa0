"""Vectors of tokens from which tokens stand beside which, in seconds: where a network from nothing had better begin.

Positive pointwise mutual information of neighbours, and the first singular vectors of it (Levy and Goldberg, "Neural
Word Embedding as Implicit Matrix Factorization", 2014; contexts smoothed by the power 3/4 as in Levy, Goldberg and
Dagan, "Improving Distributional Similarity with Lessons Learned from Word Embeddings", 2015, equation 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from sklearn.utils.extmath import randomized_svd

from subarch.errors import InputError

WINDOW = 5  # tokens to either side
SMOOTHING = 0.75
SPREAD = 0.04  # standard deviation of what comes out: about what encoders begin with (0.02), a little more


def word_vectors(rows: Iterable[Sequence[int]], *, vocabulary: int, size: int) -> NDArray[np.float32]:
    """A vector of each token: tokens with alike neighbours have alike ones.

    Args:
        rows: texts as token ids, without special tokens.
        vocabulary: ids are below it.
        size: entries of a vector, less than ``vocabulary``.

    Returns:
        ``(vocabulary, size)``, with mean square 0.04²; zero for a token without neighbours. The same for the same rows.

    Raises:
        ValueError: where no token has a neighbour.

    Example:
        >>> found = word_vectors([[0, 1, 2], [0, 3, 2]], vocabulary=5, size=2)
        >>> bool(np.allclose(found[1], found[3], atol=1e-6)), float(np.abs(found[4]).max())  # 1 and 3: alike neighbours
        (True, 0.0)
    """
    left: list[NDArray[np.int64]] = []
    right: list[NDArray[np.int64]] = []
    for row in rows:
        ids = np.asarray(row, np.int64)
        for distance in range(1, min(WINDOW, len(ids) - 1) + 1):
            left.append(ids[:-distance])
            right.append(ids[distance:])
    if not left:
        raise InputError("expected texts of two tokens and more, got none: give longer texts")
    ones, others = np.concatenate(left), np.concatenate(right)
    pairs = np.concatenate([ones, others]), np.concatenate([others, ones])
    counts = coo_matrix((np.ones(len(pairs[0])), pairs), (vocabulary, vocabulary))
    counts.sum_duplicates()
    often = np.bincount(pairs[0], minlength=vocabulary).astype(float)
    context = often**SMOOTHING
    expected = often[counts.row] * context[counts.col] / context.sum()
    information = coo_matrix((np.maximum(np.log(counts.data / expected), 0), (counts.row, counts.col)), counts.shape)
    vectors, values, _ = cast("Any", randomized_svd)(information.tocsr(), size, random_state=0, n_iter=2)
    found = vectors * np.sqrt(values)
    return (SPREAD * found / (np.sqrt(np.mean(found**2)) or 1.0)).astype(np.float32)
