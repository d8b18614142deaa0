"""The gate: a form of a network that loses accuracy, or a class, is not chosen, however fast it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, fisher_exact

from subarch.options.forms import ArtifactName, Head, Precision
from subarch.results.export import FormResult
from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.tasks.metrics import Held

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
        labels: the places of each example's labels among the outputs, one of a class, of words one each; None where
            outputs have no names.
        names: of what each output stands for: a class, a label, or an entity type, which several outputs share.
        decide: outputs to places of labels, as the network's thresholds say; as its head does without them, when None.
    """

    score: Callable[[Outputs], float] | None = None
    labels: Held | None = None
    names: Sequence[str] = ()
    decide: Callable[[Outputs], Held] | None = None


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
    - it never gives a class, a label or an entity type that PyTorch gives on the judged examples;
    - of a class, a label or an entity type, PyTorch's right answers are lost by more than a tenth of its examples (or
      words), and by more than chance (a sign test of losses against gains, at 5 %);
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
    decide = _deciding(head, rows)
    flips = None if decide is None else _flips(decide, reference.together, said.together)
    pairs = {
        "alone": (said.together[: len(said.alone)], said.alone),
        "long": (reference.long, said.long),
    }
    more: dict[str, Any] = {}
    for what, (theirs, ours) in pairs.items():
        more[what] = len(ours)
        more[f"{what}_flips"] = None if decide is None else _flips(decide, theirs, ours)
        more[f"{what}_difference"] = _difference(theirs, ours) if finite else difference
    metric = drop = None
    lost: tuple[str, ...] = ()
    if finite and rows.score is not None:
        metric = min(rows.score(said.together), rows.score(said.mixed))
        drop = 100 * (rows.score(reference.together) - metric)
    named = decide if finite and head != "choice" else None  # candidates have no names
    naming = _Naming(rows.names, by_word=head in KINDS and kind_of(head).has_words)
    if named is not None:
        lost = _lost(named, reference, said, naming)
    problem = None if finite else "it gives numbers that are not finite"
    problem = problem or _other_network(precision, reference, said)
    if problem is None and rows.score is None and precision != "float32":
        problem = "no labelled data say what its rounding costs"
    if problem is None and drop is not None and drop > max_drop + 1e-9:
        problem = f"it loses {drop:.2f} points, more than {max_drop:g}"
    if problem is None and lost:
        problem = f"it never answers {_named(lost)}, which PyTorch gives: lost classes are refused whatever --max-drop"
    problem = problem or (None if named is None else _fallen(named, reference, said, rows, naming))
    problem = problem or _worse_when_long(decide, reference, said)
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


def _deciding(head: Head, rows: JudgedRows) -> Callable[[Outputs], Held] | None:
    """What outputs say, as places of labels, of numbers too that are none; None where they say no labels."""
    if head not in KINDS or not kind_of(head).has_labels:
        return None
    kind, given = kind_of(head), rows.decide

    def decided(outputs: Outputs) -> Held:
        there = [np.nan_to_num(one) for one in outputs]
        return given(there) if given is not None else [kind.labels_in(one) for one in kind.decide(there)]

    return decided


def _flips(decide: Callable[[Outputs], Held], theirs: Outputs, ours: Outputs) -> int:
    return sum(tuple(a) != tuple(b) for a, b in zip(decide(theirs), decide(ours), strict=True))


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


@dataclass(frozen=True)
class _Naming:
    """What decisions are called.

    Attributes:
        names: of outputs.
        by_word: whether labels are of the words of an example, one each.
    """

    names: Sequence[str]
    by_word: bool

    def __call__(self, held: Held) -> list[set[str]]:
        """What is said of each example, or of each word of all examples."""
        each = [[n] for one in held for n in one] if self.by_word else held
        return [{self.names[n] if 0 <= n < len(self.names) else str(n) for n in one} for one in each]


def _lost(decide: Callable[[Outputs], Held], reference: Said, said: Said, naming: _Naming) -> tuple[str, ...]:
    given = Counter(chain.from_iterable(naming(decide(reference.together))))
    found: set[str] = set()
    for outputs in (said.together, said.mixed):
        found |= given.keys() - set(chain.from_iterable(naming(decide(outputs))))
    return tuple(sorted(found, key=lambda name: -given[name]))


def _fallen(
    decide: Callable[[Outputs], Held], reference: Said, said: Said, rows: JudgedRows, naming: _Naming
) -> str | None:
    """The class whose recall fell farthest, in words, where one fell far."""
    if rows.labels is None:
        return None
    before = naming(decide(reference.together))
    having: dict[str, list[int]] = defaultdict(list)
    for n, labels in enumerate(naming(rows.labels)):
        for label in labels:
            having[label].append(n)
    found: list[tuple[float, str]] = []
    for outputs in (said.together, said.mixed):
        now = naming(decide(outputs))
        for label, mine in having.items():
            count = len(mine)
            lost = sum(label in before[n] and label not in now[n] for n in mine)
            won = sum(label in now[n] and label not in before[n] for n in mine)
            fall = (lost - won) / count
            if fall > _FALL and binomtest(lost, lost + won, 0.5, alternative="greater").pvalue < _CHANCE:
                told = f"{sum(label in before[n] for n in mine)} to {sum(label in now[n] for n in mine)} of {count}"
                found.append((fall, f"right answers of {label!r} fall from {told}"))
    return max(found)[1] if found else None


def _worse_when_long(decide: Callable[[Outputs], Held] | None, reference: Said, said: Said) -> str | None:
    """Whether texts of the greatest length fare worse than the others: labels, or numbers where there are none."""
    count = len(said.long)
    if not count:
        return None
    if decide is not None:
        flips = _flips(decide, reference.long, said.long)
        others = _flips(decide, reference.together, said.together)
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
