"""What targets are judged on: one text of the length that they are for, in the form that was chosen."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from subarch.jobs.targets import deployed, verdicts
from subarch.options.compression import CompressOptions


@dataclass(frozen=True)
class Asked:
    """A plan as far as it matters here."""

    run: Path = Path("runs/a")
    teacher: Path = Path("my-bert")
    length: int = 40


def rows() -> list[dict[str, Any]]:
    """Ten milliseconds for the teacher and two for the student where targets look, other times everywhere else."""
    forms = [("pytorch", "float32"), ("onnxruntime", "int8"), ("openvino", "int8")]
    found: list[dict[str, Any]] = []
    for threads, batch, length in itertools.product((1, 2), (1, 32), (16, 40, 512)):
        for name, ms in (("my-bert", 10.0), ("runs/a", 2.0)):
            for runtime, precision in forms:
                here = (threads, batch, length, runtime) == (1, 1, 40, "onnxruntime")
                found.append(
                    {"name": name, "runtime": runtime, "precision": precision, "threads": threads, "batch_size": batch}
                    | {"sequence_length": length, "p50_ms": ms if here else 77.0}
                )
    return found


@pytest.mark.parametrize(("latency", "speedup", "met"), [(2.5, 4.0, True), (1.5, 6.0, False)])
def test_of_many_times_the_ones_that_were_asked_for_count(latency: float, speedup: float, met: bool) -> None:
    result: dict[str, Any] = {"export": {"chosen": "onnx-int8"}, "bench": {"rows": rows()}, "sealed": {"drop": 0.5}}
    result["deployed"] = deployed(Asked(), result)  # type: ignore[arg-type]
    assert {who: row["p50_ms"] for who, row in result["deployed"].items()} == {"student": 2.0, "teacher": 10.0}
    asked = CompressOptions(data="a.csv", teacher="my-bert", max_latency_ms=latency, speedup=speedup)
    found = verdicts(asked, result)
    times = {one["target"]: one["got"] for one in found["met" if met else "missed"]}
    assert times.items() >= {"latency_ms": 2.0, "speedup": 5.0}.items()
    assert [one["target"] for one in found["met"]][-1] == "drop"
