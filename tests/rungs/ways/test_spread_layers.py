"""Which layers are kept: the rest is what tests/rungs/test_layers.py tests."""

from __future__ import annotations

from subarch.rungs.ways.spread_layers import RUNG


def test_which_are_kept() -> None:
    kept = RUNG.kept(3, 12)
    assert len(kept) == 3 and kept[-1] == 11 and kept[1] - kept[0] == kept[2] - kept[1]
