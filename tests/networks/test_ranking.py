"""Which inputs matter: by hand, and against least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subarch.networks.ranking import Accumulator, members, rank, ridged


def test_rank_puts_heads_without_output_last() -> None:
    torch.manual_seed(0)
    samples = torch.randn(500, 32) @ torch.randn(32, 32)
    weight = torch.randn(32, 32)
    weight[:, 8:16] = 0
    weight[:, 24:32] = 0
    assert set(rank([weight], [torch.cov(samples.T)], group=8)[2:].tolist()) == {1, 3}


def test_least_squares_make_up_for_units_that_others_predict() -> None:
    """x3 = x0 + x1 makes the output x0 + x1 + x2 + 3 x3 = 4 x3 + x2: units 0 and 1 are free, 2 goes next."""
    torch.manual_seed(0)
    samples = torch.randn(1000, 4)
    samples[:, 3] = samples[:, 0] + samples[:, 1]
    weight = torch.tensor([[1.0, 1.0, 1.0, 3.0]])
    order = rank([weight], [torch.cov(samples.T)], ridge=1e-6).tolist()
    assert order[:2] == [3, 2]


@given(rows=st.lists(st.integers(1, 9), min_size=1, max_size=4), units=st.integers(1, 5), seed=st.integers(0, 99))
def test_moments_of_parts_are_those_of_the_whole(rows: list[int], units: int, seed: int) -> None:
    torch.manual_seed(seed)
    parts = [100 + torch.randn(count, units) for count in rows]
    accumulator = Accumulator()
    for part in parts:
        accumulator.add(part)
    whole, found = torch.cat(parts).double().numpy(), accumulator.moments()
    assert found.rows == len(whole)
    np.testing.assert_allclose(found.mean.numpy(), whole.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.covariance.numpy(), np.atleast_2d(np.cov(whole.T, bias=True)), atol=1e-4)


def test_a_ridge_is_a_share_of_the_mean_variance() -> None:
    torch.testing.assert_close(ridged(torch.diag(torch.tensor([1.0, 3.0])), 0.5), torch.diag(torch.tensor([2.0, 4.0])))
    for kind in (torch.float32, torch.float64):  # nothing varies: it can be inverted all the same
        assert torch.linalg.cholesky(ridged(torch.zeros(3, 3, dtype=kind), 0.01)).isfinite().all()


def test_members_keep_the_order_of_their_groups() -> None:
    assert members(torch.tensor([2, 0]), 3).tolist() == [6, 7, 8, 0, 1, 2]


@given(seed=st.integers(0, 200), units=st.integers(2, 6))
def test_the_unit_that_goes_first_costs_least_by_brute_force(seed: int, units: int) -> None:
    """What remains of the output when one input is left out and least squares make up for it with the others."""
    torch.manual_seed(seed)
    samples = (torch.randn(400, units) @ torch.randn(units, units)).double()
    samples -= samples.mean(0)
    weight = torch.randn(3, units).double()
    target = samples @ weight.T
    lost = []
    for unit in range(units):
        others = np.delete(samples.numpy(), unit, axis=1)
        fitted = others @ np.linalg.lstsq(others, target.numpy(), rcond=None)[0]
        lost.append(float(np.square(target.numpy() - fitted).sum()))
    order = rank([weight], [samples.T @ samples / len(samples)], ridge=1e-9)
    assert sorted(order.tolist()) == list(range(units))
    assert lost[int(order[-1])] == pytest.approx(min(lost), rel=1e-4)
