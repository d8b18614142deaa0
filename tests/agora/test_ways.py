"""What the ways of training learn from."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from chessboard import SETS, learner, square, teacher, truth

from subarch.agora.course import Course, Settings
from subarch.agora.proposals import Bounds, VectorGuard, jitter
from subarch.agora.ways import WAYS, around_training
from subarch.options.tasks import AgoraOptions


@pytest.mark.parametrize("count", [0, 7, 60])
def test_around_training_are_as_many_as_asked_for_new_and_near_a_point(tmp_path: Path, count: int) -> None:
    data = square(40, 0)
    more = around_training(
        count,
        Course(
            learner=learner(),
            teacher=teacher,
            data=data,
            development=square(5, 1),
            hyperparameters=SETS,
            functions=[jitter(0.1)],
            guard=VectorGuard(square(5, 1).points),
            folder=tmp_path,
            space=np.stack,
            settings=Settings(bounds=Bounds(per_mistake=3, soft=False, balance=None)),
        ),
    )
    assert len(more) == count
    known = {tuple(point) for point in data.points}
    assert known.isdisjoint(map(tuple, more.points)) and len({tuple(point) for point in more.points}) == count
    for point, label in zip(more.points, more.labels, strict=True):
        assert min(float(np.linalg.norm(point - other)) for other in data.points) < 1.0
        assert label.tolist() == truth([point])[0].tolist()


def test_the_options_name_every_way_and_no_other() -> None:
    names, _ = get_args(get_type_hints(AgoraOptions)["ways"])
    assert get_args(names) == tuple(WAYS)
