"""What is trained in one run directory: counted first, measured, and written down before anything else is decided."""

from __future__ import annotations

import contextlib
import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from subarch import __version__
from subarch.errors import InputError
from subarch.executors.interrupting import OutOfTimeError, interrupted_after
from subarch.extraction.conclusions import digest
from subarch.extraction.noise import REPEATS, is_whole, middles, repeats_by_network, smallest
from subarch.extraction.objectives import Measurement
from subarch.extraction.opening import Opened
from subarch.extraction.search import Budget
from subarch.extraction.study import Ledger, Purpose
from subarch.extraction.timings import Timings
from subarch.manifest import surroundings
from subarch.networks.space import Architecture, Index
from subarch.progress import Watch
from subarch.results.base import Json
from subarch.running.latency_table import LatencyTable

_LOG = logging.getLogger(__name__)

FORMAT = 1
"""Of the run directory; a directory of another format is refused."""
MOST_FAILURES = 3
"""Networks that may fail before as many must have succeeded."""
NO_TIME = "the budget ended before a single architecture was trained: give more"


class Trainings:
    """The ledger of one run at one number of steps, and what goes into it.

    Attributes:
        counts: of every architecture; changed where a network refutes them.
        ledger: of all trainings.
        times: what networks take.
        family_json: the family, as JSON.
    """

    def __init__(self, opened: Opened, run: Path, watch: Watch) -> None:
        self.run, self.watch = run, watch
        self.options, self.question = opened.options, opened.question
        self.family, self.counts, self.error = opened.source.family, opened.counts, opened.error
        self.space = self.family.space
        self.times = Timings(self.options, self.family, run, watch)
        self.family_json: Json = json.loads(json.dumps(self.family.to_json()))
        identity = {
            "format": FORMAT,
            "version": __version__,
            "family": digest(self.family_json),
            "space": self.space.hash,
            "reference": dict(self.question.reference),
            "cost": self.question.cost,
            "sequence_length": self.question.sequence_length,
            "error": self.error.definition,
        }
        self.ledger = Ledger(run, self.space, self.error.steps, identity)

    def confirm_counts(self) -> None:
        """What an earlier call has trained is counted by building it, as everything is before it is trained.

        Raises:
            ValueError: for a ledger with other counts.
        """
        for trial in self.ledger.trials():
            built = self.counts.confirm(trial.architecture)
            cost = built.macs if self.question.cost == "macs" else trial.cost
            if (trial.parameters, trial.cost) != (built.parameters, cost):
                raise InputError(
                    f"{self.run} records {trial.parameters:g} parameters and a cost of {trial.cost:g} for "
                    f"{trial.architecture}, which has {built.parameters} and {cost:g}: take another --run"
                )

    def confirm(self, index: Index) -> None:
        """Counted by building it, before it is trained."""
        self.counts.confirm(self.space.architecture(index))

    def table(self) -> LatencyTable | None:
        """Milliseconds over the space, where they decide anything."""
        if not self.question.needs_latency:
            return None
        if self.question.cost == "latency_ms" and self.ledger.trials() and not self.times.path.is_file():
            raise InputError(
                f"{self.times.path}, from which the costs of the trials were read, is gone: give another --run"
            )
        return self.times.table()

    def calibrate(self, budget: Budget) -> None:
        """The trainings that fix e_min and the noise, before the search.

        Raises:
            ValueError: when the budget ends before they are done.
            RuntimeError: when a network is found none of whose trainings succeeds, three times.
        """
        smallest, middle = self.landmarks()
        trials = self.ledger.trials()
        try:
            with interrupted_after(budget.last):
                known = any(trial.purpose == "floor" for trial in trials) or self._is_failed(smallest)
                if self.error.inherits and not known:
                    self.watch("measuring the scale of the error", done=0, total=REPEATS + 1)
                    self.record("floor", smallest, self.error.measure(smallest, steps=0))
                while not self._repeated(middle, "measuring the noise of the error"):
                    _, middle = self.landmarks()
                    if self._is_failed(middle):
                        raise RuntimeError("every training of every network that was tried failed: change the settings")
        except OutOfTimeError:
            raise InputError(NO_TIME) from None

    def repeat_beside(self, pick: Architecture, budget: Budget) -> None:
        """Repeats of the pick and of the smallest network, like those of the one in the middle: noise differs by size.

        What there is no time for is left out, and the noise is not known then; nor where one of them fails.
        """
        smallest, _ = self.landmarks()
        with contextlib.suppress(OutOfTimeError), interrupted_after(budget.last):
            for architecture in (smallest, pick) if smallest != pick else (pick,):
                if not self._is_failed(architecture):
                    self._repeated(architecture, "measuring the noise of the errors that decide", beside=True)

    def _repeated(self, architecture: Architecture, words: str, *, beside: bool = False) -> bool:
        """Repeat what is not repeated yet; False where that fails: in the middle another network takes its place."""
        while True:
            found = repeats_by_network(self.ledger.trials()).get(tuple(architecture.values()), {})
            if is_whole(found):
                return True
            if math.inf in found.values():
                return False
            repeat = next(n for n in range(1, REPEATS + 1) if n not in found)
            self.watch(words, done=repeat, total=REPEATS + 1)
            self.counts.confirm(architecture)
            measured = self.error.measure(architecture, repeat=repeat)
            if not self.record("repeat", architecture, measured, keep=beside, repeat=repeat) < math.inf and not beside:
                return False

    def _is_failed(self, architecture: Architecture) -> bool:
        return self.space.index(architecture) in self.ledger.failed(self.ledger.trials())

    def landmarks(self) -> tuple[Architecture, Architecture]:
        """The smallest architecture, and one in the middle of the sizes.

        The middle one is that of the repeats that there are, and none whose every training failed.
        """
        trials = self.ledger.trials()
        failed = set(self.ledger.failed(trials))
        whole = (key for key, found in repeats_by_network(trials).items() if is_whole(found))
        if (known := next(whole, None)) is not None:
            return smallest(self.space, self.counts), dict(zip(self.space.names, known, strict=True))
        near = list(middles(self.space, self.counts))
        middle = next((one for one in near if self.space.index(one) not in failed), near[0])
        return smallest(self.space, self.counts), middle

    def record(
        self,
        purpose: Purpose,
        architecture: Architecture,
        measured: Measurement,
        *,
        keep: bool = False,
        **details: Any,
    ) -> float:
        """Write a training down, and return its error: infinite where it failed.

        Args:
            purpose: what it was for; ``failed`` takes its place where it failed, but for ``keep``.
            architecture: what was trained.
            measured: its error.
            keep: whether the network is not left out where this training failed.
            details: more to write down.

        Raises:
            RuntimeError: when so much fails that the settings must be wrong.
        """
        index = self.space.index(architecture)
        parameters, cost = self._costs(index)
        content: dict[str, Any] = {"standard_error": measured.standard_error, "seconds": measured.seconds}
        content["runs"] = [one.to_json() for one in measured.runs]
        content["made"] = {"executor": self.options.executor, "with": surroundings()}
        failed = not measured.error < math.inf and not keep
        self.ledger.record(
            "failed" if failed else purpose,
            architecture,
            parameters=parameters,
            cost=cost,
            error=measured.error,
            details={**content, **details},
        )
        if failed:
            self._failed(architecture, measured)
        return measured.error

    def _failed(self, architecture: Architecture, measured: Measurement) -> None:
        """Say that a network is left out, or end the run where that has become the rule."""
        reasons = "; ".join(sorted({run.failure for run in measured.runs if run.failure}))
        trials = self.ledger.trials()
        failed = self.ledger.failed(trials)
        if len(failed) >= MOST_FAILURES and 2 * len(failed) > len(failed) + len(self.ledger.errors(trials, 0.0)):
            named = ", ".join(str(self.space.architecture(index)) for index in failed[-MOST_FAILURES:])
            advice = "an error is a finite number from 0" if self.error.custom else "lower --learning-rates"
            raise RuntimeError(
                f"every training of {named} failed ({reasons}): {advice}, and take another --run; finished trials are "
                "kept"
            )
        _LOG.warning(
            "every training of %s failed (%s): it is left out, and named in the certificate", architecture, reasons
        )

    def _costs(self, index: Index) -> tuple[float, float]:
        built = self.counts.confirm(self.space.architecture(index))
        if self.question.cost == "latency_ms":
            return float(built.parameters), float(self.times.table().predict(np.array([index], dtype=np.int16))[0])
        return float(built.parameters), float(built.macs)
