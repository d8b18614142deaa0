"""The options of the whole story in one command.

Light on purpose: importing this module imports no numerical library, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from subarch.options.ranges import FASTER, POINTS, POSITIVE, at_least, checked
from subarch.options.search import PiecesOf


@dataclass(frozen=True, kw_only=True, slots=True)
class CompressOptions:
    """From labelled texts and a teacher to a small, fast, certified model, exported for this processor.

    Fine-tunes the teacher where that is still to be done, extracts the best small network inside it, pre-trains that by
    distillation, fine-tunes it (plain, distilled, augmented, with Agora), exports what runs fastest here, times it
    beside the teacher, and writes a report and a model card. The same command with the same --run goes on where it
    stopped. When a target is missed, the result says which, by how much, and what else there is to choose.

    Examples:
    subarch compress --data reviews.csv --teacher ./my-bert --max-latency-ms 5;
    subarch compress --data reviews.csv --teacher ./my-bert --speedup 4 --max-drop 2 --pool unlabelled.txt;
    subarch compress --data reviews.csv --teacher ./my-bert --recipe gpu --set pretrain.steps=50000 --dry-run
    """

    data: str
    """Your own labelled CSV, TSV, JSONL or Parquet file, or the name of a task."""
    teacher: str
    """A checkpoint folder or Hugging Face name: fine-tuned on the task already, or any BERT-like encoder."""
    run: Path | None = None
    """Run directory; a new one under runs/ when not given."""
    speedup: Annotated[float | None, FASTER] = None
    """Target: so many times as fast as the teacher, both as they are served: each in its fastest exported form."""
    max_latency_ms: Annotated[float | None, POSITIVE] = None
    """Target: milliseconds for one text as long as 95 in 100 of yours, on this machine."""
    max_drop: Annotated[float, POINTS] = 1.0
    """Target: points of the metric (of 100) that the exported model may lose against the teacher on sealed rows."""
    vocabulary: PiecesOf | None = None
    """texts: the student has those pieces of the teacher's tokenizer alone that your training rows and the pool use,
    and the same tokens on these; texts+documentation: those of the installed documentation, too. All pieces when not
    given. Give a million characters or more."""
    pool: Path | None = None
    """More texts, without labels: Agora takes from them what is near the student's mistakes, pre-training reads all."""
    text_columns: tuple[str, ...] = ()
    """Columns of your file that hold the text, or the two texts; found by their usual names when not given."""
    label_column: str | None = None
    """Column of your file that holds the label; found by its usual names when not given."""
    label_columns: tuple[str, ...] = ()
    """Instead of it, a column for each label, in which 0 or 1 stands: several may hold in a row (multi-label)."""
    label_separator: str | None = None
    """What stands between several labels in one cell, such as "|"; lists are read as they are."""
    metric: str | None = None
    """What your file is scored by, and choices are made on, as in finetune; the usual one when not given."""
    stop_when_met: bool = False
    """End with the first rung of the ladder (TF-IDF, static embeddings, the teacher in 8 bits) that is shown to meet
    all targets on the development rows; otherwise the search goes on."""
    recipe: str = "laptop"
    """Every stage's settings: laptop, gpu, cluster, bort (the published settings), or a .toml file of yours."""
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SECTION.KEY=VALUE ...")] = ()
    """Single settings over those of the recipe: --set pretrain.steps=500 finetune.seeds=5."""
    confirm: Annotated[int, at_least(0)] = 0
    """Train the pick's so many closest rivals to the end as well, and say whether the search's order held."""
    cascade: bool = False
    """Join the student and the teacher in 8 bits, too: the teacher is asked where the student is not sure, in one
    folder that answers like any export. The teacher's quality, or nearly, in a part of its time."""
    compare: bool = False
    """Train the student in every way with three seeds, for a table of what each way is worth. Otherwise it learns
    plainly, from the teacher, from the whole pool and with Agora, each once where the recipe does not say more."""
    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given, but for what is served, which readings decide on."""
    dry_run: bool = False
    """Check everything, print the plan with its settings and an estimate of time and memory measured here; write
    nothing."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        checked(self)
