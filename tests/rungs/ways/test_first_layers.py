"""Which layers are kept: the rest is what tests/rungs/test_layers.py tests."""

from __future__ import annotations

from subarch.rungs.ways.first_layers import RUNG


def test_which_are_kept() -> None:
    assert RUNG.kept(3, 12) == (0, 1, 2)
