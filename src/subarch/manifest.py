"""What a run was made with: versions, seeds, data, hardware, command."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from subarch import __version__

_PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "scipy",
    "scikit-learn",
    "optuna",
    "plotly",
    "onnxruntime",
    "openvino",
)


def versions() -> dict[str, str]:
    """Of this package, Python, and the packages that results depend on."""
    found = {"subarch": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """CPU, cores, memory in GiB, operating system."""
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "platform": platform.platform(),
    }


def cpu_name() -> str:
    """The processor's own name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def manifest(
    *,
    command: str,
    source: str,
    options: Mapping[str, Any],
    seeds: Sequence[int],
    data: Any,
) -> dict[str, Any]:
    """The content of ``manifest.json``."""
    return {
        "command": command,
        "source": source,
        "options": dict(options),
        "seeds": list(seeds),
        "data": data,
        "versions": versions(),
        "hardware": hardware(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
