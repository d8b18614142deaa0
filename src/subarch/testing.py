"""Conformance checks for authors: call :func:`check_family` for a family, :func:`check_proposals` for proposals.

>>> from subarch.networks.mlp import MLPFamily
>>> check_family(MLPFamily.from_widths([(4, 8), (4, 8)], inputs=3, outputs=2))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from subarch.agora.data import X
from subarch.agora.proposals import ProposalFunction
from subarch.networks.counting import count, num_parameters
from subarch.networks.countmodels import CountsDisagreeError
from subarch.networks.family import Family, Parts
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import family_from_json, import_family
from subarch.networks.space import Architecture, Space
from subarch.plugins import NAME

_BATCH = 3


def check_family(family: Family, *, sequence_length: int = 16, samples: int = 4, seed: int = 0) -> None:
    """Check that a family keeps what the search, the counts and the certificate take for granted.

    Builds the smallest and the largest architecture and some random ones on the meta device, the smallest also on
    the CPU, and fits the counts. The random state of torch is left as it was.

    Args:
        family: the family to check.
        sequence_length: passed to ``inputs``.
        samples: random architectures beside the smallest and the largest.
        seed: draws them.

    Raises:
        AssertionError: naming the family, the architecture where there is one, and what to do.
    """
    _check_attributes(family)
    architectures = _architectures(family.space, samples, seed)
    _require(family, bool(architectures), "the space is empty: no architecture meets its constraints")
    with torch.random.fork_rng(devices=[]):
        for architecture in [*architectures, family.reference]:
            _check_meta(family, architecture, sequence_length)
        _check_cpu(family, architectures[0], sequence_length)
    _check_counts(family, architectures, sequence_length)
    _check_json(family, architectures[0])


def check_proposals(
    function: ProposalFunction[X], points: Sequence[X], pack: Callable[[X], Any], *, count: int = 5, seed: int = 0
) -> None:
    """Check that a proposal function keeps what Agora takes for granted.

    Args:
        function: the function to check.
        points: a few to make proposals around.
        pack: a point as JSON data, as a learner's ``pack``.
        count: how many proposals are wanted around each.
        seed: of the random state that it is given.

    Raises:
        AssertionError: naming what is wrong.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    before = [json.dumps(pack(point)) for point in points]
    first, second = (list(function(points, count, np.random.default_rng(seed))) for _ in range(2))
    assert first, f"{name}: made no proposal around {len(points)} points"
    wrong = [n for n, _ in first if not 0 <= n < len(points)]
    assert not wrong, f"{name}: must name the position of a given point, 0 to {len(points) - 1}, got {wrong[0]}"
    made = [[(n, json.dumps(pack(point))) for n, point in one] for one in (first, second)]
    assert made[0] == made[1], f"{name}: must make the same proposals from the same random state"
    assert [json.dumps(pack(point)) for point in points] == before, f"{name}: must leave the given points alone"
    assert any(packed != before[n] for n, packed in made[0]), f"{name}: makes nothing but copies of what it is given"
    assert not list(function(points[:0], count, np.random.default_rng(seed))), f"{name}: made proposals around no point"


def _require(family: Family, condition: bool, message: str, architecture: Mapping[str, Any] | None = None) -> None:
    if not condition:
        where = "" if architecture is None else f" at {dict(architecture)}"
        raise AssertionError(f"family {getattr(family, 'name', type(family).__name__)!r}{where}: {message}")


def _check_attributes(family: Family) -> None:
    _require(family, isinstance(family, Family), "must be a subarch.networks.family.Family")  # pyright: ignore[reportUnnecessaryIsInstance]
    for name, kind in (("name", str), ("space", Space), ("reference", dict)):
        value = getattr(family, name, None)
        _require(family, isinstance(value, kind), f"{name} must be a {kind.__name__}, got {value!r}: set it")
    names = list(family.space.names)
    message = f"reference must name the parameters {names}, got {list(family.reference)}"
    _require(family, set(family.reference) == set(names), message)


def _architectures(space: Space, samples: int, seed: int) -> list[Architecture]:
    """Random ones between one of the smallest and one of the largest, each feasible."""
    drawn = [tuple(int(v) for v in row) for row in space.sample(max(samples, 1), seed)]
    corners = [corner for box in space.roots() for corner in (box.lo, box.hi)][:64]
    feasible = [c for c in corners if space.feasible(np.array([c]))[0]]
    ordered = sorted({*drawn, *feasible}, key=lambda row: (sum(row), row))
    inner = ordered[1:-1]
    return [space.architecture(row) for row in dict.fromkeys([*ordered[:1], *inner[:samples], *ordered[-1:]])]


# ---------------------------------------------------------------------- networks


def _built(family: Family, architecture: Architecture) -> nn.Module:
    asked = dict(architecture)
    try:
        network = family.network(asked)
    except ValueError as error:
        raise AssertionError(str(error)) from error
    _require(family, asked == architecture, "build() must not change the architecture it is given", architecture)
    return network


def _check_meta(family: Family, architecture: Architecture, sequence_length: int) -> None:
    with torch.device("meta"):
        network = _built(family, architecture)
        inputs = family.inputs(_BATCH, sequence_length)
        head = family.head(architecture)
    _require(
        family,
        all(p.device.type == "meta" for p in network.parameters()) and all(x.is_meta for x in inputs.values()),
        "build() and inputs() must create tensors on torch's default device: name no device in them",
        architecture,
    )
    _check_parts(family, architecture, network)
    _run(family, architecture, network, inputs)
    if head is not None:
        module, arguments = head
        _run(family, architecture, module, {}, *arguments)


def _check_parts(family: Family, architecture: Architecture, network: nn.Module) -> None:
    parts = family.parts(network)
    _require(family, isinstance(parts, Parts), f"parts() must return Parts, got {parts!r}", architecture)  # pyright: ignore[reportUnnecessaryIsInstance]
    names = [*parts.first, *parts.middle, *parts.last]
    _require(family, bool(names), "parts() names no submodule: say at least which is the first part", architecture)
    modules = dict(network.named_modules())
    for name in names:
        known = ", ".join(list(modules)[1:12])
        _require(
            family, name in modules and name != "", f"part {name!r} is no submodule; there are {known}", architecture
        )
    owners = [id(module) for name in names for module in modules[name].modules()]
    message = f"parts must be disjoint, but some of {names} lie in one another or occur twice"
    _require(family, len(owners) == len(set(owners)), message, architecture)


def _check_cpu(family: Family, architecture: Architecture, sequence_length: int) -> None:
    torch.manual_seed(0)
    network = _built(family, architecture).eval()
    twin = _built(family, architecture)
    torch.manual_seed(0)
    again = _built(family, architecture)
    own = {id(p) for p in network.parameters()}
    shared = any(id(p) in own for p in twin.parameters())
    _require(family, not shared, "two builds share parameters: build() must make a new network", architecture)
    same = all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    _require(family, same, "two builds after the same torch.manual_seed differ: draw weights from torch", architecture)
    output = _run(family, architecture, network, family.inputs(_BATCH, sequence_length))
    _require(family, bool(torch.isfinite(output).all()), "the fresh network's output is not finite", architecture)
    with torch.device("meta"):
        counted = num_parameters(_built(family, architecture))
    _require(
        family,
        num_parameters(network) == counted,
        f"the network has {num_parameters(network)} parameters on the CPU but {counted} on the meta device",
        architecture,
    )


def _run(
    family: Family, architecture: Architecture, network: nn.Module, inputs: Mapping[str, Tensor], *arguments: Tensor
) -> Tensor:
    try:
        with torch.no_grad():
            output = network.eval()(*arguments, **inputs)
    except Exception as error:
        raise AssertionError(
            f"family {family.name!r} at {architecture}: {type(network).__name__} does not run on its inputs "
            f"({type(error).__name__}: {error})"
        ) from error
    tensor = next(_tensors(output), None)
    _require(family, tensor is not None, f"forward returns no tensor but {type(output).__name__}", architecture)
    result = cast("Tensor", tensor)
    if inputs:
        message = f"the output for a batch of {_BATCH} has shape {tuple(result.shape)}, expected {_BATCH} first"
        _require(family, result.ndim > 0 and result.shape[0] == _BATCH, message, architecture)
    return result


def _tensors(output: Any) -> Iterator[Tensor]:
    """Tensors in what forward returned: a tensor, a sequence, or a mapping such as the stock library's outputs."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in cast("Mapping[str, Any]", output).values():
            yield from _tensors(value)
    elif isinstance(output, (list, tuple)):
        for value in cast("tuple[Any, ...]", output):
            yield from _tensors(value)


# ---------------------------------------------------------------------- counts and files


def _check_counts(family: Family, architectures: Sequence[Architecture], sequence_length: int) -> None:
    architecture = architectures[-1]
    try:
        first, second = (count(family, architecture, sequence_length) for _ in range(2))
        counts = fit_counts(family, sequence_length)
    except ValueError as error:
        raise AssertionError(str(error)) from error
    if counts.parameters and counts.macs:
        for one in architectures:
            try:
                counts.confirm(one)
            except CountsDisagreeError as error:
                raise AssertionError(f"{error}: correct build(), or let its networks follow one rule") from error
    message = f"counted twice, the network gives {first} and {second}: build() must depend on the architecture alone"
    _require(family, first == second, message, architecture)
    for name in ("parameters", "macs"):
        polynomial = counts.polynomials[name]
        if polynomial is not None:
            rising, evidence = polynomial.order(family.space)
            advice = f"{name} fall as an ordered parameter rises ({evidence}): make that parameter unordered"
            _require(family, rising is not False, advice)


def _check_json(family: Family, architecture: Architecture) -> None:
    try:
        text = json.dumps([family.to_json(), family.describe(architecture)])
    except TypeError as error:
        raise AssertionError(
            f"family {family.name!r}: to_json() and describe() must give JSON data: {error}"
        ) from error
    try:
        # A name that can be imported must be one by which the family is found again.
        custom = import_family(family.name) if NAME.fullmatch(family.name) else family
        again = family_from_json(json.loads(text)[0], custom)
    except ValueError as error:
        raise AssertionError(f"family {family.name!r}: cannot be made again from to_json(): {error}") from error
    same = again.space == family.space and again.reference == family.reference and again.name == family.name
    _require(family, same, "made again from to_json(), it has another name, space or reference")
