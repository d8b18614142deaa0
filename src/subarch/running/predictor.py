"""The chosen form of a network as one object: texts in, answers out.

from subarch.running.predictor import Predictor

predictor = Predictor.from_pretrained("runs/mine/export")
predictor(["a fine film", "a waste of time"])
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from transformers import PreTrainedTokenizerFast

from subarch.learning.batches import Tokens, tokenize
from subarch.options.running import ArtifactName
from subarch.running.artifacts import FORMS, Program
from subarch.running.graphs import Head
from subarch.storage import sha256_of
from subarch.text.examples import Example
from subarch.text.tokenizers import load_tokenizer

EXPORT = "export.json"
Texts = Sequence[str] | Sequence[tuple[str, str]]


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
        For each example logits ``(classes,)``, the number ``(1,)``, a score for each candidate ``(candidates,)``, or of
        a network without such a head the mean of its last hidden states, or its own embedding ``(hidden,)``.
    """
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(tokens)
    done = 0
    for rows in _parts(tokens, batch_size):
        batch = {name: value.numpy() for name, value in tokens.batch(rows).items()}
        ids = batch["input_ids"]
        batch.setdefault("attention_mask", np.ones_like(ids))
        batch.setdefault("token_type_ids", np.zeros_like(ids))
        said = program(batch)
        if head == "encoder":
            mask = batch["attention_mask"][:, :, None]
            said = (said * mask).sum(1) / mask.sum(1)
        counts = np.cumsum([int(tokens.starts[row + 1] - tokens.starts[row]) for row in rows])[:-1]
        for row, part in zip(rows, np.split(said, counts), strict=True):
            found[row] = np.array(part[:, 0] if head == "choice" else part[0], dtype=np.float32)
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
    """A network, ready to answer; make one with :meth:`from_pretrained`.

    Attributes:
        program: that runs.
        tokenizer: its own.
        head: what it predicts.
        label_names: of its classes.
        length: tokens that a text, or a pair, is cut to.
        artifact: the form that runs.
        batch_size: texts a pass.
    """

    program: Program
    tokenizer: PreTrainedTokenizerFast
    head: Head
    label_names: tuple[str, ...]
    length: int
    artifact: ArtifactName
    batch_size: int = 32

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        artifact: ArtifactName | None = None,
        threads: int | None = None,
        batch_size: int = 32,
    ) -> Predictor:
        """Open an export.

        Args:
            folder: that ``subarch export`` wrote.
            artifact: another form than the chosen one.
            threads: of one pass; all cores when not given.
            batch_size: texts a pass.

        Raises:
            ValueError: for a folder that is no export, a form that it does not have, or a damaged file.
            ImportError: when the runtime is not installed, naming the extra.
        """
        folder = Path(folder)
        known = read_export(folder)
        name = cast("ArtifactName", artifact or known["chosen"])
        held = [one["artifact"] for one in known["parity"]]
        if name not in held:
            raise ValueError(f"expected one of the forms {', '.join(held)} that {folder} holds, got {name!r}")
        for file in FORMS[name].files():
            path = folder / file
            if not path.is_file() or sha256_of(path) != known["sha256"][file]:
                raise ValueError(f"{path} is not the file that was exported (damaged, or cut off): export it again")
        head: Head = known["head"]
        if head == "masked-lm":
            raise ValueError(f"{folder} holds a masked language model, which answers no texts: export a fine-tuned one")
        program = FORMS[name].open(folder, threads)
        names = tuple(known["label_names"])
        return cls(program, load_tokenizer(folder), head, names, int(known["length"]), name, batch_size)

    def outputs(self, examples: Sequence[Example]) -> list[NDArray[np.float32]]:
        """What the network says, as :func:`answers`."""
        types = "token_type_ids" in self.program.inputs
        choice = self.head == "choice"
        tokens = tokenize(examples, self.tokenizer, length=self.length, choice=choice, types=types)
        return answers(self.program, tokens, self.head, batch_size=self.batch_size)

    def __call__(self, texts: Texts) -> list[dict[str, Any]]:
        """Answers in the order of the texts.

        Args:
            texts: single texts, or pairs.

        Returns:
            Of each text ``label`` and ``probabilities`` by label, or ``value`` where numbers are predicted.

        Raises:
            ValueError: for a network that gives no such answers (:meth:`embed`, :meth:`outputs`).
        """
        if self.head not in ("classification", "regression"):
            raise ValueError(f"a network for {self.head} gives no labels: call embed or outputs")
        found = self.outputs(_examples(texts))
        if self.head == "regression":
            return [{"value": float(one[0])} for one in found]
        said: list[dict[str, Any]] = []
        for one in found:
            shares = softmax(one.astype(np.float64))
            named = {name: float(share) for name, share in zip(self.label_names, shares, strict=True)}
            said.append({"label": self.label_names[int(shares.argmax())], "probabilities": named})
        return said

    def embed(self, texts: Texts) -> NDArray[np.float32]:
        """One vector a text ``(texts, hidden)``: the means of the last hidden states, or what the folder that was
        exported asks for (the pooling and the unit length of sentence-transformers).

        Raises:
            ValueError: for a network with a head.
        """
        if self.head not in ("encoder", "embedding"):
            raise ValueError(f"only a network without a head gives embeddings, this one is for {self.head}")
        return np.stack(self.outputs(_examples(texts)))


def _examples(texts: Texts) -> list[Example]:
    if isinstance(texts, str):
        raise ValueError("expected a list of texts, got one text: put it into a list")
    return [Example(one) if isinstance(one, str) else Example(one[0], (one[1],)) for one in texts]


def read_export(folder: Path) -> dict[str, Any]:
    """What ``export.json`` says.

    Raises:
        ValueError: for a folder that is no finished export.
    """
    try:
        found: Any = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"expected a folder that subarch export wrote, with {EXPORT}, got {folder}") from error
    return found
