"""A family of networks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rules import Rule

from subarch.networks.family import Family
from subarch.networks.fitting import fit_counts
from subarch.networks.space import Parameter, Space


def test_failing_builds_name_family_and_architecture() -> None:
    def broken(width: int) -> int:
        raise RuntimeError("kaput")

    family = Rule(Space((Parameter(name="width", choices=(1, 2)),)), broken)
    with pytest.raises(ValueError, match=r"rule.*width.*kaput") as caught:
        fit_counts(family)
    assert isinstance(caught.value.__cause__, RuntimeError)


SPACE = Space((Parameter(name="width", choices=(1, 2)),))


def test_what_is_built_must_be_a_network() -> None:
    class Wrong(Rule):
        def build(self, architecture: Any) -> Any:
            return "a network"

    with pytest.raises(ValueError, match=r"build\(\{'width': 1\}\) must return a torch.nn.Module, got str"):
        Wrong(SPACE, None).network({"width": 1})


def test_another_space_or_reference_leaves_the_family_as_it_was() -> None:
    family = Rule(SPACE, lambda width: width)
    wide = Space((Parameter(name="width", choices=(2, 4, 8)),))
    other = family.with_space(wide, {"width": 16})
    assert (other.space, other.reference) == (wide, {"width": 16})
    assert (family.space, family.reference) == (SPACE, {"width": 2})
    assert family.with_space().reference == family.reference
    with pytest.raises(ValueError, match=r"must name \['width'\] \(the space's parameters\), got \['depth'\]"):
        family.with_space(wide, {"depth": 1})


def test_what_is_not_said_has_a_plain_answer() -> None:
    family = Rule(SPACE, lambda width: width)
    assert family.head({"width": 1}) is None and family.probes("width") == ()
    assert family.describe({"width": 1}) == {"family": "rule", "architecture": {"width": 1}}
    written = json.loads(json.dumps(family.to_json()))
    assert written == {"kind": "custom", "name": "rule", "space": SPACE.to_json(), "reference": {"width": 2}}


def test_a_family_says_how_it_builds() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Family()  # type: ignore[abstract]
