"""A local Ray cluster, in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from apart import passes_apart

pytest.importorskip("ray")
FILE = Path(__file__).with_name("local_ray.py")


def test_ray_in_a_process_of_its_own() -> None:
    """All of the file's tests share one cluster."""
    passes_apart(FILE)
