"""All operators that are known: every module here that registers rules is a kind of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from subarch.networks.operators.base import RULES, UNITWISE, Rule, pointwise, unitwise, unknown
from subarch.options.found import names_in

for _name in names_in("networks", "operators"):
    if _name not in ("base", "table"):
        import_module(f"subarch.networks.operators.{_name}")


def rule_of(operator: Any, name: str) -> Rule:
    """What an operator does: its own rule, unit by unit, or not known.

    Args:
        operator: as torch dispatches it.
        name: without ``aten::``.
    """
    for one in dict.fromkeys((name, name.removesuffix("_"))):  # in place, too
        if one in RULES:
            return RULES[one]
        if one in UNITWISE:
            return unitwise
    return unitwise if pointwise(operator, name) else unknown
