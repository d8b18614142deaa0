"""The teacher's first layers."""

from __future__ import annotations

from subarch.rungs.layers import Layers, first

RUNG = Layers("first-layers", 40, first, "the teacher's first layers with a new head")
