"""What a finished search writes: the certificate, and the front with its picks; nothing anew where all is as it was."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from subarch.errors import InputError
from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import digest
from subarch.extraction.points import Points, timed_by
from subarch.extraction.problem import Problem
from subarch.extraction.statement import Made, Statement, confirm_others
from subarch.extraction.trainings import NO_TIME, Trainings
from subarch.manifest import Hardware, Manifest, now, versions
from subarch.networks.family import WEIGHTS
from subarch.networks.space import Architecture
from subarch.results.base import Json
from subarch.results.extract import ExtractResult, StepResult, TimedWith
from subarch.running.latency_table import LatencyTable
from subarch.storage import read_json, read_record, write_json

_LOG = logging.getLogger(__name__)
NEARLY_AGAIN = 1e-3
"""Relative difference granted to an error that is measured again; on the same machine and versions there is none."""


@dataclass(frozen=True)
class Documents:
    """The files of one search.

    Args:
        made: what was trained.
        problem: that was posed.
        table: milliseconds over the space, where they decide anything.
        ask: digest of what was asked.
        manifest: what the run is made with.
    """

    made: Trainings
    problem: Problem
    table: LatencyTable | None
    ask: str
    manifest: Manifest

    def written(self, progress: Sequence[StepResult]) -> ExtractResult:
        """The result, in the files of the run.

        Raises:
            ValueError: where nothing was trained.
            CountsDisagreeError: where a network is not as the counts say.
        """
        made, trials = self.made, self.made.ledger.trials()
        errors = made.ledger.errors(trials, self.problem.e_min)
        if not errors:
            raise InputError(NO_TIME)
        if self._latencies is not None:
            made.ledger.bind_latencies(digest(self._latencies))
        confirm_others(made.counts, made.ledger.hash())
        derived = derive(self.problem, errors, made.ledger.failed(trials))
        if (known := self._known()) is not None:
            self._write_manifest(known.certificate.created)
            return known
        statement = Statement(
            family=made.family,
            family_json=made.family_json,
            counts=made.counts,
            question=made.question,
            ask=self.ask,
            problem=self.problem,
            ledger=made.ledger,
            trials=trials,
            derived=derived,
            latency_table=self._latencies,
        )
        points = Points.of(statement)
        if self.table is None:
            made.watch("timing the front", note=f"{len(points.to_time)} networks")
            points.time(made.times.timekeeper)
        else:
            points.look_up(self.table)
        here = Made(
            strategy=made.options.strategy, versions=versions(), hardware=Hardware.here().to_json(), created=now()
        )
        certificate = statement.certificate(here)
        result = points.document(certificate, self.manifest.source, made.run, progress, self._timed_with)
        best = certificate.best.architecture
        self._write_pick(None if best is None else dict(best))
        self._write_manifest(certificate.created)
        write_json(made.run / "certificate.json", certificate.to_json())
        write_json(made.run / "extract.json", result.to_json())
        return result

    def _write_pick(self, best: Architecture | None) -> None:
        """What was picked, and its weights where its family has some: trained once more, as it was measured."""
        made = self.made
        for name in ("architecture.json", WEIGHTS):  # no weights beside an architecture that they are not of
            (made.run / name).unlink(missing_ok=True)
        if best is None:
            return
        write_json(made.run / "architecture.json", made.family.describe(best))
        if not self._keeps_weights:
            return
        made.watch("training the pick once more, for its weights", note=str(made.run / WEIGHTS))
        network, error = made.error.network(best)
        measured = made.ledger.errors(made.ledger.trials(), 0.0)[made.space.index(best)]
        if made.options.seeds == 1 and not math.isclose(error, measured, rel_tol=NEARLY_AGAIN):
            _LOG.warning("trained once more, the pick has an error of %g instead of %g", error, measured)
        made.family.save(network, made.run)

    @property
    def _keeps_weights(self) -> bool:
        return self.made.error.inherits and self.made.family.has_weights

    def _write_manifest(self, created: str) -> None:
        """Of the question that the other files answer: an earlier call may have asked another one."""
        write_json(self.made.run / "manifest.json", replace(self.manifest, created=created).to_json())

    @property
    def _latencies(self) -> Json | None:
        return None if self.table is None else self.table.to_json()

    @property
    def _timed_with(self) -> TimedWith:
        if self.table is None:
            return TimedWith(runtime=self.made.options.runtime, threads=self.made.options.threads)
        return timed_by(self.table)

    @property
    def _decided(self) -> Json:
        """What a certificate says of these very trials, this question and this machine."""
        return {
            "ledger_hash": self.made.ledger.hash(),
            "question": self.made.question.to_json(),
            "strategy": self.made.options.strategy,
            "steps": self.made.error.steps,
            "latency_table": self._latencies,
            "versions": versions(),
            "hardware": Hardware.here().to_json(),
        }

    def _known(self) -> ExtractResult | None:
        """What an earlier call wrote about the same, if that is all there."""
        run, decided = self.made.run, json.loads(json.dumps(self._decided))
        known = read_record(ExtractResult, run / "extract.json")
        if known is None or (known.run, known.timed_with) != (str(run), self._timed_with):
            return None
        certificate, best = known.certificate.to_json(), known.certificate.best.architecture
        is_the_same = (
            {name: certificate[name] for name in decided} == decided
            and read_json(run / "certificate.json") == certificate
            and read_json(run / "architecture.json")
            == (None if best is None else json.loads(json.dumps(self.made.family.describe(best))))
        )
        kept = best is None or not self._keeps_weights or (run / WEIGHTS).is_file()
        return known if is_the_same and kept else None
