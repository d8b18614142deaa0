"""What Agora adds: the same student trained in other ways, all scored on the sealed split at the very end.

(a) ``plain`` on D; (b) ``plain on D and E``, what one would do with development rows otherwise; (c) ``distilled``: the
teacher's labels on D; (d) ``augmented``: as many proposals of the same kind around random points of D, whose labels are
the teacher's to the same share as in (e); (e) ``agora``; (f) the ``teacher``. Only (e) against (b), (c) and (d) says
what Agora adds.

What is kept is the way that is best on development data: of (a), (c), (d) and (e) the one with the best mean over the
seeds, and of equal ones the simplest. Where it is asked for, this way is trained once more with the development rows
among its data, which have served their purpose by then: a row such as ``agora on D and E``, which stands against (b).
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic

import numpy as np

from subarch.agora.data import (
    Labelled,
    Learner,
    Predict,
    Score,
    X,
    answers_of,
    diverged,
    key_of,
)
from subarch.agora.loop import Gathered, Settings, agora
from subarch.agora.proposals import Guard, ProposalFunction, Space, admit
from subarch.agora.pruning import Theta
from subarch.progress import Watch, silent
from subarch.tasks.kinds.table import kind_of
from subarch.text.metrics import interval

_LOG = logging.getLogger(__name__)

METHODS = ("plain", "plain on D and E", "distilled", "augmented", "agora", "teacher")
JUDGED = ("plain", "distilled", "augmented", "agora")  # on development data, which they have not learned from
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
    """

    method: str
    data: Labelled[X]
    theta: Theta
    seed: int
    development: float


@dataclass(frozen=True)
class Comparison(Generic[X]):
    """The rows, and each seed's loop.

    Attributes:
        scores: on the sealed split, by method, one a seed (the teacher: one).
        apart: likewise, on the sealed points alone that are not related to others; empty where all are.
        development: scores on development data of the ways that can be judged there, one a seed.
        chosen: the one of these that is kept.
        kept: its students, by seed.
        gathered: the loops, by seed.
    """

    scores: dict[str, list[float]]
    apart: dict[str, list[float]]
    development: dict[str, list[float]]
    chosen: str
    kept: tuple[Kept[X], ...]
    gathered: tuple[Gathered[X], ...]

    @property
    def best(self) -> Kept[X]:
        """The kept student that was best on development data."""
        return max(self.kept, key=lambda one: (one.development, -one.seed))

    def rows(self) -> list[dict[str, Any]]:
        """Means with 95 % intervals, and the mean difference to the teacher."""
        teacher = self.scores["teacher"][0]
        found: list[dict[str, Any]] = []
        for method, scores in self.scores.items():
            mean, half = interval(scores)
            row = {"method": method, "mean": mean, "ci95": half, "seeds": len(scores), "scores": scores}
            row["apart"] = statistics.fmean(self.apart[method]) if method in self.apart else None
            row["development"] = statistics.fmean(self.development[method]) if method in self.development else None
            found.append(row | {"to_teacher": statistics.fmean(scores) - teacher})
        return found


@dataclass(frozen=True)
class _Trained(Generic[X]):
    """A student of one way and seed; how it does on development data where it may be judged there."""

    student: Predict[X]
    data: Labelled[X]
    theta: Theta
    development: float


def compare(
    learner: Learner[X],
    teacher: Predict[X],
    data: Labelled[X],
    development: Labelled[X],
    sealed: Callable[[], Labelled[X]],
    hyperparameters: Sequence[Theta],
    *,
    functions: Sequence[ProposalFunction[X]],
    guard: Guard[X],
    folder: Path,
    seeds: Sequence[int],
    space: Space[X] | None = None,
    settings: Settings | None = None,
    score: Score | None = None,
    weak_teacher: bool = False,
    refit: bool = False,
    related: Sequence[bool] = (),
    origin: str = "",
    executor: Executor | None = None,
    watch: Watch = silent,
) -> Comparison[X]:
    """Train every way with every seed; open the sealed split when all of them are done.

    Hyperparameter sets are chosen on development data for each way and seed; for ways that have learned these, the set
    that was chosen without them. Where such a training diverges, the student without them counts.

    Args:
        learner: as for :func:`~subarch.agora.loop.agora`, like all that are not named here.
        sealed: opens the sealed split; called once, after all training.
        folder: each seed's loop has its own below it.
        seeds: at least one.
        refit: train the way that is kept once more, on D and E.
        related: for each sealed point whether it is so close to one that is learned from or chosen on that scores are
            told without it, too; none, when not given.
        watch: told of every training.

    Raises:
        ValueError, OSError: as :func:`~subarch.agora.loop.agora`.
    """
    settings = settings or Settings()
    score = score or kind_of(learner.kind).agreement

    def best(on: Labelled[X], seed: int) -> _Trained[X]:
        tried = [(theta, answers_of(learner, on, theta, seed, development.points)) for theta in hyperparameters]
        made = [
            _Trained(found[0], on, theta, score(development.labels, found[1]))
            for theta, found in tried
            if found is not None
        ]
        if not made:
            raise diverged(hyperparameters)
        return max(made, key=lambda one: one.development)

    def refitted(one: _Trained[X], method: str, more: Labelled[X], seed: int) -> _Trained[X]:
        """The same with development points among its data; itself where that diverges."""
        made = answers_of(learner, one.data + more, one.theta, seed, development.points)
        if made is None:
            _LOG.warning("seed %d: %s diverged on D and E: the student without E is taken", seed, method)
            return one
        return replace(one, student=made[0], data=one.data + more)

    loops: list[Gathered[X]] = []
    ways: dict[str, list[_Trained[X]]] = {method: [] for method in METHODS[:-1]}
    for n, seed in enumerate(seeds):
        loop = agora(
            learner,
            teacher,
            data,
            development,
            hyperparameters,
            functions=functions,
            guard=guard,
            folder=folder / f"seed-{seed}",
            space=space,
            settings=replace(settings, seed=seed),
            score=score,
            weak_teacher=weak_teacher,
            origin=origin,
            executor=executor,
            watch=watch,
        )
        watch("the other ways", done=n, total=len(seeds))
        loops.append(loop)
        plain = best(data, seed)
        more = around_training(
            len(loop.data) - len(data),
            learner,
            teacher,
            data,
            functions=functions,
            guard=guard,
            space=space,
            settings=replace(settings, seed=seed),
        )
        ways["agora"].append(_Trained(learner.fit(loop.data, loop.theta, seed), loop.data, loop.theta, loop.score))
        ways["plain"].append(plain)
        ways["plain on D and E"].append(refitted(plain, "plain", development, seed))
        ways["distilled"].append(best(Labelled(data.points, teacher(data.points)), seed))
        ways["augmented"].append(best(data.distilled(teacher, settings.distill) + more, seed))
    judged = {method: [one.development for one in ways[method]] for method in JUDGED}
    chosen = max(JUDGED, key=lambda method: (statistics.fmean(judged[method]), -JUDGED.index(method)))
    kept, method = ways[chosen], chosen
    if refit:
        method = _REFITTED.format(chosen)
        if method not in ways:
            labels = {"distilled": 1.0}.get(chosen, settings.distill)
            labelled = development.distilled(teacher, labels)
            ways[method] = [refitted(one, chosen, labelled, seed) for one, seed in zip(kept, seeds, strict=True)]
        kept = ways[method]
    final = sealed()
    rows = [n for n in range(len(final)) if not (related and related[n])]
    scores: dict[str, list[float]] = {}
    apart: dict[str, list[float]] = {}
    students = {name: [one.student for one in found] for name, found in ways.items()}
    for name, predicts in {**students, "teacher": [teacher]}.items():
        said = [predict(final.points) for predict in predicts]
        scores[name] = [score(final.labels, one) for one in said]
        if rows:
            apart[name] = [score(final.labels[rows], one[rows]) for one in said]
    return Comparison(
        scores=scores,
        apart=apart,
        development=judged,
        chosen=chosen,
        kept=tuple(
            Kept(method if one.data is not before.data else chosen, one.data, one.theta, seed, one.development)
            for one, before, seed in zip(kept, ways[chosen], seeds, strict=True)
        ),
        gathered=tuple(loops),
    )


def around_training(
    count: int,
    learner: Learner[X],
    teacher: Predict[X],
    data: Labelled[X],
    *,
    functions: Sequence[ProposalFunction[X]],
    guard: Guard[X],
    space: Space[X] | None,
    settings: Settings,
) -> Labelled[X]:
    """Up to ``count`` proposals, admitted by the same rules, around random points of the training data."""
    rng = np.random.default_rng([settings.seed, 2**31])
    more = Labelled[X]((), np.empty((0, data.labels.shape[1])))
    for _ in range(8):  # rounds of asking; a pool may have no more
        lacking = count - len(more)
        if lacking <= 0:
            break
        places = min(len(data), max(1, lacking // settings.bounds.per_mistake))
        origins = rng.choice(len(data), size=places, replace=False)
        admitted = admit(
            [data.points[n] for n in origins],
            functions,
            bounds=settings.bounds,
            teacher=teacher,
            space=space,
            guard=guard,
            known=data + more,
            first=data,
            key=partial(key_of, learner),
            numbers=not kind_of(learner.kind).has_classes,
            rng=rng,
        ).data
        kept = rng.permutation(len(admitted))[:lacking]
        more = more + Labelled(tuple(admitted.points[n] for n in kept), admitted.labels[kept])
    return more
