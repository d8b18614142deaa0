"""Ways of training beside each other: the seal is broken last, and the best on development data is kept."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chessboard import SETS, learner, square, teacher, truth

from subarch.agora.comparison import METHODS, REFITTED, compare
from subarch.agora.course import Course, Settings, Unlabelled
from subarch.agora.data import Labelled, Labels, remembered
from subarch.agora.estimators import EstimatorLearner
from subarch.agora.loop import agora
from subarch.agora.proposals import Bounds, VectorGuard, jitter
from subarch.errors import InputError


def test_the_loop_cannot_read_a_sealed_split(tmp_path: Path) -> None:
    # No argument of it is one; and whoever opens the seal before the last training is caught here.
    assert not [name for name in inspect.signature(agora).parameters if "seal" in name or "test" in name]
    trained: list[int] = []

    class Counting(EstimatorLearner):
        def fit(self, data: Any, theta: Any, seed: int) -> Any:
            assert not opened, "trained after the seal was broken"
            trained.append(len(data))
            return super().fit(data, theta, seed)

    opened: list[int] = []

    def sealed() -> Labelled[Any]:
        opened.append(len(trained))
        return square(500, 7)

    development = square(150, 1)
    found = compare(
        Course(
            learner=Counting(learner().estimator, 2),
            teacher=teacher,
            data=square(100, 0, right_half=True),
            development=development,
            hyperparameters=SETS,
            functions=[jitter(0.3)],
            guard=VectorGuard(development.points, square(500, 7).points),
            folder=tmp_path,
            settings=Settings(bounds=Bounds(per_mistake=3, soft=False)),
        ),
        sealed,
        seeds=[0, 1],
        refit=True,
    )
    assert opened == [len(trained)]
    assert tuple(found.scores) == (*METHODS[:-1], REFITTED, "teacher")
    for gathered, kept in zip(found.gathered, found.kept, strict=True):
        assert len(kept.data) == len(gathered.data) + len(development)
    rows = {row.method: row for row in found.rows()}
    assert rows["agora"].mean > rows["plain"].mean + 0.1
    assert rows["teacher"].mean == 1  # it is right, if not sure
    assert rows["agora"].to_teacher == pytest.approx(rows["agora"].mean - 1)


class Answering:
    """A learner whose students are known: what they say is decided by what they learned from."""

    kind = "classification"
    identity = "answering"

    def __init__(self, development: Labelled[Any], right: dict[str, float], diverging: str = "") -> None:
        self.development, self.right, self.diverging = development, right, diverging

    def way(self, data: Labelled[Any]) -> str:
        """Which way of training the data belong to: hard or soft labels, how many, and development points or not."""
        own = {tuple(point) for point in self.development.points}
        with_development = any(tuple(point) in own for point in data.points)
        soft = bool((data.labels.max(1) < 1).any())
        more = len(data) - with_development * len(self.development) > 100
        way = "agora" if more else "distilled" if soft else "plain"
        return f"{way} on D and E" if with_development else way

    def fit(self, data: Labelled[Any], theta: Any, seed: int) -> Any:
        way = self.way(data)
        if way == self.diverging:
            raise ArithmeticError("not finite")

        def predict(points: Any) -> Labels:
            labels = truth(points)
            wrong = np.arange(len(labels)) >= self.right.get(way.removesuffix(" on D and E"), 0.9) * len(labels)
            return np.where(wrong[:, None], labels[:, ::-1], labels)

        return predict

    def pack(self, point: Any) -> Any:
        return point.tolist()

    def unpack(self, data: Any) -> Any:
        return np.asarray(data)


def test_ways_are_compared_on_rows_that_no_round_has_read(tmp_path: Path) -> None:
    """Agora is never wrong where it has looked for mistakes, and of others it knows less than the plain student."""

    class Flattered(Answering):
        def fit(self, data: Labelled[Any], theta: Any, seed: int) -> Any:
            way = self.way(data).removesuffix(" on D and E")
            right = {"agora": 0.6, "plain": 0.8, "distilled": 0.7}[way]
            read = {tuple(point) for point in self.development.points} if way == "agora" else set()

            def predict(points: Any) -> Labels:
                labels, count = truth(points), len(points)
                known = np.array([tuple(point) in read for point in points])
                wrong = ~known & (np.arange(count) >= right * count)
                return np.where(wrong[:, None], labels[:, ::-1], labels)

            return predict

    development, choice = square(150, 1), square(100, 2)
    course: Course[Any] = Course(
        learner=Flattered(development, {}),
        teacher=teacher,
        data=square(100, 0),
        development=development,
        choice=choice,
        hyperparameters=SETS[:1],
        functions=[jitter(0.3)],
        guard=VectorGuard(development.points, choice.points),
        folder=tmp_path / "apart",
        settings=Settings(bounds=Bounds(per_mistake=3, soft=False)),
    )
    found = compare(course, lambda: square(50, 7), seeds=[0], refit=False)
    assert found.development == {
        way: [pytest.approx(score)]
        for way, score in (("plain", 0.8), ("distilled", 0.7), ("augmented", 0.6), ("agora", 0.6))
    }
    assert (found.chosen, found.best.development) == ("plain", pytest.approx(0.8))
    alike = replace(course, choice=None, folder=tmp_path / "alike")
    assert compare(alike, lambda: square(50, 7), seeds=[0]).chosen != "plain"


def test_once_more_means_with_all_development_rows(tmp_path: Path) -> None:
    development, choice = square(150, 1), square(100, 2)
    course: Course[Any] = Course(
        learner=Answering(development, {"plain": 0.9}),
        teacher=teacher,
        data=square(100, 0),
        development=development,
        choice=choice,
        hyperparameters=SETS[:1],
        functions=[],
        guard=VectorGuard(development.points, choice.points),
        folder=tmp_path,
    )
    found = compare(course, lambda: square(50, 7), seeds=[0], ways=["plain"], refit=True)
    assert len(found.best.data) == 100 + 150 + 100


@pytest.mark.parametrize(
    ("right", "refit", "diverging", "chosen", "kept"),
    [
        ({"plain": 0.6, "distilled": 0.7, "agora": 0.8}, False, "", "augmented", "augmented"),  # as agora: simpler
        ({"plain": 0.9, "distilled": 0.7, "agora": 0.8}, False, "", "plain", "plain"),
        ({"plain": 0.9, "distilled": 0.7, "agora": 0.8}, True, "", "plain", "plain on D and E"),
        ({"plain": 0.9, "distilled": 0.7, "agora": 0.8}, True, "plain on D and E", "plain", "plain"),
        ({"plain": 0.6, "distilled": 0.9, "agora": 0.8}, True, "", "distilled", "distilled on D and E"),
        ({"plain": 0.6, "distilled": 0.9, "agora": 0.8}, False, "plain on D and E", "distilled", "distilled"),
    ],
)
def test_the_way_that_is_best_on_development_data_is_kept(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    right: dict[str, float],
    refit: bool,
    diverging: str,
    chosen: str,
    kept: str,
) -> None:
    """Both kinds of proposals make a student of the same worth here, so that the simpler way is taken of the two."""
    development, final = square(150, 1), square(200, 7)
    related = [n % 4 == 0 for n in range(200)]
    found = compare(
        Course(
            learner=Answering(development, right, diverging),  # type: ignore[arg-type]
            teacher=teacher,
            data=square(100, 0),
            development=development,
            hyperparameters=[{"depth": 1}],
            functions=[jitter(0.3)],
            guard=VectorGuard(development.points),
            folder=tmp_path,
            settings=Settings(bounds=Bounds(per_mistake=3, soft=False, balance=None), max_rounds=2),
        ),
        lambda: final,
        seeds=[0, 1],
        refit=refit,
        related=related,
    )
    assert found.chosen == chosen and {one.method for one in found.kept} == {kept}
    assert found.best.seed == 0  # of equal seeds the first one
    if chosen != "augmented":
        assert len(found.best.data) == 100 + 150 * kept.endswith("E")
    assert bool(diverging) == ("diverged on D and E" in caplog.text)
    rows = {row.method: row for row in found.rows()}
    assert rows["plain"].mean == pytest.approx(right["plain"])
    # Wrong from a point on: so many of the last ones, three in four of which are not related to others.
    places = np.flatnonzero(~np.array(related))
    assert rows["plain"].apart == pytest.approx(np.mean(places < right["plain"] * 200))
    assert rows["plain"].development == pytest.approx(right["plain"], abs=0.01)
    assert rows["plain on D and E"].development is None


def test_ways_are_chosen_by_name_and_the_loop_runs_for_those_that_need_it(tmp_path: Path) -> None:
    development = square(150, 1)
    course = Course(
        learner=learner(),
        teacher=teacher,
        data=square(100, 0),
        development=development,
        hyperparameters=SETS,
        functions=[],  # the loop would refuse these
        guard=VectorGuard(development.points),
        folder=tmp_path,
    )
    found = compare(course, lambda: square(50, 7), seeds=[0], ways=["distilled", "plain"])
    assert tuple(found.scores) == ("plain", "distilled", "teacher")
    assert not found.gathered and not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="got newest"):
        compare(course, lambda: square(50, 7), seeds=[0], ways=["newest"])
    with pytest.raises(InputError, match="give --pool FILE"):
        compare(course, lambda: square(50, 7), seeds=[0], ways=["pool"])


def test_with_a_pool_the_teacher_is_asked_about_each_point_once(tmp_path: Path) -> None:
    asked: list[tuple[float, ...]] = []

    def counting(points: Any) -> Labels:
        asked.extend(map(tuple, points))
        return teacher(points)

    development, pool = square(150, 1), square(400, 5)
    own = learner()
    course = Course(
        learner=own,
        teacher=remembered(counting, own),
        data=square(40, 0, right_half=True),
        development=development,
        hyperparameters=SETS,
        functions=[jitter(0.3)],
        guard=VectorGuard(development.points),
        folder=tmp_path,
        pool=Unlabelled(pool.points, own),
        settings=Settings(bounds=Bounds(per_mistake=3), max_rounds=2),
    )
    found = compare(course, lambda: square(500, 7), seeds=[0, 1])
    assert tuple(found.scores) == ("plain", "plain on D and E", "distilled", "augmented", "pool", "agora", "teacher")
    assert len(set(asked)) == len(asked)
    # The training data lie in one half: only points of the other half can teach it.
    assert np.mean(found.scores["pool"]) > np.mean(found.scores["plain"]) + 0.1
