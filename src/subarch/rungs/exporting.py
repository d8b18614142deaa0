"""Rungs that are exports: made by the export command's own code, judged on the task's development rows."""

from __future__ import annotations

from pathlib import Path

from subarch.errors import InputError
from subarch.jobs.export import export
from subarch.jobs.judging import judging_by
from subarch.learning.checkpoints import open_fitted
from subarch.learning.purposes import PURPOSE
from subarch.options.forms import USUAL, ArtifactName
from subarch.options.running import ExportOptions
from subarch.rungs.ground import Ground
from subarch.running.artifacts import FORMS, is_installed
from subarch.running.predictor import Predictor
from subarch.storage import write_json


class ExportedRung:
    """What rungs share that lie in a folder ``export`` of their own."""

    def answer(self, ground: Ground, folder: Path) -> Predictor:
        """The fastest form that passed the gate."""
        return Predictor.from_pretrained(self.served(ground, folder), threads=ground.options.threads)

    def served(self, ground: Ground, folder: Path) -> Path:
        """Its export."""
        del ground
        return folder / "export"

    def size_bytes(self, ground: Ground, folder: Path) -> int:
        """Of the form that was chosen."""
        return size_of_chosen(self.answer(ground, folder), self.served(ground, folder))


def exported(
    ground: Ground, checkpoint: Path, folder: Path, forms: tuple[ArtifactName, ...], *, max_drop: float
) -> None:
    """A checkpoint's forms, judged on the task's development rows, in ``folder/export``.

    Args:
        ground: of these rows.
        checkpoint: the teacher's, or of a network that was made for the task.
        folder: of the rung.
        forms: to choose from.
        max_drop: points that the chosen one may lose against PyTorch.

    Raises:
        ValueError, ImportError, RuntimeError: as :func:`subarch.jobs.export.export`.
    """
    threads = ground.options.threads
    own = checkpoint != ground.teacher.checkpoint.folder
    order = _own_order(ground) if own else None if ground.order is None else list(ground.order)
    thresholds = (open_fitted(checkpoint, ground.task.kind) if own else ground.teacher).thresholds
    options = ExportOptions(
        model=str(checkpoint),
        run=folder,
        artifacts=forms,
        max_drop=max_drop,
        threads=threads,
        kind=ground.task.kind,
    )
    rows = judging_by(ground.task, order, thresholds)
    found = export(options, rows=rows, watch=ground.watch)
    if not (found.folder / PURPOSE).is_file():  # a teacher that was not made here says nothing of its rows
        write_json(found.folder / PURPOSE, ground.purpose.to_json())


def that_can_be_made(ground: Ground) -> tuple[ArtifactName, ...]:
    """Forms that were asked for, or all usual ones that can be had here.

    Raises:
        ValueError: where there are none.
    """
    if ground.options.artifacts:
        return ground.options.artifacts
    found: tuple[ArtifactName, ...] = tuple(name for name in USUAL if is_installed(name))
    if not found:
        raise InputError("no form of a network can be made here: pip install 'subarch[export]'")
    return found


def _own_order(ground: Ground) -> list[int] | None:
    """Of a network that was made for the task itself."""
    kind, names = ground.task.kind, ground.task.label_names
    return kind.places(ground.task.name, names, of=kind, among=names)


def size_of_chosen(predictor: Predictor, folder: Path) -> int:
    """Bytes of the form that answers."""
    form = FORMS[predictor.artifact]
    return sum((folder / name).stat().st_size for name in form.files())
