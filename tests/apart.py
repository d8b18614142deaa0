"""Tests in a process of their own: a cluster that has ended may end the processes that were connected to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock


def named_in(file: Path) -> list[str]:
    """Names of the tests of a file that pytest does not collect by itself."""
    return re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)


def passes_apart(file: Path, name: str | None = None) -> None:
    """Run a test of such a file, or all of them, with the fixtures that they would have here."""
    count, what = (len(named_in(file)), str(file)) if name is None else (1, f"{file}::{name}")
    asked = ["-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--tb=short", what]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    with FileLock(
        Path(tempfile.gettempdir()) / "subarch-tests-apart.lock"
    ):  # two clusters on a machine find each other
        ran = subprocess.run([sys.executable, *asked], capture_output=True, text=True, env=kept, timeout=900)
    assert ran.returncode == 0 and f"{count} passed" in ran.stdout, ran.stdout[-4000:] + ran.stderr[-2000:]
