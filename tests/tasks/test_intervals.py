"""Intervals hold what they promise: counted exactly over all outcomes of small tasks, and beside known tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import binomtest

from subarch.errors import InputError
from subarch.tasks.intervals import Drop, Interval, agreement, bootstrap, drop, lower_share, paired, rows_needed, share
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example


def outcomes(rows: int, lost: float, won: float) -> list[tuple[int, int, float]]:
    """Counts that may come, with their probabilities: all that matter."""
    found = []
    for b in range(rows + 1):
        for c in range(rows + 1 - b):
            logarithm = gammaln(rows + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(rows - b - c + 1)
            logarithm += b * math.log(lost) + c * math.log(won) + (rows - b - c) * math.log(1 - lost - won)
            if logarithm > -14:
                found.append((b, c, math.exp(logarithm)))
    return found


@pytest.mark.parametrize("rows", [20, 90])
@pytest.mark.parametrize(("lost", "won"), [(0.3, 0.001), (0.05, 0.01), (0.01, 0.05), (0.1, 0.1), (0.02, 0.005)])
def test_the_drop_is_covered_at_least_as_often_as_promised(rows: int, lost: float, won: float) -> None:
    covered = width = 0.0
    for b, c, probability in outcomes(rows, lost, won):
        low, high = paired(b, c, rows)
        covered += probability * (low - 1e-9 <= lost - won <= high + 1e-9)
        width += probability * (high - low)
    assert covered >= 0.949  # what outcomes of less than a millionth may hold is left out
    # Twice the width that a normal approximation with the true rates would have, and what one row is worth.
    exact = 2 * 1.96 * math.sqrt((lost + won - (lost - won) ** 2) / rows)
    assert width <= 2 * (exact + 2 / rows)


@pytest.mark.parametrize("counts", [(12, 2, 50), (3, 9, 200), (40, 31, 872)])
def test_its_ends_are_where_the_score_test_turns(counts: tuple[int, int, int]) -> None:
    # The likeliest rates under each end by numerical search, instead of the closed form.
    b, c, n = counts
    for end in paired(*counts):

        def unlikeliness(won: float, end: float = end) -> float:
            return -(b * math.log(won + end) + c * math.log(won) + (n - b - c) * math.log(1 - 2 * won - end))

        low, high = max(0.0, -end) + 1e-9, (1 - end) / 2 - 1e-9
        won = minimize_scalar(unlikeliness, bounds=(low, high), method="bounded", options={"xatol": 1e-10}).x
        deviation = math.sqrt(n * (2 * won + end - end**2))
        assert (abs(b - c - n * end) - 0.5) / deviation == pytest.approx(1.959964, abs=1e-3)


@given(st.integers(1, 400), st.data())
def test_it_holds_the_estimate_and_turns_round_with_its_sides(rows: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, rows))
    won = data.draw(st.integers(0, rows - lost))
    found, other = paired(lost, won, rows), paired(won, lost, rows)
    assert -1 <= found.low <= (lost - won) / rows <= found.high <= 1
    assert found.low == pytest.approx(-other.high, abs=1e-9)
    wider = paired(lost, won, rows, level=0.99)
    assert wider.low <= found.low and found.high <= wider.high


@given(st.integers(1, 300), st.data())
def test_a_share_is_that_of_scipy(rows: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, rows))
    known = binomtest(count, rows).proportion_ci(0.95, "exact")
    assert share(count, rows) == pytest.approx((known.low, known.high), abs=1e-9)
    assert lower_share(count, rows) == pytest.approx(
        binomtest(count, rows, alternative="greater").proportion_ci(0.95, "exact").low, abs=1e-9
    )


def test_counts_that_do_not_fit_are_refused() -> None:
    for wrong in ((-1, 0, 5), (4, 2, 5), (0, 0, 0)):
        with pytest.raises(InputError, match="counts within"):
            paired(*wrong)
    with pytest.raises(InputError, match="got 6 of 5"):
        share(6, 5)


def test_a_bootstrap_covers_a_mean_of_what_is_no_share() -> None:
    rng, covered = np.random.default_rng(1), 0
    for _ in range(150):
        rows = rng.exponential(size=60) - 1.0
        low, high = bootstrap(lambda chosen, rows=rows: float(rows[chosen].mean()), len(rows), seed=3)
        covered += low <= 0 <= high
    assert covered >= 0.9 * 150  # 150 draws of a share of 0.94 stay above this but once in a hundred


def test_right_and_wrong_are_counted_row_by_row_and_other_metrics_drawn() -> None:
    kind = kind_of("classification")
    examples = [Example("", label=n % 2) for n in range(40)]
    right = [n % 2 for n in range(40)]
    worse = [1 - one if n < 6 else one for n, one in enumerate(right)]
    found = drop(kind, ("accuracy",), examples, right, worse)
    assert found == Drop(pytest.approx(0.15), paired(6, 0, 40), 40, (6, 0))
    assert agreement(right, worse) == (34, 40)
    drawn = drop(kind, ("macro_f1",), examples, right, worse)
    assert drawn.counts is None and drawn.interval.low < drawn.value < drawn.interval.high
    assert drawn.interval == pytest.approx(found.interval, abs=0.06)


def test_one_row_says_nothing_of_a_metric_that_needs_many() -> None:
    found = drop(kind_of("regression"), ("pearson",), [Example("", label=1.0)], [1.0], [2.0])
    assert found.interval == Interval(-2.0, 2.0)


def test_rows_that_are_needed_show_it_and_fewer_do_not() -> None:
    found = Drop(0.01, paired(30, 20, 1000), 1000, (30, 20))
    needed = rows_needed(found, 0.02)
    assert needed is not None and needed > 1000
    times = needed / 1000
    assert paired(math.floor(30 * times), math.ceil(20 * times), needed).high <= 0.0205
    assert paired(int(15 * times), int(10 * times), needed // 2).high > 0.02
    assert rows_needed(found, 0.01) is None  # the estimate itself is not below
    assert rows_needed(found, 0.01 + 1e-7) is None  # nobody labels so many
    drawn = Drop(0.01, Interval(-0.01, 0.03), 500, None)
    assert rows_needed(drawn, 0.02) == 2000  # half the width takes four times the rows
