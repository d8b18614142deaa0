"""Counts of a whole space: from polynomials, or by building."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rules import Rule

from subarch.networks.counting import Counts
from subarch.networks.countmodels import CountModel, CountsDisagreeError
from subarch.networks.fitting import fit_counts
from subarch.networks.mlp import MLPFamily, mlp_preset
from subarch.networks.space import Parameter, Space


def test_counts_that_are_no_polynomial_are_built() -> None:
    space = Space((Parameter(name="bits", choices=tuple(range(1, 13))),))
    family = Rule(space, lambda bits: 2**bits)
    model = fit_counts(family)
    assert model.parameters is None
    assert model.residuals["parameters"] > 0
    assert model.counts({"bits": 5}) == Counts(96, 96)
    assert model.table(np.array([[0], [9]]))[0].tolist() == [6, 3 * 2**10]
    restored = CountModel.from_json(json.loads(json.dumps(model.to_json())), space)
    with pytest.raises(ValueError, match="needs its family"):
        restored.counts({"bits": 5})


def test_counts_survive_json() -> None:
    family = MLPFamily.from_widths([(2, 3, 4)] * 3)
    model = fit_counts(family)
    assert CountModel.from_json(json.loads(json.dumps(model.to_json())), family.space) == model
    with pytest.raises(ValueError, match="another search space"):
        CountModel.from_json(model.to_json(), mlp_preset().space)


def told_wrongly() -> CountModel:
    """Polynomials that hold everywhere but at width 5, where the network is one unit wider."""
    space = Space((Parameter(name="width", choices=tuple(range(1, 9))),))
    right = fit_counts(Rule(space, lambda width: 2 * width))
    return replace(right, family=Rule(space, lambda width: 2 * width + (width == 5)), _built={})


def test_what_is_built_must_be_what_was_told() -> None:
    model = told_wrongly()
    assert model.confirm({"width": 4}) == Counts(24, 24)
    with pytest.raises(CountsDisagreeError, match=r"'width': 5.* has 33 parameters .* give 30 and 30") as refuted:
        model.confirm({"width": 5})
    assert (refuted.value.told, refuted.value.built) == (Counts(30, 30), Counts(33, 33))
    assert model.confirmed == 2
    built = model.by_building(refuted.value)
    assert built.parameters is None and built.residuals["parameters"] == 3
    assert built.table(np.array([[3], [4]]))[0].tolist() == [24, 33]
    built.require_countable()


def test_what_is_confirmed_does_not_depend_on_who_counted_before() -> None:
    model = told_wrongly().fitted()
    assert model.confirmed_with([]) == 0
    model.built({"width": 3})
    assert model.confirmed_with([{"width": 3}, {"width": 3}, {"width": 8}]) == 2
    assert model.confirmed_with([{"width": 99}]) == 0  # no network of the space


def test_too_many_to_build_are_refused() -> None:
    wide = Space(tuple(Parameter(name=f"x{n}", choices=tuple(range(1, 10))) for n in range(4)))
    model = replace(told_wrongly().by_building(), space=wide)
    with pytest.raises(ValueError, match=r"parameters and macs of family 'rule' are no polynomials .* 6561 points"):
        model.require_countable()


@pytest.mark.parametrize("change", [{"polynomials": None}, {"builds": None}, {"limited": 3}])
def test_what_is_no_counts_is_refused(change: dict[str, Any]) -> None:
    model = told_wrongly()
    with pytest.raises(ValueError, match="expected counts written by this package"):
        CountModel.from_json({**model.to_json(), **change}, model.space)
