"""The question of a run as JSON, and the problem that it means once the counts and the latencies are known.

``certificate.json`` records the question; the verifier turns it into the same problem again with counts of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from subarch.errors import InputError
from subarch.extraction.problem import Claim, FloatArray, Limit, Problem
from subarch.networks.counting import count
from subarch.networks.countmodels import CountModel
from subarch.networks.family import Family
from subarch.networks.space import Architecture, IndexArray
from subarch.running.latency_table import LatencyTable

Cost = Literal["macs", "latency_ms"]
LIMITS = ("parameters", "macs", "latency_ms", "speedup")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked, apart from the space and the errors.

    Args:
        claim: what is to be certified.
        epsilon: how exactly.
        reference: T.
        cost: i, the inference cost: multiply-accumulates, or the latency table's milliseconds.
        sequence_length: tokens of the forward pass that is counted and timed.
        limits: upper limits by name (``parameters``, ``macs``, ``latency_ms``); ``speedup`` is the least factor by
            which the pick's table latency must undercut the reference's.
        delta: violation of monotony granted from the start.
        error_floor: assumed lower bound on every error; 0 for none.
        coarsest: up to which epsilon counts where a finer one cannot be shown; None: the one that was asked for alone.
    """

    claim: Claim
    epsilon: float
    reference: Architecture
    cost: Cost = "macs"
    sequence_length: int = 128
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    delta: float = 0.0
    error_floor: float = 0.0
    coarsest: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.limits.items():
            if name not in LIMITS or not 0 < value < float("inf"):
                raise InputError(f"limits are positive numbers for {', '.join(LIMITS)}; got {name} = {value}")

    @property
    def needs_latency(self) -> bool:
        """Whether the latency table decides anything."""
        return self.cost == "latency_ms" or bool({"latency_ms", "speedup"} & set(self.limits))

    def to_json(self) -> dict[str, Any]:
        coarsest = {} if self.coarsest is None else {"coarsest": self.coarsest}
        return coarsest | {
            "claim": self.claim,
            "epsilon": self.epsilon,
            "reference": dict(self.reference),
            "cost": self.cost,
            "sequence_length": self.sequence_length,
            "limits": dict(self.limits),
            "delta": self.delta,
            "error_floor": self.error_floor,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Question:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: for data that are no question.
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise InputError(f"expected a question written by this package, got something else ({error})") from error

    def problem(self, family: Family, counts: CountModel, table: LatencyTable | None, e_min: float) -> Problem:
        """The problem that this question poses.

        Args:
            family: whose networks are meant.
            counts: exact counts over the family's space.
            table: latencies of the space's shapes; needed where :attr:`needs_latency`.
            e_min: the constant to which errors are clamped.

        Raises:
            ValueError: when latencies are asked about and there is no table.
        """
        inside = family.space.contains(self.reference)
        reference = counts.confirm(self.reference) if inside else count(family, self.reference, self.sequence_length)
        latency: Callable[[IndexArray], FloatArray] | None = None
        if table is not None:
            latency = table.predict
        elif self.needs_latency:
            raise InputError("the question is about latency, so a latency table is needed")

        def parameters(indices: IndexArray) -> FloatArray:
            return counts.table(indices)[0]

        def macs(indices: IndexArray) -> FloatArray:
            return counts.table(indices)[1]

        def costs(indices: IndexArray) -> FloatArray:
            p, i = counts.table(indices)
            if self.cost == "latency_ms" and latency is not None:
                i = latency(indices)
            found = np.stack([p, i], axis=1)
            _require_positive(found, indices, family)
            return found

        limits: list[Limit] = []
        for name, value in self.limits.items():
            if name in ("latency_ms", "speedup"):
                assert latency is not None
                assert table is not None
                maximum = value if name == "latency_ms" else table.reference_ms / value
                limits.append(Limit(name=name, maximum=maximum, values=latency, asked=value))
            else:
                limits.append(Limit(name=name, maximum=value, values=parameters if name == "parameters" else macs))
        reference_cost = float(reference.macs)
        if self.cost == "latency_ms" and table is not None:
            reference_cost = table.reference_ms
        return Problem(
            space=family.space,
            costs=costs,
            reference=(float(reference.parameters), reference_cost),
            claim=self.claim,
            epsilon=self.epsilon,
            limits=tuple(limits),
            delta=self.delta,
            error_floor=self.error_floor,
            e_min=e_min,
            coarsest=self.coarsest,
        )


def _require_positive(costs: FloatArray, indices: IndexArray, family: Family) -> None:
    """Refuse networks that cost nothing: W, the front and their bounds divide by costs, and compare their ratios.

    What constraints remove may cost nothing: where it is the corner of a box, that is a lower bound for the rest.
    """
    wrong = np.flatnonzero(~(np.isfinite(costs) & (costs > 0)).all(axis=1))
    wrong = wrong[family.space.feasible(indices[wrong])]
    if len(wrong):
        architecture = family.space.architecture(indices[wrong[0]])
        p, i = costs[wrong[0]]
        raise InputError(
            f"{architecture} has {p:g} parameters and a cost of {i:g}: both must be positive numbers. Leave it out of "
            "the --space, by its choices or by a constraint"
        )
