"""Agora in its own setting, beside the curve of its theory: a random classifier, two balanced classes, round by round.

The first students learn from points of a torus and around it whose labels are coin flips, so they know nothing. The
development set is representative and unlabelled points are at hand. The teacher is always right, or three times in
four with scattered errors. After each round a student of the points gathered by then is scored on sealed points. The
curve 1 - 2^-k is a best case: nothing here claims to reach it.

    python benchmarks/theory.py --run runs/theory
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from results import Results
from subarch.agora.course import Course, Settings
from subarch.agora.data import Labelled, Labels, Predict
from subarch.agora.estimators import EstimatorLearner
from subarch.agora.loop import agora
from subarch.agora.proposals import Bounds, VectorGuard, retrieve
from subarch.agora.pruning import theory
from subarch.tasks.metrics import interval

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import torus

FIRST, ROUNDS, PER_MISTAKE = 40, 8, 10


def always_right(points: Sequence[torus.Points]) -> Labels:
    return np.eye(2)[(torus.distance(np.stack(points)) < torus.NEAR).astype(int)]


def one(student: str, teacher: Predict[torus.Points], seed: int, folder: Path) -> list[float]:
    """Sealed accuracy after every round."""
    estimator, sets = torus.STUDENTS[student]
    learner = EstimatorLearner(estimator, 2)
    rng = np.random.default_rng(seed)
    points, _ = torus.sample(FIRST, rng)
    flips = rng.permutation(np.arange(FIRST) % 2).tolist()
    development, sealed = (Labelled.of(*torus.sample(count, rng), 2) for count in (2400, 4000))
    pool = torus.sample(40_000, rng)[0]
    found = agora(
        Course(
            learner=learner,
            teacher=teacher,
            data=Labelled.of(points, flips, 2),
            development=development,
            hyperparameters=sets[:1],
            functions=[retrieve(pool)],
            guard=VectorGuard(development.points, sealed.points),
            folder=folder,
            settings=Settings(
                bounds=Bounds(per_mistake=PER_MISTAKE, soft=False), max_rounds=ROUNDS, replays=ROUNDS - 1, seed=seed
            ),
        ),
    )
    scores: list[float] = []
    for each in found.rounds:
        known = slice(0, each.learned_from)
        data = Labelled(found.everything.points[known], found.everything.labels[known])
        scores.append(learner.kind.agreement(sealed.labels, learner.fit(data, sets[0], seed)(sealed.points)))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/theory"))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    results = Results("theory", __doc__ or "")
    curve = {f"round {k}": f"{100 * value:.1f}" for k, value in enumerate(theory(ROUNDS), start=1)}
    results.row("Accuracy on the sealed points", {"student": "the theory's best case", "teacher": ""} | curve)
    teachers: dict[str, Predict[torus.Points]] = {
        "always right": always_right,
        "right 3 times in 4": torus.teacher("independent"),
    }
    for student in ("decision tree", "nearest neighbours"):
        for name, teacher in teachers.items():
            folder = arguments.run / f"{student}-{name}".replace(" ", "-")
            runs = [one(student, teacher, seed, folder / str(seed)) for seed in range(arguments.seeds)]
            shown: dict[str, object] = {"student": student, "teacher": name}
            for k in range(min(map(len, runs))):
                mean, half = interval([scores[k] for scores in runs])
                shown[f"round {k + 1}"] = f"{100 * mean:.1f} ± {100 * (half or 0):.1f}"
            results.row("Accuracy on the sealed points", shown)
    results.note(f"{FIRST} first points, {PER_MISTAKE} proposals a mistake, {arguments.seeds} worlds, 95 % intervals.")
    results.write()


if __name__ == "__main__":
    main()
