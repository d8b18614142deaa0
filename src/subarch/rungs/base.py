"""What a rung is, and what the plain ones share.

A further rung is one file of :mod:`subarch.rungs.ways`, known by its name, with its test.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from subarch.errors import InputError
from subarch.learning.epochs import thresholds_of
from subarch.learning.purposes import PURPOSE
from subarch.options.forms import PlainName
from subarch.rungs.ground import Ground
from subarch.running.plain import PLAIN, PlainExport
from subarch.running.predictor import EXPORT, Predictor
from subarch.storage import put_in_place, sha256_of, write_json
from subarch.text.encoding import TOKENIZER, settings_to_read_with
from subarch.text.tokenizers import save_tokenizer


class Rung(Protocol):
    """One plain way to answer.

    Attributes:
        name: as options and results have it: its file's, with hyphens.
        place: among the others, the cheapest to have first.
        words: what it is, for people.
        late: whether it is made when it is known how fast it has to be.
    """

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> int: ...

    @property
    def words(self) -> str: ...

    @property
    def late(self) -> bool: ...

    def depends_on(self, ground: Ground) -> Sequence[object]:
        """JSON data that decide on what is made, beside task and teacher."""
        ...

    def make(self, ground: Ground, folder: Path) -> None:
        """Leave what answers below a folder; nothing is read of the sealed rows.

        Raises:
            ValueError, RuntimeError, ImportError: where it cannot be made: the ladder goes on without it, and says so.
        """
        ...

    def answer(self, ground: Ground, folder: Path) -> Predictor:
        """What :meth:`make` left, opened."""
        ...

    def served(self, ground: Ground, folder: Path) -> Path:
        """The folder that ``subarch predict`` serves."""
        ...

    def size_bytes(self, ground: Ground, folder: Path) -> int:
        """Of what answers, without the tokenizer."""
        ...

    def told(self, folder: Path) -> str:
        """What was made, for people."""
        ...


class PlainRung(ABC):
    """A rung that is one of :data:`subarch.running.plain.PLAIN`, in a folder of its own."""

    name: str
    place: int
    words: str
    form: PlainName
    late: bool = False

    def depends_on(self, ground: Ground) -> Sequence[object]:
        """Nothing more."""
        del ground
        return ()

    @abstractmethod
    def write(self, ground: Ground, folder: Path) -> bool:
        """The files of the form, into a folder that is there; whether it reads tokens."""

    def make(self, ground: Ground, folder: Path) -> None:
        """Files of the form, with what serving asks for, whole or absent.

        Raises:
            ValueError: where the task asks for something else than one answer to each text.
        """
        if ground.task.kind.has_words:
            raise InputError(f"{self.words} answers a text as a whole, {ground.task.name} asks about each of its words")
        part = folder / "model.unfinished"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        reads, teacher = None, ground.teacher
        if self.write(ground, part):
            save_tokenizer(teacher.tokenizer, part, length=teacher.length)
            reads = (TOKENIZER, settings_to_read_with(teacher.tokenizer))
        export = PlainExport.of(
            self.form,
            part,
            head=ground.head,
            label_names=ground.task.label_names,
            texts=len(ground.task.train[0].texts),
            digest=sha256_of,
            length=teacher.length if reads else 0,
            tokenizer=reads,
        )
        write_json(part / EXPORT, export.to_json())
        thresholds = self._thresholds(ground, part)
        write_json(part / EXPORT, replace(export, thresholds=thresholds).to_json())
        write_json(part / PURPOSE, replace(ground.purpose, thresholds=thresholds).to_json())
        put_in_place(part, self.served(ground, folder))

    def _thresholds(self, ground: Ground, folder: Path) -> tuple[float, ...] | None:
        """Those with which it does best on development rows; none where there is nothing to choose."""
        if not ground.task.kind.has_thresholds:
            return None
        predictor = Predictor.from_pretrained(folder, threads=ground.options.threads)
        bare = [one.bare for one in ground.task.development]
        return thresholds_of(ground.task, predictor.outputs(bare)) or None

    def answer(self, ground: Ground, folder: Path) -> Predictor:
        """Its own code, with numpy alone."""
        return Predictor.from_pretrained(self.served(ground, folder), threads=ground.options.threads)

    def served(self, ground: Ground, folder: Path) -> Path:
        """A folder that says of itself what it is."""
        del ground
        return folder / "model"

    def size_bytes(self, ground: Ground, folder: Path) -> int:
        """Of the form's files."""
        return sum((self.served(ground, folder) / name).stat().st_size for name in PLAIN[self.form].files())

    def told(self, folder: Path) -> str:
        """What it is."""
        del folder
        return self.words
