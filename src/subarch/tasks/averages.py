"""The number that a suite's leaderboard sorts by."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping

from subarch.errors import InputError
from subarch.tasks.suites import SUITES, BenchmarkTask


def suite_average(suite: str, scores: Mapping[str, Mapping[str, float] | float]) -> float:
    """The number that the suite's leaderboard sorts by.

    A task's score is the mean of its metrics; tasks of one column (both of MNLI, both of RACE) count as one, and
    diagnostics do not count.

    Args:
        suite: ``"glue"``, ``"superglue"`` or ``"race"``.
        scores: by task name its score, or the value of each of its metrics.

    Returns:
        The average, in the unit of the scores.

    Raises:
        ValueError: when a task or a metric that counts is missing, or for an unknown suite.
    """
    if suite not in SUITES:
        raise InputError(f"expected one of the suites {', '.join(SUITES)}, got {suite!r}")
    counting = [task for task in SUITES[suite] if task.column is not None]
    if missing := [task.name for task in counting if task.name not in scores]:
        raise InputError(f"expected a score of every task of {suite} for its average, got none of {', '.join(missing)}")
    columns: dict[str | None, list[BenchmarkTask]] = defaultdict(list)
    for task in counting:
        columns[task.column].append(task)
    return statistics.fmean(
        statistics.fmean([_score(task, scores[task.name]) for task in column], [task.weight for task in column])
        for column in columns.values()
    )


def _score(task: BenchmarkTask, values: Mapping[str, float] | float) -> float:
    if not isinstance(values, Mapping):
        return values
    if absent := [metric for metric in task.metrics if metric not in values]:
        raise InputError(f"expected the metrics {', '.join(task.metrics)} of {task.name}, got no {absent[0]}")
    return statistics.fmean(values[metric] for metric in task.metrics)
