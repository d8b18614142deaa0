"""What plain rungs share: a folder that is whole or absent, and says what it was made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subarch.learning.purposes import Purpose
from subarch.rungs.base import PlainRung
from subarch.rungs.ways.constant import Constant


class Broken(Constant):
    """A rung whose work fails half-way."""

    def write(self, ground: Any, folder: Path) -> bool:
        super().write(ground, folder)
        raise RuntimeError("half-way")


def test_a_rung_is_whole_or_absent(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground = place.ground()
    with pytest.raises(RuntimeError, match="half-way"):
        Broken().make(ground, tmp_path)
    assert not Broken().served(ground, tmp_path).exists()
    Constant().make(ground, tmp_path)
    before = sorted(file.name for file in Constant().served(ground, tmp_path).iterdir())
    with pytest.raises(RuntimeError, match="half-way"):
        Broken().make(ground, tmp_path)
    assert sorted(file.name for file in Constant().served(ground, tmp_path).iterdir()) == before
    assert issubclass(Broken, PlainRung)


def test_it_says_which_rows_it_has_learned_from(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ground = place.ground()
    Constant().make(ground, tmp_path)
    purpose = Purpose.read(Constant().served(ground, tmp_path))
    assert purpose.learned_from(place.data) and purpose.label_names == ground.task.label_names
    assert purpose.split is not None and purpose.split.sealed == ground.task.sealed.digest
