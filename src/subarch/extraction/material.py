"""What candidates of a search share: the source as a teacher, examples to learn from and to be judged by.

A repeat of the search has its own held-out batch, training batches and calibration data; within one, every candidate
sees the same batches in the same order (common random numbers), so that differences between errors are differences
between architectures. Weights and examples are opened when first needed. Where they come from is the matter of
:mod:`subarch.extraction.textual` and :mod:`subarch.extraction.families`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from subarch.learning.distances import Batch, Objective
from subarch.networks.inheritance import Inheritance
from subarch.networks.space import Value
from subarch.networks.tracing import Outputs, Traced, told
from subarch.results.base import Json
from subarch.tasks.task import Task

TRAINING, HELD_OUT, CALIBRATION = range(3)
"""What examples are drawn for: each draws its own."""

Build = Callable[[Mapping[str, Value], int], nn.Module]
"""From an architecture and a seed to a candidate before its training."""


@dataclass
class World:
    """Everything that candidates share within one repeat.

    Attributes:
        held_out: the batch B on which they are judged, in parts.
        build: makes a candidate.
        training: batches by seed and number of steps.
    """

    held_out: list[Batch]
    build: Build
    training: dict[tuple[int, int], list[Batch]] = field(default_factory=dict[tuple[int, int], list[Batch]])


@dataclass(kw_only=True)
class Material(ABC):
    """Opened when first needed; its fields alone travel to another process.

    Args:
        inherits: whether candidates start from the weights of a source, and learn from it.
        held_out: examples to judge by; None for the objective's own number.
    """

    inherits: bool
    held_out: int | None

    def __post_init__(self) -> None:
        self._forget()

    def __getstate__(self) -> object:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._forget()

    def _forget(self) -> None:
        self._worlds: dict[int, World] = {}
        self._traced: tuple[Traced, Mapping[str, torch.Tensor]] | None = None
        self._lock = threading.RLock()

    # What is asked

    @cached_property
    def profile(self) -> Objective:
        """The objective without its teacher: words and defaults."""
        return self.aim(opened=False)

    @cached_property
    def objective(self) -> Objective:
        """What candidates are trained for and judged by."""
        return self.aim(opened=True)

    @abstractmethod
    def aim(self, *, opened: bool) -> Objective:
        """What candidates are trained for, with its teacher only where weights may be opened."""

    @property
    @abstractmethod
    def described(self) -> Json:
        """JSON data that tell this material from other; opens it."""

    @cached_property
    def task(self) -> Task | None:
        """Labelled texts, where the error is one of these."""
        return None

    # Where it comes from

    def read(self) -> Iterator[str]:
        """Every text that candidates and their source learn from; none where they read no text."""
        return iter(())

    @abstractmethod
    def learned_from(self, steps: int, seed: int) -> list[Batch]:
        """A batch a step."""

    @abstractmethod
    def judged_by(self, seed: int) -> list[Batch]:
        """Held-out examples."""

    @abstractmethod
    def calibrated_on(self, seed: int) -> list[Batch]:
        """What the importance of units is measured on."""

    @abstractmethod
    def build(self, repeat: int) -> Build:
        """What makes candidates of one repeat."""

    # What candidates meet

    def world(self, repeat: int) -> World:
        """What the candidates of one repeat share."""
        with self._lock:
            if repeat not in self._worlds:
                # The error itself and one repeat at a time: calibrations of large sources are large.
                self._worlds = {kept: world for kept, world in self._worlds.items() if kept == 0}
                self._worlds[repeat] = World(
                    self._prepared(self.judged_by(mixed(HELD_OUT, 0, repeat))), self.build(repeat)
                )
            return self._worlds[repeat]

    def training(self, repeat: int, seed: int, steps: int) -> list[Batch]:
        """As many training batches as there are steps."""
        with self._lock:
            kept = self.world(repeat).training
            if steps and (seed, steps) not in kept:
                kept[seed, steps] = self._prepared(self.learned_from(steps, mixed(TRAINING, seed, repeat)))
            return kept.get((seed, steps), [])

    @torch.no_grad()
    def _prepared(self, batches: Sequence[Batch]) -> list[Batch]:
        return [self.objective.prepared(batch) for batch in batches]

    def _inheritance(self, teacher: nn.Module, repeat: int, outputs: Outputs, says: Outputs = told) -> Inheritance:
        batches = self.calibrated_on(mixed(CALIBRATION, 0, repeat))
        traced, example = self._traced or (None, None)
        inheritance = Inheritance(teacher, batches, outputs=outputs, says=says, traced=traced, example=example)
        if self._traced is None:  # proven once, whatever later repeats calibrate on
            self._traced = inheritance.traced, inheritance.example
        return inheritance


def mixed(purpose: int, seed: int, repeat: int) -> int:
    """A seed for each purpose, seed and repeat, far from one another."""
    return int(np.random.SeedSequence([purpose, seed, repeat]).generate_state(1)[0])
