"""Ways of training one and the same student: what each learns from. A way is a function of what all of them share.

``plain``: D as it is; ``distilled``: the teacher's labels on D; ``augmented``: as many proposals as Agora's, of the
same kind, around random points of D, whose labels are the teacher's to the same share; ``pool``: the teacher's labels
on unlabelled points beside D; ``agora``: points near the student's own mistakes.

All make the same number of steps, but for ``pool``, whose learner makes as many as bring it to each point once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Generic

import numpy as np

from subarch.agora.course import Course
from subarch.agora.data import Labelled, Learner, Predict, Score, X, answers_of, diverged, key_of
from subarch.agora.loop import agora
from subarch.agora.proposals import admit
from subarch.agora.pruning import Theta
from subarch.agora.rounds import Gathered
from subarch.errors import InputError


@dataclass(frozen=True)
class Tuned(Generic[X]):
    """A student of one way and seed, with the hyperparameter set that is best on development data.

    Attributes:
        student: what it says of points.
        data: what it learned from.
        theta: the set.
        development: score on development data, where it may be judged there.
        learner: that made it.
    """

    student: Predict[X]
    data: Labelled[X]
    theta: Theta
    development: float
    learner: Learner[X]


def tuned(
    learner: Learner[X],
    on: Labelled[X],
    hyperparameters: Sequence[Theta],
    seed: int,
    development: Labelled[X],
    score: Score,
) -> Tuned[X]:
    """The student of the hyperparameter set that is best on development data, of those that do not diverge.

    Raises:
        ArithmeticError: where all of them do.
    """
    made: list[Tuned[X]] = []
    for theta in hyperparameters:
        if (found := answers_of(learner, on, theta, seed, development.points)) is not None:
            made.append(Tuned(found[0], on, theta, score(development.labels, found[1]), learner))
    if not made:
        raise diverged(hyperparameters)
    return max(made, key=lambda one: one.development)


@dataclass(frozen=True)
class OneSeed(Generic[X]):
    """What the ways of training share that have one seed.

    Args:
        course: what they start from; the seed is in its settings.
    """

    course: Course[X]

    @cached_property
    def gathered(self) -> Gathered[X]:
        """What Agora's loop has gathered; it runs when a way first asks for it."""
        return agora(self.course)

    def tuned(self, on: Labelled[X], learner: Learner[X] | None = None) -> Tuned[X]:
        """Its student of the best hyperparameter set; made by another learner than the course's where one is given."""
        course, sets = self.course, self.course.hyperparameters
        learner = learner or course.learner
        return tuned(learner, on, sets, course.settings.seed, course.development, course.scored)


Way = Callable[[OneSeed[Any]], Tuned[Any]]


def _plain(one: OneSeed[X]) -> Tuned[X]:
    return one.tuned(one.course.data)


def _distilled(one: OneSeed[X]) -> Tuned[X]:
    return one.tuned(one.course.data.distilled(one.course.teacher, 1.0))


def _augmented(one: OneSeed[X]) -> Tuned[X]:
    course = one.course
    more = around_training(len(one.gathered.data) - len(course.data), course)
    return one.tuned(course.data.distilled(course.teacher, course.settings.distill) + more)


def _pooled(one: OneSeed[X]) -> Tuned[X]:
    course = one.course
    if course.pool is None:
        raise InputError("the way 'pool' learns from unlabelled texts: give --pool FILE, or leave it out of --ways")
    points = tuple(course.pool.points)
    known = course.data.distilled(course.teacher, course.settings.distill)
    return one.tuned(known + Labelled(points, course.teacher(points)), course.pool.learner)


def _agora(one: OneSeed[X]) -> Tuned[X]:
    found, learner = one.gathered, one.course.learner
    student = learner.fit(found.data, found.theta, one.course.settings.seed)
    return Tuned(student, found.data, found.theta, found.score, learner)


WAYS: Mapping[str, Way] = {
    "plain": _plain,
    "distilled": _distilled,
    "augmented": _augmented,
    "pool": _pooled,
    "agora": _agora,
}
"""By name, the simplest first."""
LOOPING = frozenset({"augmented", "agora"})
"""Those that need Agora's loop."""


def around_training(count: int, course: Course[X]) -> Labelled[X]:
    """Up to ``count`` proposals, admitted by the same rules, around random points of the training data."""
    data, bounds = course.data, course.settings.bounds
    rng = np.random.default_rng([course.settings.seed, 2**31])
    more = Labelled[X]((), np.empty((0, *data.labels.shape[1:])))
    for _ in range(8):  # rounds of asking; a pool may have no more
        lacking = count - len(more)
        if lacking <= 0:
            break
        places = min(len(data), max(1, lacking // bounds.per_mistake))
        origins = rng.choice(len(data), size=places, replace=False)
        admitted = admit(
            [data.points[n] for n in origins],
            course.functions,
            bounds=bounds,
            teacher=course.labelling,
            space=course.space,
            guard=course.guard,
            known=data + more,
            first=data,
            key=partial(key_of, course.learner),
            kind=course.kind,
            rng=rng,
        ).data
        kept = rng.permutation(len(admitted))[:lacking]
        more = more + Labelled(tuple(admitted.points[n] for n in kept), admitted.labels[kept])
    return more
