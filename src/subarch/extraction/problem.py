"""What is asked of a search: the space, its exact costs, the claim and how exact it must be. Pure data.

Notation of the search (Bort's criterion, arXiv 2010.10499 and 2010.08512): p trainable parameters, i inference cost,
e error (lower is better, strictly positive), T the reference, and

    W(x) = g(x) / e(x),   g(x) = max(0, 1 - p(x)/p_T) * max(0, 1 - i(x)/i_T).

Both the search and the certificate read this file; they share nothing else but the space and the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.networks.space import IndexArray, Space

Claim = Literal["w", "constrained", "front"]
_GRADES = (0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
_ROUNDING = 1e-12
FloatArray = NDArray[np.float64]
Costs = Callable[[IndexArray], FloatArray]
"""``(architectures, parameters)`` choice positions to ``(architectures, 2)``: p and i; monotone along the order."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """An upper limit on a quantity that only grows along the order (parameters, operations, a latency table).

    Args:
        name: what is limited, for people: ``"latency_ms"``.
        maximum: the largest allowed value.
        values: choice positions ``(architectures, parameters)`` to ``(architectures,)``; monotone along the order.
        asked: the number as it was asked for, where that is not the maximum itself (a speed-up of 3).
    """

    name: str
    maximum: float
    values: Callable[[IndexArray], FloatArray]
    asked: float | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One search problem.

    Args:
        space: the architectures.
        costs: exact p and i of many architectures at once.
        reference: ``(p_T, i_T)``.
        claim: what is to be certified: ``w`` the largest W; ``constrained`` the lowest error within ``limits``;
            ``front`` an epsilon-Pareto front in p, i and e.
        epsilon: how far from optimal the answer may be, in (0, 1).
        coarsest: where violations of monotony or noise do not let that be shown, a coarser epsilon counts, up to this;
            None: none does. See :meth:`grade`.
        limits: only with, and always with, the claim ``constrained``.
        delta: the violation of monotony that is granted from the start, in [0, 1); see the certificate.
        error_floor: a lower bound on every error that is *assumed*; 0 for none.
        e_min: the constant that every error was clamped to; a lower bound by definition.

    Raises:
        ValueError: for values outside those ranges.
    """

    space: Space
    costs: Costs
    reference: tuple[float, float]
    claim: Claim = "w"
    epsilon: float = 0.1
    limits: tuple[Limit, ...] = field(default=())
    delta: float = 0.0
    error_floor: float = 0.0
    e_min: float = 0.0
    coarsest: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < 1:
            raise InputError(
                f"epsilon must lie strictly between 0 and 1 (0.1 = within ten percent), got {self.epsilon}"
            )
        if not 0 <= self.delta < 1:
            raise InputError(f"delta must lie in [0, 1), got {self.delta}")
        if self.coarsest is not None and not self.epsilon <= self.coarsest < 1:
            raise InputError(f"coarsest must lie between epsilon, {self.epsilon:g}, and 1, got {self.coarsest}")
        if self.error_floor < 0 or self.e_min < 0:
            raise InputError(f"error floors must not be negative, got {self.error_floor} and {self.e_min}")
        if (self.claim == "constrained") != bool(self.limits):
            raise InputError("the claim 'constrained' needs at least one limit, and limits need that claim")
        if min(self.reference) <= 0:
            raise InputError(f"the reference must have parameters and operations, got {self.reference}")

    def grade(self, delta: float, noise: float = 0.0) -> float:
        """The finest epsilon that can be shown: epsilon itself, or the next coarser one of a fixed list.

        One that delta stays below, and that noise cannot have decided. Which these are is fixed beforehand, so that a
        search knows when it is done and a verifier comes to the same one.

        Args:
            delta: violation of monotony.
            noise: the smallest epsilon that it lets be told apart.

        Returns:
            Epsilon as it was asked for, where no coarser one would do either.

        >>> one = Problem(space=None, costs=None, reference=(1.0, 1.0), coarsest=0.5)
        >>> one.grade(0.0), one.grade(0.12), one.grade(0.12, noise=0.21), one.grade(0.6)
        (0.1, 0.15, 0.3, 0.1)
        """
        coarser = (one for one in _GRADES if self.coarsest is not None and self.epsilon < one <= self.coarsest)
        return next((one for one in (self.epsilon, *coarser) if delta < one and noise <= one + _ROUNDING), self.epsilon)

    def within(self, indices: IndexArray) -> NDArray[np.bool_]:
        """``(architectures,)``: which of ``indices`` meet every limit."""
        mask = np.ones(len(indices), dtype=np.bool_)
        for limit in self.limits:
            mask &= limit.values(indices) <= limit.maximum
        return mask
