"""What ``inspect`` returns: exact counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, absent
from subarch.results.wording import describe, whole


@dataclass(frozen=True, kw_only=True)
class StockResult(Record):
    """The network as the stock library runs it, where that has other parts."""

    parameters: Mapping[str, int]
    note: str


@dataclass(frozen=True, kw_only=True)
class PublishedResult(Record):
    """A figure that was published, beside the exact ones.

    Attributes:
        figure: its name.
        published: its value.
        unit: of it.
        exact: of this shape, by every convention that could have been meant.
        reconciles: whether one of them is the published figure.
        reconciles_with_flipped_shape: whether one of the flipped shape is.
    """

    figure: str
    published: float
    unit: str
    exact: Mapping[str, float]
    reconciles: bool
    reconciles_with_flipped_shape: bool

    def cells(self) -> tuple[str, ...]:
        """The row in words."""
        exact = ", ".join(f"{value:g} ({name})" for name, value in self.exact.items())
        flipped = "only with the flipped shape" if self.reconciles_with_flipped_shape else "no"
        return self.figure, f"{self.published:g} {self.unit}", exact, "yes" if self.reconciles else flipped


@dataclass(frozen=True, kw_only=True)
class InspectResult(Result):
    """Exact counts of a network.

    Attributes:
        name: as it was given.
        architecture: value of each architectural parameter.
        parameters: by convention; ``total`` is the backbone.
        macs_per_token: multiply-accumulates of the encoder at ``sequence_length`` tokens.
        sequence_length: tokens of the sequence.
        conventions: what each figure counts.
        stock: the same as the stock library runs it, where that differs.
        published: figures that were published, beside the exact ones.
    """

    name: str
    architecture: Mapping[str, Any]
    parameters: Mapping[str, int]
    macs_per_token: float
    sequence_length: int
    conventions: Mapping[str, str]
    stock: StockResult | None = absent()
    published: tuple[PublishedResult, ...] | None = absent()

    def told(self) -> Iterator[Told]:
        yield Line(describe(self.architecture), lead=self.name)
        columns, rows = ["parameters", "exact"], [[name, whole(value)] for name, value in self.parameters.items()]
        if self.stock is not None:
            columns.append("as the stock library runs it")
            for row, value in zip(rows, self.stock.parameters.values(), strict=True):
                row.append(whole(value))
        yield Rows(columns, rows)
        yield Line(f"operations per token: {whole(self.macs_per_token)} at length {self.sequence_length}")
        if self.published:
            yield Line("published figures beside the exact ones:")
            yield Rows(("figure", "published", "exact", "reconciles"), [row.cells() for row in self.published])
        for name, meaning in self.conventions.items():
            yield Line(f"{name}: {meaning}", tone="dim")
