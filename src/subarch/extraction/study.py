"""The ledger: an Optuna study in the run directory, one finished trial a training.

A trial is written in one transaction when its training is done, so that a process killed at any moment leaves whole
trials or none. Three minimised objectives (parameters, cost, error); everything else is in user attributes, so that
``optuna-dashboard`` and ``study.trials_dataframe()`` work on a run.

Errors of different step counts never mix: each step count has a study of its own, named ``steps-N``.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from subarch.errors import InputError
from subarch.networks.space import Architecture, Index, Parameter, Space
from subarch.results.base import Json

Purpose = Literal["search", "audit", "repeat", "floor", "failed"]
"""``search``: a candidate's error; ``audit``: that of one drawn at random when the claim was closed; ``repeat``: the
same architecture with other seeds and batches, for the noise; ``floor``: the smallest candidate before any training,
for e_min; ``failed``: a candidate whose every training failed, with an infinite error. It is not trained again."""
PURPOSES: tuple[str, ...] = get_args(Purpose)
EVIDENCE: tuple[Purpose, ...] = ("search", "audit")
"""Errors that bound others, and among which the pick is."""

FILE = "study.db"
BUSY_SECONDS = 60
_LATENCIES = "latency_table"
_DIRECTIONS: tuple[Literal["minimize"], ...] = ("minimize", "minimize", "minimize")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One finished training.

    Args:
        number: position in the ledger, from 0.
        purpose: what it was for.
        architecture: what was trained.
        parameters: p.
        cost: i.
        error: as measured, before it is clamped to e_min.
        details: standard error, runs, seconds, repeat number and so on; JSON.
    """

    number: int
    purpose: Purpose
    architecture: Architecture
    parameters: float
    cost: float
    error: float
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What the ledger's hash covers: everything but the clock."""
        details = {key: value for key, value in self.details.items() if key != "seconds"}
        return {
            "number": self.number,
            "purpose": self.purpose,
            "architecture": self.architecture,
            "parameters": self.parameters,
            "cost": self.cost,
            "error": self.error,
            "details": details,
        }


class Ledger:
    """The study of one run and one step count.

    Args:
        run: the run directory; must exist.
        space: the search space.
        steps: the step count that names the study.
        identity: what a trial's error depends on (JSON); a run directory made with another identity is refused.

    Raises:
        ValueError: when the directory holds another space or another definition of the error.
        OSError: when the study cannot be read or written.
    """

    def __init__(self, run: Path, space: Space, steps: int, identity: Mapping[str, Any]) -> None:
        self._path = run / FILE
        self._space = space
        self._name = f"steps-{steps}"
        with self._storage_errors("open"):
            self._check(json.loads(json.dumps(identity)))
            self._study = _study(self._path, self._name, create=True)
            if self.identity != identity:
                self._study.set_user_attr("identity", dict(identity))

    @classmethod
    def reading(cls, run: Path, space: Space, steps: int) -> Ledger:
        """Open an existing study without checking or changing it.

        Raises:
            ValueError: when there is none.
        """
        ledger = cls.__new__(cls)
        ledger._path, ledger._space, ledger._name = run / FILE, space, f"steps-{steps}"
        if not ledger._path.is_file():
            raise InputError(f"expected a ledger at {ledger._path}, found none: is this the directory of a run?")
        with ledger._storage_errors("read"):
            try:
                ledger._study = _study(ledger._path, ledger._name, create=False)
            except KeyError as error:
                raise InputError(f"{ledger._path} holds no study named {ledger._name!r}") from error
        return ledger

    @property
    def identity(self) -> Json:
        """What the trials' errors depend on, as recorded when the study began."""
        return self._study.user_attrs.get("identity", {})

    def _check(self, identity: dict[str, Any]) -> None:
        """Refuse another identity than that of any study here; one without a trial binds nobody."""
        if not self._path.is_file():
            return
        asked = dict(_flat(identity))
        for study in optuna.get_all_study_summaries(_storage(self._path), include_best_trial=False):
            recorded = dict(_flat(study.user_attrs.get("identity", {})))
            changed = [key for key in sorted({*recorded, *asked}) if recorded.get(key) != asked.get(key)]
            if study.study_name != self._name:
                changed = [key for key in changed if key != "error.steps"]  # what tells the studies apart
            if not (changed and study.n_trials):
                continue
            lines = "; ".join(
                f"{key}: the run has {_short(recorded.get(key))}, this command {_short(asked.get(key))}"
                for key in changed
            )
            raise InputError(
                f"{self._path.parent} was made with other settings ({lines}). Give the same ones, or another --run."
            )

    @contextmanager
    def _storage_errors(self, verb: str) -> Generator[None]:
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError, AssertionError) as error:
            cause = error.__cause__ or error
            detail = str(getattr(cause, "orig", cause)).splitlines()[0] if str(cause) else type(cause).__name__
            raise OSError(
                f"could not {verb} the ledger {self._path}: {detail}. Finished trials are safe: check that the disk "
                "has room, that the directory can be written and that it is an Optuna study, then run the command again"
            ) from error

    def record(
        self,
        purpose: Purpose,
        architecture: Architecture,
        *,
        parameters: float,
        cost: float,
        error: float,
        details: Mapping[str, Any],
    ) -> None:
        """Append one finished training, whole or not at all."""
        trial = create_trial(
            state=TrialState.COMPLETE,
            params=dict(architecture),
            distributions={p.name: _distribution(p) for p in self._space.parameters},
            values=[float(parameters), float(cost), float(error)],
            user_attrs={"purpose": purpose, "details": dict(details)},
        )
        with self._storage_errors("write to"):
            self._study.add_trial(trial)

    def trials(self) -> list[Trial]:
        """Every finished training, in the order of recording."""
        with self._storage_errors("read"):
            frozen = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [
            Trial(
                number=trial.number,
                purpose=trial.user_attrs["purpose"],
                architecture={name: trial.params[name] for name in self._space.names},
                parameters=trial.values[0],
                cost=trial.values[1],
                error=trial.values[2],
                details=trial.user_attrs["details"],
            )
            for trial in sorted(frozen, key=lambda trial: trial.number)
        ]

    def hash(self) -> str:
        """SHA-256 over the trials in order and what they and their limits depend on; clocks apart."""
        return self._hash(self.trials(), {} if self.latencies is None else {_LATENCIES: self.latencies})

    def hash_before(self, number: int) -> str:
        """SHA-256 of the trials before that one, which whatever comes later leaves as it is."""
        return self._hash(self.trials()[:number], {})

    def _hash(self, trials: list[Trial], more: Mapping[str, str]) -> str:
        content = {"identity": dict(self.identity), "trials": [trial.to_json() for trial in trials], **more}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def latencies(self) -> str | None:
        """Digest of the latency table that limits are decided on, None where no question needed one yet."""
        return self._study.user_attrs.get(_LATENCIES)

    def bind_latencies(self, table: str) -> None:
        """Record the digest of the latency table."""
        if self.latencies != table:
            with self._storage_errors("write to"):
                self._study.set_user_attr(_LATENCIES, table)

    def failed(self, trials: list[Trial]) -> list[Index]:
        """Architectures whose every training failed, in the order of training."""
        return list(dict.fromkeys(self._space.index(one.architecture) for one in trials if one.purpose == "failed"))

    def errors(self, trials: list[Trial], e_min: float) -> dict[Index, float]:
        """The clamped errors of all evidence, in the order of training."""
        return {
            self._space.index(trial.architecture): max(trial.error, e_min)
            for trial in trials
            if trial.purpose in EVIDENCE
        }


def _study(path: Path, name: str, *, create: bool) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = _storage(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if create:
            return optuna.create_study(storage=storage, study_name=name, directions=_DIRECTIONS, load_if_exists=True)
        return optuna.load_study(storage=storage, study_name=name)


def _storage(path: Path) -> optuna.storages.RDBStorage:
    return optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})


def _distribution(parameter: Parameter) -> BaseDistribution:
    choices = parameter.choices
    if parameter.ordered and all(isinstance(choice, int) for choice in choices):
        return IntDistribution(int(choices[0]), int(choices[-1]))
    if parameter.ordered:
        return FloatDistribution(float(choices[0]), float(choices[-1]))
    return CategoricalDistribution(choices)


def _flat(identity: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by dotted names, so that a difference can be named."""
    for key, value in identity.items():
        if isinstance(value, dict):
            yield from _flat(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
