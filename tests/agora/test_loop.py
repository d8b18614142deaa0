"""The loop: what it promises holds for every seed, it goes on after kill -9, and it says no to what makes no sense."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from chessboard import SETS, learner, loop, square, teacher, truth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

from subarch.agora.course import Course
from subarch.agora.data import Labelled, Labels
from subarch.agora.estimators import EstimatorLearner
from subarch.agora.loop import agora
from subarch.agora.proposals import Bounds, VectorGuard, jitter
from subarch.agora.rounds import Gathered


def same(one: Gathered[Any], other: Gathered[Any]) -> bool:
    rounds = [r.to_json() for r in one.rounds] == [r.to_json() for r in other.rounds]
    points = np.array_equal(np.stack(one.everything.points), np.stack(other.everything.points))
    labels = np.array_equal(one.everything.labels, other.everything.labels)
    return rounds and points and labels and one.theta == other.theta and one.stopped == other.stopped


def test_what_half_a_square_does_not_show_is_learned(tmp_path: Path) -> None:
    found = loop(tmp_path)
    assert found.rounds[0].best_so_far < 0.8  # half of it is unknown
    assert found.score > 0.85
    sealed = square(2000, 9)
    student = learner().fit(found.data, found.theta, 0)
    assert np.mean(student(sealed.points).argmax(1) == sealed.classes) > 0.85
    trials = optuna.load_study(study_name="agora", storage=f"sqlite:///{tmp_path}/study.db").trials
    assert len(trials) == found.trainings == sum(len(one.scores) for one in found.rounds)
    assert max(trial.value for trial in trials) == found.score


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), pruning=st.sampled_from(["halving", "common_subsequence", "common_prefix"]))
def test_laws(tmp_path_factory: pytest.TempPathFactory, seed: int, pruning: Any) -> None:
    folder = tmp_path_factory.mktemp("laws")
    data, development = square(100, seed, right_half=True), square(100, seed + 1)
    found = loop(
        folder, data=data, development=development, settings={"seed": seed, "pruning": pruning, "max_rounds": 5}
    )
    # No earlier point is lost, and none of the development points is ever learned from.
    everything = np.stack(found.everything.points)
    assert np.array_equal(everything[: len(data)], np.stack(data.points))
    learned = {tuple(point) for point in everything[len(data) :]}
    assert learned.isdisjoint(map(tuple, development.points))
    assert len(learned) == len(everything) - len(data)  # nothing twice
    sizes = [one.learned_from for one in found.rounds]
    assert sizes == sorted(sizes)
    # The best so far never falls, and every round but the last has fewer sets than the one before, or one.
    best = [one.best_so_far for one in found.rounds]
    assert best == sorted(best)
    assert found.score == best[-1]
    for before, after in zip(found.rounds, found.rounds[1:], strict=False):
        assert set(after.scores) == set(before.surviving)
        assert len(after.scores) < len(before.scores) or len(before.scores) == 1
    # Each proposal lies near its mistake, and nothing but mistakes is proposed around.
    for one in found.rounds:
        assert set(one.kept) <= set(range(len(one.mistakes)))
    # The same seed gives the same run.
    again = loop(
        tmp_path_factory.mktemp("again"),
        data=data,
        development=development,
        settings={"seed": seed, "pruning": pruning, "max_rounds": 5},
    )
    assert same(found, again)


def test_called_again_it_trains_nothing_and_more_rounds_go_on(tmp_path: Path) -> None:
    found = loop(tmp_path, settings={"max_rounds": 2})
    assert found.stopped == "rounds"

    class Refusing(EstimatorLearner):
        def fit(self, data: Any, theta: Any, seed: int) -> Any:
            raise AssertionError("trained again")

    refusing = Refusing(learner().estimator, 2)
    assert same(loop(tmp_path, settings={"max_rounds": 2}, learner=refusing), found)
    longer = loop(tmp_path, settings={"max_rounds": 6})
    assert same(longer, loop(tmp_path / "whole", settings={"max_rounds": 6}))


def test_students_side_by_side_are_the_same_students(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as executor:
        assert same(loop(tmp_path / "two", executor=executor), loop(tmp_path / "one"))


WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from chessboard import loop
loop(Path(sys.argv[1]), settings={{"max_rounds": 6, "replays": 1}})
"""


def test_after_kill_9_the_same_end(tmp_path: Path) -> None:
    whole = loop(tmp_path / "whole", settings={"max_rounds": 6, "replays": 1})
    code = WORKER.format(tests=str(Path(__file__).parent))
    folder = tmp_path / "killed"
    kills = 0
    for count in range(1, 60, 4):  # each life is ended when the ledger has grown a little
        process = subprocess.Popen([sys.executable, "-c", code, str(folder)])
        while process.poll() is None and len(list(folder.glob("predictions/*.npy"))) < count:
            time.sleep(0.005)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills >= 2
    assert same(loop(folder, settings={"max_rounds": 6, "replays": 1}), whole)


def test_budget_and_replays(tmp_path: Path) -> None:
    found = loop(tmp_path / "budget", settings={"budget": 5})
    assert found.stopped == "budget"
    assert found.trainings == 4  # the next round would have two
    again = loop(tmp_path / "replay", settings={"replays": 1, "max_rounds": 20}, bounds=Bounds(per_mistake=1))
    assert any(len(b.scores) > len(a.scores) for a, b in zip(again.rounds, again.rounds[1:], strict=False))


def test_no_mistakes_and_no_proposals_end_it_with_what_there_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    easy = square(200, 3)
    found = loop(
        tmp_path / "easy",
        data=easy,
        development=easy,
        sets=[{"max_depth": None}],
        guard=VectorGuard(square(2, 5).points),
    )
    assert found.stopped == "no mistakes"
    assert found.score == 1
    found = loop(tmp_path / "none", bounds=Bounds(max_distance=1e-9))
    assert found.stopped == "no proposals"
    assert found.rounds[0].refused == {"too far from it": found.rounds[0].made}
    assert "too far from it" in caplog.text


def test_a_teacher_is_not_asked_near_a_mistake_that_is_its_own(tmp_path: Path) -> None:
    def wrong_far_left(points: Any) -> Any:
        said, far = teacher(points), np.stack(points)[:, 0] < -0.7
        return np.where(far[:, None], said[:, ::-1], said)

    development = square(150, 1)
    far = {n for n, point in enumerate(development.points) if point[0] < -0.7}
    taught = loop(tmp_path / "taught", teacher=wrong_far_left, settings={"max_rounds": 2}).rounds[0]
    assert far & set(taught.mistakes) and set(taught.near) == set(taught.mistakes) - far
    everywhere = loop(tmp_path / "all", teacher=wrong_far_left, settings={"max_rounds": 2, "near": "all"}).rounds[0]
    assert everywhere.near == everywhere.mistakes == taught.mistakes

    def as_plain(points: Any) -> Any:
        """What a student of the right half says: wrong wherever that student is."""
        return taught_by.predict_proba(np.stack(points))

    data = square(100, 0, right_half=True)
    taught_by = DecisionTreeClassifier(max_depth=4, random_state=0).fit(np.stack(data.points), data.classes)
    given = {"sets": [{"max_depth": 4}], "weak_teacher": True}
    assert loop(tmp_path / "none", teacher=as_plain, data=data, **given).stopped == "untaught"


def test_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def numbers(count: int, low: float) -> Labelled[Any]:
        points = rng.uniform(low, 1, size=(count, 1))
        return Labelled.of_numbers(list(points), points[:, 0] ** 2)

    def squares(points: Any) -> Labels:
        return np.stack(points) ** 2

    development = numbers(100, -1)
    found = agora(
        Course(
            learner=EstimatorLearner(Ridge(alpha=1e-3), 1),
            teacher=squares,
            data=numbers(20, 0.5),
            development=development,
            hyperparameters=[{"alpha": 1e-3}, {"alpha": 1.0}],
            functions=[jitter(0.2)],
            guard=VectorGuard(development.points),
            folder=tmp_path,
        ),
    )
    assert found.rounds[0].mistakes
    assert len(found.everything) > 20


def weak(points: Any) -> Labels:
    """Right six times in ten."""
    right = truth(points)
    return np.where((np.arange(len(right)) % 5 < 3)[:, None], right, right[:, ::-1])


def test_wrong_input_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"balanced accuracy on development data is 0\.[56]\d+, expected above 0\.667"):
        loop(tmp_path / "a", teacher=weak)
    assert loop(tmp_path / "a", teacher=weak, weak_teacher=True).teacher_quality < 2 / 3
    with pytest.raises(ValueError, match="3 outputs"):
        loop(tmp_path / "b", teacher=lambda points: np.ones((len(points), 3)) / 3)
    one = square(30, 0)
    with pytest.raises(ValueError, match="at least two classes among the training"):
        loop(tmp_path / "b", data=Labelled(one.points, np.eye(2)[np.zeros(30, int)]))
    with pytest.raises(ValueError, match="training examples, got none"):
        loop(tmp_path / "b", data=Labelled((), np.empty((0, 2))))
    with pytest.raises(ValueError, match="the same"):
        loop(tmp_path / "b", sets=[SETS[0], SETS[0]])
    with pytest.raises(ValueError, match="at least one hyperparameter set"):
        loop(tmp_path / "b", sets=[])
    assert not (tmp_path / "b").exists()
    with pytest.raises(ValueError, match="hyperparameters"):
        loop(tmp_path / "a", teacher=weak, weak_teacher=True, sets=SETS[:2])


def test_the_rounds_are_readable(tmp_path: Path) -> None:
    found = loop(tmp_path)
    first = json.loads((tmp_path / "rounds" / "001.json").read_text())
    assert len(first["points"]) == len(first["labels"]) == len(found.rounds[0].kept)
    assert first["made"] == found.rounds[0].made
