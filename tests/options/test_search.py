"""Options of the commands around a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subarch.options.search import CheckOptions, DemoOptions, ExtractOptions, InspectOptions, VerifyOptions


def test_limits_go_by_the_names_of_the_certificate() -> None:
    assert ExtractOptions(source="bort").limits == {}
    made = ExtractOptions(source="bort", speedup=3.0, max_parameters=1e6, max_latency_ms=5.0, max_macs=1e9)
    assert made.limits == {"speedup": 3.0, "parameters": 1e6, "latency_ms": 5.0, "macs": 1e9}


def test_data_are_a_file_or_a_task(tmp_path: Path) -> None:
    assert ExtractOptions(source="bort").where is None
    file = tmp_path / "a.csv"
    file.write_text("text,label\n")
    made = ExtractOptions(source="bort", data=str(file), split_seed=3, text_columns=("text",)).where
    assert made is not None and (made.data, made.task) == (file, None)
    assert (made.split_seed, made.text_columns) == (3, ("text",))
    named = ExtractOptions(source="bort", data="demo/docs").where
    assert named is not None and (named.data, named.task) == (None, "demo/docs")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epsilon": 1.0}, "--epsilon must lie between 0 and 1 .0.1 = within ten percent., got 1"),
        ({"strategy": "interval", "epsilon": 0.5}, "--epsilon is an integer from 1 with --strategy interval, got 0.5"),
        ({"steps": "60-20"}, "--steps is doubled from the first number, at least 1, to the second, got '60-20'"),
        ({"steps": "0-20"}, "--steps is doubled from the first number, at least 1"),
        ({"coarsest_epsilon": 0.05}, "--coarsest-epsilon lies between --epsilon, 0.1, and 1, got 0.05"),
        ({"steps": "many"}, "--steps is a number from 0, or auto, got 'many'"),
        ({"speedup": 3.0, "claim": "w"}, "a limit on speedup makes the claim 'constrained', but --claim w was asked"),
        ({"claim": "constrained"}, "--claim constrained needs a limit"),
        ({"split_seed": 1, "quoting": "none"}, "--quoting, --split-seed says how --data is read, which is missing"),
        ({"learning_rates": (1e-3, 0.0)}, "--learning-rates must be a positive number, got 0.0"),
        ({"delta": 1.0}, "--delta must lie in"),
    ],
)
def test_searches_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ExtractOptions(source="bort", **given)


@pytest.mark.parametrize("steps", ["0", "20", "60-240", "auto", "default"])
def test_steps_are_a_number_or_a_word(steps: str) -> None:
    assert ExtractOptions(source="bort", steps=steps).steps == steps
    assert ExtractOptions(source="bort", strategy="interval", epsilon=3.0).epsilon == 3


@pytest.mark.parametrize("option", ["family", "start"])
def test_code_is_named_by_its_module(option: str) -> None:
    assert getattr(VerifyOptions(run=Path("r"), **{option: "mine:Name"}), option) == "mine:Name"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"--{option} is module.path:name, got 'mine.py'"):
        VerifyOptions(run=Path("r"), **{option: "mine.py"})  # type: ignore[arg-type]


def test_the_others_have_ranges_too() -> None:
    for make in (
        lambda: InspectOptions(name="bort", sequence_length=0),
        lambda: CheckOptions(source="bort", sequence_length=0),
        lambda: VerifyOptions(run=Path("r"), retrain=-1),
        lambda: DemoOptions(speedup=0.5),
        lambda: DemoOptions(epsilon=2.0),
    ):
        with pytest.raises(ValueError, match="--"):
            make()
