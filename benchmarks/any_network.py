"""Networks of a user's own, with weights, of many makes: is what is certified true, and is inheriting worth anything?

For each family of `eight_networks.py` (trained here within seconds), on a part of its space, with the first, middle
and last choice of every parameter: a certified search whose candidates inherit and learn for a few steps; every
network of that space measured alone, which must agree with the certificate; the pick beside networks of its shape
that begin with random weights, at equal steps; ONNX of the pick beside PyTorch.
    python benchmarks/any_network.py
"""

from __future__ import annotations

import argparse
import itertools
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import nn

from eight_networks import FAMILIES, Trained
from results import Results
from subarch.extraction.objectives import CandidateError
from subarch.jobs.extraction import extract
from subarch.learning.training import fit
from subarch.networks.counting import count
from subarch.networks.family import arguments_of
from subarch.networks.sources import Source
from subarch.networks.space import Parameter, Space, Value
from subarch.options.search import ExtractOptions
from subarch.results.extract import ExtractResult
from subarch.storage import write_json

HELD_OUT, SEEDS = 400, 2


def part_of(space: Space) -> Space:
    """The first, middle and last choice of every parameter."""
    parts = {
        one.name: sorted({one.choices[0], one.choices[len(one.choices) // 2], one.choices[-1]})
        for one in space.parameters
    }
    return Space(tuple(Parameter(name=name, choices=tuple(choices)) for name, choices in parts.items()))


def searched(name: str, space: Space, folder: Path, arguments: argparse.Namespace) -> ExtractResult:
    """A certified search."""
    write_json(folder / "space.json", space.to_json())
    options = ExtractOptions(
        source=f"eight_networks:{FAMILIES[name].__name__}",
        space=folder / "space.json",
        run=folder / "run",
        epsilon=arguments.epsilon,
        coarsest_epsilon=0.5,
        seeds=SEEDS,
        held_out=HELD_OUT,
        steps=arguments.steps,
        threads=1,
        runtime="pytorch",
    )
    return extract(options)


def errors_of(error: CandidateError, space: Space) -> dict[tuple[Value, ...], float]:
    """Of every network of a space, each measured alone."""
    shapes = itertools.product(*(one.choices for one in space.parameters))
    return {shape: error.measure(dict(zip(space.names, shape, strict=True))).error for shape in shapes}


def agreement(family: Trained, error: CandidateError, result: ExtractResult) -> dict[str, Any]:
    """The pick's W beside the largest of the whole space."""
    told = result.certificate.to_json()
    space, length = family.space, int(told["question"]["sequence_length"])
    whole = count(family, family.reference, length)
    worth: dict[tuple[Value, ...], float] = {}
    measured = errors_of(error, space)
    for shape, one in measured.items():
        small = count(family, dict(zip(space.names, shape, strict=True)), length)
        gains = [
            (large - less) / large for large, less in ((whole.parameters, small.parameters), (whole.macs, small.macs))
        ]
        worth[shape] = max(0.0, gains[0]) * max(0.0, gains[1]) / max(one, float(told["e_min"]))
    pick = tuple(told["best"]["architecture"].values())
    share, epsilon = worth[pick] / max(worth.values()), float(told["epsilon"])
    violations = [
        1 - measured[one] / measured[other]
        for one, other in itertools.permutations(measured, 2)
        if all(a <= b for a, b in zip(one, other, strict=True)) and measured[other] > 0
    ]
    return {
        "pick's W, of the largest": round(share, 3),
        "as certified": share >= 1 - epsilon - 1e-9,
        "errors": f"{min(measured.values()):.3f} to {max(measured.values()):.3f}",
        "largest violation of monotony": round(max(0.0, *violations), 3),
    }


def from_scratch(family: Trained, error: CandidateError, shape: Mapping[str, Value]) -> float:
    """The error of a shape that begins with random weights and learns as candidates do, mean of the seeds."""
    objective, found = error.material.objective, list[float]()
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        network = family.build(shape).eval()
        batches = error.material.training(0, seed, error.steps)
        fit(
            network,
            lambda one, batch: objective.losses(one, batch).mean(),
            batches,
            error.hyperparameters[0],
            steps=error.steps,
        )
        with torch.no_grad():
            parts = [objective.errors(network, batch).double() for batch in error.material.world(0).held_out]
        found.append(float(torch.cat(parts).mean()))
    return sum(found) / len(found)


def onnx_difference(family: Trained, network: nn.Module, folder: Path) -> float:
    """The largest difference of its outputs in ONNX Runtime, as a share of their mean size."""

    class Said(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, **batch: torch.Tensor) -> torch.Tensor:
            return family.outputs(self.network, batch)

    inputs = {name: values[:2] for name, values in arguments_of(next(iter(family.examples(0, True)))).items()}
    torch.onnx.export(Said().eval(), (), folder / "network.onnx", kwargs=inputs, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(folder / "network.onnx", providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    found = torch.from_numpy(session.run(None, {name: inputs[name].numpy() for name in names})[0])
    with torch.no_grad():
        wanted = family.outputs(network, inputs)
    return float((found - wanted).abs().max() / wanted.abs().mean())


def measured(name: str, folder: Path, arguments: argparse.Namespace, results: Results) -> None:
    """One family."""
    family = FAMILIES[name](f"eight_networks:{FAMILIES[name].__name__}")
    part = family.with_space(part_of(family.space))
    result = searched(name, part.space, folder, arguments)
    told = result.certificate.to_json()
    shape = told["best"]["architecture"]
    steps = int(told["steps"])
    error = CandidateError(Source(family.name, part), steps=steps, seeds=SEEDS, held_out=HELD_OUT, threads=1)
    results.row(
        "Certified, and beside every network of the space",
        {
            "network": name,
            "parameters": sum(one.numel() for one in family.trained().parameters()),
            "verdict": told["verdict"],
            "epsilon": told["epsilon"],
            "steps": steps,
            "trained": f"{told['evaluated']} of {told['space_size']}",
            **agreement(part, error, result),
        },
    )
    network = family.opened(folder / "run")
    scratch, inherited = from_scratch(part, error, shape), error.measure(shape).error
    results.row(
        "The pick",
        {
            "network": name,
            "shape": " / ".join(map(str, shape.values())),
            "parameters": sum(one.numel() for one in network.parameters()),
            "error, inherited": f"{inherited:.4f}",
            "error, from random weights at equal steps": f"{scratch:.4f}",
            "ratio": "" if math.isclose(inherited, 0) else round(scratch / inherited, 1),
            "ONNX, largest difference of mean output": f"{onnx_difference(family, network, folder):.1e}",
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[*FAMILIES], help="some of: " + ", ".join(FAMILIES))
    parser.add_argument("--epsilon", type=float, default=0.3)
    parser.add_argument("--steps", default="30-120")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = Results("any_network", __doc__ or "")
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as folder:
            measured(name, Path(folder), arguments, results)
        results.write()  # so far


if __name__ == "__main__":
    main()
