"""What bench tells."""

from __future__ import annotations

from examples import bench, timed
from laws import HOSTILE, changed, goes_through_json, holds, is_frozen, shows_words_as_they_are, told


def test_it_is_a_result() -> None:
    holds(bench())
    goes_through_json(timed(peak_memory_bytes=None))
    is_frozen(timed())
    shows_words_as_they_are(changed(bench(), rows=(timed(name=HOSTILE),)))


def test_networks_stand_beside_the_reference() -> None:
    assert bench().reference == "./my-bert"
    assert told(bench()) == [
        "A processor, avx2, fma",
        "network | runtime | precision | threads | texts | tokens | p50 ms | p95 ms | times as fast | file MB | "
        "memory MB",
        "./my-bert | pytorch | float32 | 2 | 1 | 128 | 10.00 | 12.00 | 1.0 | 440 | 340",
        "runs/mine | pytorch | float32 | 2 | 1 | 128 | 4.00 | 4.50 | 2.5 |  | ",
        "runs/mine | onnxruntime | float32 | 2 | 1 | 128 | 2.00 | 2.50 | 5.0 | 12 | 340",
        "times as fast as ./my-bert in PyTorch, with 32-bit floats",
        "wrote runs/mine/benchmark.json",
    ]
    assert [row[0] for row in bench().table({"./my-bert": "teacher", "runs/mine": "student"}.__getitem__).rows] == [
        "teacher",
        "student",
        "student",
    ]


def test_every_row_says_with_which_others_it_is_comparable() -> None:
    rows = (timed(), timed(batch_size=8), timed(name="other"), timed(batch_size=8, name="other"))
    found = [line.split(" | ") for line in told(changed(bench(), rows=rows)) if " | onnxruntime | " in line]
    assert [(cells[0], cells[3:6]) for cells in found] == [
        ("runs/mine", ["2", "1", "128"]),
        ("runs/mine", ["2", "8", "128"]),
        ("other", ["2", "1", "128"]),
        ("other", ["2", "8", "128"]),
    ]
    assert timed(threads=4, sequence_length=16).cell == (4, 1, 16)
