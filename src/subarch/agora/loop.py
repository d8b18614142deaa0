"""The loop: train, look at the mistakes, make points near them, have them labelled, prune, and again.

Nothing here can read a sealed split: it is no argument of :func:`agora`, and the guard that keeps its copies out
answers with yes or no alone. The development data are read every round, so a score on them is no evidence of anything.

Source: A. de Wynter, "An Algorithm for Learning Smaller Representations of Models With Scarce Data", 2020; where the
description leaves a choice, it is a setting here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from subarch.agora.course import Course
from subarch.agora.data import (
    Labelled,
    Labels,
    Learner,
    X,
    answers_of,
    diverged,
    key_of,
    require_able,
)
from subarch.agora.ledger import TrainingLedger, points_digest, training_key
from subarch.agora.proposals import Admitted, admit
from subarch.agora.pruning import Theta, surviving
from subarch.agora.rounds import Gathered, Round, Stop
from subarch.errors import InputError
from subarch.storage import claimed, write_json

_LOG = logging.getLogger(__name__)


def agora(course: Course[X]) -> Gathered[X]:
    """Run the loop, or go on with it: the same call in the same folder trains nothing twice.

    Raises:
        ValueError: for data, teacher and settings that do not fit together; before anything is trained.
        OSError: when the folder cannot be written.
    """
    learner, settings = course.learner, course.settings
    _check(course)
    taught = course.teacher(course.development.points)
    quality = require_able(taught, course.development, course.kind, override=course.weak_teacher)
    data = course.data.distilled(course.teacher, settings.distill)
    functions = (getattr(function, "__qualname__", type(function).__name__) for function in course.functions)
    identity = {
        "learner": learner.identity,
        "teacher": hashlib.sha256(np.ascontiguousarray(taught).tobytes()).hexdigest(),  # what it says identifies it
        "proposals": [course.origin, *functions],
        "training data": points_digest(learner, data),
        "development data": points_digest(learner, course.development),
        "hyperparameters": [dict(theta) for theta in course.hyperparameters],
        # Without what may grow: more rounds go on with what is there.
        "settings": dataclasses.asdict(replace(settings, max_rounds=1, budget=None)),
    }
    course.folder.mkdir(parents=True, exist_ok=True)
    with claimed(course.folder):
        ledger = TrainingLedger(course.folder, identity, course.hyperparameters)
        answered = course.answers(course.development.points)
        return _Loop(replace(course, data=data), ledger, answered).run(quality)


def _check(course: Course[Any]) -> None:
    data, development = course.data, course.development
    for name, given in {"training": data, "development": development}.items():
        if not len(given):
            raise InputError(f"expected {name} examples, got none")
        course.kind.check_learnable(name, given.labels)
    if data.labels.shape[1:] != development.labels.shape[1:]:
        raise InputError(
            f"expected the same classes in both, got {data.labels.shape[1]} in training and "
            f"{development.labels.shape[1]} in development data"
        )
    sets, functions = course.hyperparameters, course.functions
    if not sets or not functions:
        raise InputError(
            f"expected at least one hyperparameter set and one proposal function, got {len(sets)} and {len(functions)}"
        )
    if len({json.dumps(dict(theta)) for theta in sets}) < len(sets):
        raise InputError("expected hyperparameter sets that differ, got two that are the same")


@dataclass
class _Loop(Generic[X]):
    """One loop in one folder."""

    course: Course[X]
    ledger: TrainingLedger
    taught: Labels
    trainings: int = 0

    def run(self, quality: float) -> Gathered[X]:
        course, settings, sets = self.course, self.course.settings, self.course.hyperparameters
        data, alive = course.data, list(range(len(sets)))
        rounds: list[Round] = []
        states: list[Labelled[X]] = []  # what each round's students learned from
        replays, last = settings.replays, None
        while True:
            if settings.budget is not None and self.trainings + len(alive) > settings.budget and rounds:
                stopped: Stop = "budget"
                break
            number = len(rounds) + 1
            said = self._trained(data, alive, number)
            if not said:
                raise diverged([sets[n] for n in alive])
            scores = {n: course.scored(course.development.labels, one) for n, one in said.items()}
            lost = [n for n in alive if n not in said]
            ranking = [*lost, *sorted(scores, key=lambda n: (scores[n], -n))]
            best = ranking[-1]
            before = rounds[-1].best_so_far if rounds else -np.inf
            mistakes = self._mistakes(said[best])
            near = self._near(mistakes, said[best])
            gained = scores[best] > before
            ending: Stop | None = None
            if not mistakes:
                ending = "no mistakes"
            elif len(alive) == 1 and not gained and not replays:
                ending = "no gain"
            elif number == settings.max_rounds:
                ending = "rounds"  # nobody would learn from more proposals
            elif not near:
                ending = "untaught"
            admitted = None if ending else self._proposals(number, near, data)
            if admitted is not None and not len(admitted.data):
                ending = "no proposals"
            if len(alive) == 1 and not gained and replays:
                replays, following, last = replays - 1, list(range(len(sets))), None
            else:
                following, last = surviving(settings.pruning, ranking, sets, last), ranking
            following = [n for n in following if n not in lost]
            rounds.append(
                Round(
                    number=number,
                    scores=scores,
                    best=best,
                    best_so_far=max(before, scores[best]),
                    learned_from=len(data),
                    mistakes=mistakes,
                    near=near,
                    made=admitted.made if admitted else 0,
                    refused=admitted.refused if admitted else {},
                    kept=list(admitted.origins) if admitted else [],
                    surviving=following,
                    diverged=lost,
                    unbalanced=admitted.unbalanced if admitted else [],
                )
            )
            states.append(data)
            if admitted is not None:
                data = data + admitted.data
            if ending:
                stopped = ending
                break
            alive = following
        if stopped == "no proposals":
            _LOG.warning(
                "no proposal was admitted: of %d made, %s", rounds[-1].made, _reasons(rounds[-1].refused) or "none"
            )
        top = max(rounds, key=lambda one: (one.scores[one.best], -one.number))
        return Gathered(
            theta=sets[top.best],
            round=top.number,
            score=top.scores[top.best],
            data=states[top.number - 1],
            everything=data,
            rounds=tuple(rounds),
            stopped=stopped,
            trainings=self.trainings,
            teacher_quality=quality,
        )

    # ------------------------------------------------------------------ steps of a round

    def _trained(self, data: Labelled[X], alive: Sequence[int], number: int) -> dict[int, Labels]:
        """What the student of each set says of the development points; nothing of those that diverged."""
        course, sets, seed = self.course, self.course.hyperparameters, self.course.settings.seed
        keys = {n: training_key(course.learner, data, sets[n], seed) for n in alive}
        said = {n: known for n in alive if (known := self.ledger.predictions(keys[n])) is not None}
        missing = [n for n in alive if n not in said]
        jobs = [(course.learner, data, sets[n], seed, course.development.points) for n in missing]
        answers = (
            map(_answers, jobs)
            if course.executor is None
            else (job.result() for job in [course.executor.submit(_answers, job) for job in jobs])
        )
        course.watch(f"round {number}", done=len(said), total=len(alive))
        for n, answer in zip(missing, answers, strict=True):
            if answer is None:
                _LOG.warning("round %d: the training with %s diverged: it is dropped", number, dict(sets[n]))
                continue
            value = course.scored(course.development.labels, answer)
            details = {"round": number, "seed": seed, "learned_from": len(data)}
            self.ledger.record(keys[n], score=value, predictions=answer, theta=sets[n], details=details)
            said[n] = answer
            course.watch(f"round {number}", done=len(said), total=len(alive), note=f"score {value:.3f}")
        self.trainings += len(alive)
        return said

    def _mistakes(self, said: Labels) -> list[int]:
        """Positions in the development data where the student is wrong."""
        return np.flatnonzero(self._wrong(said, self._tolerance(said))).tolist()

    def _near(self, mistakes: Sequence[int], said: Labels) -> list[int]:
        """The mistakes that proposals are made near."""
        if self.course.settings.near == "all":
            return list(mistakes)
        shared = self._wrong(self.taught, self._tolerance(said))
        return [n for n in mistakes if not shared[n]]

    def _wrong(self, said: Labels, tolerance: float | None) -> NDArray[np.bool_]:
        return self.course.kind.wrong(self.course.development.labels, said, tolerance)

    def _tolerance(self, said: Labels) -> float | None:
        """Above which a student's residual is a mistake."""
        if self.course.settings.tolerance is not None:
            return self.course.settings.tolerance
        return self.course.kind.tolerance(self.course.development.labels, said)

    def _proposals(self, number: int, near: Sequence[int], data: Labelled[X]) -> Admitted[X]:
        """Those of this round, from disk where they are there."""
        course = self.course
        file = course.folder / "rounds" / f"{number:03d}.json"
        if file.is_file():
            return self._read(json.loads(file.read_text(encoding="utf-8")))
        course.watch(f"round {number}: proposals near {len(near)} mistakes")
        admitted = admit(
            [course.development.points[n] for n in near],
            course.functions,
            bounds=course.settings.bounds,
            teacher=course.labelling,
            space=course.space,
            guard=course.guard,
            known=data,
            first=course.data,
            key=partial(key_of, course.learner),
            kind=course.kind,
            rng=np.random.default_rng([course.settings.seed, number]),
        )
        file.parent.mkdir(exist_ok=True)
        write_json(
            file,
            {
                "points": [course.learner.pack(point) for point in admitted.data.points],
                "labels": admitted.data.labels.tolist(),
                "origins": list(admitted.origins),
                "made": admitted.made,
                "refused": admitted.refused,
                "unbalanced": admitted.unbalanced,
            },
        )
        return admitted

    def _read(self, kept: dict[str, Any]) -> Admitted[X]:
        points = tuple(self.course.learner.unpack(one) for one in kept["points"])
        labels = np.asarray(kept["labels"], dtype=np.float64).reshape(len(points), *self.course.data.labels.shape[1:])
        return Admitted(
            Labelled(points, labels), tuple(kept["origins"]), kept["made"], kept["refused"], kept["unbalanced"]
        )


def _answers(job: tuple[Learner[X], Labelled[X], Theta, int, Sequence[X]]) -> Labels | None:
    found = answers_of(*job)
    return None if found is None else found[1]


def _reasons(refused: dict[str, int]) -> str:
    return ", ".join(f"{count} refused ({reason})" for reason, count in refused.items())
