"""Divergences against SciPy's, and a cache that never gives back what was not wholly written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import entropy

from subarch.learning.logits import LogitCache, condensed_divergence, divergence, flat, most_likely


def logits(seed: int, rows: int = 5, vocabulary: int = 40) -> torch.Tensor:
    return 3 * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_divergence_is_the_one_of_scipy(temperature: float) -> None:
    student, teacher = logits(0), logits(1)
    expected = entropy(
        softmax(teacher.double().numpy() / temperature, axis=1),
        softmax(student.double().numpy() / temperature, axis=1),
        axis=1,
    )
    assert divergence(student, teacher, temperature).numpy() == pytest.approx(expected, rel=1e-4)
    assert divergence(teacher, teacher, temperature).abs().max() == 0


@given(st.integers(0, 10**6), st.integers(1, 39))
def test_condensed_divergence_is_that_of_the_merged_distributions(seed: int, count: int) -> None:
    student, teacher = logits(seed), logits(seed + 1)
    tokens, values = most_likely(teacher, count, 2.0)
    found = condensed_divergence(student, tokens, values, 2.0)
    p, q = (softmax(values.double().numpy() / 2.0, axis=1) for values in (teacher, student))
    for row, kept in enumerate(tokens.tolist()):
        merged = [np.append(each[row][kept], 1 - each[row][kept].sum()) for each in (p, q)]
        assert float(found[row]) == pytest.approx(entropy(*merged), rel=1e-3, abs=1e-5)
    assert (found <= divergence(student, teacher, 2.0) + 1e-5).all()


def test_condensed_divergence_over_all_tokens_is_the_whole_one() -> None:
    student, teacher = logits(0), logits(1)
    found = condensed_divergence(student, *most_likely(teacher, 40, 2.0), 2.0)
    assert found.numpy() == pytest.approx(divergence(student, teacher, 2.0).numpy(), rel=1e-4)
    same = condensed_divergence(teacher, *most_likely(teacher, 8, 2.0), 2.0)
    assert same.numpy() == pytest.approx(0, abs=1e-6)


def opened(path: Path, samples: int = 10) -> LogitCache:
    return LogitCache(path, samples=samples, masked=3, count=4, vocabulary_size=40)


def test_what_is_kept_is_given_back(tmp_path: Path) -> None:
    cache = opened(tmp_path / "logits.bin")
    samples, counts = np.array([7, 2]), np.array([3, 1])
    tokens, values = most_likely(logits(0, rows=4), 4, 1.0)
    assert cache.read(samples) is None
    cache.write(samples, counts, tokens, values)
    assert cache.read(np.array([7, 3])) is None
    for again in (cache, opened(tmp_path / "logits.bin"), opened(tmp_path / "logits.bin", samples=500)):
        records = again.read(samples)
        assert records is not None
        found_tokens, found_values = flat(records, counts, torch.device("cpu"))
        assert torch.equal(found_tokens, tokens)
        assert found_values.numpy() == pytest.approx(values.numpy(), rel=1e-3)


def test_a_torn_record_is_not_known(tmp_path: Path) -> None:
    cache = opened(tmp_path / "logits.bin")
    tokens, values = most_likely(logits(0, rows=3), 4, 1.0)
    cache.write(np.array([0]), np.array([3]), tokens, values)
    content = bytearray((tmp_path / "logits.bin").read_bytes())
    content[5] ^= 1
    (tmp_path / "logits.bin").write_bytes(content)
    assert opened(tmp_path / "logits.bin").read(np.array([0])) is None


def test_large_vocabularies_keep_their_numbers(tmp_path: Path) -> None:
    cache = LogitCache(tmp_path / "logits.bin", samples=1, masked=1, count=1, vocabulary_size=100_000)
    cache.write(np.array([0]), np.array([1]), torch.tensor([[99_999]]), torch.tensor([[-0.5]]))
    records = cache.read(np.array([0]))
    assert records is not None
    assert int(flat(records, np.array([1]), torch.device("cpu"))[0]) == 99_999
