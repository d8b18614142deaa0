"""Whether a family keeps what the search, the counts and the certificate take for granted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from subarch.conformance.weights import check_weights
from subarch.errors import InputError
from subarch.networks.counting import count, num_parameters
from subarch.networks.countmodels import CountModel, CountsDisagreeError
from subarch.networks.family import Family, Parts
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import family_from_json, import_family
from subarch.networks.space import Architecture, Space
from subarch.networks.tracing import proven
from subarch.plugins import NAME

_BATCH = 3


def check_family(family: Family, *, sequence_length: int = 16, samples: int = 4, seed: int = 0) -> None:
    """Check a family.

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
        for name in family.space.names:
            _check_parameter(family, name, architectures, sequence_length)
    _check_counts(family, architectures, sequence_length)
    _check_json(family, architectures[0])
    check_weights(family)


class FamilySuite:
    """The same, check by check; pytest collects subclasses that say which family it is of.

    Attributes:
        family: to check.
        sequence_length: passed to its ``inputs``.

    >>> from subarch.networks.mlp import MLPFamily
    >>> class TestMine(FamilySuite):
    ...     family = MLPFamily.from_widths([(4, 8), (4, 8)], inputs=3, outputs=2)
    """

    family: ClassVar[Family]
    sequence_length: ClassVar[int] = 16

    def _some(self) -> list[Architecture]:
        found = _architectures(self.family.space, 4, 0)
        _require(self.family, bool(found), "the space is empty: no architecture meets its constraints")
        return found

    def test_says_what_it_is(self) -> None:
        """Its attributes, and a form in JSON from which it is made again."""
        _check_attributes(self.family)
        _check_json(self.family, self._some()[0])

    def test_builds_networks_that_run(self) -> None:
        """On the meta device, of every size; the same from the same seed on the CPU; with the parts that it names."""
        with torch.random.fork_rng(devices=[]):
            for architecture in [*self._some(), self.family.reference]:
                _check_meta(self.family, architecture, self.sequence_length)
            _check_cpu(self.family, self._some()[0], self.sequence_length)

    def test_every_parameter_makes_another_network(self) -> None:
        """With tensors, operations or outputs of its own; what comes with a larger one is of the middle."""
        with torch.random.fork_rng(devices=[]):
            for name in self.family.space.names:
                _check_parameter(self.family, name, self._some(), self.sequence_length)

    def test_counts_follow_one_rule(self) -> None:
        """And do not fall as an ordered parameter rises."""
        _check_counts(self.family, self._some(), self.sequence_length)

    def test_weights_and_examples(self) -> None:
        """Where there are any."""
        check_weights(self.family)


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


def _tops(space: Space, base: Architecture) -> Iterator[Architecture]:
    """The base with one ordered parameter at its largest."""
    for parameter in space.parameters:
        top = {**base, parameter.name: parameter.choices[-1]}
        if parameter.ordered and space.feasible(np.array([space.index(top)]))[0]:
            yield top


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
    inputs = family.inputs(_BATCH, sequence_length)
    output = _run(family, architecture, network, inputs)
    _require(family, bool(torch.isfinite(output).all()), "the fresh network's output is not finite", architecture)
    _check_order(family, architecture, network, inputs)
    try:
        proven(network, inputs, family.outputs)
    except InputError as error:
        _require(family, False, str(error), architecture)
    with torch.device("meta"):
        counted = num_parameters(_built(family, architecture))
    _require(
        family,
        num_parameters(network) == counted,
        f"the network has {num_parameters(network)} parameters on the CPU but {counted} on the meta device",
        architecture,
    )


def _check_order(family: Family, architecture: Architecture, network: nn.Module, inputs: Mapping[str, Tensor]) -> None:
    """A runs before B_1..B_n, and C after they have begun."""
    begun: list[str] = []
    parts = family.parts(network)

    def begins(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda _module, _inputs: begun.append(name)

    handles = [
        module.register_forward_pre_hook(begins(name))
        for name in (*parts.first, *parts.middle, *parts.last)
        for module in network.get_submodule(name).modules()  # a list of modules does not run itself
    ]
    try:
        _run(family, architecture, network, inputs)
    finally:
        for handle in handles:
            handle.remove()
    first, middle, last = (
        [begun.index(name) for name in names if name in begun] for names in (parts.first, parts.middle, parts.last)
    )
    message = f"the parts run in the order {list(dict.fromkeys(begun))}: first, middle and last must run in theirs"
    fine = (not first or not middle or max(first) < min(middle)) and (
        not last or not (first + middle) or max(first + middle) < min(last)
    )
    _require(family, fine, message, architecture)


# ---------------------------------------------------------------------- parameters


def _check_parameter(family: Family, name: str, bases: Sequence[Architecture], sequence_length: int) -> None:
    """Another choice of it makes another network, and blocks that come with it are of the middle."""
    parameter = next(one for one in family.space.parameters if one.name == name)
    alike: tuple[Architecture, Architecture] | None = None
    for base in (bases[0], bases[-1]):
        others = [{**base, name: choice} for choice in parameter.choices if choice != base[name]]
        others = [one for one in others if family.space.feasible(np.array([family.space.index(one)]))[0]]
        for other in others[-1:] + others[:-1]:
            if parameter.ordered:
                _check_blocks(family, name, base, other)
            if not _same(family, base, other, sequence_length):
                return
            alike = (base, other)
    if alike is not None:
        _require(
            family,
            False,
            f"the parameter {name!r} changes nothing: {alike[0]} and {alike[1]} have the same tensors, operations and "
            "outputs. Use it in build(), or leave it out of the space",
        )


def _check_blocks(family: Family, name: str, one: Architecture, other: Architecture) -> None:
    with torch.device("meta"):
        networks = [_built(family, one), _built(family, other)]
    tensors = [{name for name, _ in network.named_parameters()} for network in networks]
    small, large = sorted((0, 1), key=lambda n: len(tensors[n]))
    middle = tuple(f"{part}." for part in family.parts(networks[large]).middle)
    outside = sorted(one for one in tensors[large] - tensors[small] if not one.startswith(middle))
    message = f"{', '.join(outside[:3])} come with a larger {name}, but parts() does not name them as middle"
    _require(family, not outside, message, (one, other)[large])


def _same(family: Family, one: Architecture, other: Architecture, sequence_length: int) -> bool:
    """Whether two architectures make one network, as far as its tensors, its operations and its outputs tell."""
    with torch.device("meta"):
        shapes = [{n: t.shape for n, t in _built(family, shape).state_dict().items()} for shape in (one, other)]
    if shapes[0] != shapes[1] or count(family, one, sequence_length) != count(family, other, sequence_length):
        return False
    networks = [_built(family, shape).eval() for shape in (one, other)]
    torch.manual_seed(0)
    for tensor in networks[0].parameters():
        nn.init.normal_(tensor, std=0.3)
    networks[1].load_state_dict(networks[0].state_dict())
    inputs = {
        name: torch.randn(values.shape) if values.is_floating_point() else values
        for name, values in family.inputs(_BATCH, sequence_length).items()
    }
    with torch.no_grad():
        first, second = (family.outputs(network, inputs) for network in networks)
    return first.shape == second.shape and torch.allclose(first, second, equal_nan=True)


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
    architectures = [*architectures, *_tops(family.space, architectures[0])]
    if counts.parameters and counts.macs:
        _confirm(counts, architectures)
    else:  # a family may follow no rule, but not one that ends where its ranges do
        _check_tops(family, architectures, sequence_length)
    message = f"counted twice, the network gives {first} and {second}: build() must depend on the architecture alone"
    _require(family, first == second, message, architecture)
    for name in ("parameters", "macs"):
        polynomial = counts.polynomials[name]
        if polynomial is not None:
            rising, evidence = polynomial.order(family.space)
            advice = f"{name} fall as an ordered parameter rises ({evidence}): make that parameter unordered"
            _require(family, rising is not False, advice)


def _confirm(counts: CountModel, architectures: Iterable[Architecture]) -> None:
    for one in architectures:
        try:
            counts.confirm(one)
        except CountsDisagreeError as error:
            raise AssertionError(f"{error}: correct build(), or let its networks follow one rule") from error


def _check_tops(family: Family, architectures: Sequence[Architecture], sequence_length: int) -> None:
    """Counts that no polynomial gives: they must not fall, nor follow one everywhere but at the end of a range."""
    for parameter in family.space.parameters:
        if not parameter.ordered or len(parameter.choices) < 2:
            continue
        *others, last = parameter.choices
        tops = [one for one in architectures if one[parameter.name] == last]
        for top in tops:
            below = {**top, parameter.name: others[-1]}
            if family.space.feasible(np.array([family.space.index(below)]))[0]:
                small, large = (count(family, one, sequence_length) for one in (below, top))
                rises = small.parameters <= large.parameters and small.macs <= large.macs
                advice = f"parameters or macs fall as {parameter.name} rises to {last}: make that parameter unordered"
                _require(family, rises, f"{advice}, or correct build()", top)
        rest = [replace(one, choices=tuple(others)) if one is parameter else one for one in family.space.parameters]
        space = Space(tuple(rest), family.space.constraints)
        for row in space.sample(1, 0):
            inside = space.architecture(tuple(int(value) for value in row))
            counts = fit_counts(family.with_space(space, inside), sequence_length)
            if counts.parameters and counts.macs:
                _confirm(replace(counts, space=family.space), tops)


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
