"""What a processor says that it can."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from subarch.running.processor import features, multiplies_bfloat16, saturates, usable_cores


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


def test_a_processor_that_says_nothing_can_nothing(tmp_path: Path) -> None:
    assert features("") == features("processor : 0\n") == ()
    assert not saturates(()) and not multiplies_bfloat16(())


def test_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
