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
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal

import numpy as np
from numpy.typing import NDArray

from subarch.agora.data import (
    Kind,
    Labelled,
    Labels,
    Learner,
    Predict,
    Score,
    X,
    answers_of,
    diverged,
    key_of,
    require_able,
)
from subarch.agora.ledger import Ledger, points_digest, training_key
from subarch.agora.proposals import Admitted, Bounds, Guard, ProposalFunction, Space, admit
from subarch.agora.pruning import Pruning, Theta, surviving
from subarch.errors import InputError
from subarch.progress import Watch, silent
from subarch.storage import claimed, write_json
from subarch.tasks.kinds.table import kind_of

_LOG = logging.getLogger(__name__)

Stop = Literal["no gain", "no mistakes", "untaught", "rounds", "budget", "no proposals"]
Near = Literal["taught", "all"]
STOPPED = {
    "no gain": "one hyperparameter set was left and its round brought no gain",
    "no mistakes": "no mistake was left on the development data",
    "untaught": "all mistakes that were left are the teacher's as well",
    "rounds": "the largest number of rounds was reached",
    "budget": "the budget of trainings was spent",
    "no proposals": "no proposal was admitted",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the loop runs.

    Args:
        bounds: which proposals are admitted.
        pruning: of hyperparameter sets.
        max_rounds: of training, at most, replays included.
        replays: how often, once one set is left without a gain, all sets start again with the data gathered so far.
        budget: trainings, at most; None: no limit.
        near: proposals are made near mistakes that the teacher does not make too, or near all of them, as published. A
            teacher that is wrong about a point is likely to be wrong about its neighbours: it would teach the mistake.
        distill: the teacher's share in the labels of the training data: 0 leaves them as they are, 1 takes its
            labels alone.
        tolerance: for numbers, residuals above it are mistakes; the root mean square residual when not given.
        seed: of trainings and proposals.

    Raises:
        ValueError: for a value outside its range.
    """

    bounds: Bounds = field(default_factory=Bounds)
    pruning: Pruning = "halving"
    max_rounds: int = 10
    replays: int = 0
    budget: int | None = None
    near: Near = "taught"
    distill: float = 0.0
    tolerance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = {
            "pruning": self.pruning in ("halving", "common_subsequence", "common_prefix"),
            "max_rounds": self.max_rounds >= 1,
            "replays": self.replays >= 0,
            "near": self.near in ("taught", "all"),
            "budget": self.budget is None or self.budget >= 1,
            "distill": 0 <= self.distill <= 1,
            "tolerance": self.tolerance is None or self.tolerance >= 0,
            "seed": 0 <= self.seed < 2**32,
        }
        for name, holds in ranges.items():
            if not holds:
                raise InputError(
                    f"{name} is out of range: got {getattr(self, name)!r}; counts are at least 1, pruning is halving, "
                    "common_subsequence or common_prefix"
                )


@dataclass(frozen=True, kw_only=True)
class Round:
    """What happened in one round.

    Attributes:
        number: from 1.
        scores: on development data, of the hyperparameter sets that took part, by their position.
        best: position of the best of them.
        best_so_far: the best score of all rounds up to this one.
        learned_from: points that the students of this round learned from.
        mistakes: positions in the development data.
        near: those of them that proposals were made near.
        made: proposals.
        refused: of these, by reason.
        kept: positions in ``near`` that each point learned from afterwards was made near.
        surviving: positions of the sets that go on.
        diverged: positions of those whose training diverged, and that were dropped for it.
        unbalanced: classes that leaving proposals out could not balance with the others.
    """

    number: int
    scores: dict[int, float]
    best: int
    best_so_far: float
    learned_from: int
    mistakes: list[int]
    near: list[int]
    made: int
    refused: dict[str, int]
    kept: list[int]
    surviving: list[int]
    diverged: list[int] = field(default_factory=list[int])
    unbalanced: list[int] = field(default_factory=list[int])

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"scores": {str(n): score for n, score in self.scores.items()}}


@dataclass(frozen=True)
class Gathered(Generic[X]):
    """What the loop comes to.

    Attributes:
        theta: the hyperparameter set of the best student of all rounds, by its score on development data.
        round: the round it was trained in, from 1.
        score: its score on development data: no evidence, the choice was made on it.
        data: what it learned from.
        everything: all points gathered, also those of later rounds.
        rounds: one after another.
        stopped: why the loop ended.
        trainings: how many students were trained.
        teacher_quality: on development data, as :func:`~subarch.agora.data.require_able` says.
    """

    theta: Theta
    round: int
    score: float
    data: Labelled[X]
    everything: Labelled[X]
    rounds: tuple[Round, ...]
    stopped: Stop
    trainings: int
    teacher_quality: float


def agora(
    learner: Learner[X],
    teacher: Predict[X],
    data: Labelled[X],
    development: Labelled[X],
    hyperparameters: Sequence[Theta],
    *,
    functions: Sequence[ProposalFunction[X]],
    guard: Guard[X],
    folder: Path,
    space: Space[X] | None = None,
    settings: Settings | None = None,
    score: Score | None = None,
    weak_teacher: bool = False,
    origin: str = "",
    executor: Executor | None = None,
    watch: Watch = silent,
) -> Gathered[X]:
    """Run the loop, or go on with it: the same call in the same folder trains nothing twice.

    Args:
        learner: of students.
        teacher: labels proposals.
        data: D, what the first students learn from.
        development: E; its points never enter D.
        hyperparameters: Theta, at least one set; each a mapping of names to values.
        functions: make proposals (:mod:`~subarch.agora.proposals`).
        guard: refuses copies of development and sealed points.
        folder: of the ledger and the rounds; made when it is missing.
        space: where distances between proposals and mistakes are taken; None: they do not matter.
        settings: how the loop runs.
        score: of a student on development data; accuracy or Pearson's correlation when not given.
        weak_teacher: go on with a teacher below the bar.
        origin: what proposals depend on beside the names of their functions, such as a digest of the pool. A folder
            that was begun with another one is refused: its proposals would be stale.
        executor: trains the students of one round side by side.
        watch: told of every training.

    Raises:
        ValueError: for data, teacher and settings that do not fit together; before anything is trained.
        OSError: when the folder cannot be written.
    """
    settings = settings or Settings()
    _check(kind_of(learner.kind), data, development, hyperparameters, functions)
    taught = teacher(development.points)
    quality = require_able(taught, development, kind_of(learner.kind), override=weak_teacher)
    data = data.distilled(teacher, settings.distill)
    identity = {
        "learner": learner.identity,
        "teacher": hashlib.sha256(np.ascontiguousarray(taught).tobytes()).hexdigest(),  # what it says identifies it
        "proposals": [origin, *(getattr(function, "__qualname__", type(function).__name__) for function in functions)],
        "training data": points_digest(learner, data),
        "development data": points_digest(learner, development),
        "hyperparameters": [dict(theta) for theta in hyperparameters],
        # Without what may grow: more rounds go on with what is there.
        "settings": dataclasses.asdict(replace(settings, max_rounds=1, budget=None)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(folder):
        loop = _Loop(
            learner=learner,
            teacher=teacher,
            data=data,
            development=development,
            sets=hyperparameters,
            functions=functions,
            guard=guard,
            folder=folder,
            ledger=Ledger(folder, identity, hyperparameters),
            space=space,
            settings=settings,
            score=score or kind_of(learner.kind).agreement,
            executor=executor,
            watch=watch,
            taught=taught,
        )
        return loop.run(quality)


def _check(
    kind: Kind, data: Labelled[Any], development: Labelled[Any], sets: Sequence[Theta], functions: Sequence[Any]
) -> None:
    for name, given in {"training": data, "development": development}.items():
        if not len(given):
            raise InputError(f"expected {name} examples, got none")
        kind.check_learnable(name, given.labels)
    if data.labels.shape[1] != development.labels.shape[1]:
        raise InputError(
            f"expected the same classes in both, got {data.labels.shape[1]} in training and "
            f"{development.labels.shape[1]} in development data"
        )
    if not sets or not functions:
        raise InputError(
            f"expected at least one hyperparameter set and one proposal function, got {len(sets)} and {len(functions)}"
        )
    if len({json.dumps(dict(theta)) for theta in sets}) < len(sets):
        raise InputError("expected hyperparameter sets that differ, got two that are the same")


@dataclass(kw_only=True)
class _Loop(Generic[X]):
    """One loop in one folder."""

    learner: Learner[X]
    teacher: Predict[X]
    data: Labelled[X]
    development: Labelled[X]
    sets: Sequence[Theta]
    functions: Sequence[ProposalFunction[X]]
    guard: Guard[X]
    folder: Path
    ledger: Ledger
    space: Space[X] | None
    settings: Settings
    score: Score
    executor: Executor | None
    watch: Watch
    taught: Labels
    trainings: int = 0

    def run(self, quality: float) -> Gathered[X]:
        settings = self.settings
        data, alive = self.data, list(range(len(self.sets)))
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
                raise diverged([self.sets[n] for n in alive])
            scores = {n: self.score(self.development.labels, one) for n, one in said.items()}
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
                replays, following, last = replays - 1, list(range(len(self.sets))), None
            else:
                following, last = surviving(settings.pruning, ranking, self.sets, last), ranking
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
            theta=self.sets[top.best],
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
        keys = {n: training_key(self.learner, data, self.sets[n], self.settings.seed) for n in alive}
        said = {n: known for n in alive if (known := self.ledger.predictions(keys[n])) is not None}
        missing = [n for n in alive if n not in said]
        jobs = [(self.learner, data, self.sets[n], self.settings.seed, self.development.points) for n in missing]
        answers = (
            map(_answers, jobs)
            if self.executor is None
            else (job.result() for job in [self.executor.submit(_answers, job) for job in jobs])
        )
        self.watch(f"round {number}", done=len(said), total=len(alive))
        for n, answer in zip(missing, answers, strict=True):
            if answer is None:
                _LOG.warning("round %d: the training with %s diverged: it is dropped", number, dict(self.sets[n]))
                continue
            value = self.score(self.development.labels, answer)
            details = {"round": number, "seed": self.settings.seed, "learned_from": len(data)}
            self.ledger.record(keys[n], score=value, predictions=answer, theta=self.sets[n], details=details)
            said[n] = answer
            self.watch(f"round {number}", done=len(said), total=len(alive), note=f"score {value:.3f}")
        self.trainings += len(alive)
        return said

    def _mistakes(self, said: Labels) -> list[int]:
        """Positions in the development data where the student is wrong."""
        return np.flatnonzero(self._wrong(said, self._tolerance(said))).tolist()

    def _near(self, mistakes: Sequence[int], said: Labels) -> list[int]:
        """The mistakes that proposals are made near."""
        if self.settings.near == "all":
            return list(mistakes)
        shared = self._wrong(self.taught, self._tolerance(said))
        return [n for n in mistakes if not shared[n]]

    def _wrong(self, said: Labels, tolerance: float | None) -> NDArray[np.bool_]:
        return kind_of(self.learner.kind).wrong(self.development.labels, said, tolerance)

    def _tolerance(self, said: Labels) -> float | None:
        """Above which a student's residual is a mistake."""
        if self.settings.tolerance is not None:
            return self.settings.tolerance
        return kind_of(self.learner.kind).tolerance(self.development.labels, said)

    def _proposals(self, number: int, near: Sequence[int], data: Labelled[X]) -> Admitted[X]:
        """Those of this round, from disk where they are there."""
        file = self.folder / "rounds" / f"{number:03d}.json"
        if file.is_file():
            return self._read(json.loads(file.read_text(encoding="utf-8")))
        self.watch(f"round {number}: proposals near {len(near)} mistakes")
        admitted = admit(
            [self.development.points[n] for n in near],
            self.functions,
            bounds=self.settings.bounds,
            teacher=self.teacher,
            space=self.space,
            guard=self.guard,
            known=data,
            first=self.data,
            key=partial(key_of, self.learner),
            numbers=not kind_of(self.learner.kind).has_classes,
            rng=np.random.default_rng([self.settings.seed, number]),
        )
        file.parent.mkdir(exist_ok=True)
        write_json(
            file,
            {
                "points": [self.learner.pack(point) for point in admitted.data.points],
                "labels": admitted.data.labels.tolist(),
                "origins": list(admitted.origins),
                "made": admitted.made,
                "refused": admitted.refused,
                "unbalanced": admitted.unbalanced,
            },
        )
        return admitted

    def _read(self, kept: dict[str, Any]) -> Admitted[X]:
        points = tuple(self.learner.unpack(one) for one in kept["points"])
        labels = np.asarray(kept["labels"], dtype=np.float64).reshape(len(points), self.data.labels.shape[1])
        return Admitted(
            Labelled(points, labels), tuple(kept["origins"]), kept["made"], kept["refused"], kept["unbalanced"]
        )


def _answers(job: tuple[Learner[X], Labelled[X], Theta, int, Sequence[X]]) -> Labels | None:
    found = answers_of(*job)
    return None if found is None else found[1]


def _reasons(refused: dict[str, int]) -> str:
    return ", ".join(f"{count} refused ({reason})" for reason, count in refused.items())
