"""What candidates share: one world a repeat, the same batches for the same seed, and nothing heavy that travels."""

from __future__ import annotations

import pickle

import torch
from mine import Mine

from subarch.extraction.families import FamilyMaterial
from subarch.networks.examples import digest_of


def material() -> FamilyMaterial:
    return FamilyMaterial(family=Mine(), inherits=True, held_out=64, calibration=32)


def test_every_repeat_and_seed_has_batches_of_its_own_and_the_same_each_time() -> None:
    one, other = material(), material()
    drawn = [digest_of(one.training(repeat, seed, 3)) for repeat in (0, 1) for seed in (0, 1)]
    assert len({*drawn}) == 4
    assert drawn == [digest_of(other.training(repeat, seed, 3)) for repeat in (0, 1) for seed in (0, 1)]
    judging = [digest_of(one.world(repeat).held_out) for repeat in (0, 1, 2)]
    assert len({*judging}) == 3 and judging[0] == digest_of(other.world(0).held_out)
    assert len(one.training(0, 0, 3)) == 3 and one.training(0, 0, 0) == []


def test_candidates_of_another_repeat_are_ranked_on_other_examples_and_proven_once() -> None:
    shared = material()
    first, axes = shared.world(0), shared._traced
    assert shared.world(0) is first and shared.world(1) is not first and shared._traced is axes is not None
    whole = [shared.world(repeat).build({"width": 12}, 0) for repeat in (0, 1)]
    assert all(torch.equal(one.into.weight, Mine().trained().into.weight) for one in whole)


def test_weights_and_examples_stay_behind_when_it_travels() -> None:
    shared = material()
    before = shared.described
    shared.world(0)
    data = pickle.dumps(shared)
    assert len(data) < 2000
    again = pickle.loads(data)
    assert again.described == before and digest_of(again.training(0, 0, 2)) == digest_of(shared.training(0, 0, 2))
