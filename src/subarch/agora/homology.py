"""The shape of a set of points in space: Betti numbers by persistent homology (extra ``topology``).

A Betti number counts what a set has of one kind: pieces (b0), loops (b1), enclosed spaces (b2). A torus has (1, 2, 1).
Samples have them at some scales only: a bar is the range of scales at which one of these is there, and bars longer than
a threshold count (H. Edelsbrunner and J. Harer, 2010).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from subarch.agora.data import neighbours
from subarch.errors import MissingPackageError

Points = NDArray[np.float64]
Bars = tuple[NDArray[np.float64], ...]
"""For each dimension, births and deaths ``(bars, 2)``, in units of length."""


def bars(points: Points) -> Bars:
    """Bars of dimensions 0, 1 and 2 of the alpha complex.

    Args:
        points: ``(points, 3)``.

    Raises:
        ImportError: without the extra.
    """
    try:
        import gudhi
    except ImportError as error:
        raise MissingPackageError("persistent homology needs gudhi: pip install 'subarch[topology]'") from error
    tree = cast("Any", gudhi).AlphaComplex(points=points).create_simplex_tree()
    tree.compute_persistence()
    intervals = [np.asarray(tree.persistence_intervals_in_dimension(n)).reshape(-1, 2) for n in range(3)]
    return tuple(np.sqrt(np.maximum(one, 0)) for one in intervals)  # the complex knows squared radii


def betti(found: Bars, threshold: float) -> tuple[int, int, int]:
    """How many bars of each dimension are longer than ``threshold``."""
    zero, one, two = (int(np.sum(bar[:, 1] - bar[:, 0] > threshold)) for bar in found)
    return zero, one, two


def half_the_shortest(clean: Bars, numbers: tuple[int, int, int]) -> float:
    """A threshold: half the shortest true bar of a clean sample whose Betti numbers are known."""
    lengths = [np.sort(bar[:, 1] - bar[:, 0])[::-1] for bar in clean]
    return min(float(one[count - 1]) for one, count in zip(lengths, numbers, strict=True) if count) / 2


def without_outliers(points: Points, classes: NDArray[np.int64], *, around: int = 15, passes: int = 4) -> Points:
    """Points of class 1, once those whose neighbours mostly say otherwise are gone (editing, D. Wilson, 1972).

    Args:
        points: of all classes, ``(points, dimensions)``.
        classes: ``(points,)``, 0 or 1.
        around: how many neighbours of each point are asked.
        passes: each looks at what the one before has left (I. Tomek, 1976). At last points go that stand alone: farther
            from the fifth nearest of their class than two and a half times the median.
    """
    for _ in range(passes):
        near = neighbours(points, points, around + 1)[1][:, 1:]
        stay = (classes[near] == classes[:, None]).mean(1) > 0.5
        points, classes = points[stay], classes[stay]
    kept = points[classes == 1]
    if len(kept) <= 6:
        return kept
    fifth = neighbours(kept, kept, 6)[0][:, -1]
    return kept[fifth <= 2.5 * np.median(fifth)]
