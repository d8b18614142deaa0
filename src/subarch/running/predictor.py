"""The chosen form of a network as one object: texts in, answers out.

from subarch.running.predictor import Predictor

predictor = Predictor.from_pretrained("runs/mine/export")
predictor(["a fine film", "a waste of time"])
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.options.forms import ArtifactName, FormName, Head
from subarch.progress import say_once
from subarch.results.export import ReadWith
from subarch.running.artifacts import FORMS
from subarch.running.base import Form, Program, TextProgram
from subarch.running.plain import PLAIN
from subarch.storage import sha256_of
from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.text.encoding import TOKENIZER, Reader, Stored, Tokenizing, Tokens
from subarch.text.examples import Example
from subarch.text.given import examples_of

_LOG = logging.getLogger(__name__)

EXPORT = "export.json"
Texts = Iterable[str] | Iterable[tuple[str, str]]


def answers(
    program: Program,
    tokens: Tokens,
    head: Head,
    *,
    batch_size: int = 32,
    tick: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.float32]]:
    """What a program says of every example, in their order.

    Args:
        program: of a network with this head.
        tokens: of any number of examples.
        head: of the network.
        batch_size: sequences a pass; texts of similar length share one.
        tick: called with examples done and all examples.

    Returns:
        For each example logits ``(classes,)``, the number ``(1,)``, a score for each candidate ``(candidates,)``,
        logits of each word or token ``(places, tags)``, or of a network without such a head the mean of its last hidden
        states, or its own embedding ``(hidden,)``.
    """
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(tokens)
    done = 0
    for rows in _parts(tokens, batch_size):
        batch = tokens.arrays(rows)
        ids = batch["input_ids"]
        batch.setdefault("attention_mask", np.ones_like(ids))
        batch.setdefault("token_type_ids", np.zeros_like(ids))
        said = program(batch)
        if head == "encoder":
            mask = batch["attention_mask"][:, :, None]
            said = (said * mask).sum(1) / mask.sum(1)
        counts = np.cumsum([int(tokens.starts[row + 1] - tokens.starts[row]) for row in rows])[:-1]
        for row, part in zip(rows, np.split(said, counts), strict=True):
            one = tokens.said_of(row, part)
            if head == "masked-lm":  # of padding, too, it says something
                one = one[: int(tokens.lengths[row])]
            found[row] = np.array(one, dtype=np.float32)
        done += len(rows)
        if tick is not None:
            tick(done, len(tokens))
    return found


def _parts(tokens: Tokens, size: int) -> Iterator[list[int]]:
    """Examples of similar length, the longest first, in parts of at most so many sequences (or one example)."""
    counts = np.diff(tokens.starts)
    part: list[int] = []
    sequences = 0
    for row in np.argsort(-tokens.lengths, kind="stable").tolist():
        if part and sequences + int(counts[row]) > size:
            yield part
            part, sequences = [], 0
        part.append(row)
        sequences += int(counts[row])
    if part:
        yield part


@dataclass(frozen=True)
class Predictor:
    """A network, ready to answer any number of threads at once; make one with :meth:`from_pretrained`.

    >>> import subarch
    >>> predictor = subarch.Predictor.from_pretrained("runs/small/export")
    >>> sorted(predictor(["a good film", "a bad film"])[0])
    ['label', 'probabilities']

    Attributes:
        program: that runs.
        tokenizer: its own; None where the program reads texts as they are.
        head: what it predicts.
        label_names: of its classes.
        length: tokens that a text, or a pair, is cut to.
        artifact: the form that runs; of a rung of the ladder that is no network its own; ``pytorch`` for a checkpoint.
        batch_size: texts a pass, at most: 1 in forms in which the texts of a pass change each other's answers.
        texts: how many texts each example has, single or a pair, where it was fine-tuned on either.
        thresholds: above which each label holds, where several may; a half for all, when not given.
    """

    program: Program | TextProgram
    tokenizer: Tokenizing | None
    head: Head
    label_names: tuple[str, ...]
    length: int
    artifact: FormName
    batch_size: int = 32
    texts: int | None = None
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _ = self._read  # before several threads come

    @cached_property
    def _read(self) -> Reader | None:
        if self.tokenizer is None:
            return None
        types = "token_type_ids" in self.program.inputs
        choice, words = self.head == "choice", self.head == "tokens"
        return Reader.of(self.tokenizer, length=self.length, choice=choice, types=types, words=words)

    def spans(self, examples: Sequence[Example]) -> list[NDArray[np.int64]]:
        """For each example where its words or tokens are in its text, ``(places, 2)``; none where it is answered as a
        whole."""
        if self._read is None:
            return [np.empty((0, 2), np.int64)] * len(examples)
        return self._read(examples).spans

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        artifact: ArtifactName | None = None,
        threads: int | None = None,
        batch_size: int = 32,
        passes: int | None = None,
    ) -> Predictor:
        """Open an export, or a rung of the ladder.

        Args:
            folder: that ``subarch export`` or ``subarch ladder`` wrote.
            artifact: another form than the chosen one.
            threads: of one pass; what the export was made for when not given, or else all cores.
            batch_size: texts a pass.
            passes: that may run at the same time, for several threads that ask; each takes memory of its own. As many
                as the cores allow (in OpenVINO at most eight) when not given.

        Raises:
            ValueError: for a folder that is no export, a form that it does not have, or a damaged file.
            ImportError: when the runtime is not installed, naming the extra.
        """
        for name, number in (("threads", threads), ("batch_size", batch_size), ("passes", passes)):
            if number is not None and not (isinstance(cast("object", number), int) and number >= 1):
                raise InputError(f"{name} must be an integer from 1, got {number!r}")
        folder = Path(folder)
        known = read_export(folder)
        name = cast("ArtifactName", artifact or known["chosen"])
        held = [one["artifact"] for one in known["parity"]]
        forms: Mapping[str, Form] = {**FORMS, **PLAIN}
        if name not in held or name not in forms:
            raise InputError(f"expected one of the forms {', '.join(held)} that {folder} holds, got {name!r}")
        form = forms[name]
        digests = known["sha256"]
        for file in (*form.files(), *({TOKENIZER} & digests.keys())):  # earlier versions kept none of the tokenizer
            path = folder / file
            if not path.is_file() or sha256_of(path) != digests.get(file):
                raise InputError(
                    f"{path} is not the file that was exported (missing, changed, damaged, or cut off): export it again"
                )
        head: Head = known["head"]
        if head == "masked-lm":
            raise InputError(f"{folder} holds a masked language model, which answers no texts: export a fine-tuned one")
        program = form.open(folder, threads or _decided(known), passes)
        return cls(
            program=program,
            tokenizer=None if isinstance(program, TextProgram) else _tokenizer(folder, known),
            head=head,
            label_names=tuple(known["label_names"]),
            length=int(known["length"]),
            artifact=name,
            batch_size=1 if form.company_counts else batch_size,
            texts=known.get("texts"),
            thresholds=tuple(known.get("thresholds") or ()),
        )

    def outputs(
        self, examples: Iterable[Example], *, tick: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.float32]]:
        """What the network says, as :func:`answers`.

        Args:
            examples: any number; texts and pairs, as of a call, are taken too.
            tick: called with examples done and all examples.

        Raises:
            ValueError: for what is no text, and for a text of which the network says what is no number, by its place.
        """
        given = examples_of(examples, each=self.texts)
        if isinstance(self.program, TextProgram):
            found = list(self.program.texts(given))
        else:
            assert self._read is not None, "a program of tokens comes with a tokenizer"
            found = answers(self.program, self._read(given), self.head, batch_size=self.batch_size, tick=tick)
        for place, one in enumerate(found):
            if not np.isfinite(one).all():  # it would pass for the first label
                raise InputError(
                    f"expected finite numbers from the network, got {one[~np.isfinite(one)][0]} for the text at place "
                    f"{place}: its weights are too large, train it again with a lower learning rate"
                )
        return found

    def __call__(self, texts: Texts) -> list[dict[str, Any]]:
        """Answers in the order of the texts.

        Args:
            texts: single texts, or pairs: any list, column, array or generator of them.

        Returns:
            Of each text ``label`` and ``probabilities`` by label, ``labels`` where several may hold, ``value`` where
            numbers are predicted, or ``entities`` with their type, score and place where each word has a tag.

        Raises:
            ValueError: for a network that gives no such answers (:meth:`embed`, :meth:`outputs`), and for what is no
                text, by its place.
        """
        if self.head not in KINDS or not kind_of(self.head).of_tables:
            raise InputError(f"a network for {self.head} gives no labels: call embed or outputs")
        examples, kind = examples_of(cast("Any", texts), each=self.texts), kind_of(self.head)
        found = self.outputs(examples)
        named = [len(one) for one in (self.label_names, self.thresholds) if one]
        if wrong := [count for count in named for one in found if one.shape[-1] != count]:
            raise InputError(
                f"expected names of {found[0].shape[-1]} classes in {EXPORT}, and as many thresholds or none, got "
                f"{wrong[0]}: it was changed; export the network again"
            )
        if kind.has_words:
            each = zip(examples, self.spans(examples), found, strict=True)
            return [dict(kind.answer_in(example, spans, one, self.label_names)) for example, spans, one in each]
        return [dict(kind.said(one, self.label_names, self.thresholds)) for one in found]

    def embed(self, texts: Texts) -> NDArray[np.float32]:
        """One vector a text ``(texts, hidden)``: the means of the last hidden states, or what the folder that was
        exported asks for (the pooling and the unit length of sentence-transformers).

        Raises:
            ValueError: for a network with a head, and for what is no text, by its place.
        """
        if self.head not in ("encoder", "embedding"):
            raise InputError(f"only a network without a head gives embeddings, this one is for {self.head}")
        found = self.outputs(cast("Any", texts))
        if not found:
            (like,) = self.outputs([Example("")])
            return np.empty((0, len(like)), np.float32)
        return np.stack(found)


def _tokenizer(folder: Path, known: Mapping[str, Any]) -> Tokenizing:
    if "tokenizer" in known:
        return Stored.opened(folder, ReadWith.from_json(known["tokenizer"]))
    say_once(
        _LOG,
        f"{folder} was exported by an earlier version: its tokenizer is opened by transformers, which takes seconds; "
        "export it again to do without",
    )
    from subarch.text.tokenizers import load_tokenizer

    return cast("Tokenizing", load_tokenizer(folder))


def read_export(folder: Path) -> dict[str, Any]:
    """What ``export.json`` says.

    Raises:
        ValueError: for a folder that is no finished export.
    """
    try:
        found: Any = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"expected a folder that subarch export wrote, with {EXPORT}, got {folder}") from error
    wrong = [name for name, kind in _SAID.items() if not isinstance(_part(found, name), kind)]
    if not wrong:
        wrong += ["parity"] if not all(isinstance(_part(one, "artifact"), str) for one in found["parity"]) else []
        at: object = found.get("thresholds")
        wrong += ["thresholds"] if at is not None and not _are_thresholds(at) else []
        wrong += ["label_names"] if not all(isinstance(name, str) for name in found["label_names"]) else []
        reading = found.get("tokenizer", dict.fromkeys(_READING))
        wrong += ["tokenizer"] if not isinstance(reading, dict) or not reading.keys() >= _READING else []
    if wrong:
        raise InputError(
            f"{folder / EXPORT} does not say what subarch export writes ({', '.join(wrong)}): it was changed or "
            "damaged, or another program wrote it; export it again"
        )
    return found


def _are_thresholds(found: object) -> bool:
    return isinstance(found, list) and all(
        isinstance(one, float) and 0 < one < 1 for one in cast("list[object]", found)
    )


_SAID: Mapping[str, type] = {
    "chosen": str,
    "parity": list,
    "sha256": dict,
    "head": str,
    "label_names": list,
    "length": int,
}


_READING = {"pad_token_id", "truncation_side", "model_input_names"}


def _decided(known: Mapping[str, Any]) -> int | None:
    threads: object = known.get("threads")
    return threads if isinstance(threads, int) and threads >= 1 else None


def _part(document: object, name: str) -> object:
    return cast("dict[str, object]", document).get(name) if isinstance(document, dict) else None
