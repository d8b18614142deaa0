"""A network that answers, opened from a checkpoint or from an export: what evaluate and predict need of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.learning.checkpoints import kind_of_head, open_fitted, require_asked
from subarch.learning.heads import outputs
from subarch.learning.purposes import Purpose
from subarch.networks.checkpoints import open_checkpoint
from subarch.options.forms import ArtifactName, FormName
from subarch.running.predictor import EXPORT, Predictor
from subarch.tasks.kinds.base import Kind, Thresholds
from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.text.examples import Example
from subarch.threads import pinned

Tick = Callable[[int, int], None]
Ask = Callable[[Sequence[Example], Tick], Sequence[NDArray[np.float32]]]


@dataclass(frozen=True)
class Answering:
    """A network with a head, opened.

    Attributes:
        name: as it was asked for.
        folder: of the checkpoint, or of the export.
        artifact: the form that answers; None: PyTorch, with 32-bit floats.
        kind: what its head predicts.
        label_names: of its classes, in the order of its outputs.
        texts: how many texts an example has, where that is known.
        purpose: what it was fine-tuned for, as its checkpoint says.
        thresholds: above which each label holds, where it has some.
        ask: examples to what it says of each: logits, the number, or a score for each candidate.
        read: examples as it reads them; None where it reads texts as they are.
    """

    name: str
    folder: Path
    artifact: FormName | None
    kind: Kind
    label_names: tuple[str, ...]
    texts: int | None
    purpose: Purpose
    ask: Ask
    thresholds: Thresholds = ()
    places: Callable[[Sequence[Example]], Sequence[NDArray[np.int64]]] | None = None

    def spans(self, examples: Sequence[Example]) -> Sequence[NDArray[np.int64]]:
        """For each example where its places are in its text, ``(places, 2)``; nothing where it has none."""
        if self.places is None or not self.kind.has_words:
            return [np.empty((0, 2), np.int64)] * len(examples)
        return self.places(examples)

    def order_for(self, task: str, kind: Kind, label_names: tuple[str, ...]) -> list[int] | None:
        """For every class of a task the network's output; None where there are no classes.

        Raises:
            ValueError: when the network predicts something else.
        """
        return kind.places(task, label_names, of=self.kind, among=self.label_names)

    @property
    def is_nameless(self) -> bool:
        """Whether nothing is known of its classes but their number."""
        return self.kind.is_nameless(self.label_names)


def opened(
    name: str, *, artifact: ArtifactName | None = None, threads: int | None = None, kind: str | None = None
) -> Answering:
    """A fine-tuned checkpoint, or what ``subarch export`` made of one.

    Args:
        name: a folder, or a Hugging Face name.
        artifact: of an export another form than the chosen one.
        threads: of one pass; all cores when not given.
        kind: that it was fine-tuned for, as somebody typed it; needed for one of the user's alone.

    Raises:
        ValueError: when it has no head for a task, or cannot be read; for a form that is not there.
        ImportError: when a form's runtime is not installed, naming the extra.
    """
    asked = None if kind is None else kind_of(kind)
    if (Path(name).expanduser() / EXPORT).is_file():
        found = _export(name, artifact, threads, asked)
    elif artifact is not None:
        raise InputError(f"--artifact {artifact} is a form of an export, {name} is none: give its folder, or leave it")
    else:
        found = _checkpoint(name, threads, asked)
    require_asked(found.kind, asked, name)
    return found


def _checkpoint(name: str, threads: int | None, asked: Kind | None) -> Answering:
    checkpoint = open_checkpoint(name)
    folder, fitted = checkpoint.folder, open_fitted(checkpoint, asked)
    purpose = Purpose.read(folder)

    def ask(examples: Sequence[Example], tick: Tick) -> Sequence[NDArray[np.float32]]:
        with pinned(threads):
            return outputs(fitted.model, fitted.tokens(examples), tick=tick)

    texts = len(purpose.text_columns) or None
    return Answering(
        name=name,
        folder=folder,
        artifact=None,
        kind=fitted.kind,
        label_names=fitted.label_names,
        texts=texts,
        purpose=purpose,
        ask=ask,
        thresholds=fitted.thresholds,
        places=lambda examples: fitted.tokens(examples).spans,
    )


def _export(name: str, artifact: ArtifactName | None, threads: int | None, asked: Kind | None) -> Answering:
    folder = Path(name).expanduser()
    predictor = Predictor.from_pretrained(folder, artifact=artifact, threads=threads, passes=1)
    if predictor.head not in KINDS:
        raise InputError(f"{name} has no head for a task (it is for {predictor.head}): export a fine-tuned checkpoint")

    def ask(examples: Sequence[Example], tick: Tick) -> Sequence[NDArray[np.float32]]:
        return predictor.outputs(examples, tick=tick)

    return Answering(
        name=name,
        folder=folder,
        artifact=predictor.artifact,
        kind=kind_of_head(folder, predictor.head, asked),
        label_names=predictor.label_names,
        texts=predictor.texts,
        purpose=Purpose.read(folder),
        ask=ask,
        thresholds=predictor.thresholds,
        places=predictor.spans,
    )
