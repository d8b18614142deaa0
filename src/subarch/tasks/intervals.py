"""How sure a difference is: intervals of what was counted on rows that stand for others like them.

Two networks that answer the same rows are compared row by row: most rows say nothing (both right, both wrong), and
what is left decides. Of right and wrong answers the interval inverts Tango's score test (1998) with a continuity
correction of half a row, which holds its level at every size that was tried; of other metrics it is a bootstrap over
rows. All of it holds for rows that are drawn as the sealed ones were, and for nothing else.

Notation: of n rows the first network alone answers b rightly, the second alone c; the drop is (b - c) / n.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm
from scipy.stats import t as student_t

from subarch.errors import InputError
from subarch.tasks.kinds.base import Kind
from subarch.tasks.metrics import Predicted
from subarch.text.examples import Example

LEVEL = 0.95
_HALVINGS = 60  # of a bracket of width 2: beyond what a float can tell apart
_RESAMPLES = 1000
_MOST_ROWS = 10_000_000  # nobody labels more to settle a target
_CORRECTION = 0.5  # of a row


class Interval(NamedTuple):
    """Where a value lies, with the confidence that was asked for."""

    low: float
    high: float


class Drop(NamedTuple):
    """What is lost from one network to another on the same rows, as a fraction.

    Attributes:
        value: the estimate: score of the first less that of the second.
        interval: where it lies.
        rows: how many were compared.
        counts: ``(b, c)`` where answers are right or wrong; None of other metrics.
    """

    value: float
    interval: Interval
    rows: int
    counts: tuple[int, int] | None


def share(successes: int, of: int, *, level: float = LEVEL) -> Interval:
    """A proportion, by Clopper and Pearson: it is covered at least as often as the level says.

    Raises:
        ValueError: unless ``0 <= successes <= of`` and ``of`` is at least 1.
    """
    if not 0 <= successes <= of or of < 1:
        raise InputError(f"expected a part of at least one row, got {successes} of {of}")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, of - successes + 1))
    high = 1.0 if successes == of else float(beta.ppf(1 - tail, successes + 1, of - successes))
    return Interval(low, high)


def lower_share(successes: int, of: int, *, level: float = LEVEL) -> float:
    """What a proportion is at least: the one-sided bound of Clopper and Pearson."""
    return share(successes, of, level=2 * level - 1).low


def paired(lost: int, won: int, rows: int, *, level: float = LEVEL) -> Interval:
    """The drop ``(lost - won) / rows`` between two networks on the same rows.

    Args:
        lost: rows that the first alone answers rightly (b).
        won: rows that the second alone does (c).
        rows: all of them (n).
        level: of confidence, two-sided.

    Raises:
        ValueError: for counts that do not fit into the rows.
    """
    if min(lost, won) < 0 or lost + won > rows or rows < 1:
        raise InputError(f"expected counts within at least one row, got {lost} and {won} of {rows}")
    return _score_interval(float(lost), float(won), float(rows), float(norm.ppf(0.5 + level / 2)))


def _score_interval(lost: float, won: float, rows: float, z: float) -> Interval:
    """All differences that the score test does not refuse; counts may be fractions, for planning."""
    estimate = (lost - won) / rows

    def refuses(difference: float) -> bool:
        distance = max(0.0, abs(lost - won - rows * difference) - _CORRECTION)
        return distance > z * math.sqrt(_variance(lost, won, rows, difference))

    def edge(far: float) -> float:
        near = estimate
        if not refuses(far):
            return far
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            near, far = (near, middle) if refuses(middle) else (middle, far)
        return far

    return Interval(edge(-1.0), edge(1.0))


def _variance(lost: float, won: float, rows: float, difference: float) -> float:
    """Of ``lost - won``, where ``difference`` is true and the rest is as likely as it can be: a quadratic's root."""
    linear = -lost - won + (2 * rows - lost + won) * difference
    constant = -won * difference * (1 - difference)
    root = (math.sqrt(max(0.0, linear**2 - 8 * rows * constant)) - linear) / (4 * rows)
    return max(0.0, rows * (2 * root + difference * (1 - difference)))


def bootstrap(
    difference: Callable[[NDArray[np.int64]], float], rows: int, *, level: float = LEVEL, seed: int = 0
) -> Interval:
    """A statistic of rows, by drawing rows with replacement.

    Percentiles are taken a little farther out, as Hesterberg (2015) has them: the plain ones are too narrow by as much
    as a standard deviation over n instead of n - 1 and a normal quantile instead of Student's.

    Args:
        difference: of the rows with these numbers.
        rows: how many there are, at least 2.
        level: of confidence, two-sided.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    values = [difference(rng.integers(0, rows, rows)) for _ in range(_RESAMPLES)]
    quantile = math.sqrt(rows / (rows - 1)) * float(student_t.ppf(0.5 + level / 2, rows - 1))
    tail = float(norm.sf(quantile))
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))


def drop(
    kind: Kind, metrics: Sequence[str], examples: Sequence[Example], reference: Predicted, said: Predicted
) -> Drop:
    """What is lost from a reference's answers to others on the same labelled rows.

    Args:
        kind: of the task.
        metrics: of the score.
        examples: labelled ones, at least one.
        reference: for each example what the reference says.
        said: likewise, by whoever takes its place.
    """
    rows = len(examples)

    def scored(predicted: Predicted) -> float:
        return kind.score(metrics, examples, predicted)["score"]

    value = scored(reference) - scored(said)
    if tuple(metrics) == ("accuracy",):
        before, after = (_right(kind, examples, one) for one in (reference, said))
        lost, won = int(np.sum(before & ~after)), int(np.sum(after & ~before))
        return Drop(value, paired(lost, won, rows), rows, (lost, won))
    if rows < 2:
        return Drop(value, Interval(-2.0, 2.0), rows, None)  # a correlation may fall from 1 to -1

    def difference(chosen: NDArray[np.int64]) -> float:
        some = [examples[row] for row in chosen]
        one, other = (
            kind.score(metrics, some, [answers[row] for row in chosen])["score"] for answers in (reference, said)
        )
        return one - other

    return Drop(value, bootstrap(difference, rows), rows, None)


def _right(kind: Kind, examples: Sequence[Example], predicted: Predicted) -> NDArray[np.bool_]:
    return np.array(
        [kind.score(("accuracy",), [e], [p])["score"] == 1 for e, p in zip(examples, predicted, strict=True)],
        dtype=np.bool_,
    )


def rows_needed(found: Drop, most: float, *, level: float = LEVEL) -> int | None:
    """How many rows like these would show that the drop is at most ``most``, were it exactly what it seems to be.

    Returns:
        None where no number of rows would, since the estimate itself is not below.
    """
    if found.value >= most or found.rows < 1:
        return None

    def shows(rows: int) -> bool:
        if found.counts is None:
            half = (found.interval.high - found.value) * math.sqrt(found.rows / rows)
            return found.value + half <= most
        lost, won = (count * rows / found.rows for count in found.counts)
        return _score_interval(lost, won, float(rows), float(norm.ppf(0.5 + level / 2))).high <= most

    if not shows(_MOST_ROWS):
        return None
    low, high = 0, 1
    while not shows(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def agreement(reference: Predicted, said: Predicted) -> tuple[int, int]:
    """On how many of all rows two networks answer alike; labels are not needed for it."""
    alike = sum(one == other for one, other in zip(reference, said, strict=True))
    return alike, len(cast("Sequence[object]", said))
