"""As many layers, spread evenly over the teacher."""

from __future__ import annotations

from subarch.networks.inheritance import depth_map
from subarch.rungs.layers import Layers

RUNG = Layers("spread-layers", 50, depth_map, "layers spread evenly over the teacher with a new head")
