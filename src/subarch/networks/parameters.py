"""One architectural parameter and its choices: ordered, as depth and widths are, or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from subarch.errors import InputError

Value = int | float | str


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One architectural parameter and its finite list of choices.

    Args:
        name: a Python identifier, so that constraints can name it.
        choices: at least one; numbers in ascending order where ``ordered``, otherwise any distinct JSON scalars.
        ordered: whether a larger value gives a larger network.

    Raises:
        ValueError: for an empty, repeated, unsorted or non-numeric list of choices.
    """

    name: str
    choices: tuple[Value, ...]
    ordered: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        if not self.name.isidentifier():
            raise InputError(f"parameter names must be identifiers such as 'hidden_size', got {self.name!r}")
        if not self.choices:
            raise InputError(f"parameter {self.name!r} has no choices: give at least one")
        if len(self.choices) > np.iinfo(np.int16).max:
            raise InputError(f"parameter {self.name!r} has {len(self.choices)} choices, at most 32767 are supported")
        if len(set(self.choices)) != len(self.choices):
            raise InputError(f"parameter {self.name!r} repeats a choice: {list(self.choices)}")
        for choice in self.choices:
            if isinstance(choice, bool) or not isinstance(choice, (int, float, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InputError(f"choices of {self.name!r} must be numbers or strings, got {choice!r}")
            if isinstance(choice, float) and not math.isfinite(choice):
                raise InputError(f"choices of {self.name!r} must be finite, got {choice!r}")
        if self.ordered:
            if any(isinstance(choice, str) for choice in self.choices):
                raise InputError(f"ordered parameter {self.name!r} needs numeric choices, got {list(self.choices)}")
            if list(self.choices) != sorted(cast("tuple[float, ...]", self.choices)):
                raise InputError(f"choices of ordered parameter {self.name!r} must ascend, got {list(self.choices)}")
