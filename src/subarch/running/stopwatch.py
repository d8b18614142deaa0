"""What a network takes as it is served: in which form and with how many threads is decided here, by readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from subarch.errors import InputError, MissingPackageError
from subarch.networks.family import Family
from subarch.networks.space import Architecture, Space
from subarch.options.forms import ArtifactName
from subarch.plugins import imported
from subarch.progress import Watch, silent
from subarch.running.artifacts import any_of_extras, is_installed
from subarch.running.conversion import passes
from subarch.running.processor import usable_cores
from subarch.running.timing import Pace, Pass, in_turns, torch_pass, unweighted
from subarch.threads import pinned

_HOPELESS = 2.0  # a form that takes so many times the best one's time of a network in the middle is not tried on T
_SOME_THREADS = 4  # between one and all cores


class Setting(NamedTuple):
    """What runs a network: a runtime with its precision, and threads of one pass (None: all that there are)."""

    runtime: str
    threads: int | None


def numbers_of_threads() -> tuple[int, ...]:
    """What is tried where nobody says how many threads a pass has."""
    return tuple(sorted({1, min(_SOME_THREADS, usable_cores()), usable_cores()}))


@dataclass(frozen=True)
class Beginning:
    """The first readings of a space.

    Attributes:
        reference_ms: what T takes in its own best form.
        readings: architectures and what they take, the smallest one's first.
        settings: how they were taken, as JSON.
    """

    reference_ms: float
    readings: Sequence[tuple[Architecture, float]]
    settings: Mapping[str, Any]


class Timekeeper(Protocol):
    """Tells what networks take."""

    def begin(self) -> Beginning:
        """The first readings; also how they were taken."""
        ...

    def __call__(self, architecture: Architecture, /) -> float:
        """Milliseconds of a network, comparable with the first readings."""
        ...


def smallest_of(space: Space) -> Architecture:
    """A smallest architecture; where constraints remove the corner, one near it.

    Raises:
        ValueError: when no architecture meets the constraints.
    """
    corners = np.array([box.lo for box in space.roots()], dtype=np.int16)
    corners = corners[space.feasible(corners)]
    if len(corners):
        return space.architecture(corners[0].tolist())
    return _nearest(space, 0.0)


def _nearest(space: Space, share: float) -> Architecture:
    """The feasible architecture that is nearest to such a share of every parameter's choices."""
    rows = space.sample(1000, 0)
    if not len(rows):
        raise InputError("no architecture of the space meets its constraints: nothing to time")
    ends = np.array([max(1, len(parameter.choices) - 1) for parameter in space.parameters])
    return space.architecture(rows[int(np.abs(rows / ends - share).sum(axis=1).argmin())].tolist())


class Stopwatch:
    """Times a family's networks here, in the fastest of some forms.

    Every network is timed in turns with the smallest one, whose first reading is the measure for all later ones: a
    machine that has become slower since says the same. T's time is that of T's own fastest form.

    Args:
        family: builds the networks, heads included.
        forms: candidates.
        sequence_length: tokens of the timed forward pass.
        batch_size: sequences of it.
        rounds: how often a network is visited, at least.
        repeats: timed passes a visit, at least.
        programs: makes an architecture's passes in some forms, where that is not as they are exported here.
        known: settings of a table that is gone on with.
        watch: told what is timed.
    """

    def __init__(
        self,
        family: Family,
        *,
        forms: Sequence[Setting],
        sequence_length: int,
        batch_size: int = 1,
        rounds: int = 3,
        repeats: int = 5,
        programs: Callable[[Architecture, Sequence[Setting]], Mapping[Setting, Pass]] | None = None,
        known: Mapping[str, Any] | None = None,
        watch: Watch = silent,
    ) -> None:
        self._family, self._forms, self._watch = family, forms, watch
        self._sizes = (batch_size, sequence_length)
        self._programs = programs or self._exported
        self._turns = {"rounds": rounds, "repeats": repeats}
        self._settings = {**self._turns, "batch_size": batch_size, "sequence_length": sequence_length}
        self._smallest = smallest_of(family.space)
        self._yardstick: Pass | None = None
        self._yardstick_ms = 0.0
        self._form = forms[0]
        if known is not None:
            self._form, self._yardstick_ms = Setting(known["runtime"], known["threads"]), float(known["yardstick_ms"])

    def begin(self) -> Beginning:
        """Decide on a form by a network in the middle, and read it, T and the smallest one in turns."""
        space, tried = self._family.space, dict[tuple[str, Setting], Pace]()
        named = {"smallest": self._smallest, "reference": self._family.reference}
        programs, hopeful = dict[tuple[str, Setting], Pass](), self._forms
        if len(self._forms) > 1:
            named["between"] = _nearest(space, 0.5)
            made = self._made("between", named["between"], self._forms)
            tried = in_turns(made, **self._turns)
            self._form = min(tried, key=lambda key: tried[key].typical_ms)[1]
            best = min(one.fast_ms for one in tried.values())
            hopeful = [form for (_, form), one in tried.items() if one.fast_ms <= _HOPELESS * best]
            programs = {key: made[key] for key in made if key[1] == self._form}
        programs |= self._made("reference", self._family.reference, hopeful)
        programs |= self._made("smallest", self._smallest, [self._form])
        with self._pinned(self._forms):
            found = in_turns(programs, **self._turns)
        self._yardstick = programs["smallest", self._form]
        self._yardstick_ms = found["smallest", self._form].fast_ms
        fastest = min((key for key in found if key[0] == "reference"), key=lambda key: found[key].fast_ms)
        inside = [name for name in named if (name, self._form) in found and space.contains(named[name])]
        settings = {
            "runtime": self._form.runtime,
            "threads": self._threads(self._form),
            "reference_runtime": fastest[1].runtime,
            "reference_threads": self._threads(fastest[1]),
            "yardstick_ms": self._yardstick_ms,
            "candidates": [
                {"network": name, "runtime": form.runtime, "threads": self._threads(form), **one._asdict()}
                for (name, form), one in (found | tried).items()
            ],
        }
        readings = [(named[name], found[name, self._form].fast_ms) for name in inside]
        return Beginning(found[fastest].fast_ms, readings, self._settings | settings)

    def _made(self, name: str, architecture: Architecture, forms: Sequence[Setting]) -> dict[tuple[str, Setting], Pass]:
        self._watch("deciding how networks are served", note=" / ".join(str(one) for one in architecture.values()))
        return {(name, form): program for form, program in self._programs(architecture, forms).items()}

    def __call__(self, architecture: Architecture, /) -> float:
        """Milliseconds of a network in the form that was decided on."""
        if self._yardstick is None:
            self._yardstick = self._programs(self._smallest, [self._form])[self._form]
        self._watch("timing networks as they are served", note=" / ".join(str(one) for one in architecture.values()))
        program = self._programs(architecture, [self._form])[self._form]
        with self._pinned([self._form]):
            found = in_turns({"it": program, "yardstick": self._yardstick}, **self._turns)
        return self._yardstick_ms * found["it"].fast_ms / found["yardstick"].fast_ms

    def _exported(self, architecture: Architecture, forms: Sequence[Setting]) -> Mapping[Setting, Pass]:
        inputs = self._family.inputs(*self._sizes)
        if forms[0].runtime == "pytorch":  # what ranges of integers are measured on must be more than constants
            return {form: torch_pass(unweighted(self._family, architecture), inputs) for form in forms}
        made = passes(self._family.served(architecture), inputs, [(form.runtime, form.threads) for form in forms])
        return {form: made[form.runtime, form.threads] for form in forms}

    def _pinned(self, forms: Sequence[Setting]) -> Any:
        """Threads are torch's own affair in PyTorch alone, where there is one candidate."""
        return pinned(forms[0].threads) if len(forms) == 1 else nullcontext()

    @staticmethod
    def _threads(form: Setting) -> int:
        return form.threads or torch.get_num_threads()


class OwnTimes:
    """A function of the user's own that tells what an architecture takes, wherever it will run.

    Args:
        name: ``module.path:name`` of it, as somebody typed it: ``(architecture) -> milliseconds``.
        family: whose architectures these are.
    """

    def __init__(self, name: str, family: Family) -> None:
        self._name, self._family = name, family
        self._function: Callable[..., Any] = imported(
            name, "runtime", "module.path:name of a function (architecture) -> milliseconds"
        )

    def begin(self) -> Beginning:
        """Of the smallest network and T."""
        family = self._family
        named = {"smallest": smallest_of(family.space), "reference": family.reference}
        found = {name: self(architecture) for name, architecture in named.items()}
        inside = [(named[name], ms) for name, ms in found.items() if family.space.contains(named[name])]
        settings = {"runtime": self._name, "threads": None}
        settings |= {"reference_runtime": self._name, "reference_threads": None}
        return Beginning(found["reference"], inside, settings)

    def __call__(self, architecture: Architecture, /) -> float:
        """Milliseconds.

        Raises:
            ValueError: where the function does not return a positive number.
            RuntimeError: when it raises.
        """
        try:
            found = float(self._function(dict(architecture)))
        except Exception as failed:  # the user's code: a failure of the work, whatever it raises
            raise RuntimeError(f"{self._name} failed on {dict(architecture)}: {failed!r}") from failed
        if not 0 < found < float("inf"):
            raise InputError(f"{self._name} must return milliseconds, a positive number, got {found}")
        return found


def timekeeper_of(
    family: Family,
    runtime: str,
    *,
    forms: Sequence[ArtifactName],
    threads: int | None,
    sequence_length: int,
    known: Mapping[str, Any] | None = None,
    watch: Watch = silent,
) -> Timekeeper:
    """What tells the times of a family's networks.

    Args:
        family: of the networks.
        runtime: a form, ``served`` for the fastest of the forms, or ``module.path:name`` of a function of the user's.
        forms: candidates of ``served``.
        threads: of one pass; with ``served`` decided by readings when not given, otherwise all.
        sequence_length: tokens of one pass.
        known: settings of a table that is gone on with.
        watch: told what is timed.

    Raises:
        ValueError: for a function that cannot be imported.
        ImportError: where no candidate of ``served`` is installed.
    """
    if ":" in runtime:
        return OwnTimes(runtime, family)
    if runtime == "served":
        numbers = numbers_of_threads() if threads is None else (threads,)
        candidates = [Setting(form, number) for form in forms if is_installed(form) for number in numbers]
        if not candidates:
            raise MissingPackageError(f"no form to serve is installed: pip install {any_of_extras()}")
    else:
        candidates = [Setting(runtime, threads)]
    return Stopwatch(family, forms=candidates, sequence_length=sequence_length, known=known, watch=watch)
