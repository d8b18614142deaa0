"""Families with weights of their own: candidates inherit, learn, and are judged by what the family says it predicts."""

from __future__ import annotations

import json
import pickle
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from mine import Mine, Pair
from scipy.spatial.distance import jensenshannon
from torch import Tensor, nn

from subarch.extraction.objectives import CandidateError
from subarch.jobs.verification import verify_run
from subarch.networks import inheritance
from subarch.networks.sources import Source

NAMES = ("vit", "resnet", "convnext", "lstm", "unet", "residual", "llama", "gpt2")
QUICK = ("lstm", "resnet")
EPSILON = {"unet": 0.7, "residual": 0.7}
"""Where after the usual steps chance decides between networks that are nearer to each other."""
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


@pytest.fixture
def networks(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The families of the benchmarks, by name; they stay imported, with what they have trained."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import eight_networks

    yield eight_networks.FAMILIES
    assert sys.modules["eight_networks"] is eight_networks


def error_of(family: Any, **options: Any) -> CandidateError:
    return CandidateError(Source(family.name, family), threads=1, **options)


# ---------------------------------------------------------------------- what is measured


def test_the_error_is_the_mean_divergence_from_what_was_trained() -> None:
    """As SciPy computes it, of a candidate before its training."""
    error = error_of(Mine(), held_out=96)
    architecture = {"width": 4}
    student = error.material.world(0).build(architecture, 0)
    points = torch.cat([batch["x"] for batch in error.material.world(0).held_out])
    with torch.no_grad():
        ours, theirs = (net(points).softmax(-1).double().numpy() for net in (student, Mine().trained()))
    expected = np.mean([jensenshannon(a, b, base=2) ** 2 for a, b in zip(ours, theirs, strict=True)])
    assert len(points) == 96 and error.measure(architecture, steps=0).error == pytest.approx(expected, rel=1e-4)


def test_numbers_are_judged_in_units_of_the_sources_variance() -> None:
    class Value(Mine):
        predicts = "numbers"

    class Thousandfold(Value):
        def outputs(self, network: nn.Module, batch: Any) -> Tensor:
            return 1000 * network(batch["x"])

    small, same = (error_of(family()).measure({"width": 2}) for family in (Value, Thousandfold))
    assert 0 < small.error < 2 and same.error == pytest.approx(small.error, rel=1e-3)


@pytest.mark.parametrize("name", EACH)
def test_a_network_inherits_learns_and_is_zero_for_its_source(name: str, networks: Any) -> None:
    family = networks[name]()
    error = error_of(family)
    least = {parameter.name: parameter.choices[0] for parameter in family.space.parameters}
    assert error.measure(family.reference, steps=0).error < 1e-9
    assert error.measure(family.reference).error < 1e-6
    start, learned = error.measure(least, steps=0).error, error.measure(least).error
    assert 0 < learned < start
    assert error.measure(least).error == learned != error.measure(least, repeat=1).error


def test_statistics_of_batch_normalisation_are_taken_anew(networks: Any, monkeypatch: pytest.MonkeyPatch) -> None:

    def errors() -> list[float]:
        error = error_of(networks["resnet"]())
        return [error.measure({"depth": depth, "width": width}).error for depth, width in ((1, 16), (3, 8), (2, 12))]

    anew = errors()
    monkeypatch.setattr(inheritance.Inheritance, "_restate", lambda self, student: None)
    assert sum(anew) < 0.8 * sum(errors())


def test_it_travels_to_other_processes_and_measures_the_same_there() -> None:
    error = error_of(Mine(), steps=3)
    before, data = error.measure({"width": 2}).runs, pickle.dumps(error)
    again = pickle.loads(data)
    assert len(data) < 5000 and again.measure({"width": 2}).runs == before
    assert json.loads(json.dumps(error.definition)) == again.definition


def test_what_an_error_is_tells_weights_and_examples_apart() -> None:
    class Other(Mine):
        def trained(self) -> nn.Module:
            network = cast("Pair", super().trained())
            nn.init.zeros_(network.out.bias)
            return network

    class Fewer(Mine):
        points = 200

    one, other, fewer = (error_of(family()).definition for family in (Mine, Other, Fewer))
    assert one["weights"] != other["weights"] and one["data"] == other["data"]
    assert one["weights"] == fewer["weights"] and one["data"] != fewer["data"]
    assert (one["held_out"], fewer["held_out"]) == (256, 200) and one["start"] == "inherit"


# ---------------------------------------------------------------------- a whole search


@pytest.mark.parametrize(
    "name", ["lstm", *(pytest.param(one, marks=pytest.mark.slow) for one in NAMES if one != "lstm")]
)
def test_what_is_certified_is_true_and_its_weights_are_kept(name: str, networks: Any, tmp_path: Path) -> None:
    """Brute force over a part of the space; random weights do worse at equal steps; ONNX Runtime says the same."""
    import any_network

    family = networks[name](f"eight_networks:{networks[name].__name__}")
    part = family.with_space(any_network.part_of(family.space))
    asked = Namespace(epsilon=EPSILON.get(name, 0.3), steps="default")
    result = any_network.searched(name, part.space, tmp_path, asked)
    assert result.certificate.verdict == "certified", result.certificate.reason
    best = dict(cast("Any", result.certificate.best.architecture))
    error = error_of(part, seeds=any_network.SEEDS, held_out=any_network.HELD_OUT)
    assert any_network.agreement(part, error, result)["as certified"]
    assert any_network.from_scratch(part, error, best) > error.measure(best).error

    network = family.opened(tmp_path / "run")
    kept = error._error(network, error.material.world(0).held_out)
    assert kept == min(run.error for run in error.measure(best).runs if run.error is not None)
    assert any_network.onnx_difference(family, network, tmp_path) < 1e-4
    if name == "lstm":
        verified = verify_run(tmp_path / "run", family=family.name, retrain=1)
        assert verified.accepted and verified.retrained[0].again == pytest.approx(verified.retrained[0].recorded)
        (tmp_path / "run" / "model.safetensors").unlink()  # the same command makes again what is not there
        any_network.searched(name, part.space, tmp_path, asked)
        again = family.opened(tmp_path / "run").state_dict()
        assert all(torch.equal(one, again[key]) for key, one in network.state_dict().items())


# ---------------------------------------------------------------------- what is refused


def changed(**changes: Any) -> Any:
    return type("Changed", (Mine,), changes)()


def raising(self: Any) -> Any:
    raise FileNotFoundError("mine.safetensors")


def on_meta(self: Any) -> nn.Module:
    with torch.device("meta"):
        return Pair(12)


def constant(self: Any) -> nn.Module:
    network = Pair(12)
    for one in network.parameters():
        nn.init.zeros_(one)
    return network


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"predicts": None}, r"family 'mine' has weights, but predicts None: set predicts .* one of \['classes', "),
    ({"trained": raising}, r"trained\(\) failed: FileNotFoundError: mine.safetensors"),
    ({"trained": lambda self: 3}, "trained.. must return a torch.nn.Module with its weights, got int"),
    ({"trained": on_meta}, "got one without memory"),
    ({"trained": lambda self: Pair(8)}, r"\{'width': 12\} cannot inherit from what mine has trained .*8 units and 12"),
    ({"predicts": "states"}, r"predicts states, but of a batch of 32 its outputs are \(32, 3\): expected \(batch, seq"),
    ({"outputs": lambda self, network, batch: network(batch["x"]).T}, r"its outputs are \(3, 32\)"),
    ({"outputs": lambda self, network, batch: "x"}, "its outputs are str"),
    ({"predicts": "numbers", "trained": constant}, "predicts the same number whatever it reads"),
    ({"examples": lambda self, seed, held_out: iter(())}, "gave 0 examples"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[message[:30] for _, message in REFUSED])
def test_what_cannot_be_inherited_from_is_refused_before_anything_is_trained(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        error = error_of(changed(**changes))
        _ = error.definition
        error.material.world(0)


class Ramp(nn.Module):
    """Whose units are told apart by their places, in numbers that no operator of torch has made of others."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(4, width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.into(x)
        return self.out(inner * torch.tensor([1.0 + n for n in range(inner.shape[1])]))


def test_couplings_are_known_before_the_first_training() -> None:
    """A constant by the places of units fixes them, so that none is cut in silence."""
    family = changed(build=lambda self, architecture: Ramp(int(architecture["width"])))
    with pytest.raises(ValueError, match=r"\{'width': .*\} cannot inherit .*cannot become .*of a constant"):
        _ = error_of(family).definition


def test_options_about_texts_are_refused(tmp_path: Path) -> None:
    for name in ("corpus", "texts", "data", "tokenizer"):
        with pytest.raises(ValueError, match=f"--{name} is about texts, but mine gives examples of its own"):
            error_of(Mine(), **{name: tmp_path})
    with pytest.raises(ValueError, match="--batch-size is about texts"):
        error_of(Mine(), batch_size=4)
    with pytest.raises(ValueError, match=r"start 'scratch' trains encoders on text, got a family 'mine': give"):
        error_of(Mine(), start="scratch")


def test_a_family_with_half_of_it_has_no_weights() -> None:
    class Half(Mine):
        examples = Mine.__mro__[1].examples

    with pytest.raises(ValueError, match=r"'mine' without weights: give --start .*, or the family trained\(\) and"):
        error_of(Half())


def test_other_weights_in_another_process_are_refused() -> None:
    class Fickle(Mine):
        def trained(self) -> nn.Module:
            return Pair(12).eval()

    error = error_of(Fickle())
    _ = error.definition
    state = error.material.__getstate__()
    other = object.__new__(type(error.material))
    other.__setstate__(cast("dict[str, Any]", state))
    with pytest.raises(ValueError, match=r"trained\(\) gives other weights in another process. Save them once"):
        _ = other.described
