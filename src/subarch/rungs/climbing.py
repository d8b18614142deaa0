"""From options to rungs: what is made, in which order, and when the sealed rows are opened.

First what is cheap, judged on the development rows; then what depends on how fast the others are; at the end, when all
choices are made, everything once more on the sealed rows.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from subarch.jobs.splits import require_one_seal
from subarch.manifest import Manifest, given
from subarch.options.ladder import LadderOptions
from subarch.progress import Watch, silent
from subarch.results.base import Record
from subarch.results.ladder import LadderResult, RungResult
from subarch.results.promise import PromiseResult
from subarch.results.report import Page
from subarch.rungs.ground import Ground, dealt, opened
from subarch.rungs.layers import deep_enough
from subarch.rungs.standing import Standing, dropped, made, promised, result_of, verdict
from subarch.rungs.table import RUNGS
from subarch.rungs.timing import Times, times
from subarch.storage import claimed, made_directory, new_run_directory, read_record, tell_directory, write_json
from subarch.telling.report import write_report
from subarch.threads import pinned

_LOG = logging.getLogger(__name__)

RESULT = "ladder.json"
_FOOT, _DEPTH = "foot.json", "depth.json"
_FORMAT = 1
_TEACHER, _TEACHERS = "teacher", ("teacher", "teacher-int8")


@dataclass(frozen=True, kw_only=True)
class DepthRecord(Record):
    """How many of the teacher's layers keep the time that is asked for: times differ from one call to the next."""

    identity: str
    layers: int


def ladder(options: LadderOptions, *, watch: Watch = silent, command: str = "") -> LadderResult:
    """Climb the ladder and return what ``ladder.json`` holds.

    Raises:
        ValueError: for wrong input; nothing is written then.
        OSError: when the run directory cannot be written.
    """
    options = dealt(options)
    with pinned(options.threads):
        run = options.run or new_run_directory("ladder", Path(options.where.name).stem)
        ground = opened(options, run, watch=watch)
        require_one_seal(run, options.where, ground.task)
        if options.run is None:
            tell_directory(run, watch)
        with claimed(made_directory(run)):
            known = read_record(LadderResult, run / RESULT)
            identity = identity_of(ground, options.stop_when_met)
            if known is not None and known.identity == identity and _are_there(known):
                return known
            made_with = Manifest(
                command=command,
                source=options.teacher,
                options=given(options),
                seeds=(0,),
                data={"task": ground.task.name, "fingerprint": ground.task.fingerprint},
            )
            write_json(run / "ladder-manifest.json", made_with.to_json())
            found = _climbed(ground, run, identity)
            write_json(run / RESULT, found.to_json())
            watch("writing the report")
            write_report(run)
            return found


def _climbed(ground: Ground, run: Path, identity: str) -> LadderResult:
    climb = Climb(ground)
    foot = climb.foot()
    ended = ground.options.stop_when_met and foot.enough is not None
    found = climb.head((), identity=identity, late=not ended)
    return replace(found, run=str(run), report=Page(run / "report.html"))


def _are_there(known: LadderResult) -> bool:
    return all(one.folder is None or Path(one.folder).is_dir() for one in known.rungs)


def identity_of(ground: Ground, *more: object) -> str:
    """Of everything that a result depends on; ``more`` is JSON data."""
    options = ground.options
    asked = [ground.asked.to_json(), options.rungs, options.threads, options.rounds]
    learned = [options.learning_rate, options.epochs, options.batch_size, options.max_length, options.artifacts]
    return json.dumps([_FORMAT, *ground.depends_on, ground.pool_digest, asked, learned, *more])


class Climb:
    """One ladder, from its foot to its head.

    Args:
        ground: that it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._left: dict[str, str] = {}
        self._standing: dict[str, Standing] = {}

    # --- the foot

    def foot(self) -> LadderResult:
        """The cheap rungs, told as soon as they are there and judged on the development rows; what was decided is
        kept."""
        file, identity = self.ground.folder / _FOOT, identity_of(self.ground)
        known = read_record(LadderResult, file)
        teacher = self.teacher
        for one in self._rungs(late=False):
            self._tell(one, teacher)
        if known is not None and known.identity == identity:
            return known
        found = self._result([*self._standing.values()], is_open=False, identity=identity)
        write_json(file, found.to_json())
        _LOG.info("%s", found.sentence().words)
        return found

    @property
    def teacher(self) -> Standing:
        """It is always asked: what is lost is lost against it."""
        return self.stand(_TEACHER)

    def stand(self, name: str) -> Standing:
        """A rung, made where it is not there yet.

        Raises:
            ValueError, RuntimeError, ImportError: where it cannot be made.
        """
        if name not in self._standing:
            self._standing[name] = made(self.ground, next(one for one in RUNGS.values() if one.name == name))
        return self._standing[name]

    def _rungs(self, *, late: bool) -> Iterator[Standing]:
        """The rungs that were asked for, as they are made; what cannot be made is left out, and said."""
        for name, rung in RUNGS.items():
            if name not in self.ground.options.rungs or rung.late != late:
                continue
            try:
                yield self.stand(name)
            except (ValueError, ImportError, RuntimeError, ArithmeticError) as error:
                self._left[name] = str(error)
                _LOG.warning("the rung %s is left out: %s", name, error)

    def _tell(self, one: Standing, teacher: Standing) -> None:
        if one.name == _TEACHER:
            return
        task = self.ground.task
        scores = [
            100 * task.kind.score(task.metrics, task.development, said.development)["score"] for said in (one, teacher)
        ]
        _LOG.info("%s: %s %.1f on the development rows, the teacher %.1f", one.words, task.metric, *scores)

    # --- the head

    def head(self, forms: Sequence[Standing], *, identity: str, late: bool = True) -> LadderResult:
        """Everything, on the sealed rows too.

        Args:
            forms: of a model that was made otherwise; the first is the one that is deployed.
            identity: of the result.
            late: whether rungs are still made that depend on how fast the others are.
        """
        names = [name for name in self.ground.options.rungs if RUNGS[name].late]
        if late and names:
            self.ground = replace(self.ground, layers=self._depth(forms))
            for one in self._rungs(late=True):
                self._tell(one, self.teacher)
        return self._result([*self._in_order(), *forms], is_open=True, identity=identity)

    def _in_order(self) -> Iterable[Standing]:
        return (self._standing[name] for name in RUNGS if name in self._standing)

    def _depth(self, forms: Sequence[Standing]) -> int:
        """How many layers the teacher keeps; decided once."""
        student = forms[0] if forms else None
        asked = identity_of(self.ground, student and str(student.served))
        file = self.ground.folder / _DEPTH
        known = read_record(DepthRecord, file)
        if known is not None and known.identity == asked:
            return known.layers
        whole = self._standing.get("teacher-int8") or self.teacher
        try:
            layers = deep_enough(self.ground, whole.predictor, None if student is None else student.predictor)
        except ValueError as error:  # of a family whose layers are not known; the rung itself will say so
            _LOG.debug("no depth: %s", error)
            return 1
        write_json(file, DepthRecord(identity=asked, layers=layers).to_json())
        return layers

    # --- both

    def _result(self, standing: Sequence[Standing], *, is_open: bool, identity: str) -> LadderResult:
        ground, teacher = self.ground, self.teacher
        taken = times({one.name: one.predictor for one in standing}, ground)
        fastest = self._fastest_teacher(taken)
        rungs = tuple(result_of(one, teacher, taken[one.name], fastest, is_open=is_open) for one in standing)
        return LadderResult(
            metric=ground.task.metric,
            rungs=rungs,
            enough=_enough(ground, rungs, taken, fastest),
            asked=ground.asked,
            task=ground.task.name,
            development_rows=len(ground.task.development),
            sealed_rows=len(ground.task.sealed),
            pool=len(ground.pool),
            left_out=dict(self._left),
            identity=identity,
        )

    def _fastest_teacher(self, taken: Mapping[str, Times]) -> float:
        """Of its forms that are still as good as it, the fastest one's milliseconds."""
        teacher = self.teacher
        found = [taken[_TEACHER].ms_per_text]
        for name in _TEACHERS[1:]:
            if name in taken:
                said = self._standing[name].development
                if dropped(self.ground, "development", teacher.development, said).verdict != "missed":
                    found.append(taken[name].ms_per_text)
        return min(found)

    def promise(self, form: Standing) -> PromiseResult:
        """What is promised of what is deployed, when all choices are made."""
        return promised(form, self.teacher)


def _enough(ground: Ground, rungs: Sequence[RungResult], taken: Mapping[str, Times], teacher_ms: float) -> str | None:
    """The first rung that is shown to meet all targets on the development rows; the teacher itself is no rival."""
    for one in rungs:
        if one.what != "rung" or one.name == _TEACHER or one.development_drop is None:
            continue
        if verdict(ground.asked, taken[one.name], teacher_ms, one.development_drop) == "met":
            return one.name
    return None
