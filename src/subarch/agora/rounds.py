"""What happened in a round of the loop, and what the loop comes to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from subarch.agora.data import (
    Labelled,
    X,
)
from subarch.agora.pruning import Theta

Stop = Literal["no gain", "no mistakes", "untaught", "rounds", "budget", "no proposals"]


STOPPED = {
    "no gain": "one hyperparameter set was left and its round brought no gain",
    "no mistakes": "no mistake was left on the development data",
    "untaught": "all mistakes that were left are the teacher's as well",
    "rounds": "the largest number of rounds was reached",
    "budget": "the budget of trainings was spent",
    "no proposals": "no proposal was admitted",
}


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
