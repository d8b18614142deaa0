"""What targets are judged on: one text of the length that they are for, in the form that was chosen."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from subarch.jobs.plan import planned
from subarch.jobs.targets import deployed, first_readings, verdicts
from subarch.options.compression import CompressOptions
from subarch.results.bench import BenchResult, CpuResult, TimedResult
from subarch.results.promise import DropResult


@dataclass(frozen=True)
class Asked:
    """A plan as far as it matters here."""

    run: Path = Path("runs/a")
    teacher: Path = Path("my-bert")
    length: int = 40


def rows() -> tuple[TimedResult, ...]:
    """Ten milliseconds for the teacher and two for the student where targets look, other times everywhere else."""
    forms = [("pytorch", "float32"), ("onnxruntime", "int8"), ("openvino", "int8")]
    found: list[TimedResult] = []
    for threads, batch, length in itertools.product((1, 2), (1, 32), (16, 40, 512)):
        for name, ms in (("my-bert", 10.0), ("runs/a", 2.0)):
            for runtime, precision in forms:
                here = (threads, batch, length, runtime) == (1, 1, 40, "onnxruntime")
                time = ms if here else 77.0
                cell = {"threads": threads, "batch_size": batch, "sequence_length": length}
                row = TimedResult(
                    name=name, runtime=runtime, precision=precision, **cell, p50_ms=time, p95_ms=time, ratio=1.0
                )
                found.append(row)
    return tuple(found)


@pytest.mark.parametrize(("latency", "speedup", "met"), [(2.5, 4.0, True), (1.5, 6.0, False)])
def test_of_many_times_the_ones_that_were_asked_for_count(latency: float, speedup: float, met: bool) -> None:
    bench = BenchResult(run="runs/a", cpu=CpuResult(features=()), rows=rows())
    timed = deployed(Asked(), "onnx-int8", bench)  # type: ignore[arg-type]
    assert {who: row.p50_ms for who, row in timed.items()} == {"student": 2.0, "teacher": 10.0}
    asked = CompressOptions(data="a.csv", teacher="my-bert", max_latency_ms=latency, speedup=speedup)
    lost = DropResult(drop=0.5, drop_ci95=(0.1, 0.9), rows=4000, verdict="met")
    found = verdicts(asked, timed, lost)
    times = {one.target: one.got for one in (found.met if met else found.missed)}
    assert times.items() >= {"latency_ms": 2.0, "speedup": 5.0}.items()
    assert [one.target for one in found.met][-1] == "drop"
    assert [one.ci95 for one in found.met][-1] == (0.1, 0.9)


@pytest.mark.parametrize("verdict", ["met", "not shown", "missed"])
def test_what_is_lost_is_met_when_it_is_shown_alone(verdict: Any) -> None:
    lost = DropResult(drop=0.5, drop_ci95=(-1.0, 2.0), rows=300, verdict=verdict, rows_needed=7000)
    found = verdicts(CompressOptions(data="a.csv", teacher="my-bert"), {}, lost)
    assert [(word, one.target) for word, one in found.rows()] == [(verdict, "drop")]


def served_in_half_the_time(architecture: dict[str, int]) -> float:
    """Milliseconds by depth and nothing else."""
    return 2.0 * architecture["num_hidden_layers"]


@pytest.mark.parametrize(
    ("target", "met"), [({"speedup": 2.0}, True), ({"speedup": 2.1}, False), ({"max_latency_ms": 1.9}, False)]
)
def test_a_target_is_refused_by_the_first_readings_and_nothing_is_written(
    target: dict[str, float], met: bool, inputs: Path, tmp_path: Path
) -> None:
    runtime = (f"extract.runtime={__name__.rpartition('.')[2]}:served_in_half_the_time",)
    asked = CompressOptions(data=str(inputs / "reviews.csv"), teacher=str(inputs / "encoder"), set=runtime, **target)  # type: ignore[arg-type]
    plan = planned(asked, tmp_path / "run")
    if met:
        times = first_readings(plan)
        assert times is not None and times.begun().reference_ms == 4.0
        assert plan.extraction().speedup == 2.0 and "threads" not in plan.settings["export"]
    else:
        with pytest.raises(ValueError, match="cannot be met: the smallest network of the space takes 2 ms here"):
            first_readings(plan)
    assert not (tmp_path / "run").exists()


def test_the_teacher_stands_in_its_own_best_form_and_a_busy_moment_does_not_decide() -> None:
    known = {"threads": 1, "batch_size": 1, "sequence_length": 40, "p95_ms": 9.0, "ratio": 1.0}
    found = [
        TimedResult(
            name=name, runtime=runtime, precision="int8", p50_ms=2 * ms, fast_ms=ms, **{**known, "threads": threads}
        )
        for name, runtime, threads, ms in (
            ("runs/a", "onnxruntime", 1, 2.0),
            ("runs/a", "openvino", 1, 1.0),
            ("my-bert", "onnxruntime", 1, 12.0),
            ("my-bert", "openvino", 2, 8.0),
        )
    ]
    timed = deployed(Asked(), "onnx-int8", BenchResult(run="runs/a", cpu=CpuResult(features=()), rows=tuple(found)))  # type: ignore[arg-type]
    asked = CompressOptions(data="a.csv", teacher="my-bert", speedup=4.0)
    (speed,) = [
        one
        for one in verdicts(asked, timed, DropResult(drop=0.0, drop_ci95=(0.0, 0.0), rows=300, verdict="met")).met
        if one.target == "speedup"
    ]
    assert speed.got == 4.0
