"""A search, played again on what its ledger holds: what it asks for must be what is there, in order.

Whoever leaves out trials that were in the way, or changes errors, must also change what was trained after them. The
search is deterministic but for ties, which may fall otherwise on another machine; and side by side trainings end in any
order. Where that can be, a difference proves nothing, and is told as what it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from subarch.extraction.claims import Status
from subarch.extraction.problem import Problem
from subarch.extraction.search import Strategy, begun
from subarch.extraction.study import EVIDENCE, Trial
from subarch.manifest import surroundings
from subarch.networks.space import Architecture, Index

Errors = dict[Index, float]


@dataclass(frozen=True, kw_only=True)
class AskedSearch:
    """What was asked of a search.

    Attributes:
        problem: that the question poses.
        ask: digest of the question, which its trials carry.
        strategy, interval: of the search.
        contrast: the smallest architecture, trained where one training alone has closed the claim.
    """

    problem: Problem
    ask: str
    strategy: Strategy
    interval: int
    contrast: Architecture


@dataclass(frozen=True, kw_only=True)
class Replay:
    """How it went.

    Attributes:
        replayed: trainings that were asked for as they are there.
        others: that other questions have asked for, and that this one only knew.
        fault: where it asked for something else; None where it did not.
        excuses: reasons for which an honest search may have done so.
        standing: after each of its trainings.
        contrast: whether the last one may have been for contrast, which a search that ends before it does not tell.
    """

    replayed: int
    others: int
    fault: str | None
    excuses: tuple[str, ...]
    standing: tuple[Status, ...]
    contrast: bool


def evidence(trials: Sequence[Trial], ask: str, problem: Problem) -> tuple[Errors, Errors]:
    """Errors (infinite: it failed) that the question itself has asked for, and those that were known from elsewhere."""
    mine, others = Errors(), Errors()
    for trial in trials:
        if trial.purpose in (*EVIDENCE, "failed"):
            target = mine if trial.details.get("ask") == ask else others
            target[problem.space.index(trial.architecture)] = max(trial.error, problem.e_min)
    return mine, others


def replay(asked: AskedSearch, trials: Sequence[Trial], *, counted_anew: bool) -> Replay:
    """Ask again, and see whether what is there is what is asked for.

    Args:
        asked: what was asked.
        trials: of the whole ledger.
        counted_anew: whether counts may have changed while the search went on.
    """
    mine, others = evidence(trials, asked.ask, asked.problem)
    used = [trial for trial in trials if trial.purpose in (*EVIDENCE, "failed")]
    own = [trial for trial in used if trial.details.get("ask") == asked.ask]
    first, last = (own[0].number, own[-1].number) if own else (len(trials), len(trials))
    _, known = evidence([trial for trial in trials if trial.number < first], asked.ask, asked.problem)
    between = [trial for trial in used if trial not in own and first < trial.number < last]
    return Replay(
        replayed=sum(not _audits(trial) for trial in own),
        others=len(others),
        fault=_fault(asked, own, known),
        excuses=tuple(_excuses(own, bool(between), counted_anew)),
        standing=tuple(_standing(asked, mine, others)),
        contrast=bool(own) and own[-1].architecture == asked.contrast,
    )


def _audits(trial: Trial) -> bool:
    """Whether it was drawn at random rather than asked for."""
    return "round" in trial.details


def _excuses(own: Sequence[Trial], interrupted: bool, counted_anew: bool) -> Iterator[str]:
    made: list[Mapping[str, str]] = [trial.details.get("made", {}) for trial in own]
    if any(one.get("executor") != "serial" for one in made):
        yield "trainings ran side by side"
    if any(one.get("with") != surroundings() for one in made):
        yield "it was made with other versions or on another machine, where ties may fall otherwise"
    if interrupted:
        yield "another question was asked in between"
    if counted_anew:
        yield "a network had other counts than it was thought to have, and the search went on with those"


def _fault(asked: AskedSearch, own: Sequence[Trial], known: Errors) -> str | None:
    """Where something else is asked for than what is there."""
    source = begun(asked.problem, known, asked.strategy, asked.interval)
    errors, drawn = sum(error < math.inf for error in known.values()), False
    for trial in own:
        index = asked.problem.space.index(trial.architecture)
        if not _audits(trial):
            wanted = source.ask()
            contrast = wanted is None and errors == 1 and trial.architecture == asked.contrast
            if wanted != index and not contrast:
                asks = "for nothing more" if wanted is None else f"for {asked.problem.space.architecture(wanted)}"
                return f"the search asks {asks} where trial {trial.number} is of {trial.architecture}"
        elif not drawn:
            source.ask()  # as the search does, before it takes over what it has not asked for
        drawn = _audits(trial)
        error = math.inf if trial.purpose == "failed" else max(trial.error, asked.problem.e_min)
        source.tell(index, error)
        errors += error < math.inf
    return None


def _standing(asked: AskedSearch, mine: Errors, others: Errors) -> Iterator[Status]:
    """Where the search stood after each of its trainings, when it went through them for the last time."""
    source = begun(asked.problem, others, asked.strategy, asked.interval)
    left = {index: error for index, error in mine.items() if index not in others}
    while left:
        wanted = source.ask()
        for index in [wanted] if wanted is not None and wanted in left else list(left):
            source.tell(index, left.pop(index))
            yield source.status()
