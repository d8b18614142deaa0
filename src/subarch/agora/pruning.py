"""Which hyperparameter sets go on to the next round: three rules.

The published algorithm (A. de Wynter, 2020) sorts the sets by score and drops those that are in the longest common
sequence rooted at the first one; what that is it leaves open. ``common_subsequence`` and ``common_prefix`` are readings
of it, ``halving`` is the plain alternative. A set is a sequence of (name, value) pairs, in the order in which it was
written down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from subarch.errors import InputError

Pruning = Literal["halving", "common_subsequence", "common_prefix"]
Theta = Mapping[str, Any]
"""One hyperparameter set."""


def surviving(rule: Pruning, ranking: Sequence[int], sets: Sequence[Theta], last: Sequence[int] | None) -> list[int]:
    """The sets that go on, in their order in ``sets``.

    Args:
        rule: how to prune.
        ranking: positions in ``sets`` of those that took part in this round, the worst first.
        sets: all hyperparameter sets.
        last: the ranking of the round before; None in the first one.

    Returns:
        At least one: the best of the round always stays.

    Raises:
        ValueError: for an unknown rule, or an empty ranking.
    """
    if not ranking:
        raise InputError("expected at least one hyperparameter set to prune, got none")
    if rule == "halving":
        dropped = len(ranking) // 2
    elif rule == "common_subsequence":
        dropped = _related([sets[n] for n in ranking])
    elif rule == "common_prefix":
        dropped = max(1, _shared_prefix(ranking, [n for n in last or () if n in ranking]))
    else:
        raise InputError(f"expected the pruning rule halving, common_subsequence or common_prefix, got {rule!r}")
    return sorted(ranking[min(dropped, len(ranking) - 1) :])


def _related(worst_first: Sequence[Theta]) -> int:
    """How many from the worst on have (name, value) pairs in common, in one order; the worst alone counts too."""
    shared = list(worst_first[0].items())
    for n, theta in enumerate(worst_first[1:], start=1):
        shared = common_subsequence(shared, list(theta.items()))
        if not shared:
            return n
    return len(worst_first)


def _shared_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def common_subsequence(one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    """The longest common subsequence; of several, the one whose elements come first in ``one``."""
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        for j in range(len(other) - 1, -1, -1):
            same = one[i] == other[j]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if same else max(lengths[i + 1][j], lengths[i][j + 1])
    found: list[Any] = []
    i = j = 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            found.append(one[i])
            i, j = i + 1, j + 1
        elif lengths[i][j + 1] >= lengths[i + 1][j]:
            j += 1
        else:
            i += 1
    return found


def theory(rounds: int) -> list[float]:
    """The curve 1 - 2^-k of the announcement for rounds 1..k: from a random classifier, binary, balanced, at best."""
    return [1 - math.ldexp(1, -k) for k in range(1, rounds + 1)]
