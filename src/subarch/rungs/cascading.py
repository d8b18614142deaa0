"""A cascade: most texts are easy, and the student answers them; about the others the teacher in 8 bits is asked.

How sure the student has to be is decided on development rows that it has not learned from, and near which no text was
made for it: of those it is surer than of others. A student that was trained once more with all of them has a like, the
student of the same way and seed before that training, and what that one says counts. What the cascade is worth is told
from the sealed rows.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.learning.purposes import PURPOSE
from subarch.results.cascade import CascadeResult
from subarch.rungs.ground import Ground
from subarch.rungs.standing import Standing, promised, quality
from subarch.rungs.timing import texts
from subarch.running.artifacts import FORMS
from subarch.running.base import Form
from subarch.running.cascade import FILE, FIRST, SECOND, CascadeProgram, confidence
from subarch.running.plain import PLAIN, PlainExport
from subarch.running.predictor import EXPORT, Predictor, read_export
from subarch.storage import put_in_place, sha256_of, write_json
from subarch.tasks.metrics import Predicted
from subarch.tasks.task import Task
from subarch.text.encoding import TOKENIZER
from subarch.text.examples import Split

_STEPS = 200  # shares of the development rows that are tried
_ROUNDS = 3


def cascade(
    ground: Ground,
    student: Standing,
    teacher: Standing,
    second: Standing,
    judged: Mapping[int, NDArray[np.float32]],
    run: Path,
) -> CascadeResult:
    """Choose how sure is sure enough, leave the two in one folder, and see what they are worth together.

    Args:
        ground: of the rows.
        student: asked about everything.
        teacher: that is compared with.
        second: asked about the rest.
        judged: what the student, or its like, says of development rows that it has not learned from: by their numbers,
            logits in the order of the task's classes.
        run: directory of the run.

    Raises:
        ValueError: where answers are no classes.
    """
    if not ground.task.kind.has_classes:
        raise InputError("a cascade is of classes: of numbers and of several labels nobody says how sure they are")
    rows, logits = Split(ground.task.development[row] for row in judged), list(judged.values())
    first, other = ground.task.kind.decide(logits), [second.development[row] for row in judged]
    least, share = enough(ground.task, rows, confidence(logits), first, cast("Predicted", other))
    folder = run / "cascade"
    _written(ground, folder, student.served, second.served, least)
    predictor = Predictor.from_pretrained(folder)
    one = Standing(
        ground=ground,
        name="cascade",
        what="form",
        words="the student where it is sure, the teacher in 8 bits where it is not",
        served=folder,
        predictor=predictor,
        answers=None,
        size_bytes=None,
    )
    program = predictor.program
    assert isinstance(program, CascadeProgram)
    deferred = float(program.unsure(list(ground.task.sealed.unlabelled())).mean())
    alone, many = _means([predictor, second.predictor, student.predictor], ground)
    return CascadeResult(
        folder=str(folder),
        first="the student",
        second="the teacher in 8 bits",
        least=least,
        development_deferred=share,
        deferred=deferred,
        metric=ground.task.metric,
        quality=quality(ground, "sealed", one.sealed),
        promise=promised(one, teacher),
        mean_ms=alone[0][0],
        p95_ms=alone[0][1],
        second_ms=alone[1][0],
        first_ms=alone[2][0],
        texts_per_second=many[0],
        second_per_second=many[1],
    )


def enough(
    task: Task, rows: Split, sure: NDArray[np.float64], first: Predicted, second: Predicted
) -> tuple[float, float]:
    """The confidence from which the first is trusted, and the share of the rows below it.

    The fewest rows are passed on with which, and with any more, the two are as good together as the second alone.

    Args:
        task: of the rows.
        rows: with labels, which neither has learned from.
        sure: confidence of the first in each of them: ``(rows,)``.
        first: its answers.
        second: and the other's.
    """
    order = np.argsort(sure, kind="stable")
    counts = np.unique(np.linspace(0, len(sure), _STEPS + 1).round().astype(int))
    goal = task.kind.score(task.metrics, rows, second)["score"]
    fewest = len(sure)
    for count in counts[::-1].tolist():
        passed = set(order[:count].tolist())
        together = [second[n] if n in passed else first[n] for n in range(len(sure))]
        if task.kind.score(task.metrics, rows, together)["score"] < goal:
            break
        fewest = count
    least = 0.0 if fewest == 0 else float(np.nextafter(sure[order[fewest - 1]], 2.0))
    return least, float((sure < least).mean())


def _written(ground: Ground, folder: Path, first: Path, second: Path, least: float) -> None:
    """Both exports and what joins them, whole or absent."""
    part = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, source in ((FIRST, first), (SECOND, second)):
        _copied(source, part / name)
    write_json(part / FILE, {"least": least})
    names = tuple(read_export(part / FIRST)["label_names"])
    export = PlainExport.of(
        "cascade",
        part,
        head=ground.head,
        label_names=names,
        texts=len(ground.task.train[0].texts),
        digest=sha256_of,
    )
    write_json(part / EXPORT, export.to_json())
    write_json(part / PURPOSE, ground.purpose.to_json())
    put_in_place(part, folder)


def _copied(source: Path, folder: Path) -> None:
    """As much of an export as answers."""
    folder.mkdir()
    forms: Mapping[str, Form] = {**FORMS, **PLAIN}
    files = forms[read_export(source)["chosen"]].files()
    for name in (EXPORT, PURPOSE, TOKENIZER, *files):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _means(predictors: Sequence[Predictor], ground: Ground) -> tuple[list[tuple[float, float]], list[float]]:
    """Mean and 95th percentile of milliseconds for one text, and texts a second of many; in turns, of all lengths."""
    _, many = texts(ground)
    alone: list[list[list[float]]] = [[] for _ in predictors]
    rates: list[list[float]] = [[] for _ in predictors]
    for _, (n, predictor) in itertools.product(range(_ROUNDS), enumerate(predictors)):
        ground.watch("timing the cascade")
        readings: list[float] = []
        for one in many:
            began = time.perf_counter()
            predictor.outputs([one])
            readings.append(1000 * (time.perf_counter() - began))
        alone[n].append(readings)
        began = time.perf_counter()
        predictor.outputs(many)
        rates[n].append(len(many) / (time.perf_counter() - began))
    found: list[tuple[float, float]] = []
    for rounds in alone:  # of each text its fastest reading: what others took of the machine is no part of it
        each = np.min(np.array(rounds), axis=0)
        found.append((float(each.mean()), float(np.percentile(each, 95))))
    return found, [statistics.median(one) for one in rates]
