"""Options of the commands around tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subarch.options.tasks import (
    AgoraOptions,
    EvaluateOptions,
    FinetuneOptions,
    PredictOptions,
    SubmitOptions,
    TaskOptions,
)

DATA = Path("a.csv")


def test_a_file_or_a_task_is_named_and_not_both() -> None:
    assert TaskOptions(data=DATA).name == "a.csv" and TaskOptions(task="glue/rte").name == "glue/rte"
    assert EvaluateOptions(model="m", data=DATA).name == "a.csv"
    for kind, given in ((TaskOptions, {}), (EvaluateOptions, {"model": "m"})):
        with pytest.raises(ValueError, match="--task NAME or --data FILE is needed"):
            kind(**given)
        with pytest.raises(ValueError, match="--task and --data were both given"):
            kind(**given, task="glue/rte", data=DATA)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text_columns": ("a", "b", "c")}, "--text-columns takes one column or two, got 3"),
        ({"limit": 0}, "--limit must be an integer from 1"),
    ],
)
def test_tasks_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TaskOptions(data=DATA, **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"agora": True}, "--agora needs --teacher MODEL"),
        ({"teacher": "m"}, "belong to Agora: give --agora too"),
        ({"refit": True}, "belong to Agora"),
        ({"ways": ("plain",)}, "belong to Agora"),
        (
            {"agora": True, "teacher": "m", "ways": ("pool",)},
            "--ways pool learns from unlabelled texts: give --pool FILE",
        ),
        (
            {"agora": True, "teacher": "m", "proposals": ("guess",)},
            "--proposals are mask_fill, recombine, retrieve, swap",
        ),
        ({"space": "somewhere"}, "--space is teacher, student, or module.path:function, got 'somewhere'"),
        ({"min_distance": 0.5, "max_distance": 0.5}, "--max-distance must be above --min-distance, got 0.5 and 0.5"),
        ({"executor": "threads:2"}, "dropout draws from one generator a process; give processes:N"),
        ({"min_confidence": 1.0}, "--min-confidence must lie in"),
        ({"distill": 1.5}, "--distill must lie between 0 and 1"),
    ],
)
def test_loops_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AgoraOptions(**given)


def test_a_loop_with_functions_and_a_space_of_ones_own() -> None:
    made = AgoraOptions(agora=True, teacher="m", proposals=("mine:function", "swap"), space="mine:space", distill=1.0)
    assert made.proposals == ("mine:function", "swap") and made.near == "taught"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": None}, "--model .a checkpoint. or --run .a directory with an extracted network. is needed"),
        ({"learning_rates": ()}, "--learning-rates needs at least one rate, such as 5e-5"),
        ({"max_length": 4}, "--max-length must be an integer from 8"),
        ({"epochs": 0}, "--epochs must be an integer from 1"),
    ],
)
def test_fine_tunings_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FinetuneOptions(**({"model": "m", "where": TaskOptions(data=DATA)} | given))


@pytest.mark.parametrize(("name", "fits"), [("a.jsonl", True), ("a.CSV", True), ("a.txt", False), ("a", False)])
def test_predictions_are_lines_or_a_table(name: str, fits: bool) -> None:
    if fits:
        assert PredictOptions(model="m", data=DATA, output=Path(name)).output == Path(name)
        return
    with pytest.raises(ValueError, match=f"--output must end in .jsonl or .csv, got '{name}'"):
        PredictOptions(model="m", data=DATA, output=Path(name))


def test_an_archive_is_written_or_looked_at() -> None:
    assert SubmitOptions(model="m", suite="glue").check is None
    assert SubmitOptions(check=Path("a.zip"), suite="glue").model is None
    for given in ({}, {"model": "m", "check": Path("a.zip")}):
        with pytest.raises(ValueError, match="give MODEL to write an archive, or --check ARCHIVE to validate one"):
            SubmitOptions(suite="glue", **given)  # type: ignore[arg-type]
