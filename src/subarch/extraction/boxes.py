"""What is open in a space that nobody can list: boxes of architectures, opened where the bound may still fall."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence

import numpy as np

from subarch.extraction.claims import RULES, ClaimRule, Status, Trained
from subarch.extraction.frontier import LISTED_LIMIT
from subarch.extraction.prediction import ErrorModel
from subarch.extraction.problem import FloatArray, Problem
from subarch.networks.space import Box, Index, IndexArray


class Boxes:
    """Best-first branch and bound over boxes that always partition the space, which is never listed.

    The box with the largest priority is refreshed with the errors trained since it was last looked at; if it still
    leads, an architecture y above its smallest corner is trained, as large as the predicted error allows while closing
    that corner, and the box is cut at y into [lo, y] and the parts that lie above y along one axis.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._space = problem.space
        self._trained = Trained(problem)
        self._rule: ClaimRule = RULES[problem.claim](self._trained)
        self._model = ErrorModel(problem.space)
        self._fitted = 0
        self._climbed = 0
        self._tie = itertools.count()
        self._heap: list[tuple[float, int, Box, float, int]] = []  # -priority, tie, box, highest error, errors seen
        for root in self._space.roots():
            self._push(root, 0.0, 0)

    # The heap

    def _push(self, box: Box, highest: float, seen: int) -> None:
        tight = self._shrunk(box)
        if tight is None:
            return
        if tight.volume == 1 and self._trained.settled(tight.lo):
            return  # trained: its value is exact and counted with the best
        priority = self._priority(tight, highest)
        if priority > 0:
            heapq.heappush(self._heap, (-priority, next(self._tie), tight, highest, seen))

    def _shrunk(self, box: Box) -> Box | None:
        """The hull of the feasible part of a small box; None when nothing in it is feasible."""
        if not self._space.constraints or box.volume > LISTED_LIMIT:
            return box
        points = self._space.points(box)
        if not len(points):
            return None
        return Box(tuple(int(v) for v in points.min(axis=0)), tuple(int(v) for v in points.max(axis=0)))

    def _priority(self, box: Box, highest: float) -> float:
        corner = np.array([box.lo], dtype=np.int16)
        lower = self._trained.lower_bounds(np.array([highest]))
        return float(self._rule.priority(self._problem.costs(corner), self._problem.within(corner), lower)[0])

    def _refreshed(self, box: Box, highest: float, seen: int) -> float:
        news = slice(seen, len(self._trained))
        above = self._space.leq(np.array(box.hi, dtype=np.int16), self._trained.rows[news])
        return max(highest, float(self._trained.errors[news][above].max(initial=0.0)))

    def _settle(self) -> None:
        """Refresh the leading boxes until the leader's priority is up to date."""
        while self._heap:
            _, _, box, highest, seen = self._heap[0]
            if seen == len(self._trained):
                return
            fresh = self._refreshed(box, highest, seen)
            now = self._priority(box, fresh)
            done = box.volume == 1 and self._trained.settled(box.lo)
            if done or now <= 0:
                heapq.heappop(self._heap)
                continue
            heapq.heapreplace(self._heap, (-now, next(self._tie), box, fresh, len(self._trained)))

    def _rebuild(self) -> None:
        """All priorities again: delta has grown, or the floor fell."""
        entries, self._heap = self._heap, []
        for _, _, box, highest, seen in entries:
            self._push(box, highest, seen)

    # The protocol

    def tell(self, index: Index, error: float) -> None:
        if self._trained.settled(index):
            return
        if error == math.inf:
            self._trained.exclude(index)
        elif self._trained.add(index, error):
            self._rebuild()

    def status(self) -> Status:
        self._settle()
        return self._rule.status(-self._heap[0][0] if self._heap else 0.0)

    def ask(self, pending: Sequence[Index] = ()) -> Index | None:
        busy = set(pending)
        aside: list[tuple[float, int, Box, float, int]] = []
        try:
            while True:
                self._settle()
                if not self._heap or -self._heap[0][0] <= self._rule.threshold():
                    return None
                if (climbed := self._climb(busy)) is not None:
                    return climbed
                entry = heapq.heappop(self._heap)
                chosen = self._choose(entry[2], entry[3])
                if chosen is not None and chosen in busy:
                    aside.append(entry)
                    continue
                self._cut(entry, chosen)
                if chosen is not None and not self._trained.settled(chosen):
                    return chosen
        finally:
            for entry in aside:
                heapq.heappush(self._heap, entry)

    @property
    def delta(self) -> float:
        return self._trained.delta

    def forecast(self) -> int | None:
        return None

    # Which architecture

    def _choose(self, box: Box, highest: float) -> Index | None:
        """The architecture to train for ``box``; None to cut it without training."""
        if highest == 0 and self._trained.floor == 0:
            return self._buildable(box.lo, box.hi)
        if len(self._trained) >= max(8, 1.3 * self._fitted):
            self._model.fit(self._trained.rows, self._trained.errors)
            self._fitted = len(self._trained)
        return self._buildable(box.lo, self._grown(box))

    def _grown(self, box: Box) -> Index:
        """From lo upwards while the predicted error still closes lo."""
        corner = np.array([box.lo], dtype=np.int16)
        needed = float(self._rule.needed(self._problem.costs(corner), self._problem.within(corner))[0])
        if needed == math.inf:
            return box.lo
        target = math.log(max(needed, 1e-300) / (1 - self._trained.delta)) + 0.3 * self._model.noise
        return self._model.grown(box, target)

    def _buildable(self, lo: Index, y: Index) -> Index | None:
        """y, or a feasible architecture in [lo, y] near it; None where none is easily found."""
        if not self._space.constraints:
            return y
        box = Box(lo, y)
        if box.volume <= LISTED_LIMIT:
            points = self._space.points(box)
            return tuple(int(v) for v in points[int(points.sum(axis=1).argmax())]) if len(points) else None
        return y if self._space.feasible(np.array([y], dtype=np.int16))[0] else None

    def _cut(self, entry: tuple[float, int, Box, float, int], y: Index | None) -> None:
        """Replace the box by [lo, y] and the parts above y, or by halves along the longest axis."""
        _, _, box, highest, seen = entry
        if y is None or y == box.hi:
            if y is not None and box.volume == 1 and self._trained.settled(y):
                return
            if y is not None and not self._trained.settled(y):
                self._push(box, highest, seen)
                return
            lengths = [h - low for low, h in zip(box.lo, box.hi, strict=True)]
            axis = int(np.argmax(lengths))
            if lengths[axis] == 0:
                return  # a single infeasible point
            at = (box.lo[axis] + box.hi[axis]) // 2
            cut = tuple(at if j == axis else h for j, h in enumerate(box.hi))
        else:
            cut = tuple(min(a, h) for a, h in zip(y, box.hi, strict=True))
        rest = list(box.hi)
        for axis in range(len(rest)):
            if cut[axis] < rest[axis]:
                lo = tuple(cut[axis] + 1 if j == axis else v for j, v in enumerate(box.lo))
                self._push(Box(lo, tuple(rest)), highest, seen)
                rest[axis] = cut[axis]
        self._push(Box(box.lo, tuple(rest)), highest, seen)

    def _climb(self, busy: set[Index]) -> Index | None:
        """Now and then (at doubling counts) the architecture that the model thinks best: a good pick closes boxes."""
        if len(self._trained) < 2 or len(self._trained) < 2 * self._climbed or self._problem.claim == "front":
            return None
        status = self._rule.status(0.0)
        self._model.fit(self._trained.rows, self._trained.errors)
        self._fitted = len(self._trained)
        point = np.array(status.best if status.best is not None else self._trained.rows[-1], dtype=np.int16)
        best = self._hoped(point[None, :])[0]
        tops = np.array([len(p.choices) - 1 for p in self._space.parameters])
        while True:
            moves = [
                np.where(np.arange(len(tops)) == j, np.clip(point + step, 0, tops), point).astype(np.int16)
                for j in range(len(tops))
                for step in (-4, -1, 1, 4)
            ]
            batch = np.array(moves)
            batch = batch[self._space.feasible(batch)]
            hoped = self._hoped(batch)
            if not len(batch) or hoped.max() <= best * (1 + 1e-9):
                break
            point, best = batch[int(np.argmax(hoped))], hoped.max()
        found = tuple(int(v) for v in point)
        if self._trained.settled(found) or found in busy:
            self._climbed = len(self._trained)
            return None
        return found

    def _hoped(self, rows: IndexArray) -> FloatArray:
        return self._rule.merit(self._problem.costs(rows), self._problem.within(rows), np.exp(self._model.mean(rows)))
