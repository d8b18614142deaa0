"""The teacher's first layers with a new head: what cutting its depth alone gives, at the speed that is asked for.

It learns as a student does, plainly and from the teacher's answers; what is better on development rows is kept. What a
search is worth is its student's lead over this.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import nn
from transformers import PreTrainedModel

from subarch.agora.data import Labelled
from subarch.jobs.agora import labelled
from subarch.learning.agora import Deciding, TextLearner
from subarch.learning.checkpoints import save_checkpoint
from subarch.learning.heads import Copies, Target, TaskNetwork, from_checkpoint
from subarch.networks.layouts import layout_of, sizes_in
from subarch.networks.stock import kept_layers, resize
from subarch.results.base import Record
from subarch.rungs.exporting import ExportedRung, exported, that_can_be_made
from subarch.rungs.ground import TEACHER_SHARE, Ground
from subarch.rungs.timing import times
from subarch.running.artifacts import FORMS
from subarch.running.base import Inputs
from subarch.running.conversion import TorchProgram, write
from subarch.running.graphs import Graph
from subarch.running.predictor import Predictor
from subarch.storage import read_record, write_json

ABOUT = "layers.json"
_ROUNDING = 0.5  # points that a form may lose against PyTorch, as of any export
_NOBODY_ASKS = 3  # as many times fewer layers, where no time is asked for


@dataclass(frozen=True, kw_only=True)
class LayersMade(Record):
    """What was kept.

    Attributes:
        layers: numbers of the teacher's, from 0.
        of: how many it has.
        way: of training, ``plain`` or ``distilled``.
        development: score of each way on the development rows.
    """

    layers: tuple[int, ...]
    of: int
    way: str
    development: dict[str, float]


class Layers(ExportedRung):
    """Some of the teacher's layers.

    Args:
        name: of the rung.
        place: of it, the cheapest first.
        which: layers, given how many there are to be and how many there are.
        words: what they are.
    """

    def __init__(self, name: str, place: int, which: Callable[[int, int], tuple[int, ...]], words: str) -> None:
        self._name, self._place, self._which, self._words = name, place, which, words

    @property
    def name(self) -> str:
        return self._name

    @property
    def place(self) -> int:
        return self._place

    @property
    def words(self) -> str:
        return self._words

    @property
    def late(self) -> bool:
        """It is as deep as the others' speed allows."""
        return True

    def kept(self, count: int, of: int) -> tuple[int, ...]:
        """Numbers of the layers, of the teacher's so many."""
        return self._which(count, of)

    def depends_on(self, ground: Ground) -> Sequence[object]:
        """How many layers, and how they learn."""
        options = ground.options
        said = (options.learning_rate, options.epochs, options.batch_size, options.max_length)
        return [ground.layers, *said, *options.artifacts]

    def make(self, ground: Ground, folder: Path) -> None:
        """Trained in both ways; the better one on development rows is exported."""
        count, depth = depth_of(ground), ground.layers or 1
        kept = kept_layers(cast("Any", ground.teacher.model).config, depth, self.kept)
        learner = with_layers(ground, kept)
        options, task = ground.options, ground.task
        students = TextLearner(
            learner=learner,
            network=json.dumps([ground.teacher.checkpoint.fingerprint, kept]),
            steps=options.epochs * math.ceil(len(task.train) / options.batch_size),
            folder=folder / "students",
            batch_size=options.batch_size,
            deciding=Deciding(metrics=task.metrics, development=task.development),
            threads=options.threads,
            watch=ground.watch,
        )
        theta = {"learning_rate": options.learning_rate}
        plain = labelled(task, task.train, ground.width)
        said = task.kind.rows_said(ground.asked_teacher(task.train, "training rows"), ground.width)
        mixed = Labelled(plain.points, TEACHER_SHARE * said + (1 - TEACHER_SHARE) * plain.labels)
        ways, development = {"plain": plain, "distilled": mixed}, labelled(task, task.development, ground.width)
        found = {
            way: task.kind.score_rows(
                task.metrics, development.labels, students.fit(data, theta, 0)(development.points), task.label_names
            )
            for way, data in ways.items()
        }
        way = max(found, key=found.__getitem__)
        model = students.student(ways[way], theta, 0)
        learner.target.in_units(model)
        thresholds = students.thresholds(ways[way], theta, 0) or None
        purpose = replace(ground.purpose, length=learner.length, thresholds=thresholds)
        save_checkpoint(model, learner, folder / "checkpoint", purpose)
        exported(ground, folder / "checkpoint", folder, that_can_be_made(ground), max_drop=_ROUNDING)
        made = LayersMade(layers=kept, of=count, way=way, development=found)
        write_json(folder / ABOUT, made.to_json())

    def told(self, folder: Path) -> str:
        """How many layers, and how they have learned."""
        made = read_record(LayersMade, folder / ABOUT)
        if made is None:
            return self._words
        return f"{self._words}: {len(made.layers)} of {made.of}, {made.way}"


def first(count: int, of: int) -> tuple[int, ...]:
    """The first so many layers."""
    return tuple(range(min(count, of)))


def depth_of(ground: Ground) -> int:
    """Layers of the teacher.

    Raises:
        ValueError: for a family whose layers are not known.
    """
    config: Any = cast("Any", ground.teacher.model).config
    layout_of(config)
    return int(sizes_in(config)["num_hidden_layers"])


def with_layers(ground: Ground, kept: Sequence[int]) -> TaskNetwork:
    """The teacher with these layers alone, each time with a new head."""
    task, teacher = ground.task, ground.teacher
    target = Target.of(task.kind, task.label_names, task.train.labels)
    length = ground.options.max_length or teacher.length
    learner = from_checkpoint(teacher.checkpoint, target, task.name, min(length, teacher.length))
    model = learner.make(0)
    return replace(learner, make=Copies(cut(model, kept)))


def cut(model: PreTrainedModel, kept: Sequence[int]) -> PreTrainedModel:
    """A model with these of its layers alone, in place."""
    backbone = cast("Any", model).base_model
    layout = layout_of(backbone.config)
    if not layout.shared:  # one layer that is passed many times is passed less often
        parent, _, leaf = layout.layers.rpartition(".")
        found = backbone.get_submodule(layout.layers)
        setattr(backbone.get_submodule(parent), leaf, nn.ModuleList([found[n] for n in kept]))
    for config in {id(one.config): one.config for one in (model, backbone)}.values():
        resize(cast("Any", config), {"num_hidden_layers": len(kept)}, kept)
    return model


# --- how deep ---------------------------------------------------------------------------------------------------------


def deep_enough(ground: Ground, whole: Predictor, student: Predictor | None) -> int:
    """How many layers keep the time that is asked for, from text to answer: at least one.

    Time grows by as much with each layer, so one layer and all of them say what lies between.

    Args:
        ground: with the targets.
        whole: the teacher in its fastest form.
        student: whose time is to be kept; the target's where there is none.
    """
    count, options = depth_of(ground), ground.options
    if student is None and options.speedup is None and options.max_latency_ms is None:
        return max(1, round(count / _NOBODY_ASKS))
    with tempfile.TemporaryDirectory(prefix="subarch-") as place:
        one = _one_layer(ground, whole, Path(place))
        found = times({"one": one, "whole": whole} | ({} if student is None else {"student": student}), ground)
    low, high = found["one"].ms_per_text, found["whole"].ms_per_text
    if student is not None:
        limit = found["student"].ms_per_text
    else:
        limit = min(options.max_latency_ms or math.inf, high / options.speedup if options.speedup else math.inf)
    each = (high - low) / max(1, count - 1)
    if each <= 0:  # a busy moment: no more is known than that all are fast enough, or none is
        return count if limit >= high else 1
    return int(np.clip(1 + math.floor((limit - low) / each + 1e-9), 1, count))


def _one_layer(ground: Ground, whole: Predictor, folder: Path) -> Predictor:
    """One layer in the form of the whole."""
    graph = Graph.of(with_layers(ground, (0,)).make(0))
    if whole.artifact == "pytorch":
        program: Any = TorchProgram(graph, threads=ground.options.threads)
    else:
        bare = [one.bare for one in ground.task.train[:32]]
        tokens = ground.teacher.tokens(bare)
        given = [_filled(tokens.arrays([row])) for row in range(len(tokens))]
        (form,) = write(graph, folder, [whole.artifact], given)
        program = FORMS[form.name].open(folder, ground.options.threads)
    return replace(whole, program=program)


def _filled(batch: Inputs) -> Inputs:
    ids = batch["input_ids"]
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
