"""The rungs by their names, the cheapest to have first."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from subarch.options.ladder import RUNG_NAMES
from subarch.rungs.base import Rung


def _rung(name: str) -> Rung:
    return cast("Rung", import_module(f"subarch.rungs.ways.{name.replace('-', '_')}").RUNG)


RUNGS: Mapping[str, Rung] = {rung.name: rung for rung in sorted(map(_rung, RUNG_NAMES), key=lambda rung: rung.place)}
