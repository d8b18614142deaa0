"""What an export is judged on: rows of a table that it has not learned from, calibrated by others of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from tiny import reviews, write

from subarch.jobs.judging import judging
from subarch.options.running import ExportOptions
from subarch.tasks.kinds.table import kind_of


def fitted(*names: str) -> Any:
    """A network as far as it matters here; its outputs are in the order of its own names."""
    kind = kind_of("classification")

    def order_for(task: str, asked: object, label_names: tuple[str, ...]) -> list[int] | None:
        return kind.places(task, label_names, of=kind, among=names)

    return SimpleNamespace(kind=kind, label_names=names, is_nameless=False, order_for=order_for, thresholds=())


def test_a_fifth_of_a_table_calibrates_and_the_rest_judges_by_the_networks_own_order(tmp_path: Path) -> None:
    table = write(tmp_path / "reviews.csv", [*reviews(50)])
    rows = judging(ExportOptions(model="m", data=table), tmp_path, fitted("praise", "blame"))
    assert (len(rows.calibration), len(rows.judged), rows.metric) == (10, 40, "accuracy")
    assert rows.score is not None and rows.labels is not None
    right = [np.eye(2, dtype=np.float32)[label] for (label,) in rows.labels]
    assert rows.score(right) == 1.0 and rows.score([one[::-1] for one in right]) == 0.0


def test_without_a_head_no_labels_can_judge(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no head for a task"):
        judging(ExportOptions(model="m", data=write(tmp_path / "a.csv", [*reviews(20)])), tmp_path, None)
    texts = judging(ExportOptions(model="m"), tmp_path, None)
    assert texts.score is None and texts.labels is None and cast("Any", texts.judged)
