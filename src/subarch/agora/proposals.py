"""New points near mistakes: where they come from, and which of them are admitted.

A proposal function is a plain function: given points, how many new ones are wanted around each, and a random generator,
it yields pairs of a point's position and a new point, in any order and number. The same generator state gives the same
proposals. :func:`subarch.testing.check_proposals` checks one of your own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from subarch.agora.data import Labelled, Labels, Predict, X, neighbours
from subarch.errors import require_ranges
from subarch.tasks.kinds.base import Kind

Z = TypeVar("Z", contravariant=True)
_ASKED_AGAIN = 3  # times at most, each for twice as many
Vector = NDArray[np.float64]
ProposalFunction = Callable[[Sequence[X], int, np.random.Generator], Iterable[tuple[int, X]]]

Space = Callable[[Sequence[X]], NDArray[Any]]
"""Points to where they lie, ``(points, dimensions)``; distances are Euclidean."""


class Guard(Protocol[Z]):
    """Knows what must not be learned from: copies, exact and near, of development and sealed points."""

    def forbids(self, points: Sequence[Z]) -> Sequence[bool]:
        """For each point whether it is such a copy."""
        ...


def jitter(radius: float) -> ProposalFunction[Vector]:
    """Uniform in a ball of ``radius`` around each point."""

    def propose(points: Sequence[Vector], count: int, rng: np.random.Generator) -> Iterable[tuple[int, Vector]]:
        for n, point in enumerate(points):
            directions = rng.normal(size=(count, len(point)))
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            reach = radius * rng.uniform(size=(count, 1)) ** (1 / len(point))
            yield from ((n, new) for new in point + reach * directions)

    return propose


def interpolate(pool: Sequence[Vector], nearest: int = 10) -> ProposalFunction[Vector]:
    """Somewhere on the way from each point to one of its nearest neighbours in ``pool``."""
    known = np.stack(pool)

    def propose(points: Sequence[Vector], count: int, rng: np.random.Generator) -> Iterable[tuple[int, Vector]]:
        for n, point in enumerate(points):
            distances = np.linalg.norm(known - point, axis=1)
            order = np.argsort(distances, kind="stable")
            near = order[distances[order] > 0][:nearest]
            if len(near):
                chosen = known[rng.choice(near, size=count)]
                yield from ((n, new) for new in point + rng.uniform(size=(count, 1)) * (chosen - point))

    return propose


def retrieve(pool: Sequence[Vector]) -> ProposalFunction[Vector]:
    """The nearest points of an unlabelled pool."""
    known = np.stack(pool)

    def propose(points: Sequence[Vector], count: int, _: np.random.Generator) -> Iterable[tuple[int, Vector]]:
        if points:
            rows = neighbours(known, np.stack(points), count)[1]
            yield from ((n, known[row]) for n, near in enumerate(rows) for row in near)

    return propose


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Which proposals are admitted.

    Args:
        per_mistake: how many around each mistake, at most.
        made_per_kept: how many are made for each that is wanted, since some are refused.
        min_distance: from its mistake, in the representation space: nearer ones teach nothing new.
        max_distance: from its mistake; farther ones are about something else. None: no limit.
        min_confidence: of the teacher's likeliest class, or of the label of which it is least sure; does not matter for
            numbers.
        soft: learn the teacher's probabilities; otherwise its likeliest class, or the labels that hold.
        balance: after each round the largest class is at most so many times the smallest, among those for which leaving
            proposals out can do that: a class for which too little was proposed holds none of the others back. None:
            whatever comes.
        balance_to: what is balanced: ``even`` numbers of every class, as the theory asks, or the classes' ``data``
            shares, those among the points that were learned from first: what is rare there stays rare.

    Raises:
        ValueError: for a value outside its range.
    """

    per_mistake: int = 20
    made_per_kept: float = 2.0
    min_distance: float = 0.0
    max_distance: float | None = None
    min_confidence: float = 0.0
    soft: bool = True
    balance: float | None = 1.5
    balance_to: Literal["even", "data"] = "even"

    def __post_init__(self) -> None:
        ranges = {
            "per_mistake": self.per_mistake >= 1,
            "made_per_kept": self.made_per_kept >= 1,
            "min_distance": self.min_distance >= 0,
            "max_distance": self.max_distance is None or self.max_distance > self.min_distance,
            "min_confidence": 0 <= self.min_confidence < 1,
            "balance": self.balance is None or self.balance >= 1,
            "balance_to": self.balance_to in ("even", "data"),
        }
        require_ranges(
            self,
            ranges,
            "counts and ratios are at least 1, distances 0 <= min_distance < max_distance, min_confidence "
            "lies in [0, 1)",
        )


@dataclass(frozen=True)
class Admitted(Generic[X]):
    """The proposals of one round.

    Attributes:
        data: with the teacher's labels.
        origins: of each, the position of the point it was made around.
        made: how many there were.
        refused: by reason.
        unbalanced: classes that leaving proposals out cannot balance with the others: those that nothing was proposed
            for, or too little.
    """

    data: Labelled[X]
    origins: tuple[int, ...]
    made: int
    refused: dict[str, int]
    unbalanced: list[int] = field(default_factory=list[int])


def admit(
    around: Sequence[X],
    functions: Sequence[ProposalFunction[X]],
    *,
    bounds: Bounds,
    teacher: Predict[X],
    space: Space[X] | None,
    guard: Guard[X],
    known: Labelled[X],
    key: Callable[[X], str],
    kind: Kind,
    rng: np.random.Generator,
    first: Labelled[X] | None = None,
) -> Admitted[X]:
    """Make proposals around points, refuse what may not or should not be learned from, label and balance the rest.

    Args:
        around: the points, usually mistakes.
        functions: each makes its share.
        bounds: what is admitted.
        teacher: labels.
        space: where distances are taken; None: they do not matter.
        guard: refuses copies of development and sealed points, always.
        known: what is learned from already; copies of it are refused, and balance counts it.
        first: what was learned from first, with the shares of classes that may be asked for; ``known`` when not given.
        key: equal for equal points.
        kind: of the labels.
        rng: of everything random here.
    """
    wanted = round(bounds.per_mistake * bounds.made_per_kept)
    refused: Counter[str] = Counter()
    pairs: list[tuple[int, X]] = []
    labels = np.empty((0, *known.labels.shape[1:]))
    seen = {key(point) for point in known.points}
    asked: set[tuple[int, str]] = set()
    novel: Counter[int] = Counter()
    made, lacking = 0, list(range(len(around)))
    for again in range(_ASKED_AGAIN + 1):
        share = -(-wanted * 2**again // len(functions))
        points = [around[n] for n in lacking]
        found = [(lacking[n], point) for function in functions for n, point in function(points, share, rng)]
        fresh = [(origin, point) for origin, point in found if (origin, key(point)) not in asked]
        asked |= {(origin, key(point)) for origin, point in fresh}
        made += len(fresh)
        new = _new(fresh, seen, key, refused)
        novel.update(origin for origin, _ in new)
        good, said = _good(new, around, bounds, teacher, space, guard, labels.shape[1:], kind, refused)
        pairs, labels = pairs + good, np.concatenate([labels, said])
        counts = Counter(origin for origin, _ in pairs)
        # A pool has the same nearest points every time: where they are known, or of no use, the next ones come.
        lacking = [n for n in lacking if counts[n] < bounds.per_mistake and (novel[n] < wanted or not counts[n])]
        if not lacking or not fresh:
            break
    kept = _few_around_each(pairs, bounds.per_mistake)
    refused["more than wanted"] = len(pairs) - len(kept)
    unbalanced: list[int] = []
    if kind.has_classes and bounds.balance is not None:
        even = np.ones(known.labels.shape[1])
        shares = even if bounds.balance_to == "even" else np.bincount((first or known).classes, minlength=len(even))
        balanced, unbalanced = _balanced(labels[kept].argmax(1), known, bounds.balance, shares / shares.max(), rng)
        refused["their class has enough"] = len(kept) - len(balanced)
        kept = [kept[n] for n in balanced]
    labels = labels[kept]
    if not bounds.soft:
        labels = kind.hard(labels)
    chosen = [pairs[n] for n in kept]
    reasons = {reason: count for reason, count in refused.items() if count}
    data = Labelled(tuple(point for _, point in chosen), labels)
    return Admitted(data, tuple(origin for origin, _ in chosen), made, reasons, unbalanced)


def _new(
    made: Sequence[tuple[int, X]], seen: set[str], key: Callable[[X], str], refused: Counter[str]
) -> list[tuple[int, X]]:
    """Those that are not there already; they are from now on."""
    found: list[tuple[int, X]] = []
    for origin, point in made:
        name = key(point)
        if name in seen:
            refused["there already"] += 1
        else:
            seen.add(name)
            found.append((origin, point))
    return found


def _good(
    pairs: list[tuple[int, X]],
    around: Sequence[X],
    bounds: Bounds,
    teacher: Predict[X],
    space: Space[X] | None,
    guard: Guard[X],
    columns: tuple[int, ...],
    kind: Kind,
    refused: Counter[str],
) -> tuple[list[tuple[int, X]], Labels]:
    """Those that may be learned from, lie where they should and have a label that can be trusted, with their labels."""
    forbidden = guard.forbids([point for _, point in pairs])
    refused["copies of development or sealed points"] += int(np.sum(forbidden))
    pairs = [pair for pair, no in zip(pairs, forbidden, strict=True) if not no]
    pairs = _within(pairs, around, space, bounds, refused)
    if not pairs:
        return [], np.empty((0, *columns))
    labels = teacher([point for _, point in pairs])
    sure = kind.sure(labels) >= bounds.min_confidence
    refused["the teacher was not sure"] += int((~sure).sum())
    return [pair for pair, yes in zip(pairs, sure, strict=True) if yes], labels[sure]


def _within(
    pairs: list[tuple[int, X]], around: Sequence[X], space: Space[X] | None, bounds: Bounds, refused: Counter[str]
) -> list[tuple[int, X]]:
    if space is None or not pairs:
        return pairs
    places, centres = space([point for _, point in pairs]), space(around)
    distances = np.linalg.norm(places - centres[[origin for origin, _ in pairs]], axis=1)
    near = distances < bounds.min_distance
    far = distances > (np.inf if bounds.max_distance is None else bounds.max_distance)
    refused["too near to their mistake"] += int(near.sum())
    refused["too far from it"] += int(far.sum())
    return [pair for pair, out in zip(pairs, near | far, strict=True) if not out]


def _few_around_each(pairs: Sequence[tuple[int, X]], most: int) -> list[int]:
    """Positions of the first ``most`` around each point."""
    counts: Counter[int] = Counter()
    kept: list[int] = []
    for n, (origin, _) in enumerate(pairs):
        if counts[origin] < most:
            counts[origin] += 1
            kept.append(n)
    return kept


def _balanced(
    classes: NDArray[np.int64],
    known: Labelled[X],
    ratio: float,
    shares: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[list[int], list[int]]:
    """Positions that stay, in order, and the classes that cannot be balanced.

    Balance is among classes that have proposals, and with them are within ``ratio`` of what the largest of these had
    before: others would hold back everything, and not be helped by that. Which proposals of a class that has too many
    go is left to chance.
    """
    count = known.labels.shape[1]
    before, new = np.bincount(known.classes, minlength=count), np.bincount(classes, minlength=count)
    there = shares > 0
    parts = np.where(there, shares, 1.0)
    proposed = there & (new > 0)
    largest = (before / parts)[proposed].max(initial=0.0)
    judged = proposed & (ratio * (before + new) / parts >= largest)
    level = ratio * ((before + new) / parts)[judged].min(initial=np.inf)
    kept: list[int] = []
    for c in range(count):
        rows = np.flatnonzero(classes == c)
        room = len(rows) if proposed[c] and not judged[c] else np.clip(level * shares[c] - before[c], 0, len(rows))
        kept += rng.permutation(rows)[: int(room)].tolist()
    return sorted(kept), np.flatnonzero(there & ~judged).tolist()


class VectorGuard:
    """Refuses vectors nearer than ``nearest`` to any of given ones, and the same vectors in any case."""

    def __init__(self, *forbidden: Sequence[Vector], nearest: float = 0.0) -> None:
        self._forbidden, self._nearest = np.concatenate([np.stack(one) for one in forbidden]), nearest

    def forbids(self, points: Sequence[Vector]) -> list[bool]:
        if not points:
            return []
        distances = neighbours(self._forbidden, np.stack(points), 1)[0][:, 0]
        return ((distances < self._nearest) | (distances == 0)).tolist()
