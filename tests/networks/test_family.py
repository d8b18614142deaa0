"""A family of networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from rules import Rule
from torch import Tensor, nn

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
    assert family.trained() is family.predicts is None and not family.has_weights
    assert list(family.examples(0, True)) == []
    assert family.head({"width": 1}) is None and family.probes("width") == ()
    assert family.describe({"width": 1}) == {"family": "rule", "architecture": {"width": 1}}
    written = json.loads(json.dumps(family.to_json()))
    assert written == {"kind": "custom", "name": "rule", "space": SPACE.to_json(), "reference": {"width": 2}}


def test_a_family_says_how_it_builds() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Family()  # type: ignore[abstract]


class Tied(Rule):
    """Whose two maps are one, and whose input has a name of its own."""

    def build(self, architecture: Mapping[str, Any]) -> nn.Module:
        first, second = (nn.Linear(3, int(architecture["width"])) for _ in range(2))
        second.weight = first.weight
        return nn.ModuleDict({"first": first, "second": second})

    def trained(self) -> nn.Module:
        return self.build(self.reference)


def test_has_weights_where_there_are_both_these_and_examples() -> None:
    class Whole(Tied):
        def examples(self, seed: int, held_out: bool) -> Iterable[dict[str, Tensor]]:
            yield {"input": torch.zeros(2, 3)}

    assert not Tied(SPACE, None).has_weights and Whole(SPACE, None).has_weights


def test_what_is_said_of_a_batch() -> None:
    """By forward's own arguments; places of masked tokens are none."""

    class Several(nn.Module):
        def forward(self, input: Tensor) -> dict[str, Tensor]:  # noqa: A002
            return {"loss": input.sum(), "logits": 2 * input}

    said = Rule(SPACE, None).outputs(Several(), {"input": torch.ones(2, 3), "masked": torch.ones(2, 3).bool()})
    assert torch.equal(said, torch.full((2, 3), 2.0))


def test_a_network_is_opened_again_as_it_was(tmp_path: Path) -> None:
    family = Tied(SPACE, None)
    network = family.build({"width": 2})
    family.save(network, tmp_path)
    (tmp_path / "architecture.json").write_text(json.dumps(family.describe({"width": 2})))
    again = family.opened(tmp_path)
    assert not again.training and again.first.weight is again.second.weight
    for name, one in network.state_dict().items():
        assert torch.equal(one, again.state_dict()[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["architecture.json", "model.safetensors"]


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    family = Tied(SPACE, None)
    with pytest.raises(ValueError, match=r"no architecture.json with model.safetensors"):
        family.opened(tmp_path)
    family.save(family.build({"width": 2}), tmp_path)
    (tmp_path / "architecture.json").write_text(json.dumps(family.describe({"width": 1})))
    with pytest.raises(ValueError, match=r"are not of the network that rule builds now: .*size mismatch"):
        family.opened(tmp_path)
    (tmp_path / "model.safetensors").write_text("nothing")
    with pytest.raises(ValueError, match="are not of the network that rule builds now"):
        family.opened(tmp_path)
