"""What passes the gate, on examples by hand; and what processors can do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from subarch.running.parity import judged
from subarch.running.processor import features, multiplies_bfloat16, saturates


def outputs(*rows: list[float]) -> list[Any]:
    return [np.array(row, dtype=np.float32) for row in rows]


REFERENCE = outputs([1, 0], [0, 1], [1, 0], [0, 1])
LABELS = [0, 1, 0, 1]


def accuracy(said: Any) -> float:
    return float(np.mean([int(one.argmax()) == label for one, label in zip(said, LABELS, strict=True)]))


def test_drops_and_flips_by_hand() -> None:
    said = outputs([1, 0], [0, 1], [0, 0.5], [0, 1])
    given: Any = {"score": accuracy, "max_drop": 25.0}
    found = judged("onnx-int8", "int8", "classification", REFERENCE, said, **given)
    assert (found.metric, found.drop, found.label_flips, found.largest_difference) == (0.75, 25.0, 1, 1.0)
    assert found.passed
    refused = judged("onnx-int8", "int8", "classification", REFERENCE, said, **given | {"max_drop": 24.9})
    assert not refused.passed and "25.00 points, more than 24.9" in refused.reason


def test_without_labels_only_floats_that_agree_pass() -> None:
    same: Any = {"score": None, "max_drop": 100.0}
    close = [one + 1e-5 for one in REFERENCE]
    assert judged("onnx", "float32", "classification", REFERENCE, close, **same).passed
    assert not judged("onnx-int8", "int8", "classification", REFERENCE, close, **same).passed
    assert not judged("onnx", "float32", "encoder", REFERENCE, [one + 0.1 for one in REFERENCE], **same).passed


def test_what_is_not_finite_never_passes() -> None:
    broken = outputs([1, 0], [0, 1], [float("nan"), 0], [0, 1])
    found = judged("onnx", "float32", "classification", REFERENCE, broken, score=accuracy, max_drop=100.0)
    assert not found.passed and np.isfinite(found.largest_difference)


def test_numbers_have_no_labels_to_flip() -> None:
    found = judged("onnx", "float32", "regression", outputs([1.0]), outputs([1.0]), score=lambda _: 1.0, max_drop=0.0)
    assert found.label_flips is None and found.passed


@pytest.mark.parametrize(
    ("flags", "overflow", "bfloat16"),
    [
        ("fpu avx2 fma", True, False),
        ("fpu avx2 avx512f", True, False),
        ("fpu avx2 avx512f avx512_vnni", False, False),
        ("fpu avx2 avx_vnni", False, False),
        ("fpu avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_int8", False, True),
    ],
)
def test_what_a_processor_says_of_itself(flags: str, overflow: bool, bfloat16: bool) -> None:
    known = features(f"processor : 0\nflags\t\t: {flags}\nprocessor : 1\n")
    assert (saturates(known), multiplies_bfloat16(known)) == (overflow, bfloat16)


def test_a_processor_of_another_kind() -> None:
    known = features("processor : 0\nFeatures : fp asimd asimddp bf16\n")
    assert known == ("dot product", "BF16") and not saturates(known)
