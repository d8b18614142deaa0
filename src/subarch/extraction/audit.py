"""Audits: architectures that the search did not train, drawn at random when it has closed, against their bounds.

The bounds L(x) rest on an assumption: that larger networks are not worse by more than delta. Which pairs of networks
show whether it holds, the search chooses. A random sample of what it did not choose says something without any
assumption: were a share q of the untrained architectures below their bounds, M random ones would all lie above theirs
with probability (1 - q)^M at most.

The r-th audit of a question is made when the search went on after the one before. Its confidence is 1 - 0.05 / 2^(r-1):
whoever tries again must ask for more, so that of all audits, each of which is told, few say something false.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import beta, hypergeom

from subarch.extraction.certificate import LISTING_LIMIT, lower_bounds
from subarch.extraction.problem import Problem
from subarch.extraction.study import EVIDENCE, Ledger, Trial
from subarch.networks.space import Index, IndexArray
from subarch.results.certificate import AuditResult, ContradictionResult

ERROR = 0.05
"""Probability with which the first audit may say something false."""
_BLOCK, _MOST_BLOCKS = 4096, 2500  # grid points that are drawn at once, and how often before the rest is given up


def confidence_of(number: int) -> float:
    """Of the audit of this number, from 1."""
    return 1 - ERROR / 2 ** (number - 1)


def share_at_most(trained: int, contradictions: int, untrained: int | None, confidence: float = 1 - ERROR) -> float:
    """At most this share of the untrained architectures contradict their bounds, where so many random ones do.

    Exactly, by the hypergeometric distribution, where it is known how many there are; otherwise by the binomial one
    (C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934).

    >>> round(share_at_most(29, 0, None), 3)
    0.098
    """
    if untrained is None:
        if contradictions == trained:
            return 1.0
        return float(beta.ppf(confidence, contradictions + 1, trained - contradictions))
    least, most = contradictions, untrained - trained + contradictions
    while least < most:  # the largest number that is not too unlikely
        middle = (least + most + 1) // 2
        likely = float(hypergeom.cdf(contradictions, untrained, middle, trained)) > 1 - confidence
        least, most = (middle, most) if likely else (least, middle - 1)
    return least / untrained


# -------------------------------------------------------------------------------------------------------- the draw


def untrained(problem: Problem, taken: Collection[Index]) -> IndexArray | None:
    """What the claim is about and nobody has trained yet; None where there are too many to list."""
    rows = problem.space.listing(LISTING_LIMIT)
    if rows is None:
        return None
    within = rows[problem.within(rows)]
    return within[[tuple(row) not in taken for row in within.tolist()]] if len(within) else within


def drawn(problem: Problem, taken: Collection[Index], seed: str) -> Iterator[Index]:
    """Architectures that the claim is about, none of them taken, in an order that is uniformly random.

    Large spaces are drawn from by rejection: from the grid, whatever meets constraints and limits. Raw bits are used,
    which a seed gives in every version of NumPy.

    Args:
        problem: what was asked.
        taken: what was trained, or cannot be.
        seed: hexadecimal digits.
    """
    bits = np.random.Philox(key=int(seed[:32], 16))
    if (rows := untrained(problem, taken)) is not None:
        yield from map(tuple, rows[np.argsort(bits.random_raw(len(rows)), kind="stable")].tolist())
        return
    sizes = np.array([len(one.choices) for one in problem.space.parameters], dtype=np.uint64)
    seen = set(taken)
    for _ in range(_MOST_BLOCKS):
        grid = (bits.random_raw(_BLOCK * len(sizes)).reshape(_BLOCK, -1) % sizes).astype(np.int16)
        feasible = grid[problem.space.feasible(grid)]
        for row in map(tuple, feasible[problem.within(feasible)].tolist() if len(feasible) else ()):
            if row not in seen:
                seen.add(row)
                yield row


# ------------------------------------------------------------------------------------------------------ the rounds


@dataclass(frozen=True, kw_only=True)
class AuditRound:
    """One audit.

    Attributes:
        number: of it, from 1.
        before: trials that there were when it began; it is drawn by these.
        trials: what was drawn and trained, in order.
        closed: whether the search went on after it.
    """

    number: int
    before: int
    trials: Sequence[Trial]
    closed: bool = False

    def target(self, problem: Problem, trials: Sequence[Trial], asked: int) -> int:
        """Architectures that it is to have, of so many that are asked for.

        While none contradicts its bound, more may be asked for: a share that is too high would have shown itself among
        the first ones as well. Once one does, what was asked for at first is drawn, no more and no less: to stop or to
        go on as one likes the outcome would make it false.
        """
        clean = result_of(self, problem, trials).contradictions == 0
        return asked if clean else max(int(trial.details["of"]) for trial in self.trials)


def rounds(trials: Sequence[Trial], ask: str) -> list[AuditRound]:
    """The audits of a question, in order."""
    own = [trial for trial in trials if trial.details.get("ask") == ask and trial.purpose in (*EVIDENCE, "failed")]
    found: list[AuditRound] = []
    for trial in own:
        number = trial.details.get("round")
        if number is None:
            found[-1:] = [replace(one, closed=True) for one in found[-1:]]
        elif found and found[-1].number == number:
            found[-1] = replace(found[-1], trials=(*found[-1].trials, trial))
        else:
            found.append(AuditRound(number=number, before=trial.number, trials=(trial,)))
    return found


def draw_of(one: AuditRound, problem: Problem, ledger: Ledger) -> Iterator[Index]:
    """What a round draws, by the trials that there were before it."""
    trials = ledger.trials()[: one.before]
    return drawn(problem, taken(problem, trials), ledger.hash_before(one.before))


def taken(problem: Problem, trials: Sequence[Trial]) -> set[Index]:
    """What cannot be drawn: it has an error, or cannot have one."""
    return {problem.space.index(trial.architecture) for trial in trials if trial.purpose in (*EVIDENCE, "failed")}


def compared(
    problem: Problem,
    known: Mapping[Index, float],
    found: Mapping[Index, float],
    of: int | None,
    confidence: float = 1 - ERROR,
) -> AuditResult:
    """Errors of what was drawn (infinite: it failed) against the bounds that the known ones prove."""
    errors = {index: error for index, error in found.items() if error < math.inf}
    bounds = lower_bounds(problem, known, list(errors))
    pairs = zip(errors.items(), bounds, strict=True)
    below = [(index, error, least) for (index, error), least in pairs if error < least]
    failed = len(found) - len(errors)
    share = share_at_most(len(errors), len(below), None if failed else of, confidence) if errors else None
    return AuditResult(
        trained=len(errors),
        untrained=of,
        failed=failed,
        contradictions=len(below),
        contradicting=tuple(
            ContradictionResult(architecture=problem.space.architecture(index), error=error, bound=least)
            for index, error, least in below
        ),
        confidence=confidence,
        share_upper95=share,
    )


def result_of(one: AuditRound, problem: Problem, trials: Sequence[Trial]) -> AuditResult:
    """What an audit says of the bounds that there were before it."""
    before = trials[: one.before]
    known = _errors(problem, [trial for trial in before if trial.purpose in EVIDENCE])
    rest = untrained(problem, taken(problem, before))
    found = _errors(problem, one.trials)
    return compared(problem, known, found, None if rest is None else len(rest), confidence_of(one.number))


def _errors(problem: Problem, trials: Sequence[Trial]) -> dict[Index, float]:
    return {problem.space.index(trial.architecture): max(trial.error, problem.e_min) for trial in trials}


def told(problem: Problem, trials: Sequence[Trial], ask: str) -> AuditResult | None:
    """What the audits of a question say; None where there was none."""
    results = [result_of(one, problem, trials) for one in rounds(trials, ask)]
    return replace(results[-1], earlier=tuple(results[:-1])) if results else None
