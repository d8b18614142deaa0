"""What the loop and the ways of training share: who learns from what, who teaches, and how; no tensors, no text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal

from subarch.agora.data import Labelled, Labels, Learner, Predict, Score, X
from subarch.agora.proposals import Bounds, Guard, ProposalFunction, Space
from subarch.agora.pruning import Pruning, Theta
from subarch.errors import require_ranges
from subarch.progress import Watch, silent
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of

Near = Literal["taught", "all"]


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
        require_ranges(
            self,
            ranges,
            "counts are at least 1, pruning is halving, common_subsequence or common_prefix",
        )


@dataclass(frozen=True)
class Unlabelled(Generic[X]):
    """Points without labels, none of which is forbidden.

    Args:
        points: as many as are to be learned from.
        learner: as the other ways have, but with as many steps as bring it to each point once.
    """

    points: Sequence[X]
    learner: Learner[X]


@dataclass(frozen=True, kw_only=True)
class Course(Generic[X]):
    """What training starts from.

    Args:
        learner: of students.
        teacher: labels proposals.
        data: D, what the first students learn from.
        development: E, where mistakes are looked for; its points never enter D.
        choice: further development data, which no round reads: ways are compared and one is kept by them. None: by E,
            whose mistakes Agora has learned near to, so that it looks better there than it is.
        hyperparameters: Theta, at least one set; each a mapping of names to values.
        functions: make proposals (:mod:`~subarch.agora.proposals`).
        guard: refuses copies of development and sealed points.
        folder: of the ledger and the rounds; made when it is missing.
        space: where distances between proposals and mistakes are taken; None: they do not matter.
        settings: how the loop runs, and the seed.
        score: of a student on development data; accuracy or Pearson's correlation when not given.
        weak_teacher: go on with a teacher below the bar.
        origin: what proposals depend on beside the names of their functions, such as a digest of the pool. A folder
            that was begun with another one is refused: its proposals would be stale.
        answering: the teacher's labels as its answers, where thresholds lie between the two: they are told apart at a
            half then. As they are, when None.
        pool: points for the way of training of that name.
        executor: trains the students of one round side by side.
        watch: told of every training.
    """

    learner: Learner[X]
    teacher: Predict[X]
    data: Labelled[X]
    development: Labelled[X]
    hyperparameters: Sequence[Theta]
    functions: Sequence[ProposalFunction[X]]
    guard: Guard[X]
    folder: Path
    choice: Labelled[X] | None = None
    space: Space[X] | None = None
    settings: Settings = field(default_factory=Settings)
    score: Score | None = None
    weak_teacher: bool = False
    origin: str = ""
    answering: Callable[[Labels], Labels] | None = None
    pool: Unlabelled[X] | None = None
    executor: Executor | None = None
    watch: Watch = silent

    @property
    def kind(self) -> Kind:
        """Of what is learned."""
        return kind_of(self.learner.kind)

    @property
    def chosen_by(self) -> Labelled[X]:
        """The development data that ways are compared on."""
        return self.development if self.choice is None else self.choice

    @property
    def held(self) -> Labelled[X]:
        """All development data."""
        return self.development if self.choice is None else self.development + self.choice

    @property
    def answers(self) -> Predict[X]:
        """What the teacher answers, as a student does: not what is learned of it."""
        if (answering := self.answering) is None:
            return self.teacher
        return lambda points: answering(self.teacher(points))

    @property
    def labelling(self) -> Predict[X]:
        """What proposals are labelled by: what is learned of the teacher, or what it answers where that is without
        doubt."""
        return self.teacher if self.settings.bounds.soft else self.answers

    def scored(self, labels: Labels, said: Labels) -> float:
        """The score of what a student says."""
        return (self.score or self.kind.agreement)(labels, said)
