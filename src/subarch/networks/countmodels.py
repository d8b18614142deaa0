"""Counts of every architecture of a space: from polynomials where there are some, else by building it, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.networks.counting import Counts, count
from subarch.networks.family import Family
from subarch.networks.polynomials import (
    Polynomial,
)
from subarch.networks.space import Architecture, Space, Value

_BUILDABLE = 4_096  # architectures of a space whose polynomials are refuted: so many can be built instead


class CountsDisagreeError(InputError):
    """A network that was built has other counts than the polynomials give: the family is not as regular as it looked.

    Attributes:
        architecture: the network's.
        told: what the polynomials give.
        built: what it has.
    """

    def __init__(self, family: str, architecture: Architecture, told: Counts, built: Counts, confirmed: int) -> None:
        super().__init__(
            f"the counts of family {family!r} are no polynomials: {architecture} has {built.parameters} parameters and "
            f"{built.macs} operations, where polynomials that hold for {confirmed} other networks give "
            f"{told.parameters} and {told.macs}"
        )
        self.architecture, self.told, self.built = architecture, told, built


@dataclass(frozen=True)
class CountModel:
    """Counts of every architecture of a space.

    Args:
        space: where the polynomials hold.
        sequence_length: tokens of the forward pass whose operations are counted.
        polynomials: ``parameters`` and ``macs`` of the network, and ``first.parameters``, ``first.macs`` and so on for
            the parts; None where no polynomial was found.
        residuals: largest absolute difference to architectures that were counted but not fitted; 0 where a
            polynomial was found.
        builds: networks built for the fit.
        held_out: networks among them that only confirmed it.
        limited: ordered parameters with so few values that their degree may be higher than was seen.
        family: builds what no polynomial covers; not stored.

    Attributes:
        confirmed: networks of the space that were built and have the counts given here.
    """

    space: Space
    sequence_length: int
    polynomials: dict[str, Polynomial | None]
    residuals: dict[str, int]
    builds: int
    held_out: int
    limited: tuple[str, ...] = ()
    family: Family | None = field(default=None, compare=False, repr=False)
    _built: dict[tuple[Value, ...], Counts] = field(
        default_factory=lambda: dict[tuple[Value, ...], Counts](), compare=False, repr=False
    )
    _fitted: frozenset[tuple[Value, ...]] = field(default=frozenset(), compare=False, repr=False)

    @property
    def parameters(self) -> Polynomial | None:
        """Trainable parameters; None where they are no polynomial."""
        return self.polynomials["parameters"]

    @property
    def macs(self) -> Polynomial | None:
        """Multiply-accumulates of one forward pass; None where they are no polynomial."""
        return self.polynomials["macs"]

    @property
    def confirmed(self) -> int:
        return self._in_space(self._built)

    def confirmed_with(self, architectures: Iterable[Mapping[str, Value]]) -> int:
        """Networks of the space that the fit has built, and these: the same whoever counts them, and after what."""
        return self._in_space(self._fitted.union(map(self._key, architectures)))

    def fitted(self) -> Self:
        """The same, with what is built by now as what the fit has built."""
        return replace(self, _fitted=frozenset(self._built))

    def _in_space(self, keys: Iterable[tuple[Value, ...]]) -> int:
        return sum(self.space.contains(dict(zip(self.space.names, key, strict=True))) for key in keys)

    def _key(self, architecture: Mapping[str, Value]) -> tuple[Value, ...]:
        return tuple(architecture[name] for name in self.space.names)

    def counts(self, architecture: Mapping[str, Value]) -> Counts:
        """Exact counts of one architecture: from the polynomials inside the space, otherwise by building it."""
        if self.parameters and self.macs and self.space.contains(architecture):
            return Counts(self.parameters(architecture), self.macs(architecture))
        return self.built(architecture)

    def built(self, architecture: Mapping[str, Value]) -> Counts:
        """Exact counts of one architecture by building it, once."""
        key = self._key(architecture)
        if key not in self._built:
            if self.family is None:
                raise InputError(f"counting {dict(architecture)} needs its family, which these counts do not hold")
            self._built[key] = count(self.family, architecture, self.sequence_length)
        return self._built[key]

    def confirm(self, architecture: Mapping[str, Value]) -> Counts:
        """Exact counts of one architecture by building it, which must be those that the polynomials give.

        Raises:
            CountsDisagreeError: where they are not.
        """
        told, built = self.counts(architecture), self.built(architecture)
        if told != built:
            name = "" if self.family is None else self.family.name
            raise CountsDisagreeError(name, dict(architecture), told, built, self.confirmed - 1)
        return built

    def by_building(self, refuted: CountsDisagreeError | None = None) -> Self:
        """The same without polynomials, such as a network has refuted: every architecture is built."""
        off = dict.fromkeys(self.polynomials, 1)
        if refuted is not None:
            off["parameters"] = abs(refuted.told.parameters - refuted.built.parameters)
            off["macs"] = abs(refuted.told.macs - refuted.built.macs)
        residuals = {name: max(1, by, self.residuals[name]) for name, by in off.items()}
        return replace(self, polynomials=dict.fromkeys(self.polynomials), residuals=residuals)

    def require_countable(self) -> None:
        """Refuse a space without polynomials in which there are too many architectures to build each.

        Raises:
            ValueError: as said.
        """
        if (self.parameters is None or self.macs is None) and self.space.listing(_BUILDABLE) is None:
            missing = [name for name in ("parameters", "macs") if self.polynomials[name] is None]
            name = "" if self.family is None else self.family.name
            raise InputError(
                f"the {' and '.join(missing)} of family {name!r} are no polynomials of its parameters (off by up to "
                f"{max(self.residuals[one] for one in missing)}), so each of its networks must be built, and a grid of "
                f"{self.space.num_points} points is too many (limit {_BUILDABLE}): give a --space with fewer choices"
            )

    def table(self, indices: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Parameters and operations, ``(architectures,)`` each, at positions ``(architectures, parameters)``."""
        if self.parameters and self.macs:
            columns = self.space.columns(indices)
            return self.parameters.evaluate(columns), self.macs.evaluate(columns)
        rows = [self.counts(self.space.architecture(index)) for index in indices]
        return (
            np.array([row.parameters for row in rows], dtype=np.float64),
            np.array([row.macs for row in rows], dtype=np.float64),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "sequence_length": self.sequence_length,
            "space_hash": self.space.hash,
            "polynomials": {name: p and p.to_json() for name, p in self.polynomials.items()},
            "residuals": self.residuals,
            "builds": self.builds,
            "held_out": self.held_out,
            "limited": list(self.limited),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], space: Space, family: Family | None = None) -> Self:
        """The inverse of :meth:`to_json`, for the same space.

        Raises:
            ValueError: for another space, or data that describe no counts.
        """
        if data.get("space_hash") != space.hash:
            raise InputError("these counts belong to another search space: count again")
        try:
            polynomials = {name: p and Polynomial.from_json(p) for name, p in data["polynomials"].items()}
            return cls(
                space,
                int(data["sequence_length"]),
                polynomials,
                dict(data["residuals"]),
                int(data["builds"]),
                int(data["held_out"]),
                tuple(data["limited"]),
                family,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"expected counts written by this package, got something else: {error}") from error
