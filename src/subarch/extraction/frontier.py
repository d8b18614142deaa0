"""What is still open, and which architecture to train next.

:class:`~subarch.extraction.listed.Listed` holds one bound per architecture and serves spaces of up to a few thousand;
:class:`~subarch.extraction.boxes.Boxes` partitions a space of any size into boxes [lo, hi], bounds each by p, i at lo
and errors at hi, and never lists it. Bounds, priorities and thresholds are those of :mod:`subarch.extraction.claims`.

Which architecture is trained next is a heuristic and touches no guarantee: the errors predicted by a regression say
what each training would close, and the one that closes most is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from subarch.extraction.claims import Status
from subarch.networks.space import Index

LISTED_LIMIT = 4096
"""Most architectures that get one bound each: the order then is a matrix of at most 16 MB."""

NEARLY = 0.99
"""Trainings expected to close at least this share of what the best one would are as good."""


class Frontier(Protocol):
    """The open part of a space."""

    def tell(self, index: Index, error: float) -> None:
        """Take in the error of a trained architecture; infinite where every training of it failed."""
        ...

    def ask(self, pending: Sequence[Index] = ()) -> Index | None:
        """The architecture to train next, none of ``pending``; None when nothing (else) is open."""
        ...

    def status(self) -> Status:
        """Best and bound so far."""
        ...

    @property
    def delta(self) -> float:
        """The violation of monotony that the bounds allow for."""
        ...

    def forecast(self) -> int | None:
        """Trainings that are expected to be still needed; None where nobody can tell cheaply."""
        ...
