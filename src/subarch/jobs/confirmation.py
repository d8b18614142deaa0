"""Short against long: ``compress --confirm K`` trains the pick's closest rivals to the end, as the pick was trained.

Each rival has a folder under ``RUN/confirm``, named by the number of its training in the search: its pre-training goes
on where it stopped, what is fine-tuned is never fine-tuned again, and a later call may ask for more rivals. Of the pick
nothing is trained: its distilled students are those that fine-tuning has compared.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import fmean
from typing import Any

from subarch import __version__
from subarch.agora.data import Labelled
from subarch.agora.ways import tuned as tuned_student
from subarch.jobs.agora import Divided, depends_on, divided, labelled, students, taught_by, thetas, width_of
from subarch.jobs.plan import Plan
from subarch.jobs.pretraining import pretrain
from subarch.jobs.rivals import concluded, pick_of, rivals_of
from subarch.jobs.starts import Start, open_other, open_start
from subarch.learning.agora import TextLearner
from subarch.networks.sources import family_from_json
from subarch.options.tasks import FinetuneOptions
from subarch.progress import Watch, silent
from subarch.results.base import Record
from subarch.results.confirm import ConfirmedResult, ConfirmResult
from subarch.results.extract import ExtractResult, TrainedResult
from subarch.results.finetune import FinetuneResult
from subarch.storage import claimed, made_directory, read_record, write_json
from subarch.tasks.dealing import related_to_others
from subarch.tasks.metrics import interval
from subarch.tasks.task import Task
from subarch.text.examples import Example, Split
from subarch.threads import pinned

FOLDER = "confirm"
RESULT = "confirm.json"
WAY = "distilled"  # the cheapest way that learns what the teacher says; fine-tuning has trained the pick in it already
SCORES = "scores.json"


@dataclass(frozen=True, kw_only=True)
class Judged(Record):
    """What a rival's folder keeps of its students.

    Attributes:
        identity: of everything that this depends on.
        sealed: score of each seed on the sealed rows.
        apart: likewise, on those that belong with none of the others; empty where all do.
        development: likewise, on the development rows that ways are compared on.
        failure: why there is none.
    """

    identity: str
    sealed: tuple[float, ...] = ()
    apart: tuple[float, ...] = ()
    development: tuple[float, ...] = ()
    failure: str | None = None


def confirm(
    plan: Plan, found: ExtractResult, tuned: FinetuneResult, *, watch: Watch = silent, command: str = ""
) -> ConfirmResult | None:
    """Train the pick's closest rivals as the pick was trained, and say whether the order of the search held.

    Args:
        plan: of the compression; asked for no rivals, nothing is trained, and what an earlier call found is told.
        found: by the search.
        tuned: the pick's fine-tuning.
        watch: told of every training.
        command: as it was typed.

    Returns:
        The comparison; None where none was asked for, now or earlier.

    Raises:
        RuntimeError: when a pre-training breaks off; the same call goes on.
        OSError: when the folder cannot be written.
    """
    folder = plan.run / FOLDER
    known = _known(folder / RESULT, found, tuned)
    if known is not None and plan.options.confirm <= known.asked and (tuned.identity or not plan.options.confirm):
        return known
    if not plan.options.confirm:
        return None
    asked = max(plan.options.confirm, 0 if known is None else known.asked)
    made_directory(folder)
    with claimed(folder), pinned(plan.finetuning().threads):
        rivals = rivals_of(found, asked)
        trained = _Trained(plan, found, folder, watch, command)
        networks = [_pick(plan, found, tuned), *(trained.rival(one, n, len(rivals)) for n, one in enumerate(rivals))]
        row, examples = tuned.row(WAY), tuned.data.examples.sealed
        by_w = found.certificate.claim != "constrained"
        result = ConfirmResult(
            **vars(concluded(networks, by_w=by_w, examples=examples, asked=asked)),
            claim=found.certificate.claim,
            way=WAY,
            metric=tuned.metric,
            examples=examples,
            related=tuned.related,
            asked=asked,
            seeds=row.seeds,
            identity=_identity(found, tuned, asked),
        )
        write_json(folder / RESULT, result.to_json())
    return result


def _known(path: Path, found: ExtractResult, tuned: FinetuneResult) -> ConfirmResult | None:
    """What an earlier call has found, if it is about this very pick, its rivals and its fine-tuning."""
    known = read_record(ConfirmResult, path)
    if known is None or known.identity != _identity(found, tuned, known.asked):
        return None
    return known if known.networks[0].scores == tuned.row(WAY).scores else None


def _identity(found: ExtractResult, tuned: FinetuneResult, asked: int) -> str:
    """Of everything that a comparison depends on; where functions of a user's had a part in the fine-tuning, beside
    these."""
    searched = found.certificate
    decided = [searched.ledger_hash, searched.question, searched.latency_table, found.architecture]
    return _digest([__version__, tuned.identity, asked, *decided])


def _digest(content: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _short(one: TrainedResult) -> Mapping[str, Any]:
    """What the search says of a network."""
    return {name: getattr(one, name) for name in ("number", "architecture", "parameters", "error", "w")}


def _pick(plan: Plan, found: ExtractResult, tuned: FinetuneResult) -> ConfirmedResult:
    row = tuned.row(WAY)
    return ConfirmedResult(
        **_short(pick_of(found)),
        scores=row.scores,
        mean=row.mean,
        ci95=row.ci95,
        apart=row.apart,
        development=row.development,
        start=plan.run / "pretrain" if plan.pretrains else None,
    )


class _Trained:
    """Rivals, trained to the end."""

    def __init__(self, plan: Plan, found: ExtractResult, folder: Path, watch: Watch, command: str) -> None:
        self._plan, self._folder, self._watch, self._command = plan, folder, watch, command
        self._family = family_from_json(found.certificate.family)
        self._options: FinetuneOptions = plan.finetuning()
        self._task: Task = plan.task

    def rival(self, one: TrainedResult, n: int, count: int) -> ConfirmedResult:
        """One of them, from disk as far as it is there."""

        def watch(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
            self._watch(f"rival {n + 1} of {count}, {stage}", done=done, total=total, note=note)

        home = made_directory(self._folder / str(one.number))
        write_json(home / "architecture.json", self._family.describe(one.architecture))
        start = self._started(one, home, watch)
        judged = self._judged(start, home, watch)
        kept = home / "pretrain" if self._plan.pretrains else None
        if judged.failure is not None:
            return ConfirmedResult(**_short(one), start=kept, failure=judged.failure)
        mean, half = interval(judged.sealed)
        return ConfirmedResult(
            **_short(one),
            scores=judged.sealed,
            mean=mean,
            ci95=half,
            apart=fmean(judged.apart) if judged.apart else None,
            development=fmean(judged.development),
            start=kept,
        )

    def _started(self, one: TrainedResult, home: Path, watch: Watch) -> Start:
        """Pre-trained as the pick was, or where that was not the same part of the source."""
        plan, config = self._plan, home / "architecture.json"
        length = self._options.max_length or self._task.length
        if not plan.pretrains:
            return open_other(plan.run, one.architecture, config, self._task, length)
        pretrain(replace(plan.pretraining(), run=home, architecture=config), watch=watch, command=self._command)
        return open_start(str(home / "pretrain"), None, self._task, length)

    def _judged(self, start: Start, home: Path, watch: Watch) -> Judged:
        learner = students(self._options, self._divided.read, start, home / "students", watch)
        identity = self._depends_on(learner)
        known = read_record(Judged, home / SCORES)
        if known is None or known.identity != identity:
            known = self._learned(learner, identity, watch)
            write_json(home / SCORES, known.to_json())
        shutil.rmtree(learner.folder, ignore_errors=True)  # a later call needs the scores alone
        return known

    def _depends_on(self, learner: TextLearner) -> str:
        task, options = self._task, self._options
        data = [task.fingerprint, task.sealed.digest, *task.metrics]
        return _digest([__version__, learner.identity, thetas(options), options.seeds, *data, *self._taught_with])

    def _learned(self, learner: TextLearner, identity: str, watch: Watch) -> Judged:
        """Every seed trained, the learning rate chosen on development data; then the sealed rows are asked."""
        task, options, width = self._task, self._options, self._width
        score = partial(task.kind.score_rows, task.metrics, names=task.label_names)
        read, choice = self._divided
        development = labelled(task, read.development, width)
        others = labelled(task, Split(task.development[row] for row in choice), width)
        try:
            found = [
                tuned_student(learner, self._lessons, thetas(options), seed, development, score)
                for seed in range(options.seeds)
            ]
        except ArithmeticError as error:
            return Judged(identity=identity, failure=str(error))
        watch("asking its students", note="sealed rows")
        final = labelled(task, task.sealed.open(), width)
        rows = [n for n, related in enumerate(self._related) if not related]
        said = [one.student(final.points) for one in found]
        return Judged(
            identity=identity,
            sealed=tuple(score(final.labels, one) for one in said),
            apart=tuple(score(final.labels[rows], one[rows]) for one in said) if rows else (),
            development=tuple(score(others.labels, one.student(others.points)) for one in found),
        )

    @cached_property
    def _taught_with(self) -> list[Any]:
        return depends_on(self._options)

    @cached_property
    def _divided(self) -> Divided:
        return divided(self._task)

    @cached_property
    def _width(self) -> int:
        return width_of(self._task)

    @cached_property
    def _related(self) -> list[bool]:
        return related_to_others(self._task)

    @cached_property
    def _lessons(self) -> Labelled[Example]:
        """The training rows with the teacher's labels."""
        self._watch("asking the teacher", note="training rows")
        _, taught = taught_by(str(self._options.loop.teacher), self._task)
        points = labelled(self._task, self._task.train, self._width).points
        return Labelled(points, taught(points))
