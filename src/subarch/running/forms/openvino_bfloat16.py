"""OpenVINO with products in bfloat16: the same files as in 32-bit floats, opened for processors that are fast at it."""

from __future__ import annotations

from dataclasses import replace

from subarch.running.forms.openvino import FORM as FLOATS

FORM = replace(FLOATS, name="openvino-bfloat16", precision="bfloat16")
