"""What Agora adds: the same student trained in other ways, all scored on the sealed split at the very end.

The ways are those of :mod:`subarch.agora.ways`, ``plain on D and E``, which is what one would do with development rows
otherwise, and the ``teacher``. Only ``agora`` against all others says what Agora adds.

What is kept is the way that is best on development data, which all but ``plain on D and E`` can be judged on: the one
with the best mean over the seeds, and of equal ones the simplest. A part of these data is kept apart for that: Agora
learns near its mistakes on the rest. Where it is asked for, this way is trained once more
with the development rows among its data, which have served their purpose by then: a row such as ``agora on D and E``,
which stands against ``plain on D and E``.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

from subarch.agora.course import Course
from subarch.agora.data import Labelled, Learner, Predict, X, answers_of, require_able
from subarch.agora.pruning import Theta
from subarch.agora.rounds import Gathered
from subarch.agora.ways import LOOPING, WAYS, OneSeed, Tuned
from subarch.errors import InputError
from subarch.results.finetune import MethodResult
from subarch.tasks.metrics import interval

_LOG = logging.getLogger(__name__)

METHODS = ("plain", "plain on D and E", "distilled", "augmented", "agora", "teacher")
"""What is compared where nothing was chosen and there is no pool."""
_REFITTED = "{} on D and E"
REFITTED = _REFITTED.format("agora")


@dataclass(frozen=True)
class Kept(Generic[X]):
    """The student of one seed that is kept: whoever fits this gets it.

    Attributes:
        method: how it was trained.
        data: what it learned from.
        theta: its hyperparameter set.
        seed: of the training.
        development: score on development data of the way that was chosen: no evidence, the choice was made on it.
        learner: that made it.
        judged: the same before it learned from development data: what may be judged by these.
    """

    method: str
    data: Labelled[X]
    theta: Theta
    seed: int
    development: float
    learner: Learner[X]
    judged: Predict[X]


@dataclass(frozen=True)
class Comparison(Generic[X]):
    """The rows, and each seed's loop.

    Attributes:
        scores: on the sealed split, by method, one a seed (the teacher: one).
        apart: likewise, on the sealed points alone that are not related to others; empty where all are.
        development: scores on development data of the ways that can be judged there, one a seed.
        chosen: the one of these that is kept.
        kept: its students, by seed.
        gathered: the loops, by seed; empty where no way has asked for them.
        quality: of the teacher on development data.
        learners: of the students, by method.
    """

    scores: dict[str, list[float]]
    apart: dict[str, list[float]]
    development: dict[str, list[float]]
    chosen: str
    kept: tuple[Kept[X], ...]
    gathered: tuple[Gathered[X], ...]
    quality: float
    learners: Mapping[str, Learner[X]]

    @property
    def best(self) -> Kept[X]:
        """The kept student that was best on development data."""
        return max(self.kept, key=lambda one: (one.development, -one.seed))

    def rows(self) -> list[MethodResult]:
        """Means with 95 % intervals, and the mean difference to the teacher."""
        return [self._row(method, scores) for method, scores in self.scores.items()]

    def _row(self, method: str, scores: Sequence[float]) -> MethodResult:
        mean, half = interval(scores)
        return MethodResult(
            method=method,
            mean=mean,
            ci95=half,
            seeds=len(scores),
            scores=tuple(scores),
            apart=statistics.fmean(self.apart[method]) if method in self.apart else None,
            development=statistics.fmean(self.development[method]) if method in self.development else None,
            to_teacher=statistics.fmean(scores) - self.scores["teacher"][0],
        )


def compare(
    course: Course[X],
    sealed: Callable[[], Labelled[X]],
    *,
    seeds: Sequence[int],
    ways: Sequence[str] = (),
    refit: bool = False,
    related: Sequence[bool] = (),
) -> Comparison[X]:
    """Train each way with every seed; open the sealed split when all of them are done.

    Hyperparameter sets are chosen on development data for each way and seed; for ways that have learned these, the set
    that was chosen without them. Where such a training diverges, the student without them counts.

    Args:
        course: what all of them start from; each seed has a folder of its own below its folder.
        sealed: opens the sealed split; called once, after all training.
        seeds: at least one.
        ways: names of :data:`~subarch.agora.ways.WAYS`; all that can be had, and ``plain on D and E``, when not given.
        refit: train the way that is kept once more, on D and E.
        related: for each sealed point whether it is so close to one that is learned from or chosen on that scores are
            told without it, too; none, when not given.

    Raises:
        ValueError: for a way that is none, or cannot be had; else as :func:`~subarch.agora.loop.agora`.
        OSError: likewise.
    """
    development, settings, choice = course.held, course.settings, course.chosen_by
    names, every = _named(ways, course), not ways
    quality = require_able(course.teacher(development.points), development, course.kind, override=course.weak_teacher)

    def refitted(one: Tuned[X], method: str, more: Labelled[X], seed: int) -> Tuned[X]:
        """The same with development points among its data; itself where that diverges."""
        made = answers_of(one.learner, one.data + more, one.theta, seed, development.points)
        if made is None:
            _LOG.warning("seed %d: %s diverged on D and E: the student without E is taken", seed, method)
            return one
        return replace(one, student=made[0], data=one.data + more)

    found: dict[str, list[Tuned[X]]] = {}
    loops: list[Gathered[X]] = []
    for n, seed in enumerate(seeds):
        one = OneSeed(replace(course, folder=course.folder / f"seed-{seed}", settings=replace(settings, seed=seed)))
        for way in names:
            course.watch(way, done=n, total=len(seeds))
            made = WAYS[way](one)
            found.setdefault(way, []).append(made)
            if every and way == "plain":
                found.setdefault(_REFITTED.format(way), []).append(refitted(made, way, development, seed))
        if LOOPING & set(names):
            loops.append(one.gathered)
    judged = {way: [course.scored(choice.labels, one.student(choice.points)) for one in found[way]] for way in names}
    chosen = max(names, key=lambda way: (statistics.fmean(judged[way]), -names.index(way)))
    kept, method = found[chosen], chosen
    if refit:
        method = _REFITTED.format(chosen)
        if method not in found:
            share = {"plain": 0.0, "distilled": 1.0}.get(chosen, settings.distill)
            labelled = development.distilled(course.teacher, share)
            found[method] = [refitted(one, chosen, labelled, seed) for one, seed in zip(kept, seeds, strict=True)]
        kept = found[method]
    final = sealed()
    rows = [n for n in range(len(final)) if not (related and related[n])]
    scores: dict[str, list[float]] = {}
    apart: dict[str, list[float]] = {}
    students = {name: [one.student for one in made] for name, made in found.items()}
    for name, predicts in {**students, "teacher": [course.answers]}.items():
        said = [predict(final.points) for predict in predicts]
        scores[name] = [course.scored(final.labels, one) for one in said]
        if rows:
            apart[name] = [course.scored(final.labels[rows], one[rows]) for one in said]
    return Comparison(
        scores=scores,
        apart=apart,
        development=judged,
        chosen=chosen,
        kept=tuple(
            Kept(
                method if one.data is not before.data else chosen,
                one.data,
                one.theta,
                seed,
                score,
                one.learner,
                before.student,
            )
            for one, before, seed, score in zip(kept, found[chosen], seeds, judged[chosen], strict=True)
        ),
        gathered=tuple(loops),
        quality=quality,
        learners={method: made[0].learner for method, made in found.items()},
    )


def _named(ways: Sequence[str], course: Course[Any]) -> list[str]:
    """The ways that are trained, in their own order."""
    if unknown := set(ways) - set(WAYS):
        raise InputError(f"ways of training are {', '.join(WAYS)}, got {', '.join(sorted(unknown))}")
    return [way for way in WAYS if (way in ways if ways else way != "pool" or course.pool is not None)]
