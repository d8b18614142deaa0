"""Fields of a stock config that are sizes: which change together, and a config with others in them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from transformers import AutoConfig

from subarch.errors import InputError
from subarch.networks.correspondence import depth_map
from subarch.results.base import Json

Path = tuple[str, ...]
"""Of a field, through the parts of a config."""
Values = int | tuple[int, ...]
_OF_BACKBONES = ("stage_names", "out_features", "out_indices")  # name layers, and count for a class of their own only
_NO_NUMBERS = ("_id", "_config", "_type", "dtype")  # how fields end that are empty and hold no size


@dataclass(frozen=True)
class Size:
    """Fields of a config that change together: one parameter of a space.

    Attributes:
        name: of the first field, as the stock library calls it whatever the type does.
        fields: the source's values by field; the first one's is the parameter's, of a list its largest.
        deep: whether layers are counted.
        share: of the parameters in its layers, how many are in tensors that change with it.
        narrows: whether it makes units of others narrower, as each head, where these could go whole.
    """

    name: str
    fields: Mapping[Path, Values]
    deep: bool = False
    share: float = 0.0
    narrows: bool = False

    @property
    def full(self) -> int:
        """The source's value."""
        return largest(next(iter(self.fields.values())))

    @property
    def unit(self) -> int:
        """What widths are multiples of, so that every field stays a whole number in proportion."""
        if self.deep:
            return 1
        return self.full // math.gcd(*(one for value in self.fields.values() for one in listed(value)))

    def at(self, value: int) -> dict[Path, Values]:
        """What every field is where the parameter is ``value``.

        Raises:
            InputError: for what is no whole number of units between one and the source's.
        """
        if not 0 < value <= self.full or value % self.unit:
            raise InputError(f"{self.name} must be a multiple of {self.unit} up to {self.full}, got {value}")

        def one(there: int) -> int:
            return max(1, -(-there * value // self.full)) if self.deep else there * value // self.full

        return {
            path: one(there) if isinstance(there, int) else tuple(one(n) for n in there)
            for path, there in self.fields.items()
        }

    def to_json(self) -> Json:
        """As JSON data."""
        fields = [
            [list(path), list(value) if isinstance(value, tuple) else value] for path, value in self.fields.items()
        ]
        return {"name": self.name, "fields": fields, "deep": self.deep, "share": self.share, "narrows": self.narrows}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        fields = {
            tuple(path): tuple(value) if isinstance(value, list) else int(value) for path, value in data["fields"]
        }
        return cls(str(data["name"]), fields, bool(data["deep"]), float(data["share"]), bool(data["narrows"]))


@dataclass(frozen=True)
class Found:
    """What can be changed in the networks of a config.

    Attributes:
        sizes: by name.
        refused: fields that change extents and yet are no sizes, with the reason.
    """

    sizes: Mapping[str, Size]
    refused: Mapping[str, str] = field(default_factory=dict)

    def config(self, source: Mapping[str, Any], architecture: Mapping[str, Any]) -> Json:
        """The source's config in another shape.

        Args:
            source: its config, with every default written out.
            architecture: by the names of the sizes; those left out stay.

        Raises:
            InputError: for a name that is no size, or a value that it cannot have.
        """
        if unknown := sorted(set(architecture) - set(self.sizes)):
            raise InputError(f"an architecture of {source.get('model_type')} may name {[*self.sizes]}, got {unknown}")
        deep, wide = dict[Path, Values](), dict[Path, Values]()
        for name, value in architecture.items():
            size = self.sizes[name]
            (deep if size.deep else wide).update(size.at(int(value)))
        return changed(deepened(source, deep), wide)


def listed(value: Values) -> tuple[int, ...]:
    """The numbers of a field."""
    return (value,) if isinstance(value, int) else value


def largest(value: Values) -> int:
    """The largest of them."""
    return max(listed(value))


# ---------------------------------------------------------------------- configs


def fields_of(config: Mapping[str, Any], at: Path = ()) -> Iterator[tuple[Path, Values]]:
    """Whole numbers above one, and lists with some, in a config and in its parts."""
    for name, value in config.items():
        if isinstance(value, Mapping) and (name.endswith("_config") or "model_type" in value):
            yield from fields_of(value, (*at, name))
        elif type(value) is int and value > 1:
            yield (*at, name), value
        elif isinstance(value, list) and value and all(type(one) is int and one > 0 for one in value):
            numbers = tuple(int(one) for one in value)
            if max(numbers) > 1:
                yield (*at, name), numbers


def changed(config: Mapping[str, Any], values: Mapping[Path, Any]) -> Json:
    """A config with other values in some fields."""
    made = {name: copy.deepcopy(value) for name, value in config.items() if name not in _OF_BACKBONES}
    for path, value in values.items():
        part = made
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = list(value) if isinstance(value, tuple) else value
    return made


def canonical(config: Mapping[str, Any], path: Path) -> str:
    """What the stock library calls a field in its own terms."""
    part: Any = config
    for name in path[:-1]:
        part = part[name]
    kind = part.get("model_type", config.get("model_type"))
    try:
        names: Mapping[str, str] = type(AutoConfig.for_model(str(kind))).attribute_map
    except Exception:  # a part that is no network of its own
        names = {}
    return next((usual for usual, own in names.items() if own == path[-1]), path[-1])


def deepened(config: Mapping[str, Any], values: Mapping[Path, Values], lone: int = 0) -> Json:
    """A config with fewer layers; lists with an entry for each layer keep those of the layers that stay.

    Args:
        config: of the source.
        values: of the fields that count layers.
        lone: layers at the beginning that stay, as they are unlike the others.
    """
    made = changed(config, values)
    for path, value in values.items():
        part: Any = config
        for name in path[:-1]:
            part = part[name]
        full = part[path[-1]]
        if not isinstance(full, int) or not isinstance(value, int) or full < 2:
            continue
        ahead = min(lone, value)
        kept = (*range(ahead), *(n + ahead for n in (depth_map(value - ahead, full - ahead) if value > ahead else ())))
        lists = {name: there for name, there in part.items() if isinstance(there, list) and len(there) == full}
        made = changed(made, {(*path[:-1], name): [there[n] for n in kept] for name, there in lists.items()})
    return made


def empty_fields(config: Mapping[str, Any], at: Path = ()) -> Iterator[Path]:
    """Fields without a value that might hold a size."""
    for name, value in config.items():
        if isinstance(value, Mapping) and (name.endswith("_config") or "model_type" in value):
            yield from empty_fields(value, (*at, name))
        elif value is None and not name.endswith(_NO_NUMBERS):
            yield (*at, name)


def value_at(config: Mapping[str, Any], path: Path) -> Any:
    """What a config has in a field; a list as a tuple."""
    value: Any = config
    for name in path:
        value = value[name]
    return tuple(value) if isinstance(value, list) else value
