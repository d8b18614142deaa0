"""Short against long: who the pick's closest rivals are, and whether the order held when all were trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from subarch.extraction.question import Question
from subarch.networks.space import Space
from subarch.results.confirm import ConfirmedResult, DifferenceResult, Held
from subarch.results.extract import ExtractResult, TrainedResult
from subarch.results.wording import counted, identity
from subarch.running.latency_table import LatencyTable
from subarch.tasks.metrics import interval

_RANKED = 3  # networks that have a rank correlation: of two it is a coin


def pick_of(found: ExtractResult) -> TrainedResult:
    """The training of the search that the pick is of."""
    chosen = identity(found.architecture)
    return next(one for one in found.trained if identity(one.architecture) == chosen)


def rivals_of(found: ExtractResult, count: int) -> tuple[TrainedResult, ...]:
    """The closest rivals of the pick among what was trained, the closest first; fewer where there are no more.

    Only what could have been the pick is a rival: of a constrained claim what meets the limits, by the lowest error;
    otherwise what has a W above zero, by the highest. Architectures whose training failed have no error.

    Args:
        found: by the search.
        count: rivals at most.
    """
    chosen, by_w = identity(found.architecture), found.certificate.claim != "constrained"
    others = [one for one in _qualified(found) if identity(one.architecture) != chosen]
    ordered = sorted(others, key=lambda one: (-one.w if by_w else one.error, one.number))
    return tuple(ordered[:count])


def _qualified(found: ExtractResult) -> Iterator[TrainedResult]:
    """What meets the limits as the search measured them; without limits, what has any W."""
    question = Question.from_json(found.certificate.question)
    if not question.limits:
        yield from (one for one in found.trained if one.w > 0)
        return
    slowest, milliseconds = math.inf, [0.0] * len(found.trained)
    if question.needs_latency:
        space = Space.from_json(found.certificate.space)
        table = LatencyTable.from_json(found.certificate.latency_table or {}, space)
        rows = np.array([space.index(one.architecture) for one in found.trained], dtype=np.int16)
        milliseconds = table.predict(rows).tolist()
        slowest = min(
            question.limits.get("latency_ms", math.inf),
            table.reference_ms / question.limits.get("speedup", 0.0) if "speedup" in question.limits else math.inf,
        )
    most = {name: question.limits.get(name, math.inf) for name in ("parameters", "macs")}
    for one, takes in zip(found.trained, milliseconds, strict=True):
        if one.parameters <= most["parameters"] and one.macs <= most["macs"] and takes <= slowest:
            yield one


@dataclass(frozen=True, kw_only=True)
class Concluded:
    """What the networks say together; the attributes are those of :class:`~subarch.results.confirm.ConfirmResult`."""

    verdict: Held
    reason: str
    better: int | None
    tau: float | None
    networks: tuple[ConfirmedResult, ...]


def concluded(networks: Sequence[ConfirmedResult], *, by_w: bool, examples: int, asked: int) -> Concluded:
    """Whether the pick is still ahead.

    What the claim ranks by is compared: scores, or W with the error after full training, one minus the score (at least
    half a row's worth: W divides by it).

    Args:
        networks: the pick, then its rivals, each with its scores.
        by_w: whether the claim ranks by W.
        examples: rows that gave the scores.
        asked: for so many rivals.
    """
    if by_w:
        networks = [replace(one, w_after=_w_after(one, examples)) for one in networks]
    pick, *rivals = networks
    compared = tuple(replace(one, difference=_difference(pick, one)) for one in rivals)
    better = [one for one in compared if one.difference is not None and one.difference.sign > 0]
    worse = [one for one in compared if one.difference is not None and one.difference.sign < 0]
    best = max(better, key=lambda one: one.difference.mean if one.difference else -math.inf, default=None)
    able = [one for one in compared if one.failure is None]
    verdict: Held = "did not hold" if best else "held" if able and len(worse) == len(able) else "not decided"
    reason = _worded(verdict, pick, able, len(worse), best, by_w=by_w)
    return Concluded(
        verdict=verdict,
        reason=" ".join([reason, *_lacking(compared, asked)]),
        better=None if best is None else best.number,
        tau=_tau([pick, *able], by_w=by_w),
        networks=(pick, *compared),
    )


def _values(one: ConfirmedResult) -> Sequence[float]:
    """What the claim ranks by, after full training, of each seed."""
    return one.scores if one.w_after is None else one.w_after


def _w_after(one: ConfirmedResult, examples: int) -> tuple[float, ...]:
    saved = one.w * one.error
    return tuple(saved / max(1 - score, 0.5 / examples) for score in one.scores)


def _difference(pick: ConfirmedResult, rival: ConfirmedResult) -> DifferenceResult | None:
    if rival.failure is not None:
        return None
    mean, half = interval([theirs - ours for theirs, ours in zip(_values(rival), _values(pick), strict=True)])
    return DifferenceResult(mean=mean, ci95=half)


def _tau(networks: Sequence[ConfirmedResult], *, by_w: bool) -> float | None:
    short = [one.w if by_w else -one.error for one in networks]
    long = [fmean(_values(one)) for one in networks]
    if len(networks) < _RANKED or len(set(short)) < 2 or len(set(long)) < 2:
        return None
    found: Any = kendalltau(short, long)
    return float(found.statistic)


def _worded(
    verdict: Held,
    pick: ConfirmedResult,
    rivals: Sequence[ConfirmedResult],
    behind: int,
    best: ConfirmedResult | None,
    *,
    by_w: bool,
) -> str:
    what = "has a higher W than" if by_w else "is better than"
    if best is not None and best.difference is not None:
        mean, half = best.difference.mean, best.difference.ci95 or 0.0
        by = f"{mean:.3g} ± {half:.2g}" if by_w else f"{100 * mean:.2f} ± {100 * half:.2f} points"
        return f"The order did not hold: after full training {best.name} (no. {best.number}) {what} the pick, by {by}."
    if not rivals:
        return "There is no rival to compare the pick with."
    if len(pick.scores) < 2:
        return "Whether the order held is not decided: one seed shows no noise; give finetune.seeds at least 3."
    if verdict == "held":
        each = "its rival" if len(rivals) == 1 else f"each of its {len(rivals)} rivals"
        return f"The order held: after full training the pick {what} {each} beyond the noise of the seeds."
    ahead = f"{behind} of its {len(rivals)} rivals" if behind else "none of its rivals"
    return (
        f"Whether the order held is not decided: after full training no rival {what} the pick beyond the noise of the "
        f"seeds, and the pick {what} {ahead}."
    )


def _lacking(rivals: Sequence[ConfirmedResult], asked: int) -> Iterator[str]:
    """Rivals that are not there, and those whose training failed."""
    if len(rivals) < asked:
        yield (
            f"Asked for: {counted(asked, 'rival')}; only {len(rivals)} of the other trained architectures could have "
            "been the answer."
        )
    for one in rivals:
        if one.failure is not None:
            yield f"The training of {one.name} (no. {one.number}) failed, and is not compared: {one.failure}."
