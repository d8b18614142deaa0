"""The teacher in 8 bits: the quickest way to make it faster, without any training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subarch.errors import InputError
from subarch.options.forms import USUAL, ArtifactName
from subarch.rungs.exporting import ExportedRung, exported
from subarch.rungs.ground import Ground
from subarch.running.artifacts import FORMS, is_installed
from subarch.running.predictor import read_export

ANY_DROP = 100.0  # of an export: what it loses is told, and judged by the targets


class TeacherInt8(ExportedRung):
    """In the fastest form with 8-bit integers."""

    name: str = "teacher-int8"
    place: int = 70
    words: str = "the teacher with 8-bit integers"
    late: bool = False

    def depends_on(self, ground: Ground) -> Sequence[object]:
        """The forms that are tried."""
        return ground.options.artifacts

    def make(self, ground: Ground, folder: Path) -> None:
        """Its export."""
        exported(ground, ground.teacher.checkpoint.folder, folder, with_eight_bits(ground), max_drop=ANY_DROP)

    def told(self, folder: Path) -> str:
        """With its form."""
        return f"{self.words} ({read_export(folder / 'export')['chosen']})"


def with_eight_bits(ground: Ground) -> tuple[ArtifactName, ...]:
    """Forms with 8-bit integers that can be made here, among those that were asked for.

    Raises:
        ValueError: where there are none.
    """
    asked = ground.options.artifacts or USUAL
    names: tuple[ArtifactName, ...] = tuple(
        name for name in asked if FORMS[name].precision == "int8" and is_installed(name)
    )
    if not names:
        raise InputError(
            "none of the forms asked for has 8-bit integers and can be made here: pip install 'subarch[export]'"
        )
    return names


RUNG = TeacherInt8()
