"""From text to answer: what a rung takes for one text and for many, tokens included; in turns, side by side."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from subarch.rungs.ground import Ground
from subarch.running.benchmark import interleaved
from subarch.running.predictor import Predictor
from subarch.text.encoding import tokenize
from subarch.text.examples import Example

_COMMON = 95  # of 100 texts are no longer than those that are timed alone
_ALONE = 16  # of these
_SECONDS = 0.3  # of a visit
_MANY = 256  # texts a call at most
_CALL_MS = 500.0  # that a call of many may take, as far as one text tells
_CALLS = 3


@dataclass(frozen=True)
class Times:
    """Of one rung.

    Attributes:
        ms_per_text: the median for one text.
        texts_per_second: of many.
    """

    ms_per_text: float
    texts_per_second: float


def times(predictors: Mapping[str, Predictor], ground: Ground) -> dict[str, Times]:
    """Time everything that answers here, in turns, so that a drift of the machine meets all of it alike.

    Args:
        predictors: by name.
        ground: whose development texts are asked about.
    """
    alone, many = texts(ground)

    def passes(predictor: Predictor) -> Callable[[], object]:
        turns = itertools.cycle(alone)
        return lambda: predictor.outputs([next(turns)])

    def tick(done: int, total: int) -> None:
        ground.watch("timing, from text to answer", done=done, total=total)

    rounds = ground.options.rounds
    one = interleaved({name: passes(p) for name, p in predictors.items()}, rounds=rounds, seconds=_SECONDS, tick=tick)
    rates: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(min(_CALLS, rounds)):
        for name, predictor in predictors.items():
            asked = many[: max(8, int(_CALL_MS / one[name].p50_ms))]
            began = time.perf_counter()
            predictor.outputs(asked)
            rates[name].append(len(asked) / (time.perf_counter() - began))
    return {name: Times(one[name].p50_ms, statistics.median(rates[name])) for name in predictors}


def texts(ground: Ground) -> tuple[Sequence[Example], Sequence[Example]]:
    """Development texts that are as long as 95 in 100 of them, and some of all lengths."""
    bare = [one.bare for one in ground.task.development]
    teacher = ground.teacher
    lengths = tokenize(bare, teacher.tokenizer, length=teacher.length, types=False).lengths
    order = np.argsort(lengths, kind="stable")
    place = min(len(bare) - 1, len(bare) * _COMMON // 100)
    first = max(0, place - _ALONE // 2)
    return [bare[int(n)] for n in order[first : first + _ALONE]], bare[:_MANY]
