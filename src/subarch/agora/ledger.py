"""The ledger: an Optuna study with one finished trial a training, and what each student said of the development data.

A trial is written when its predictions are on disk, so that a process killed at any moment leaves whole trials or none,
and no training is ever done twice. ``optuna-dashboard`` and ``study.trials_dataframe()`` work on it.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from subarch.agora.data import Labelled, Labels, Learner, key_of
from subarch.agora.pruning import Theta
from subarch.errors import InputError
from subarch.storage import write_json, written_whole

FILE = "study.db"


def training_key(learner: Learner[Any], data: Labelled[Any], theta: Theta, seed: int) -> str:
    """Digest (hex) of all that determines a training."""
    sha = hashlib.sha256(json.dumps([learner.identity, dict(theta), seed]).encode())
    sha.update(points_digest(learner, data).encode())
    return sha.hexdigest()[:24]


def points_digest(learner: Learner[Any], data: Labelled[Any]) -> str:
    """sha256 (hex) of points and labels, in order."""
    sha = hashlib.sha256(np.ascontiguousarray(data.labels).tobytes())
    for point in data.points:
        sha.update(key_of(learner, point).encode())
    return sha.hexdigest()


class TrainingLedger:
    """Trainings of one folder.

    Args:
        folder: made when it is missing.
        identity: what everything in it depends on (JSON).
        sets: all hyperparameter sets; the values of a name are the choices of a categorical parameter.

    Raises:
        ValueError: when the folder was begun with another identity, naming what differs.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], sets: Sequence[Theta]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._predictions = folder / "predictions"
        self._predictions.mkdir(exist_ok=True)
        file = folder / "identity.json"
        now = json.loads(json.dumps(identity))
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else now
        if other := sorted(name for name in now | before if now.get(name) != before.get(name)):
            raise InputError(
                f"{folder} was begun with other values of {', '.join(other)}: give those again to go on, or another "
                "folder"
            )
        write_json(file, now)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{folder / FILE}", engine_kwargs={"connect_args": {"timeout": 60}}
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                storage=storage, study_name="agora", direction="maximize", load_if_exists=True
            )
        names = dict.fromkeys(name for theta in sets for name in theta)
        choices = {name: [_plain(theta[name]) for theta in sets if name in theta] for name in names}
        self._distributions = {name: CategoricalDistribution(_different(values)) for name, values in choices.items()}
        trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        self._known = {trial.user_attrs["key"] for trial in trials}

    def predictions(self, key: str) -> Labels | None:
        """What the student of a finished training said of the development points."""
        return np.load(self._predictions / f"{key}.npy") if key in self._known else None

    def record(self, key: str, *, score: float, predictions: Labels, theta: Theta, details: Mapping[str, Any]) -> None:
        """Append one finished training, whole or not at all."""
        with written_whole(self._predictions / f"{key}.npy") as part, part.open("wb") as file:
            np.save(file, predictions)
        parameters = {name: _plain(value) for name, value in theta.items()}
        self._study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                params=parameters,
                distributions={name: self._distributions[name] for name in parameters},
                value=score,
                user_attrs={"key": key, **details},
            )
        )
        self._known.add(key)


def _different(values: Sequence[Any]) -> list[Any]:
    """Without repeats; 1 and True are two values."""
    return list({repr(value): value for value in values}.values())


def _plain(value: Any) -> Any:
    """What a categorical parameter may be: a list of widths becomes its text."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)
