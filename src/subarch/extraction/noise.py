"""How much the error of one network changes with seeds and batches, and whether that could have decided.

What decides between two networks is the ratio of their errors. So the same repeats (seeds, batches, held-out texts) are
made for the pick and for others, and the noise is that of the differences of their log errors: what both share cancels.
Few repeats say little about a standard deviation, so its upper 95 % limit counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.stats import chi2

from subarch.extraction.study import EVIDENCE, Trial
from subarch.networks.countmodels import CountModel
from subarch.networks.space import Architecture, Index, Space, Value

REPEATS = 4
"""Of a network, from which its noise is estimated: no fewer, so that none can be left out unseen."""
SEPARATING = 3.0
"""Errors are resolved when epsilon is at least so many times their relative noise, and delta < epsilon."""


def smallest(space: Space, counts: CountModel) -> Architecture:
    """The smallest architecture (of a sample, where constraints remove the corners of a large space)."""
    corners = np.array([box.lo for box in space.roots()], dtype=np.int16)
    feasible = corners[space.feasible(corners)]
    return space.architecture(feasible[0]) if len(feasible) else next(_by_cost(space, counts))


def middles(space: Space, counts: CountModel) -> Iterator[Architecture]:
    """Architectures (of a sample, where the space is large) from the middle of the sizes outwards.

    The first is repeated, or the next where a training of it fails.
    """
    order = list(_by_cost(space, counts))
    yield from (order[n] for n in sorted(range(len(order)), key=lambda n: (abs(n - len(order) // 2), n)))


def _by_cost(space: Space, counts: CountModel) -> Iterator[Architecture]:
    rows = space.sample(512, 0)
    yield from (space.architecture(rows[n]) for n in np.argsort(counts.table(rows)[1], kind="stable"))


def repeats_by_network(trials: Sequence[Trial]) -> dict[tuple[Value, ...], dict[int, float]]:
    """Errors of the repeats of every network, as they were measured, by the number of the repeat."""
    found: dict[tuple[Value, ...], dict[int, float]] = {}
    for trial in trials:
        if trial.purpose == "repeat":
            found.setdefault(tuple(trial.architecture.values()), {})[int(trial.details["repeat"])] = trial.error
    return found


def is_whole(repeats: Mapping[int, float]) -> bool:
    """Whether all repeats of a network were made, and none failed."""
    return set(range(1, REPEATS + 1)) <= repeats.keys() and max(repeats.values()) < math.inf


def noise_of(trials: Sequence[Trial]) -> float:
    """Standard deviation of the error of one architecture, the first that was repeated, over seeds and batches."""
    errors = next((list(one.values()) for one in repeats_by_network(trials).values() if is_whole(one)), [])
    return float(np.std(errors, ddof=1)) if errors else 0.0


def upper_limit(repeats: int, confidence: float = 0.95) -> float:
    """A standard deviation is at most this many times what ``repeats`` values show, of normal ones.

    >>> round(upper_limit(4), 2)
    2.92
    """
    return math.sqrt((repeats - 1) / float(chi2.ppf(1 - confidence, repeats - 1)))


def relative_noise(trials: Sequence[Trial], space: Space, pick: Index, e_min: float) -> float | None:
    """The upper limit of the noise of one error, relative to it, where the pick is compared with others.

    The error itself is one of the repeats. Over all networks that were repeated beside the pick the loudest counts;
    of a pick that was repeated alone, its own noise.

    Args:
        trials: of the ledger.
        space: of their architectures.
        pick: whose error decides.
        e_min: to which errors are clamped, as everywhere.

    Returns:
        A share of the error; None where it is not known: too few repeats, one that failed, or repeats that gave the
        very same error, as of a function that does not look at its seed.
    """
    errors = _by_network(trials, space, e_min)
    own = errors.get(pick)
    if own is None or not max(max(found.values()) for found in errors.values()) < math.inf:
        return None
    if all(len(set(found.values())) == 1 for found in errors.values()):
        return None
    others = [found for index, found in errors.items() if index != pick]
    if not others:
        values = np.log(list(own.values()))
        return float(np.std(values, ddof=1)) * upper_limit(len(values))
    return max(_of_differences(own, other) for other in others)


def _of_differences(own: Mapping[int, float], other: Mapping[int, float]) -> float:
    shared = sorted(own.keys() & other.keys())
    apart = np.log([own[n] for n in shared]) - np.log([other[n] for n in shared])
    return float(np.std(apart, ddof=1)) / math.sqrt(2) * upper_limit(len(shared))


def _by_network(trials: Sequence[Trial], space: Space, e_min: float) -> dict[Index, dict[int, float]]:
    """Errors of every network that was repeated to the end, by the number of the repeat; 0 is the error itself."""
    clamped = {
        space.index(dict(zip(space.names, key, strict=True))): {n: max(error, e_min) for n, error in repeats.items()}
        for key, repeats in repeats_by_network(trials).items()
        if is_whole(repeats) or not max(repeats.values()) < math.inf
    }
    for trial in trials:
        if trial.purpose in EVIDENCE and (index := space.index(trial.architecture)) in clamped:
            clamped[index][0] = max(trial.error, e_min)
    return clamped
