"""The commonest class, whatever the text says; of numbers their mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from subarch.options.forms import PlainName
from subarch.rungs.base import PlainRung
from subarch.rungs.ground import Ground
from subarch.running.plain import CONSTANT, ConstantProgram
from subarch.storage import write_json


class Constant(PlainRung):
    """What a score has to be compared with before anything else."""

    name: str = "constant"
    place: int = 10
    words: str = "the same answer to every text"
    form: PlainName = "constant"

    def write(self, ground: Ground, folder: Path) -> bool:
        """What is said of the mean of the labels: of classes and labels their shares."""
        shares = ground.task.kind.outputs_of(ground.labels.mean(0))
        write_json(folder / CONSTANT, ConstantProgram(shares.astype(np.float32)).document())
        return False


RUNG = Constant()
