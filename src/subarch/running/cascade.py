"""Two networks as one: the second is asked about the texts of which the first is not sure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.running.base import TextProgram
from subarch.running.predictor import Predictor
from subarch.text.examples import Example

FILE = "cascade.json"
FIRST, SECOND = "first", "second"
"""Folders of the two exports, below that of the cascade."""


def confidence(outputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Probability of the likeliest class by the softmax of logits, of each text: ``(texts,)``."""
    found = np.stack(outputs).astype(np.float64) if len(outputs) else np.empty((0, 1))
    raised = np.exp(found - found.max(axis=1, keepdims=True, initial=-np.inf))
    return raised.max(axis=1) / raised.sum(axis=1)


class CascadeProgram(TextProgram):
    """Answers of the first where it is sure, of the second otherwise.

    Args:
        first: asked about everything.
        second: asked about the rest; of the same classes, in any order.
        least: confidence of the first that is enough.

    Raises:
        ValueError: where the two know other classes.
    """

    def __init__(self, first: Predictor, second: Predictor, least: float) -> None:
        if not first.label_names or sorted(first.label_names) != sorted(second.label_names):
            raise InputError(
                f"a cascade is of two networks of the same classes, got {list(first.label_names)} and "
                f"{list(second.label_names)}"
            )
        self.first, self.second, self.least = first, second, least
        self._order = [second.label_names.index(name) for name in first.label_names]

    @classmethod
    def opened(cls, folder: Path) -> CascadeProgram:
        """As ``compress --cascade`` left it."""
        found: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
        first, second = (Predictor.from_pretrained(folder / name) for name in (FIRST, SECOND))
        return cls(first, second, float(found["least"]))

    def texts(self, examples: Sequence[Example], /) -> NDArray[np.float32]:
        if not examples:
            return np.empty((0, len(self._order)), np.float32)
        said = self.first.outputs(examples)
        unsure = np.flatnonzero(confidence(said) < self.least)
        found = np.stack(said)
        if len(unsure):
            found[unsure] = np.stack(self.second.outputs([examples[n] for n in unsure.tolist()]))[:, self._order]
        return found

    def unsure(self, examples: Sequence[Example]) -> NDArray[np.bool_]:
        """Which of them the second is asked about: ``(texts,)``."""
        return confidence(self.first.outputs(examples)) < self.least
