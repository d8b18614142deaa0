"""What the trials of a ledger must be: what each says of itself, and which of them the rules ask for."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np

from subarch.extraction.audit import draw_of, rounds
from subarch.extraction.conclusions import NEARLY, decisive
from subarch.extraction.noise import REPEATS, is_whole, middles, relative_noise, repeats_by_network, smallest
from subarch.extraction.objectives import CandidateRun, averaged
from subarch.extraction.problem import Problem
from subarch.extraction.statement import Statement
from subarch.extraction.study import PURPOSES, Trial


class Refused(Exception):  # noqa: N818 - a verdict, not an error
    """The run does not bear out its certificate."""


def expect(holds: bool, otherwise: str) -> None:
    """Refuse a run of which something does not hold.

    Raises:
        Refused: with what is wrong.
    """
    if not holds:
        raise Refused(otherwise)


def require_rules(found: Statement, *, counted_anew: bool) -> None:
    """Every trial costs what it records, and has the error of its trainings; repeats, scale and audits are as asked.

    Args:
        found: what a certificate is about.
        counted_anew: whether the search saw other counts at first, and so another order of the sizes, other limits.

    Raises:
        Refused: when a rule is broken.
    """
    numbers = [trial.number for trial in found.trials]
    expect(numbers == list(range(len(numbers))), "trials are missing from the ledger")
    for trial in found.trials:
        _trial_agrees(trial, found.problem)
    _scale_agrees(found)
    _repeats_agree(found, in_order=not counted_anew)
    _noise_agrees(found)
    _audits_agree(found, in_order=not counted_anew)


def _trial_agrees(trial: Trial, problem: Problem) -> None:
    """Its network costs what it records, and its error is that of its trainings."""
    known = trial.purpose in PURPOSES
    expect(known, f"trial {trial.number} is for {trial.purpose!r}; purposes are {', '.join(PURPOSES)}")
    drawn = trial.purpose == "failed" or (trial.purpose == "audit") == ("round" in trial.details)
    expect(drawn, f"trial {trial.number} is for {trial.purpose!r}, its details are of something else")
    expect(problem.space.contains(trial.architecture), f"trial {trial.number} is outside the space")
    index = problem.space.index(trial.architecture)
    p, i = (float(value) for value in problem.costs(np.array([index], dtype=np.int16))[0])
    expect(
        trial.parameters == p and math.isclose(trial.cost, i, rel_tol=NEARLY),
        f"trial {trial.number} records p, i = {trial.parameters, trial.cost}, its network has {p, i}",
    )
    error, deviation = averaged([CandidateRun.from_json(run) for run in trial.details["runs"]])
    told = float(trial.details["standard_error"])
    expect(
        math.isclose(trial.error, error, rel_tol=NEARLY) and math.isclose(told, deviation, rel_tol=NEARLY),
        f"trial {trial.number} records an error of {trial.error:.6g} +- {told:.2g}, its trainings have "
        f"{error:.6g} +- {deviation:.2g}",
    )
    if trial.purpose != "repeat":
        failed = trial.purpose == "failed"
        expect(failed == math.isinf(trial.error), f"trial {trial.number} is for {trial.purpose!r}, its error {error}")


def _scale_agrees(found: Statement) -> None:
    """One measurement of the scale, of the smallest network, where errors inherit one."""
    least = smallest(found.problem.space, found.counts)
    floors = [trial.architecture for trial in found.trials if trial.purpose == "floor"]
    wanted = [least] if found.ledger.identity["error"]["start"] == "inherit" else []
    cannot = not floors and least in [trial.architecture for trial in found.trials if trial.purpose == "failed"]
    expect(floors == wanted or cannot, f"the scale of the error is measured at {floors}, the rule asks for {wanted}")


def _repeats_agree(found: Statement, *, in_order: bool) -> None:
    """No repeat twice, none of a number that is not asked for, and all of the network in the middle."""
    repeats = [trial for trial in found.trials if trial.purpose == "repeat"]
    times = Counter((tuple(trial.architecture.values()), trial.details["repeat"]) for trial in repeats)
    expect(set(times.values()) <= {1}, "a repeat was made twice")
    numbers = {number for _, number in times}
    expect(numbers <= set(range(1, REPEATS + 1)), f"repeats are numbered {sorted(numbers)}, the rule asks for 1 to 4")
    whole = [key for key, errors in repeats_by_network(found.trials).items() if is_whole(errors)]
    expect(bool(whole), f"no network was repeated {REPEATS} times")
    first = next(trial.number for trial in repeats if tuple(trial.architecture.values()) == whole[0])
    failed = [trial.architecture for trial in found.trials[:first] if trial.purpose == "failed"]
    middle = next(one for one in middles(found.problem.space, found.counts) if one not in failed)
    expect(
        not in_order or tuple(middle.values()) == whole[0],
        f"the network in the middle, {middle}, is not the one that was repeated first",
    )


def _noise_agrees(found: Statement) -> None:
    """Where the noise is known, the smallest network was repeated as well as the pick."""
    trials, problem = found.trials, found.problem
    pick = decisive(problem, trials, found.derived)
    if pick is None or relative_noise(trials, problem.space, pick, problem.e_min) is None:
        return
    least = smallest(problem.space, found.counts)
    whole = is_whole(repeats_by_network(trials).get(tuple(least.values()), {0: math.inf}))
    failed = problem.space.index(least) in found.ledger.failed(list(trials))
    expect(whole or failed, f"the smallest network, {least}, was not repeated {REPEATS} times, as the rule asks")


def _audits_agree(found: Statement, *, in_order: bool) -> None:
    """What was drawn is what the trials before it draw."""
    index = found.problem.space.index
    for number, one in enumerate(rounds(found.trials, found.ask), 1):
        expect(one.number == number, f"the audits are not numbered from 1 (trial {one.before})")
        wanted = list(itertools.islice(draw_of(one, found.problem, found.ledger), len(one.trials)))
        there = [index(trial.architecture) for trial in one.trials]
        expect(not in_order or there == wanted, f"audit {number} is not of what the trials before it draw")
