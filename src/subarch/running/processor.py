"""What the processor can do that decides how networks run on it fast."""

from __future__ import annotations

import os
from pathlib import Path

_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
    "amx_int8": "AMX INT8",
    "asimddp": "dot product",
    "bf16": "BF16",
}


def features(cpuinfo: str | None = None) -> tuple[str, ...]:
    """Names of the instruction sets for matrix products, as far as the system tells.

    Args:
        cpuinfo: the text of ``/proc/cpuinfo``; read when not given.
    """
    if cpuinfo is None:
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        except OSError:
            return ()
    lines = [line for line in cpuinfo.splitlines() if line.lower().startswith(("flags", "features"))]
    flags = set(lines[0].partition(":")[2].split()) if lines else set[str]()
    return tuple(name for flag, name in _FEATURES.items() if flag in flags)


def saturates(known: tuple[str, ...]) -> bool:
    """Whether products of 8-bit numbers overflow 16 bits on the way: on x86 without a dot-product instruction.

    There, weights are kept to 7 bits (``reduce_range``).
    """
    return "AVX2" in known and not any("VNNI" in name or name == "AMX INT8" for name in known)


def multiplies_bfloat16(known: tuple[str, ...]) -> bool:
    """Whether bfloat16 products are faster than those of 32 bits."""
    return any(name.endswith("BF16") for name in known)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
