"""The teacher as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subarch.rungs.ground import Ground
from subarch.running.conversion import TorchProgram
from subarch.running.graphs import Graph
from subarch.running.predictor import Predictor


class TeacherAsGiven:
    """In PyTorch, with 32-bit floats, as it was given."""

    name: str = "teacher"
    place: int = 60
    words: str = "the teacher in PyTorch, with 32-bit floats"
    late: bool = False

    def depends_on(self, ground: Ground) -> Sequence[object]:
        """Nothing more."""
        del ground
        return ()

    def make(self, ground: Ground, folder: Path) -> None:
        """It is there."""
        del ground
        folder.mkdir(parents=True, exist_ok=True)

    def answer(self, ground: Ground, folder: Path) -> Predictor:
        """Its checkpoint."""
        del folder
        teacher = ground.teacher
        return Predictor(
            program=TorchProgram(Graph.of(teacher.model), threads=ground.options.threads),
            tokenizer=teacher.tokenizer,
            head=ground.head,
            label_names=teacher.label_names,
            length=teacher.length,
            artifact="pytorch",
            thresholds=teacher.thresholds,
        )

    def served(self, ground: Ground, folder: Path) -> Path:
        """Its checkpoint."""
        del folder
        return ground.teacher.checkpoint.folder

    def size_bytes(self, ground: Ground, folder: Path) -> int:
        """Of its weights."""
        return sum(file.stat().st_size for file in self.served(ground, folder).iterdir() if _holds_weights(file))

    def told(self, folder: Path) -> str:
        """What it is."""
        del folder
        return self.words


def _holds_weights(file: Path) -> bool:
    return file.suffix == ".safetensors" or (file.name.startswith("pytorch_model") and file.suffix == ".bin")


RUNG = TeacherAsGiven()
