"""Examples as token ids: what networks read, in flat arrays of numpy.

An example is one sequence of tokens, or one for each candidate of a choice. Nothing here imports more than numpy and
tokenizers, so that an export answers without the libraries that networks learn with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from subarch.errors import InputError
from subarch.results.export import ReadWith
from subarch.text.examples import Example, Label

if TYPE_CHECKING:
    from torch import Tensor

TOKENIZER = "tokenizer.json"
_CHUNK = 128  # examples that are tokenised together: the tokenizer also keeps all that it cuts off, which is large


class Tokenizing(Protocol):
    """What is asked of a tokenizer: a fast one of the stock library has it, and so has a :class:`Stored` one.

    Likewise ``pad_token_id``, the token that fills a batch up (None where there is none), which the stock library's
    makes up when it is asked for.
    """

    @property
    def backend_tokenizer(self) -> Any:
        """The ``tokenizers.Tokenizer`` that does the work."""
        ...

    @property
    def truncation_side(self) -> str:
        """The end that is cut off, ``left`` or ``right``."""
        ...

    @property
    def model_input_names(self) -> Sequence[str]:
        """With ``token_type_ids`` where the tokenizer tells two texts apart."""
        ...


@dataclass(frozen=True)
class Stored:
    """A tokenizer as a folder holds it, opened without the stock library; attributes as of :class:`Tokenizing`."""

    backend_tokenizer: Tokenizer
    truncation_side: str
    model_input_names: tuple[str, ...]
    pad_token_id: int | None

    @classmethod
    def opened(cls, folder: Path, settings: ReadWith) -> Stored:
        """The tokenizer of a folder.

        Args:
            folder: with ``tokenizer.json``.
            settings: as of :func:`settings_to_read_with`.

        Raises:
            ValueError: for a file that is missing or damaged.
        """
        file = folder / TOKENIZER
        try:
            backend = Tokenizer.from_file(str(file))
        except Exception as error:  # the Rust library raises bare Exception for files that it cannot read
            raise InputError(f"{file} is no tokenizer ({error}): damaged, or cut off") from error
        return cls(backend, settings.truncation_side, settings.model_input_names, settings.pad_token_id)


def settings_to_read_with(tokenizer: Tokenizing) -> ReadWith:
    """What ``tokenizer.json`` does not say of a tokenizer, and reading depends on."""
    return ReadWith(
        pad_token_id=cast("Any", tokenizer).pad_token_id,
        truncation_side=str(tokenizer.truncation_side),
        model_input_names=tuple(tokenizer.model_input_names),
    )


@dataclass(frozen=True)
class Tokens:
    """Examples as token ids, in flat arrays: lists of Python integers would take thirty times the memory.

    Attributes:
        ids: of all sequences, one after another: ``(tokens,)``.
        types: which text each token belongs to, as the tokenizer tells it; None where the network does not ask.
        ends: where each sequence ends in ``ids``, after a leading 0: ``(sequences + 1,)``.
        starts: the first sequence of every example, and the number of sequences: ``(examples + 1,)``.
        labels: of the examples, as they are; None where one has none.
        right: for each sequence whether it is a right candidate, ``(sequences,)``; None but for choices.
        padding: the token that fills a batch up.
        length: what sequences were cut to.
    """

    ids: NDArray[np.int32]
    types: NDArray[np.uint8] | None
    ends: NDArray[np.int64]
    starts: NDArray[np.int64]
    labels: list[Label] | None
    right: NDArray[np.bool_] | None
    padding: int
    length: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longest sequence of every example: ``(examples,)``."""
        each = np.diff(self.ends)
        return np.maximum.reduceat(each, self.starts[:-1]) if len(self) else each

    @property
    def cut_share(self) -> float:
        """The share of the sequences that are as long as sequences may be: nearly all of these were cut."""
        return float(np.mean(np.diff(self.ends) >= self.length)) if len(self) else 0.0

    def by_length(self, most: int, rows: Sequence[int] | None = None) -> Iterator[list[int]]:
        """Examples in parts of at most ``most`` tokens (or one example) with next to no padding.

        Args:
            most: tokens of a part, padding included.
            rows: which examples; all when not given.

        Yields:
            Rows of a part. The longest come first, so that what does not fit into memory shows at once.
        """
        lengths, counts = self.lengths, np.diff(self.starts)
        part: list[int] = []
        sequences = 0
        for row in sorted(range(len(self)) if rows is None else rows, key=lambda row: -int(lengths[row])):
            if part and int(lengths[part[0]]) * (sequences + int(counts[row])) > most:
                yield part
                part, sequences = [], 0
            part.append(row)
            sequences += int(counts[row])
        if part:
            yield part

    def arrays(self, rows: Sequence[int]) -> dict[str, NDArray[Any]]:
        """The sequences of these examples, padded to the longest.

        Returns:
            ``input_ids`` (sequences, length); ``attention_mask`` likewise, only where there is padding;
            ``token_type_ids`` where the network asks for them; ``labels`` (examples,) where they are known, of several
            (examples, most of one) with -1 behind the last; for choices ``owners`` (sequences,), the position in the
            batch of the example that each sequence belongs to, and ``right`` (sequences,).
        """
        chosen = list(chain.from_iterable(range(self.starts[row], self.starts[row + 1]) for row in rows))
        sizes = [int(self.ends[n + 1] - self.ends[n]) for n in chosen]
        longest = max(sizes)
        batch: dict[str, NDArray[Any]] = {"input_ids": self._padded(self.ids, chosen, longest, self.padding)}
        if min(sizes) < longest:
            batch["attention_mask"] = (np.arange(longest) < np.array(sizes)[:, None]).astype(np.int64)
        if self.types is not None:
            batch["token_type_ids"] = self._padded(self.types, chosen, longest, 0)
        if self.labels is not None:
            batch["labels"] = _as_array([self.labels[row] for row in rows])
        if self.right is not None:
            counts = [int(self.starts[row + 1] - self.starts[row]) for row in rows]
            batch["owners"] = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
            batch["right"] = self.right[chosen]
        return batch

    def batch(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """:meth:`arrays` as tensors, for what learns."""
        import torch

        return {name: torch.from_numpy(value) for name, value in self.arrays(rows).items()}

    def _padded(self, flat: NDArray[Any], chosen: Sequence[int], longest: int, value: int) -> NDArray[np.int64]:
        table = np.full((len(chosen), longest), value, dtype=np.int64)
        for row, n in enumerate(chosen):
            start, end = self.ends[n], self.ends[n + 1]
            table[row, : end - start] = flat[start:end]
        return table


def tokenize(
    examples: Sequence[Example],
    tokenizer: Tokenizing,
    *,
    length: int,
    choice: bool = False,
    types: bool = True,
) -> Tokens:
    """All examples as token ids; of a text and its second one the longer is cut first.

    The tokenizer keeps how texts were last cut: where several threads read, each Reader has one of its own.

    Args:
        examples: of one task.
        tokenizer: a fast one of the stock library, or a stored one.
        length: tokens a sequence is cut to, special tokens included.
        choice: whether second texts are candidates, each a sequence of its own beside the first text.
        types: whether the network has an embedding for each of two texts.
    """
    backend = tokenizer.backend_tokenizer
    _cut(backend, tokenizer, length)
    return Reader(backend, _typed(tokenizer, types), _padding(tokenizer), length, choice)(examples)


@dataclass(frozen=True)
class Reader:
    """Examples as token ids, for any number of threads at once.

    Attributes:
        backend: a tokenizer that cuts at ``length``, and that nobody sets otherwise.
        types: whether a network asks which text each token belongs to, and the tokenizer tells it.
        padding: the token that fills a batch up.
        length: tokens a sequence is cut to, special tokens included.
        choice: whether second texts are candidates, each a sequence of its own beside the first text.
    """

    backend: Tokenizer
    types: bool
    padding: int
    length: int
    choice: bool

    @classmethod
    def of(cls, tokenizer: Tokenizing, *, length: int, choice: bool, types: bool) -> Reader:
        """With a copy of a tokenizer; arguments as of :func:`tokenize`."""
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        _cut(backend, tokenizer, length)
        return cls(backend, _typed(tokenizer, types), _padding(tokenizer), length, choice)

    def __call__(self, examples: Sequence[Example]) -> Tokens:
        """All examples, of one task; of a text and its second one the longer is cut first."""
        counts = [len(example.seconds) if self.choice else 1 for example in examples]
        if len({len(example.seconds) if not self.choice else 0 for example in examples}) > 1:
            raise InputError("expected examples of one task, got some with one text and some with two")
        pieces = [self._encoded(examples[first : first + _CHUNK]) for first in range(0, len(examples), _CHUNK)]
        paired = bool(examples) and bool(examples[0].seconds)
        sizes = np.concatenate([[0], *(piece[2] for piece in pieces)])
        labels = [example.label for example in examples if example.label is not None]
        right = [n in (example.label, *example.right) for example in examples for n in range(len(example.seconds))]
        return Tokens(
            ids=np.concatenate([np.empty(0, np.int32), *(piece[0] for piece in pieces)]),
            types=np.concatenate([piece[1] for piece in pieces]) if self.types and paired else None,
            ends=np.cumsum(sizes, dtype=np.int64),
            starts=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
            labels=labels if len(labels) == len(examples) else None,
            right=np.array(right, dtype=bool) if self.choice else None,
            padding=self.padding,
            length=self.length,
        )

    def _encoded(self, examples: Sequence[Example]) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int64]]:
        """Token ids of all sequences, their types, and how many each has."""
        if self.choice:
            given: list[Any] = [(example.first, second) for example in examples for second in example.seconds]
        else:
            given = [(example.first, *example.seconds) if example.seconds else example.first for example in examples]
        found = cast("Any", self.backend).encode_batch_fast(given)
        return (
            np.fromiter(chain.from_iterable(one.ids for one in found), dtype=np.int32),
            np.fromiter(chain.from_iterable(one.type_ids for one in found), dtype=np.uint8),
            np.array([len(one) for one in found], dtype=np.int64),
        )


def _as_array(labels: Sequence[Label]) -> NDArray[Any]:
    """One a row; of several the indices, -1 behind them: ``(examples, most labels of one)``."""
    sets = [one for one in labels if isinstance(one, tuple)]
    if not sets:
        found = np.array(labels)
        return found.astype(np.float32 if found.dtype.kind == "f" else np.int64)
    table = np.full((len(sets), max(1, *map(len, sets))), -1, dtype=np.int64)
    for row, one in zip(table, sets, strict=True):
        row[: len(one)] = one
    return table


def _cut(backend: Any, tokenizer: Tokenizing, length: int) -> None:
    direction = str(tokenizer.truncation_side)
    wanted = {"max_length": length, "stride": 0, "strategy": "longest_first", "direction": direction}
    if backend.truncation != wanted:
        backend.enable_truncation(**wanted)
    if backend.padding is not None:
        backend.no_padding()


def _typed(tokenizer: Tokenizing, types: bool) -> bool:
    return types and "token_type_ids" in tokenizer.model_input_names


def _padding(tokenizer: Tokenizing) -> int:
    return int(cast("Any", tokenizer).pad_token_id or 0)
