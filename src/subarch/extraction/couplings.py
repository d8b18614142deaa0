"""What of a family's networks can be cut, and what goes together: told by a trace, proved by another order of units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from subarch.errors import InputError
from subarch.extraction.families import FamilyMaterial
from subarch.networks.axes import Atom, leaves
from subarch.networks.counting import num_parameters
from subarch.networks.family import Family
from subarch.networks.tracing import Traced, require_whole, trace
from subarch.results.check import ClauseResult

NAME = "inheritance: which units go together"
WEIGHTS = "inheritance: weights and examples"
_FEW = 16  # tokens; what is traced does not depend on their number


def check_couplings(family: Family) -> ClauseResult:
    """Trace the reference network, and prove on a small one of the family that no coupling was missed."""
    with torch.device("meta"):
        network, inputs = family.network(family.reference), family.inputs(2, _FEW)
    try:
        traced = trace(network, inputs)
        small = _smallest(family)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            other, given = family.network(small), family.inputs(2, _FEW)
        changed = require_whole(other, given, trace(other, given))
    except InputError as error:
        return ClauseResult(NAME, "violated", str(error))
    free = _counted(leaf.size for leaf in traced.free())
    fixed = "; ".join(f"{sizes} {why}" for why, sizes in _reasons(traced).items())
    words = (
        f"can be cut: {free or 'nothing'} units; cannot: {fixed or 'nothing'}; all that can in another order, at "
        f"{small}, changes its outputs by {changed:.1e}"
    )
    unknown = ", ".join(f"{name} ({count} times)" for name, count in traced.unknown.items())
    if unknown:
        return ClauseResult(
            NAME, "not shown", f"{words}; operators without a rule, which fix what they read: {unknown}"
        )
    return ClauseResult(NAME, "checked", words)


def check_weights(family: Family) -> ClauseResult:
    """Whether candidates can inherit from what the family has trained; if so, all that a search opens is opened."""
    if not family.has_weights:
        lacking = "trained() and examples()"
        if type(family).trained is not Family.trained:
            lacking = "examples(), what its weights are compared on"
        elif type(family).examples is not Family.examples:
            lacking = "trained(), the network with its weights"
        return ClauseResult(WEIGHTS, "not shown", f"the family does not give {lacking}: nothing is inherited")
    try:
        material = FamilyMaterial(family=family, inherits=True, held_out=None, calibration=None)
        described = material.described
    except InputError as error:
        return ClauseResult(WEIGHTS, "violated", str(error))
    return ClauseResult(
        WEIGHTS,
        "checked",
        f"{num_parameters(material.teacher)} parameters are inherited from, and its units in another order say the "
        f"same; {described['held_out']} held-out examples judge, {described['calibration']} others rank units; "
        f"{material.profile.words}",
    )


def _smallest(family: Family) -> Mapping[str, Any]:
    rows = family.space.sample(64, 0)
    return family.space.architecture(tuple(int(v) for v in min(rows, key=lambda row: (sum(row), tuple(row)))))


def _reasons(traced: Traced) -> dict[str, str]:
    found: dict[str, list[Atom]] = {}
    every = (leaf for axes in traced.axes.values() for axis in axes for leaf in leaves(axis))
    for leaf in dict.fromkeys(every):
        if leaf.fixed:
            found.setdefault(leaf.fixed, []).append(leaf)
    return {why: _counted(atom.size for atom in atoms) for why, atoms in found.items()}


def _counted(sizes: Iterable[int]) -> str:
    """``384, 6 times 12``."""
    counts = Counter(sizes)
    return ", ".join(f"{count} times {size}" if count > 1 else str(size) for size, count in sorted(counts.items()))
