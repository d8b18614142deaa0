"""Searches on a cluster, each in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from apart import named_in, passes_apart

pytest.importorskip("ray")
pytest.importorskip("distributed")
FILE = Path(__file__).with_name("clusters.py")


@pytest.mark.parametrize("name", named_in(FILE))
def test_a_search_on_a_cluster(name: str) -> None:
    passes_apart(FILE, name)
