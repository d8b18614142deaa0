"""The gate: a form of a network that loses accuracy, or a class, is not chosen, however fast it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, fisher_exact

from subarch.options.forms import ArtifactName, Head, Precision
from subarch.results.export import FormResult

Outputs = Sequence[NDArray[np.float32]]
_ROUNDING = 1e-3  # of the largest output: 32-bit floats in another order differ by less
_FALL = 0.1  # of a class's recall: what rounding may take, whatever chance says
_CHANCE = 0.05  # losses of a class, or on long texts, that chance alone makes so seldom are believed
_LONG_FACTOR = 5.0  # numbers of long texts may be off by so much more than those of the judged rows


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a network says, of the same examples in every way in which it may be asked.

    Attributes:
        together: of every judged example, many a pass.
        alone: of the first of them, one a pass.
        long: of texts as long as texts may be, one a pass and then many a pass.
    """

    together: Outputs
    alone: Outputs = ()
    long: Outputs = ()

    @property
    def mixed(self) -> Outputs:
        """All judged examples, as far as they were asked alone."""
        return [*self.alone, *self.together[len(self.alone) :]]

    @property
    def all(self) -> Outputs:
        """Everything."""
        return [*self.together, *self.alone, *self.long]


@dataclass(frozen=True, kw_only=True)
class JudgedRows:
    """What is known of the judged examples.

    Attributes:
        score: of outputs, in [0, 1]; None without labels.
        labels: the place of each example's class among the outputs; None where there are no classes.
        names: of the classes, in the order of the outputs.
    """

    score: Callable[[Outputs], float] | None = None
    labels: Sequence[int] | None = None
    names: Sequence[str] = ()


def judged(
    name: ArtifactName,
    precision: Precision,
    head: Head,
    reference: Said,
    said: Said,
    *,
    rows: JudgedRows,
    max_drop: float,
) -> FormResult:
    """Whether a form may take the network's place.

    It may not where any of these holds, in this order:

    - a number is not finite;
    - it computes in 32-bit floats and differs from PyTorch by more than their rounding: then it is another network;
    - there are no labelled data, and its floats are shorter: nobody knows what that costs;
    - it loses more than ``max_drop`` points, in company or alone;
    - it never gives a class that PyTorch gives on the judged examples;
    - of a class, PyTorch's right answers are lost by more than a tenth of its examples, and by more than chance
      (a sign test of losses against gains, at 5 %);
    - texts of the greatest length get other labels than PyTorch's more often than the judged ones, by more than chance
      (Fisher's exact test, at 5 %, and more than a tenth of them); of numbers, the differences are five times as large.

    Args:
        name: of the form.
        precision: of the form.
        head: of the network.
        reference: what PyTorch says.
        said: what the form says.
        rows: what is known of the examples.
        max_drop: points of 100 that may be lost.
    """
    finite = all(bool(np.isfinite(one).all()) for one in said.all)
    difference = _difference(reference.together, said.together) if finite else float(np.finfo(np.float32).max)
    has_labels = head in ("classification", "choice")
    flips = _flips(reference.together, said.together) if has_labels else None
    pairs = {
        "alone": (said.together[: len(said.alone)], said.alone),
        "long": (reference.long, said.long),
    }
    more: dict[str, Any] = {}
    for what, (theirs, ours) in pairs.items():
        more[what] = len(ours)
        more[f"{what}_flips"] = _flips(theirs, ours) if has_labels else None
        more[f"{what}_difference"] = _difference(theirs, ours) if finite else difference
    metric = drop = None
    lost: tuple[str, ...] = ()
    if finite and rows.score is not None:
        metric = min(rows.score(said.together), rows.score(said.mixed))
        drop = 100 * (rows.score(reference.together) - metric)
    if finite and head == "classification":
        lost = _lost(reference, said, rows.names)
    problem = None if finite else "it gives numbers that are not finite"
    problem = problem or _other_network(precision, reference, said)
    if problem is None and rows.score is None and precision != "float32":
        problem = "no labelled data say what its rounding costs"
    if problem is None and drop is not None and drop > max_drop + 1e-9:
        problem = f"it loses {drop:.2f} points, more than {max_drop:g}"
    if problem is None and lost:
        problem = f"it never answers {_named(lost)}, which PyTorch gives: lost classes are refused whatever --max-drop"
    problem = problem or (_fallen(reference, said, rows) if head == "classification" else None)
    problem = problem or _worse_when_long(head, reference, said)
    if rows.score is None:
        good = "it agrees with PyTorch"
    else:
        good = f"it loses {drop:.2f} points" if drop is not None and drop > 0 else "it loses nothing"
    return FormResult(
        artifact=name,
        metric=metric,
        drop=drop,
        label_flips=flips,
        examples=len(reference.together),
        largest_difference=difference,
        lost=lost,
        passed=problem is None,
        reason=problem or good,
        **more,
    )


def _difference(theirs: Outputs, ours: Outputs) -> float:
    return max((float(np.abs(a - b).max()) for a, b in zip(theirs, ours, strict=True)), default=0.0)


def _flips(theirs: Outputs, ours: Outputs) -> int:
    return sum(int(a.argmax() != b.argmax()) for a, b in zip(theirs, ours, strict=True))


def _other_network(precision: Precision, reference: Said, said: Said) -> str | None:
    if precision != "float32":
        return None
    largest = max((float(np.abs(one).max()) for one in reference.all), default=0.0)
    ways: list[tuple[Literal["together", "alone", "long"], str]] = [
        ("together", ""),
        ("alone", " of texts that are asked alone"),
        ("long", " of the longest texts"),
    ]
    for way, words in ways:
        theirs, ours = getattr(reference, way), getattr(said, way)
        if way == "alone":
            theirs = reference.together[: len(ours)]
        if (difference := _difference(theirs, ours)) > _ROUNDING * max(1.0, largest):
            return f"its outputs{words} differ from PyTorch's by up to {difference:.2g}"
    return None


def _lost(reference: Said, said: Said, names: Sequence[str]) -> tuple[str, ...]:
    given = Counter(int(one.argmax()) for one in reference.together)
    found: set[int] = set()
    for outputs in (said.together, said.mixed):
        found |= set(given) - {int(one.argmax()) for one in outputs}
    return tuple(names[n] if n < len(names) else str(n) for n in sorted(found, key=lambda n: -given[n]))


def _fallen(reference: Said, said: Said, rows: JudgedRows) -> str | None:
    """The class whose recall fell farthest, in words, where one fell far."""
    if rows.labels is None:
        return None
    before = [int(one.argmax()) for one in reference.together]
    found: list[tuple[float, str]] = []
    for outputs in (said.together, said.mixed):
        now = [int(one.argmax()) for one in outputs]
        for label, count in Counter(rows.labels).items():
            mine = [n for n, other in enumerate(rows.labels) if other == label]
            lost = sum(before[n] == label != now[n] for n in mine)
            won = sum(now[n] == label != before[n] for n in mine)
            fall = (lost - won) / count
            if fall > _FALL and binomtest(lost, lost + won, 0.5, alternative="greater").pvalue < _CHANCE:
                name = rows.names[label] if label < len(rows.names) else str(label)
                told = f"{sum(before[n] == label for n in mine)} to {sum(now[n] == label for n in mine)} of {count}"
                found.append((fall, f"right answers of {name!r} fall from {told}"))
    return max(found)[1] if found else None


def _worse_when_long(head: Head, reference: Said, said: Said) -> str | None:
    """Whether texts of the greatest length fare worse than the others: labels, or numbers where there are none."""
    count = len(said.long)
    if not count:
        return None
    if head in ("classification", "choice"):
        flips, others = _flips(reference.long, said.long), _flips(reference.together, said.together)
        table = [[flips, count - flips], [others, len(said.together) - others]]
        if flips > _FALL * count and float(cast("Any", fisher_exact(table, alternative="greater")).pvalue) < _CHANCE:
            return f"{flips} of {count} of the longest texts get another label"
        return None
    far, near = (
        float(np.sqrt(np.mean([np.mean((a - b) ** 2) for a, b in zip(theirs, ours, strict=True)])))
        for theirs, ours in ((reference.long, said.long), (reference.together, said.together))
    )
    largest = max(float(np.abs(one).max()) for one in reference.all)
    if far > max(_LONG_FACTOR * near, _ROUNDING * max(1.0, largest)):
        return f"numbers of the longest texts are off by {far:.2g}, those of the others by {near:.2g}"
    return None


def _named(names: Sequence[str], shown: int = 10) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(repr(name) for name in names[:shown]) + more
