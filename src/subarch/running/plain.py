"""The forms of what is no deep network, and what their folders say: the ladder's first rungs.

They are read by code of this package alone: vocabularies are JSON, numbers are arrays of numpy that hold no objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.options.forms import Head, PlainName
from subarch.results.base import Record, absent
from subarch.results.export import ReadWith
from subarch.running.base import Program, TextProgram
from subarch.running.static import StaticProgram
from subarch.running.tfidf import TfidfProgram
from subarch.text.examples import Example


@dataclass(frozen=True)
class PlainForm:
    """One such form.

    Attributes:
        name: of the form.
        parts: its files.
        opened: of a folder with these, what answers.
    """

    name: PlainName
    parts: tuple[str, ...]
    opened: Callable[[Path], Program | TextProgram]

    @property
    def company_counts(self) -> bool:
        """Never: each text is answered by itself."""
        return False

    def files(self) -> tuple[str, ...]:
        """All of its files."""
        return self.parts

    def open(self, folder: Path, threads: int | None = None, passes: int | None = 1) -> Program | TextProgram:
        """Ready to run: on the thread that asks, for any number of them.

        Raises:
            ValueError: for a damaged file.
        """
        del threads, passes
        with _damage(folder):
            return self.opened(folder)


@contextmanager
def _damage(folder: Path) -> Generator[None]:
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError) as error:
        raise InputError(f"{folder} holds files that are damaged or of another program ({error}): make it again") from (
            error
        )


CONSTANT = "constant.json"


class ConstantProgram(TextProgram):
    """The same answer to every text.

    Args:
        outputs: that answer: ``(outputs,)``.
    """

    def __init__(self, outputs: NDArray[np.float32]) -> None:
        self._outputs = outputs

    @classmethod
    def opened(cls, folder: Path) -> ConstantProgram:
        """As :meth:`write` left it."""
        found: Any = json.loads((folder / CONSTANT).read_text(encoding="utf-8"))
        return cls(np.array([float(one) for one in found["outputs"]], dtype=np.float32))

    def document(self) -> Mapping[str, Sequence[float]]:
        """What its file holds."""
        return {"outputs": self._outputs.tolist()}

    def texts(self, examples: Sequence[Example], /) -> NDArray[np.float32]:
        return np.repeat(self._outputs[None], len(examples), axis=0)


def _cascade(folder: Path) -> TextProgram:
    """By name: what opens cascades opens what they are made of, with this table."""
    return import_module("subarch.running.cascade").CascadeProgram.opened(folder)


PLAIN: Mapping[PlainName, PlainForm] = {
    form.name: form
    for form in (
        PlainForm("constant", (CONSTANT,), ConstantProgram.opened),
        PlainForm("tfidf", TfidfProgram.FILES, TfidfProgram.opened),
        PlainForm("static", StaticProgram.FILES, StaticProgram.opened),
        PlainForm("cascade", ("cascade.json",), _cascade),
    )
}


@dataclass(frozen=True, kw_only=True)
class HeldForm(Record):
    """That a folder holds a form."""

    artifact: str


@dataclass(frozen=True, kw_only=True)
class PlainExport(Record):
    """What ``export.json`` says of such a form: as much of an export's as serving asks for.

    Attributes:
        chosen: the form.
        parity: the same, as a list.
        sha256: of its files, and of the tokenizer where it reads tokens.
        head: what it predicts.
        label_names: of its outputs.
        length: tokens that a text is cut to; 0 where it reads whole texts.
        texts: how many an example has.
        sizes: bytes of the form.
        tokenizer: what its own file does not say of it; absent where it reads texts.
        thresholds: above which each label holds, where it has some.
        identity: of everything that it depends on.
    """

    chosen: str
    parity: tuple[HeldForm, ...]
    sha256: Mapping[str, str]
    head: str
    label_names: tuple[str, ...]
    length: int
    texts: int
    sizes: Mapping[str, int]
    tokenizer: ReadWith | None = absent()
    thresholds: tuple[float, ...] | None = absent()
    identity: str | None = None

    @classmethod
    def of(
        cls,
        form: PlainName,
        folder: Path,
        *,
        head: Head,
        label_names: tuple[str, ...],
        texts: int,
        digest: Callable[[Path], str],
        length: int = 0,
        tokenizer: tuple[str, ReadWith] | None = None,
        thresholds: tuple[float, ...] = (),
        identity: str | None = None,
    ) -> PlainExport:
        """Of a folder that holds the form's files.

        Args:
            form: of the folder.
            folder: with its files.
            head: what it predicts.
            label_names: of its outputs.
            texts: how many an example has.
            digest: of a file.
            length: tokens that a text is cut to.
            tokenizer: name of its file, and what that does not say.
            thresholds: of its labels.
            identity: of everything that it depends on.
        """
        files = PLAIN[form].files()
        named = (*files, *([tokenizer[0]] if tokenizer else []))
        return cls(
            chosen=form,
            parity=(HeldForm(artifact=form),),
            sha256={name: digest(folder / name) for name in named},
            head=head,
            label_names=label_names,
            length=length,
            texts=texts,
            sizes={form: sum((folder / name).stat().st_size for name in files)},
            tokenizer=None if tokenizer is None else tokenizer[1],
            thresholds=thresholds or None,
            identity=identity,
        )
