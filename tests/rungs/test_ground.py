"""What rungs stand on: texts that may be learned from, and a teacher that is asked once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from subarch.errors import InputError
from subarch.options.tasks import TaskOptions
from subarch.rungs.ground import TEACHER_SHARE, dealt, opened


def test_a_pool_holds_no_copy_of_a_development_or_sealed_row(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    task = place.ground().task
    held = [task.development[0].first.upper() + "!", task.sealed.unlabelled()[0].first, task.train[0].first]
    pool = tmp_path / "pool.txt"
    pool.write_text("\n".join(["whatever else there is to say", *held]), encoding="utf-8")
    assert [one.first for one in place.ground(pool=pool).pool] == ["whatever else there is to say"]
    few = place.ground(pool=place.pool, pool_texts=5)
    assert len(few.pool) <= 5 < len(place.ground(pool=place.pool).pool)


def test_the_teacher_is_asked_once_and_its_answers_are_kept(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground = replace(place.ground(), folder=tmp_path)
    first = ground.asked_teacher(ground.task.development, "development rows")
    (file,) = (tmp_path / "teacher-said").iterdir()
    np.save(file, np.load(file) + 1)
    again = ground.asked_teacher(ground.task.development, "development rows")
    assert np.allclose(np.stack(again), np.stack(first) + 1)  # read, not asked


def test_training_rows_are_half_their_own_label_and_pool_texts_all_the_teachers(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground = replace(place.ground(pool=place.pool), folder=tmp_path)
    points, labels = ground.taught()
    rows = len(ground.task.train)
    assert len(points) == len(labels) == rows + len(ground.pool)
    assert all(one.label is None for one in points)
    assert np.allclose(labels.sum(1), 1)
    own = ground.labels.argmax(1)
    assert (labels[np.arange(rows), own] >= TEACHER_SHARE).all()


def test_rows_are_dealt_out_as_for_the_teacher(place) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="dealt out with seed 0"):
        dealt(place.options(where=TaskOptions(data=place.data, split_seed=3)))
    assert dealt(place.options()).where == place.options().where


def test_a_teacher_without_a_head_is_refused(place) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="fine-tune it first"):
        opened(place.options(teacher=str(place.root / "encoder")), place.root / "none")
    assert not (place.root / "none").exists()
