"""What Agora adds: the same student trained in other ways, all scored on the sealed split at the very end.

(a) ``plain`` on D; (b) ``plain on D and E``, what one would do with development rows otherwise; (c) ``distilled``: the
teacher's labels on D; (d) ``augmented``: as many proposals of the same kind around random points of D, whose labels are
the teacher's to the same share as in (e); (e) ``agora``;
(f) the ``teacher``. Only (e) against (b), (c) and (d) says what Agora adds. Where it is asked for, there is also (g)
``agora on D and E``: what (e) ended with, and the development rows as well, which have served their purpose by then; it
stands against (b).
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
    accuracy,
    answers_of,
    diverged,
    key_of,
    pearson,
)
from subarch.agora.loop import Gathered, Settings, agora
from subarch.agora.proposals import Guard, ProposalFunction, Space, admit
from subarch.agora.pruning import Theta
from subarch.progress import Watch, silent
from subarch.text.metrics import interval

_LOG = logging.getLogger(__name__)

METHODS = ("plain", "plain on D and E", "distilled", "augmented", "agora", "teacher")
REFITTED = "agora on D and E"


@dataclass(frozen=True)
class Comparison(Generic[X]):
    """The rows, and each seed's loop.

    Attributes:
        scores: on the sealed split, by method, one a seed (the teacher: one).
        gathered: the loops, by seed.
        refitted: what (g) learned from, by seed; empty where it was not asked for.
    """

    scores: dict[str, list[float]]
    gathered: tuple[Gathered[X], ...]
    refitted: tuple[Labelled[X], ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Means with 95 % intervals, and the mean difference to the teacher."""
        teacher = self.scores["teacher"][0]
        found: list[dict[str, Any]] = []
        for method, scores in self.scores.items():
            mean, half = interval(scores)
            row = {"method": method, "mean": mean, "ci95": half, "seeds": len(scores), "scores": scores}
            found.append(row | {"to_teacher": statistics.fmean(scores) - teacher})
        return found


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
    origin: str = "",
    executor: Executor | None = None,
    watch: Watch = silent,
) -> Comparison[X]:
    """Train every way with every seed; open the sealed split when all of them are done.

    Hyperparameter sets are chosen on development data for each way and seed; for (b), which has learned these, the set
    that (a) chose.

    Args:
        learner: as for :func:`~subarch.agora.loop.agora`, like all that are not named here.
        sealed: opens the sealed split; called once, after all training.
        folder: each seed's loop has its own below it.
        seeds: at least one.
        refit: train (g) too.
        watch: told of every training.

    Raises:
        ValueError, OSError: as :func:`~subarch.agora.loop.agora`.
    """
    settings = settings or Settings()
    score = score or (pearson if learner.kind == "regression" else accuracy)

    def best(on: Labelled[X], seed: int) -> tuple[Theta, Predict[X]]:
        tried = [(theta, answers_of(learner, on, theta, seed, development.points)) for theta in hyperparameters]
        made = [(theta, found[0], score(development.labels, found[1])) for theta, found in tried if found is not None]
        if not made:
            raise diverged(hyperparameters)
        theta, student, _ = max(made, key=lambda one: one[2])
        return theta, student

    ways = (*METHODS[:-1], REFITTED) if refit else METHODS[:-1]
    students: dict[str, list[Predict[X]]] = {method: [] for method in ways}
    loops: list[Gathered[X]] = []
    refitted: list[Labelled[X]] = []
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
        students["agora"].append(learner.fit(loop.data, loop.theta, seed))
        theta, student = best(data, seed)
        students["plain"].append(student)
        students["plain on D and E"].append(learner.fit(data + development, theta, seed))
        students["distilled"].append(best(Labelled(data.points, teacher(data.points)), seed)[1])
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
        students["augmented"].append(best(data.distilled(teacher, settings.distill) + more, seed)[1])
        if refit:
            whole = loop.data + development.distilled(teacher, settings.distill)
            made = answers_of(learner, whole, loop.theta, seed, development.points)
            if made is None:
                _LOG.warning("seed %d diverged on D and E: what Agora ended with is kept", seed)
            refitted.append(loop.data if made is None else whole)
            students[REFITTED].append(students["agora"][-1] if made is None else made[0])
    final = sealed()
    scores = {
        method: [score(final.labels, student(final.points)) for student in made] for method, made in students.items()
    }
    scores["teacher"] = [score(final.labels, teacher(final.points))]
    return Comparison(scores, tuple(loops), tuple(refitted))


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
            numbers=learner.kind == "regression",
            rng=rng,
        ).data
        kept = rng.permutation(len(admitted))[:lacking]
        more = more + Labelled(tuple(admitted.points[n] for n in kept), admitted.labels[kept])
    return more
