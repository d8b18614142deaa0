"""Audits: the statement against brute force, the draw, and the rounds that a ledger holds."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom
from worlds import draw

from subarch.extraction import audit
from subarch.extraction.audit import (
    compared,
    confidence_of,
    drawn,
    result_of,
    rounds,
    share_at_most,
    taken,
    told,
    untrained,
)
from subarch.extraction.certificate import lower_bounds
from subarch.extraction.problem import Problem
from subarch.extraction.study import Trial

SEED = "5eed" * 16


def test_shares_that_the_page_names() -> None:
    assert [round(share_at_most(number, 0, None), 2) for number in (10, 29, 59)] == [0.26, 0.1, 0.05]
    assert share_at_most(10, 0, None) == pytest.approx(1 - 0.05**0.1)
    assert share_at_most(10, 2, None) == pytest.approx(0.507, abs=1e-3)  # a table of Clopper and Pearson
    assert share_at_most(3, 3, None) == 1.0
    assert share_at_most(7, 2, 7) == 2 / 7  # all of them


@given(
    st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))),
    st.sampled_from([0.9, 0.95, 0.975]),
)
def test_what_is_told_is_true_often_enough(world: tuple[int, int, int], confidence: float) -> None:
    """Over all samples of one population: exactly, by the probability of each count."""
    of, bad, number = world
    counts = range(max(0, number - (of - bad)), min(bad, number) + 1)
    for size in (of, None):
        true = sum(
            float(hypergeom.pmf(k, of, bad, number))
            for k in counts
            if share_at_most(number, k, size, confidence) >= bad / of - 1e-12
        )
        assert true >= confidence - (1e-9 if size else 0.03)  # the second is made for what nobody can list


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.7])
def test_of_a_large_population_likewise(share: float) -> None:
    told = [share_at_most(10, k, None) >= share for k in range(11)]
    assert sum(float(binom.pmf(k, 10, share)) for k in range(11) if told[k]) >= 0.95


def test_the_confidence_of_later_audits_leaves_little_room() -> None:
    assert [confidence_of(number) for number in (1, 2, 3)] == [0.95, 0.975, 0.9875]
    assert sum(1 - confidence_of(number) for number in range(1, 50)) < 2 * 0.05


def problem_of(seed: int = 12, claim: Any = "w") -> Problem:
    return draw(seed).problem(claim, 0.1)


def test_the_draw_is_of_what_is_untrained_and_the_claim_is_about() -> None:
    problem = problem_of(claim="constrained")
    rows = problem.space.listed()
    within = {tuple(row) for row in rows[problem.within(rows)].tolist()}
    gone = set(itertools.islice(within, 3)) | {tuple(rows[-1].tolist())}
    everything = list(drawn(problem, gone, SEED))
    assert len(everything) == len(set(everything)) and set(everything) == within - gone
    assert everything == list(drawn(problem, gone, SEED)) != list(drawn(problem, gone, "0" + SEED))
    rest = untrained(problem, gone)
    assert rest is not None and len(rest) == len(within - gone)


def test_all_are_drawn_first_equally_often() -> None:
    problem = problem_of()
    size, times = len(problem.space.listed()), 3000
    first = Counter(next(drawn(problem, (), f"{n:032x}")) for n in range(times))
    assert len(first) == size
    expected = times / size
    assert sum((count - expected) ** 2 / expected for count in first.values()) < size + 5 * math.sqrt(2 * size)


def test_what_nobody_lists_is_drawn_by_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(claim="constrained")
    listed = set(drawn(problem, (), SEED))
    monkeypatch.setattr(audit, "LISTING_LIMIT", 1)
    assert untrained(problem, ()) is None
    first = list(itertools.islice(drawn(problem, (), SEED), len(listed)))
    assert set(first) == listed  # in so small a space all are met
    gone = first[:2]
    assert list(itertools.islice(drawn(problem, gone, SEED), 3)) == first[2:5]


def ledger(problem: Problem, kinds: str) -> list[Trial]:
    """A trial a letter: s(earch), a(udit), b (of the second audit), f (failed in the first), r(epeat)."""
    rows = problem.space.listed()
    found = []
    for number, kind in enumerate(kinds):
        purpose: Any = {"s": "search", "r": "repeat", "f": "failed"}.get(kind, "audit")
        place = {"a": {"round": 1, "of": 2}, "f": {"round": 1, "of": 2}, "b": {"round": 2, "of": 3}}.get(kind, {})
        found.append(
            Trial(
                number=number,
                purpose=purpose,
                architecture=problem.space.architecture(rows[-1 - number]),
                parameters=1,
                cost=1,
                error=math.inf if kind == "f" else 2.0**-number,
                details={"ask": "mine", **place} if kind != "r" else {"repeat": 1},
            )
        )
    return found


def test_rounds_end_where_the_search_goes_on() -> None:
    problem = problem_of()
    first, second = rounds(ledger(problem, "rssaafrssbbb"), "mine")
    assert (first.number, first.before, len(first.trials), first.closed) == (1, 3, 3, True)
    assert (second.number, second.before, len(second.trials), second.closed) == (2, 9, 3, False)
    assert rounds(ledger(problem, "rssaa"), "another") == [] and told(problem, ledger(problem, "rss"), "mine") is None
    found = told(problem, ledger(problem, "rssaafrssbbb"), "mine")
    assert found is not None
    assert (found.trained, found.failed, found.confidence) == (3, 0, 0.975)
    (earlier,) = found.earlier
    assert (earlier.trained, earlier.failed, earlier.confidence) == (2, 1, 0.95)
    assert earlier.share_upper95 == share_at_most(2, earlier.contradictions, None)
    left = len(problem.space.listed())
    assert (earlier.untrained, found.untrained) == (left - 2, left - 7)


def test_contradictions_are_errors_below_bounds() -> None:
    problem = problem_of()
    rows = problem.space.listed()
    top = next(row for row in rows if problem.space.leq(rows, row).sum() > 3)
    below = [tuple(row) for row in rows[problem.space.leq(rows, top)].tolist() if tuple(row) != tuple(top)]
    known = {tuple(top.tolist()): 1.0}
    assert lower_bounds(problem, known, below) == [1.0] * len(below)
    new = {below[0]: 0.5, below[1]: 1.0, below[2]: math.inf}
    found = compared(problem, known, new, len(rows) - 1)
    assert (found.trained, found.contradictions, found.failed) == (2, 1, 1)
    (one,) = found.contradicting
    assert (one.architecture, one.error, one.bound) == (problem.space.architecture(below[0]), 0.5, 1.0)
    assert compared(problem, known, {}, 0).share_upper95 is None


def test_more_may_be_asked_for_while_none_contradicts() -> None:
    problem = problem_of()
    trials = ledger(problem, "saa")
    (one,) = rounds(trials, "mine")
    assert result_of(one, problem, trials).contradictions == sum(
        float(trial.error) < least
        for trial, least in zip(
            one.trials,
            lower_bounds(
                problem,
                {problem.space.index(trials[0].architecture): trials[0].error},
                [problem.space.index(trial.architecture) for trial in one.trials],
            ),
            strict=True,
        )
    )
    clean = result_of(one, problem, trials).contradictions == 0
    assert one.target(problem, trials, 9) == (9 if clean else 2)
    assert taken(problem, trials) == {tuple(row) for row in problem.space.listed()[-3:].tolist()}


def test_a_bound_in_bits_is_the_same_in_every_version() -> None:
    """The draw of a ledger that exists must not change: raw bits of Philox are fixed."""
    assert np.random.Philox(key=1).random_raw(2).tolist() == [5599841837815857887, 15655913098571550255]
