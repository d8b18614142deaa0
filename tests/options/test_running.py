"""Options of export and bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subarch.options.running import BenchOptions, ExportOptions


def test_the_task_or_the_file_says_which_data_decide() -> None:
    assert ExportOptions(model="m").data_name is None
    assert ExportOptions(model="m", task="glue/rte").data_name == "glue/rte"
    assert ExportOptions(run=Path("r"), data=Path("a.csv")).data_name == "a.csv"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "MODEL or --run DIR is needed: for example subarch export --run runs/mine"),
        ({"model": "m", "task": "glue/rte", "data": Path("a.csv")}, "--task and --data were both given"),
        ({"model": "m", "max_drop": -1.0}, "--max-drop is in points of 100"),
        ({"model": "m", "calibration": 0}, "--calibration must be an integer from 1"),
        ({"model": "m", "sequence_length": 1}, "--sequence-length must be an integer from 2"),
    ],
)
def test_exports_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ExportOptions(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"names": ()}, "name at least one network: subarch bench bort"),
        ({"runtime": ()}, "--runtime needs at least one value"),
        ({"sequence_length": ()}, "--sequence-length needs at least one value"),
        ({"batch_size": (1, 0)}, "--batch-size must be an integer from 1, got 0"),
        ({"rounds": 0}, "--rounds must be an integer from 1"),
    ],
)
def test_benches_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BenchOptions(**({"names": ("bort",)} | given))
    assert BenchOptions(names=("bort",)).threads == ()
