"""The trained architectures with everything that console and report show of them: front, picks, latencies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from subarch.extraction.certificate import Derived
from subarch.extraction.problem import Problem
from subarch.extraction.question import Question
from subarch.extraction.study import Trial
from subarch.networks.counting import count
from subarch.networks.countmodels import CountModel
from subarch.networks.family import Family
from subarch.running.timing import Builder, compare

LISTED_IN_REPORT = 5000
TIMED_AT_MOST = 16


class Points:
    """The trained architectures with everything that console and report show of them.

    Args:
        family: whose networks are timed.
        counts: exact parameters and operations.
        question: what was asked.
        problem: the problem it posed.
        trials: the whole ledger.
        derived: what the certificate derives from it.
        threads: of the timing; None leaves torch's.
        build: puts networks on another runtime than PyTorch.
    """

    def __init__(
        self,
        *,
        family: Family,
        counts: CountModel,
        question: Question,
        problem: Problem,
        trials: Sequence[Trial],
        derived: Derived,
        threads: int | None,
        build: Builder | None = None,
    ) -> None:
        self._family, self._question, self._threads, self._build = family, question, threads, build
        self._counts_model, self._problem, self._derived = counts, problem, derived
        self._trials = [trial for trial in trials if trial.purpose == "search"]
        space = family.space
        self._rows = np.array([space.index(trial.architecture) for trial in self._trials], dtype=np.int16)
        self._counts = np.stack(counts.table(self._rows), axis=1)
        self._costs = problem.costs(self._rows)
        self._errors = np.array([max(trial.error, problem.e_min) for trial in self._trials])
        share = np.maximum(0.0, 1 - self._costs / np.array(problem.reference))
        self._w = share.prod(axis=1) / self._errors
        self._latency: dict[int, float] = {}
        self._reference_ms: float | None = None
        self._front = self._non_dominated()

    def _non_dominated(self) -> list[int]:
        values = np.column_stack([self._costs, self._errors])
        front = [
            n for n, row in enumerate(values) if not ((values <= row).all(axis=1) & (values < row).any(axis=1)).any()
        ]
        return sorted(front, key=lambda n: (self._costs[n, 1], self._costs[n, 0]))

    def _knee(self) -> int:
        """The point of the front nearest to its ideal corner, on logarithmic scales stretched to [0, 1]."""
        values = np.log(np.column_stack([self._costs, self._errors])[self._front])
        low, high = values.min(axis=0), values.max(axis=0)
        scaled = (values - low) / np.where(high > low, high - low, 1.0)
        return self._front[int(np.argmin((scaled**2).sum(axis=1)))]

    def _constrained(self) -> int | None:
        within = self._problem.within(self._rows)
        if not self._problem.limits or not within.any():
            return None
        return int(np.argmin(np.where(within, self._errors, np.inf)))

    @property
    def picks(self) -> dict[str, int | None]:
        best = int(np.argmax(self._w))
        return {"w": best if self._w[best] > 0 else None, "knee": self._knee(), "constrained": self._constrained()}

    @property
    def to_time(self) -> list[int]:
        """The picks, then the front, evenly thinned where it is long."""
        picks = [n for n in self.picks.values() if n is not None]
        rest = [n for n in self._front if n not in picks]
        room = max(0, TIMED_AT_MOST - len(set(picks)))
        thin = (
            rest if len(rest) <= room else [rest[int(k)] for k in np.linspace(0, len(rest) - 1, room)] if room else []
        )
        return list(dict.fromkeys([*picks, *thin]))

    def time(self) -> None:
        """Measure the reference and the points again, side by side in one run."""
        family, question = self._family, self._question
        inputs = family.inputs(1, question.sequence_length)
        architectures = {"reference": question.reference}
        architectures |= {str(n): self._family.space.architecture(self._rows[n]) for n in self.to_time}
        networks = {name: (family.network(architecture), inputs) for name, architecture in architectures.items()}
        measured = compare(networks, threads=self._threads, build=self._build)
        self._reference_ms = measured.pop("reference").p50_ms
        self._latency = {int(name): found.p50_ms for name, found in measured.items()}

    def point(self, n: int) -> dict[str, Any]:
        return {
            "architecture": self._family.space.architecture(self._rows[n]),
            "parameters": int(self._counts[n, 0]),
            "macs": int(self._counts[n, 1]),
            "latency_ms": self._latency.get(n),
            "error": float(self._errors[n]),
        }

    def _pick(self, name: str, n: int | None, certificate: Mapping[str, Any]) -> dict[str, Any] | None:
        if n is None:
            return None
        certified = certificate["verdict"] == "certified" and certificate["claim"] == name
        pick = {**self.point(n), "w": float(self._w[n]), "certified": certified}
        if name == "constrained":
            pick["missed"] = self._missed(n)
        return pick

    def _missed(self, n: int) -> list[str]:
        """Latency targets that the pick, measured again, misses."""
        limits, latency = self._question.limits, self._latency.get(n)
        missed: list[str] = []
        if latency is None or self._reference_ms is None:
            return missed
        if latency > limits.get("latency_ms", math.inf):
            missed.append(f"latency {latency:.3g} ms measured again, at most {limits['latency_ms']:g} ms asked")
        if self._reference_ms / latency < limits.get("speedup", 0.0):
            missed.append(
                f"{self._reference_ms / latency:.2f} times as fast measured again, {limits['speedup']:g} asked"
            )
        return missed

    def document(self, certificate: dict[str, Any], source: str) -> dict[str, Any]:
        """What ``extract.json`` holds, apart from the run's own name and progress."""
        picks = self.picks
        claimed_pick = picks["constrained" if self._problem.claim == "constrained" else "w"]
        chosen = claimed_pick if claimed_pick is not None else self._front[0]
        told = {name: self._pick(name, n, certificate) for name, n in picks.items()}
        reference = count(self._family, self._question.reference, self._question.sequence_length)
        untrained, total = self._untrained()
        return {
            **self.point(chosen),
            "w": float(self._w[chosen]),
            "front": [self.point(n) for n in self._front],
            "picks": told,
            "certificate": certificate,
            "source": {
                "name": source,
                "architecture": dict(self._question.reference),
                "parameters": reference.parameters,
                "macs": reference.macs,
                "latency_ms": self._reference_ms,
            },
            "trained": [
                {
                    "number": trial.number,
                    **self.point(n),
                    "standard_error": trial.details.get("standard_error"),
                    "w": float(self._w[n]),
                    "seconds": trial.details.get("seconds"),
                }
                for n, trial in enumerate(self._trials)
            ],
            "untrained": untrained,
            "untrained_total": total,
        }

    def _untrained(self) -> tuple[list[dict[str, Any]], int]:
        """Architectures that were bounded out, with the proven lower bound of their error; a sample of large spaces."""
        space, derived = self._family.space, self._derived
        rows = space.sample(LISTED_IN_REPORT + len(self._rows), 0)
        trained = {tuple(row) for row in self._rows.tolist()}
        rows = np.array([row for row in rows.tolist() if tuple(row) not in trained][:LISTED_IN_REPORT], dtype=np.int16)
        if not len(rows):
            return [], 0
        p, i = self._counts_model.table(rows)
        highest = np.zeros(len(rows))
        for row, error in zip(self._rows, self._errors, strict=True):
            np.maximum(highest, np.where(space.leq(rows, row), error, 0.0), out=highest)
        bound = np.maximum(derived.floor, (1 - derived.delta) * highest)
        listed = [
            {
                "architecture": space.architecture(row),
                "parameters": int(p[n]),
                "macs": int(i[n]),
                "error_bound": float(bound[n]) if bound[n] > 0 else None,
            }
            for n, row in enumerate(rows)
        ]
        return listed, derived.space_size - derived.evaluated
