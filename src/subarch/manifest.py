"""What a run was made with: versions, seeds, data, hardware, command."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from subarch import __version__
from subarch.options.forms import EXPORTED_TO
from subarch.results.base import Record

_PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "scipy",
    "scikit-learn",
    "optuna",
    "plotly",
    *EXPORTED_TO,
)


def now() -> str:
    """When it is, in universal time."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def versions() -> dict[str, str]:
    """Of this package, Python, and the packages that results depend on."""
    found = {"subarch": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def surroundings() -> str:
    """A digest of versions, hardware and the threads that libraries were given: where ties fall, they may fall so."""
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    content = {"versions": versions(), "hardware": Hardware.here().to_json(), "threads": threads}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Hardware(Record):
    """A machine: its processor's name, cores, memory in GiB, operating system."""

    cpu: str
    cores: int | None
    memory_gib: float | None
    platform: str

    @classmethod
    def here(cls) -> Hardware:
        """This one."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return cls(cpu=cpu_name(), cores=cores, memory_gib=_memory_gib(), platform=platform.platform())


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


@dataclass(frozen=True, kw_only=True)
class Manifest(Record):
    """The content of ``manifest.json``.

    Attributes:
        command: as it was typed.
        source: what it started from.
        options: as :func:`given` has them.
        seeds: of all randomness.
        data: what was read, as JSON.
        versions, hardware, created: these are found out.
    """

    command: str
    source: str
    options: Mapping[str, Any]
    seeds: Sequence[int]
    data: Any
    versions: Mapping[str, str] = field(default_factory=versions)
    hardware: Hardware = field(default_factory=Hardware.here)
    created: str = field(default_factory=now)


def given(options: Any, *, without: Sequence[str] = ("json",)) -> Mapping[str, Any]:
    """Options as a manifest has them: paths as text, a group's beside the others."""
    found: dict[str, Any] = {}
    for one in fields(options):
        value = getattr(options, one.name)
        if one.name in without:
            continue
        found |= given(value, without=without) if is_dataclass(value) else {one.name: value}
    return {name: str(value) if isinstance(value, Path) else value for name, value in found.items()}
