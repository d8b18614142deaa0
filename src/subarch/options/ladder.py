"""The options of the ladder: what others would do, beside what is asked for.

Light on purpose: importing this module imports no numerical library, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from subarch.options.forms import ArtifactName
from subarch.options.found import names_in
from subarch.options.ranges import FASTER, POINTS, POSITIVE, at_least, checked
from subarch.options.tasks import TaskOptions

RUNG_NAMES = tuple(name.replace("_", "-") for name in names_in("rungs", "ways"))
"""Rungs: a file each, which is not opened here."""
if TYPE_CHECKING:
    RungName = str
else:
    RungName = Literal[RUNG_NAMES]


@dataclass(frozen=True, kw_only=True)
class ClimbingSettings:
    """How rungs are made and judged: what the ladder alone and the one of compress share.

    Raises:
        ValueError: for a value outside its range.
    """

    rungs: tuple[RungName, ...] = ("constant", "tfidf", "static", "first-layers", "teacher", "teacher-int8")
    """Which rungs there are: the commonest class, TF-IDF with a linear model, static embeddings, the teacher's first
    layers (or spread ones), the teacher as it is (always asked), and in 8 bits."""
    artifacts: tuple[ArtifactName, ...] = ()
    """Forms that networks are tried in; all with 8 bits that can be made here when not given."""
    pool_texts: Annotated[int, at_least(0)] = 20_000
    """Texts of the pool that the teacher is asked about, at most."""
    learning_rate: Annotated[float, POSITIVE] = 2e-4
    """Of the teacher's first layers."""
    epochs: Annotated[int, at_least(1)] = 5
    """Passes of the teacher's first layers over the training rows."""
    batch_size: Annotated[int, at_least(1)] = 32
    """Examples a step."""
    max_length: Annotated[int | None, at_least(8)] = None
    """Tokens that a text, or a pair, is cut to; as many as the teacher reads when not given."""
    rounds: Annotated[int, at_least(1)] = 5
    """How often every rung is visited to time it."""

    def __post_init__(self) -> None:
        checked(self)


@dataclass(frozen=True, kw_only=True)
class _Climbed:
    """What is climbed for which targets."""

    where: Annotated[TaskOptions, tyro.conf.arg(name="")]
    teacher: str
    """A checkpoint that was fine-tuned on the task: a folder, or a Hugging Face name."""
    run: Path | None = None
    """Run directory; a new one under runs/ when not given."""
    speedup: Annotated[float | None, FASTER] = None
    """Target: so many times as fast as the teacher in its fastest form here, from text to answer."""
    max_latency_ms: Annotated[float | None, POSITIVE] = None
    """Target: milliseconds from one text, as long as 95 in 100 of yours, to its answer, on this machine."""
    max_drop: Annotated[float, POINTS] = 1.0
    """Target: points of the metric (of 100) that may be lost against the teacher."""
    pool: Path | None = None
    """More texts, without labels: static embeddings learn what the teacher says of them."""
    stop_when_met: bool = False
    """End with the first rung that is shown to meet all targets on the development rows."""


@dataclass(frozen=True, kw_only=True)
class LadderOptions(ClimbingSettings, _Climbed):
    """Ask the plainest rivals first: what would people do without a search, and is it enough?

    From the commonest class over TF-IDF, static embeddings and the teacher's first layers to the teacher in 8 bits:
    each with its quality on development and on sealed rows, what it loses against the teacher with a 95 % interval, its
    time from text to answer, its size, and how long it took to make. Each lies in a folder that subarch predict serves.
    Minutes, no search. The same command with the same --run goes on where it stopped.

    Examples:
    subarch ladder --data reviews.csv --teacher ./my-bert-reviews;
    subarch ladder --data reviews.csv --teacher ./my-bert-reviews --speedup 4 --max-drop 2 --stop-when-met;
    subarch ladder --task glue/sst-2 --task-data ./glue --teacher ./my-bert-sst2 --rungs constant tfidf teacher
    """

    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        super().__post_init__()
