"""The gate: a form of a network that loses accuracy is not chosen, however fast it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.options.running import ArtifactName, Precision
from subarch.running.graphs import Head

Outputs = Sequence[NDArray[np.float32]]
_ROUNDING = 1e-3  # of the largest output: 32-bit floats in another order differ by less


@dataclass(frozen=True, kw_only=True)
class Parity:
    """One form beside the network in PyTorch with 32-bit floats.

    Attributes:
        artifact: name of the form.
        metric: its score on development data in [0, 1]; None without such data.
        drop: points of 100 below PyTorch's; negative where it is better; None without data.
        label_flips: examples that get another label; None where labels are numbers, or without a head.
        examples: how many were compared.
        largest_difference: between outputs, absolute.
        passed: whether it may be chosen.
        reason: why, in words.
    """

    artifact: ArtifactName
    metric: float | None
    drop: float | None
    label_flips: int | None
    examples: int
    largest_difference: float
    passed: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judged(
    name: ArtifactName,
    precision: Precision,
    head: Head,
    reference: Outputs,
    outputs: Outputs,
    *,
    score: Callable[[Outputs], float] | None,
    max_drop: float,
) -> Parity:
    """Whether a form may take the network's place.

    Without development data nobody knows what 8-bit integers cost, and only 32-bit floats that agree with PyTorch pass.

    Args:
        name: of the form.
        precision: of the form.
        head: of the network.
        reference: what PyTorch says of every example.
        outputs: what the form says.
        score: of outputs, in [0, 1]; None without labels.
        max_drop: points of 100 that may be lost.
    """
    difference = max((float(np.abs(a - b).max()) for a, b in zip(reference, outputs, strict=True)), default=0.0)
    finite = all(bool(np.isfinite(one).all()) for one in outputs)
    flips = None
    if head in ("classification", "choice"):
        flips = sum(int(a.argmax() != b.argmax()) for a, b in zip(reference, outputs, strict=True))
    metric = drop = None
    if not finite:
        passed, reason, difference = False, "it gives numbers that are not finite", float(np.finfo(np.float32).max)
    elif score is None:
        largest = max((float(np.abs(one).max()) for one in reference), default=0.0)
        passed = precision == "float32" and difference <= _ROUNDING * max(1.0, largest)
        reason = "it agrees with PyTorch" if passed else "no labelled data say what its rounding costs"
        if precision == "float32" and not passed:
            reason = f"its outputs differ from PyTorch's by up to {difference:.2g}"
    else:
        metric = score(outputs)
        drop = 100 * (score(reference) - metric)
        passed = drop <= max_drop + 1e-9
        reason = f"it loses {drop:.2f} points" if drop > 0 else "it loses nothing"
        reason += "" if passed else f", more than {max_drop:g}"
    return Parity(
        artifact=name,
        metric=metric,
        drop=drop,
        label_flips=flips,
        examples=len(reference),
        largest_difference=difference,
        passed=passed,
        reason=reason,
    )
