"""Networks of any stock type, smaller than a source in the sizes that its config has.

Which these are is found by building networks from it (:mod:`subarch.networks.sizing`); what they read, likewise
(:mod:`subarch.networks.feeds`). A is whatever comes before the numbered layers, B_i these, C whatever comes after.
Every architecture is a stock ``config.json``.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import torch
import transformers
from torch import Tensor, nn
from transformers import PretrainedConfig

from subarch.errors import InputError
from subarch.networks.family import Family, Parts, require_names
from subarch.networks.feeds import Feed, feed_of
from subarch.networks.fields import Found, Size, largest
from subarch.networks.sizing import found, written_out
from subarch.networks.space import Architecture, Constraint, Parameter, Space, Value
from subarch.networks.stock import backbone, class_of, plain_config, plainly, stock_config
from subarch.networks.workbench import shapes_at
from subarch.results.base import Json
from subarch.silence import quiet_transformers

_DEPTHS = (1 / 6, 1 / 3, 1 / 2, 2 / 3, 1.0)
_WIDTHS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
_STEPS = (64, 16, 8)  # widths are multiples of the first of them that divides the source's
_SHARE = 0.1  # of the parameters, what a size must change to be searched without being asked for


@dataclass(frozen=True)
class StockFamily(Family):
    """Networks of one stock type that differ from ``config`` in its sizes only.

    Args:
        config: the source's, with every default written out (:func:`~subarch.networks.sizing.written_out`).
        sizes: what can be changed, by name.
        feed: what they read.
        space: over some of the sizes, ordered; what it leaves out stays as in ``config``.
        reference: T, with the names of the space.
        auto: the stock library's ``Auto`` class that makes the networks.

    Raises:
        ValueError: for a parameter that is no size, or a choice that the size cannot have.
    """

    config: Json
    sizes: Mapping[str, Size]
    feed: Feed
    space: Space
    reference: Architecture
    auto: str = "AutoModel"
    name: str = "stock"

    def __post_init__(self) -> None:
        require_names(self.reference, self.space)
        for parameter in self.space.parameters:
            if parameter.name not in self.sizes or not parameter.ordered:
                raise InputError(
                    f"a space of {self.config['model_type']} has ordered parameters out of {[*self.sizes]}, got "
                    f"{'ordered' if parameter.ordered else 'unordered'} {parameter.name!r}"
                )
            for choice in parameter.choices:
                if not isinstance(choice, int):
                    raise InputError(f"choices of {parameter.name} must be whole numbers, got {choice!r}")
                self.sizes[parameter.name].at(choice)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any] | PretrainedConfig,
        space: Space | None = None,
        reference: Mapping[str, Value] | None = None,
        auto: str = "AutoModel",
    ) -> Self:
        """The family inside a source: its derived space unless one is given, and T = the source unless given.

        Raises:
            ValueError: where the stock library builds no such network, or it cannot be run, traced or cut.
        """
        kind: Any = getattr(transformers, auto)
        data = written_out(plain_config(config), kind)
        sizes = found(data, kind)
        feed = _feed(data, kind)
        space = space or _that_runs(derived_space(data, sizes), data, sizes, feed, kind)
        if unknown := [name for name in space.names if name not in sizes.sizes]:
            raise InputError(f"a space of {data['model_type']} may name {[*sizes.sizes]}, got {unknown}: rename them")
        full = {name: sizes.sizes[name].full for name in space.names}
        return cls(data, sizes.sizes, feed, space, dict(reference or full), auto)

    # ------------------------------------------------------------------ networks

    def config_for(self, architecture: Mapping[str, Value]) -> PretrainedConfig:
        """The stock config of ``architecture``; parameters that it leaves out are the source's.

        Raises:
            ValueError: for unknown names, or values that a size cannot have.
        """
        made = stock_config({**Found(self.sizes).config(self.config, architecture), "dtype": "float32"})
        made.architectures = [class_of(self.auto, made).__name__]
        return made

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return plainly(self.config_for(architecture), self._auto)

    def served(self, architecture: Mapping[str, Value]) -> nn.Module:
        """With the attention and the experts that the stock library chooses."""
        return backbone(self.config_for(architecture), self._auto)

    @property
    def _auto(self) -> Any:
        return getattr(transformers, self.auto)

    @cached_property
    def _own(self) -> PretrainedConfig:
        return stock_config(self.config)

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return self.feed.made(self._own, batch_size, sequence_length)

    def parts(self, network: nn.Module) -> Parts:
        first, middle, last = list[str](), list[str](), list[str]()
        _part(network, "", first, middle, last)
        return Parts(tuple(first), tuple(middle), tuple(last))

    def probes(self, name: str) -> tuple[int, ...]:
        size = self.sizes[name]
        least = min(int(choice) for one in self.space.parameters if one.name == name for choice in one.choices)
        return tuple(range(least, size.full + 1, size.unit))[:4]

    # ------------------------------------------------------------------ files

    def describe(self, architecture: Mapping[str, Value]) -> Json:
        """A stock ``config.json``."""
        return plain_config(self.config_for(architecture))

    def with_space(self, space: Space | None = None, reference: Mapping[str, Value] | None = None) -> Self:
        space = space or self.space
        if reference is None and set(space.names) != set(self.reference):
            reference = {name: self.sizes[name].full for name in space.names if name in self.sizes}
        return replace(self, space=space, reference=dict(reference or self.reference))

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "kind": "stock",
            "config": self.config,
            "auto": self.auto,
            "sizes": [size.to_json() for size in self.sizes.values()],
            "feed": [list(one) for one in self.feed.names],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        sizes = {size.name: size for size in map(Size.from_json, data["sizes"])}
        feed = Feed(tuple((str(name), int(form)) for name, form in data["feed"]))
        space, reference = Space.from_json(data["space"]), dict(data["reference"])
        return cls(dict(data["config"]), sizes, feed, space, reference, str(data["auto"]), str(data["name"]))


def _part(network: nn.Module, at: str, first: list[str], middle: list[str], last: list[str]) -> None:
    """Sort submodules: numbered ones are the middle, others stand before or after them.

    What has no weights, such as rotary positions, is no part: it may be used anywhere.
    """
    for name, child in network.named_children():
        if next(child.parameters(), None) is None:
            continue
        place = f"{at}.{name}".lstrip(".")
        numbered = [own for own, _ in child.named_children() if own.isdigit()]
        if len(numbered) > 1 or isinstance(child, nn.ModuleList):
            middle += [f"{place}.{own}" for own in numbered]
        elif any(isinstance(one, nn.ModuleList) for one in child.modules()):
            _part(child, place, first, middle, last)
        else:
            (last if middle else first).append(place)


# ---------------------------------------------------------------------- spaces


def derived_space(config: Mapping[str, Any], sizes: Found) -> Space:
    """Depths and widths from a source's own sizes; the source's shape is the largest architecture.

    Depths are about 1/6, 1/3, 1/2, 2/3 and 1 of the source's, widths 1/4, 1/3, 1/2, 2/3, 5/6 and 1, in whole units.
    Sizes that would make heads narrower, or that change a small share of the parameters, are left as they are.

    Raises:
        InputError: where nothing can be changed; the message says why.
    """
    parameters = [
        Parameter(name=name, choices=choices)
        for name, size in sizes.sizes.items()
        if not size.narrows and size.share >= _SHARE and len(choices := _choices(size)) > 1
    ]
    if not parameters:
        why = "; ".join(f"{name}: {reason}" for name, reason in sizes.refused.items()) or "its config has no such field"
        raise InputError(f"nothing of a {config['model_type']} can be made smaller: {why}")
    return Space(tuple(parameters))


def _that_runs(space: Space, config: Json, sizes: Found, feed: Feed, auto: Any) -> Space:
    """The space without the smallest choices of a size at which its network does not run any more."""

    least = {one.name: one.choices[0] for one in space.parameters if not sizes.sizes[one.name].deep}

    def runs(architecture: Mapping[str, Value]) -> bool:
        try:
            made = stock_config(sizes.config(config, architecture))
            with torch.device("meta"), torch.no_grad(), warnings.catch_warnings(), quiet_transformers():
                warnings.simplefilter("ignore")  # of layers without units
                plainly(made, auto).eval()(**feed.made(made, 2, 4))
        except Exception:
            return False
        return True

    def can_be(name: str, value: Value) -> bool:  # alone, or where others are small
        return runs({name: value}) or runs({**least, name: value})

    if not runs({}):
        raise InputError(
            f"a {config['model_type']} reads values of tensors on its way, and cannot run without memory: networks of "
            "such a space could not be counted"
        )
    left: list[Parameter] = []
    for parameter in space.parameters:
        choices = parameter.choices
        while len(choices) > 1 and not can_be(parameter.name, choices[0]):
            choices = choices[1:]
        left += [Parameter(name=parameter.name, choices=choices)] if len(choices) > 1 else []
    if not left:
        raise InputError(f"nothing of a {config['model_type']} can be made smaller: no smaller network runs")
    return _without_misfits(left, config, sizes, auto)


def _without_misfits(parameters: Sequence[Parameter], config: Json, sizes: Found, auto: Any) -> Space:
    """A space of those in which every pair of widths can be built: by a condition, or without the lesser of the two."""
    left, conditions = list(parameters), list[Constraint]()
    for one, other in itertools.permutations([p for p in parameters if not sizes.sizes[p.name].deep], 2):
        if one not in left or other not in left or sizes.sizes[one.name].share < sizes.sizes[other.name].share:
            continue
        pairs = itertools.product(one.choices, other.choices)
        fits = {
            p: shapes_at(sizes.config(config, dict(zip((one.name, other.name), p, strict=True))), auto) for p in pairs
        }
        if all(fits.values()):
            continue
        factor = _heads(sizes.sizes[other.name])
        if factor and all(bool(there) == (int(a) % (factor * int(b)) == 0) for (a, b), there in fits.items()):
            conditions.append(Constraint(f"{one.name} % ({factor} * {other.name}) == 0"))
        else:
            left.remove(other)
    return Space(tuple(left), tuple(dict.fromkeys(conditions)))


def _heads(size: Size) -> int:
    """Heads for each unit of a size; 0 where it counts none, or no whole number."""
    heads = max((largest(value) for path, value in size.fields.items() if "heads" in path[-1].split("_")), default=0)
    return heads // size.full if heads % size.full == 0 else 0


def _feed(config: Json, auto: Any) -> Feed:
    """What networks of a config read, found without memory where they run so."""
    try:
        with torch.device("meta"):
            return feed_of(plainly(stock_config(config), auto))
    except InputError:
        return feed_of(plainly(stock_config(config), auto))


def _choices(size: Size) -> tuple[int, ...]:
    steps = (math.lcm(size.unit, step) for step in _STEPS if not size.deep)
    unit = next((step for step in steps if size.full % step == 0 and size.full >= 2 * step), size.unit)
    return tuple(unit * k for k in _shares(size.full // unit, _DEPTHS if size.deep else _WIDTHS))


def _shares(whole: int, fractions: Iterable[float]) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(whole * fraction)) for fraction in fractions}))
