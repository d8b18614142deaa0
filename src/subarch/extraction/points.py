"""The trained architectures with everything that console and report show of them: front, picks, latencies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from subarch.extraction.certificate import Derived
from subarch.extraction.problem import Problem
from subarch.extraction.question import Question
from subarch.extraction.statement import Statement
from subarch.extraction.study import EVIDENCE, Trial
from subarch.networks.counting import count
from subarch.networks.countmodels import CountModel
from subarch.networks.family import Family
from subarch.results.certificate import CertificateResult
from subarch.results.extract import (
    ExtractResult,
    PickResult,
    PointResult,
    SourceResult,
    StepResult,
    TimedWith,
    TrainedResult,
    UntrainedResult,
)
from subarch.results.vocabulary import VocabularyResult
from subarch.running.latency_table import LatencyTable
from subarch.running.stopwatch import Timekeeper

LISTED_IN_REPORT = 5000
TIMED_AT_MOST = 16


def timed_by(table: LatencyTable) -> TimedWith:
    """What the latencies of a table were measured with."""
    known = table.settings
    return TimedWith(
        runtime=known["runtime"],
        threads=known["threads"],
        reference_runtime=known.get("reference_runtime"),
        reference_threads=known.get("reference_threads"),
        networks=len(table.indices),
        error=table.error[0],
    )


class Points:
    """The trained architectures with everything that console and report show of them.

    Args:
        family: whose networks are timed.
        counts: exact parameters and operations.
        question: what was asked.
        problem: the problem it posed.
        trials: the whole ledger.
        derived: what the certificate derives from it.
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
    ) -> None:
        self._family, self._question = family, question
        self._counts_model, self._problem, self._derived = counts, problem, derived
        self._trials = [trial for trial in trials if trial.purpose in EVIDENCE]
        space = family.space
        self._rows = np.array([space.index(trial.architecture) for trial in self._trials], dtype=np.int16)
        self._counts = np.stack(counts.table(self._rows), axis=1)
        self._costs = problem.costs(self._rows)
        self._errors = np.array([max(trial.error, problem.e_min) for trial in self._trials])
        share = np.maximum(0.0, 1 - self._costs / np.array(problem.reference))
        self._w = share.prod(axis=1) / self._errors
        self._latency: dict[int, float] = {}
        self._seconds = {"search": sum(float(trial.details.get("seconds") or 0.0) for trial in trials)}
        self._reference_ms: float | None = None
        self._front = self._non_dominated()

    @classmethod
    def of(cls, statement: Statement) -> Points:
        """Of what a certificate states."""
        return cls(
            family=statement.family,
            counts=statement.counts,
            question=statement.question,
            problem=statement.problem,
            trials=statement.trials,
            derived=statement.derived,
        )

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

    def time(self, timekeeper: Timekeeper) -> None:
        """Measure the reference and the points, each beside the smallest network."""
        first, space = timekeeper.begin(), self._family.space
        known = {space.index(architecture): ms for architecture, ms in first.readings}
        self._reference_ms = first.reference_ms
        for n in self.to_time:
            ms = known.get(tuple(self._rows[n].tolist()))
            self._latency[n] = timekeeper(space.architecture(self._rows[n])) if ms is None else ms

    def look_up(self, table: LatencyTable) -> None:
        """Take the times of a table, which are those that limits were decided on."""
        self._reference_ms = table.reference_ms
        self._seconds["timing"] = float(table.settings.get("seconds", 0.0))
        self._latency = dict(enumerate(table.predict(self._rows).tolist()))

    def timed_as(self, told: ExtractResult) -> bool:
        """Take over what was measured; False where something is missing that is timed."""
        self._reference_ms = told.source.latency_ms
        self._latency = {n: ms for n, row in enumerate(told.trained) if (ms := row.latency_ms) is not None}
        return self._reference_ms is not None and self._latency.keys() == set(self.to_time)

    def _point(self, n: int) -> PointResult:
        return PointResult(
            architecture=self._family.space.architecture(self._rows[n]),
            parameters=int(self._counts[n, 0]),
            macs=int(self._counts[n, 1]),
            latency_ms=self._latency.get(n),
            error=float(self._errors[n]),
        )

    def _pick(self, name: str, n: int | None, certificate: CertificateResult) -> PickResult | None:
        if n is None:
            return None
        return PickResult(
            **vars(self._point(n)),
            w=float(self._w[n]),
            certified=certificate.verdict == "certified" and certificate.claim == name,
            missed=tuple(self._missed(n)) if name == "constrained" else None,
        )

    def _missed(self, n: int) -> Iterator[str]:
        """Latency targets that the pick, as it was measured, misses."""
        limits, latency = self._question.limits, self._latency.get(n)
        if latency is None or self._reference_ms is None:
            return
        if latency > limits.get("latency_ms", math.inf):
            yield f"latency {latency:.3g} ms measured again, at most {limits['latency_ms']:g} ms asked"
        if self._reference_ms / latency < limits.get("speedup", 0.0):
            yield f"{self._reference_ms / latency:.2f} times as fast measured again, {limits['speedup']:g} asked"

    def document(
        self, certificate: CertificateResult, source: str, run: Path, progress: Sequence[StepResult], timed: TimedWith
    ) -> ExtractResult:
        """What ``extract.json`` holds.

        Args:
            certificate: of the search.
            source: its name.
            run: directory of the run.
            progress: of the search.
            timed: what latencies were measured with.
        """
        picks = self.picks
        claimed_pick = picks["constrained" if self._problem.claim == "constrained" else "w"]
        chosen = claimed_pick if claimed_pick is not None else self._front[0]
        reference = count(self._family, self._question.reference, self._question.sequence_length)
        untrained, total = self._untrained()
        return ExtractResult(
            run=str(run),
            **vars(self._point(chosen)),
            w=float(self._w[chosen]),
            front=tuple(self._point(n) for n in self._front),
            picks={name: self._pick(name, n, certificate) for name, n in picks.items()},
            certificate=certificate,
            source=SourceResult(
                name=source,
                architecture=dict(self._question.reference),
                parameters=reference.parameters,
                macs=reference.macs,
                latency_ms=self._reference_ms,
            ),
            trained=tuple(self._trained(n, trial) for n, trial in enumerate(self._trials)),
            untrained=untrained,
            untrained_total=total,
            progress=tuple(progress),
            timed_with=timed,
            seconds={name: round(seconds, 3) for name, seconds in self._seconds.items()},
            vocabulary=None
            if (cut := certificate.objectives.get("error", {}).get("vocabulary")) is None
            else VocabularyResult.from_json(cut),
        )

    def _trained(self, n: int, trial: Trial) -> TrainedResult:
        return TrainedResult(
            **vars(self._point(n)),
            number=trial.number,
            standard_error=trial.details.get("standard_error"),
            w=float(self._w[n]),
            seconds=trial.details.get("seconds"),
        )

    def _untrained(self) -> tuple[tuple[UntrainedResult, ...], int]:
        """Architectures that were bounded out, with the proven lower bound of their error; a sample of large spaces."""
        space, derived = self._family.space, self._derived
        rows = space.sample(LISTED_IN_REPORT + len(self._rows), 0)
        trained = {tuple(row) for row in self._rows.tolist()}
        rows = np.array([row for row in rows.tolist() if tuple(row) not in trained][:LISTED_IN_REPORT], dtype=np.int16)
        if not len(rows):
            return (), 0
        p, i = self._counts_model.table(rows)
        highest = np.zeros(len(rows))
        for row, error in zip(self._rows, self._errors, strict=True):
            np.maximum(highest, np.where(space.leq(rows, row), error, 0.0), out=highest)
        bound = np.maximum(derived.floor, (1 - derived.delta) * highest)
        listed = tuple(
            UntrainedResult(
                architecture=space.architecture(row),
                parameters=int(p[n]),
                macs=int(i[n]),
                error_bound=float(bound[n]) if bound[n] > 0 else None,
            )
            for n, row in enumerate(rows)
        )
        return listed, derived.space_size - derived.evaluated
