"""Examples as token ids: what networks read, in flat arrays of numpy.

An example is one sequence of tokens, or one for each candidate of a choice. Where each word is answered by itself, a
word stands at its first token; of a text without words every token is answered. Nothing here imports more than numpy
and tokenizers, so that an export answers without the libraries that networks learn with.
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
from subarch.text.examples import Example, Label, Span

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
class Places:
    """Where in the sequences of examples there is something to answer.

    Attributes:
        at: for each place the token, counted from the beginning of its sequence; -1 for a word that no token begins,
            as where a text is cut: ``(places,)``.
        spans: where it is in the text: ``(places, 2)``.
        ends: where the places of each example end, after a leading 0: ``(examples + 1,)``.
    """

    at: NDArray[np.int64]
    spans: NDArray[np.int64]
    ends: NDArray[np.int64]

    def of(self, row: int) -> NDArray[np.int64]:
        """The tokens of an example's places: ``(places,)``."""
        return self.at[self.ends[row] : self.ends[row + 1]]

    def spans_of(self, row: int) -> NDArray[np.int64]:
        """Where an example's places are in its text: ``(places, 2)``."""
        return self.spans[self.ends[row] : self.ends[row + 1]]


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
        places: where there is something to answer; None where each sequence is answered as a whole.
    """

    ids: NDArray[np.int32]
    types: NDArray[np.uint8] | None
    ends: NDArray[np.int64]
    starts: NDArray[np.int64]
    labels: list[Label] | None
    right: NDArray[np.bool_] | None
    padding: int
    length: int
    places: Places | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def spans(self) -> list[NDArray[np.int64]]:
        """For each example where its places are in its text, ``(places, 2)``; none where it is answered as a whole."""
        if self.places is None:
            return [np.empty((0, 2), np.int64)] * len(self)
        return [self.places.spans_of(row) for row in range(len(self))]

    def said_of(self, row: int, said: NDArray[Any]) -> NDArray[Any]:
        """What a network says of an example.

        Args:
            row: the example.
            said: of its sequences: ``(sequences, outputs)``, or ``(sequences, tokens, ...)`` where each token is
                answered.

        Returns:
            ``(outputs,)``; a score for each candidate; or ``(places, outputs)``, with zeros for a word that was not
            read: nothing is said of it.
        """
        if self.right is not None:
            return said[:, 0]
        if self.places is None:
            return said[0]
        at = self.places.of(row)
        found = said[0][np.maximum(at, 0)]
        found[at < 0] = 0
        return found

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
            labels, or of words, (examples, most of one) with -1 behind the last; ``places`` likewise, the token that
            each word begins with, -1 where there is none; for choices ``owners`` (sequences,), the position in the
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
        if self.places is not None:
            batch["places"] = _filled([self.places.of(row) for row in rows])
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


def _filled(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Rows of unequal length as a table, with -1 behind each: ``(rows, longest)``."""
    table = np.full((len(rows), max([1, *map(len, rows)])), -1, dtype=np.int64)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def tokenize(
    examples: Sequence[Example],
    tokenizer: Tokenizing,
    *,
    length: int,
    choice: bool = False,
    types: bool = True,
    words: bool = False,
) -> Tokens:
    """All examples as token ids; of a text and its second one the longer is cut first.

    The tokenizer keeps how texts were last cut: where several threads read, each Reader has one of its own.

    Args:
        examples: of one task.
        tokenizer: a fast one of the stock library, or a stored one.
        length: tokens a sequence is cut to, special tokens included.
        choice: whether second texts are candidates, each a sequence of its own beside the first text.
        types: whether the network has an embedding for each of two texts.
        words: whether each word is answered by itself.
    """
    backend = tokenizer.backend_tokenizer
    _cut(backend, tokenizer, length)
    return Reader(backend, _typed(tokenizer, types), _padding(tokenizer), length, choice, words)(examples)


@dataclass(frozen=True)
class Reader:
    """Examples as token ids, for any number of threads at once.

    Attributes:
        backend: a tokenizer that cuts at ``length``, and that nobody sets otherwise.
        types: whether a network asks which text each token belongs to, and the tokenizer tells it.
        padding: the token that fills a batch up.
        length: tokens a sequence is cut to, special tokens included.
        choice: whether second texts are candidates, each a sequence of its own beside the first text.
        words: whether each word is answered by itself.
    """

    backend: Tokenizer
    types: bool
    padding: int
    length: int
    choice: bool
    words: bool = False

    @classmethod
    def of(cls, tokenizer: Tokenizing, *, length: int, choice: bool, types: bool, words: bool = False) -> Reader:
        """With a copy of a tokenizer; arguments as of :func:`tokenize`."""
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        _cut(backend, tokenizer, length)
        return cls(backend, _typed(tokenizer, types), _padding(tokenizer), length, choice, words)

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
            places=_together([place for piece in pieces for place in piece[3]]) if self.words else None,
        )

    def _encoded(
        self, examples: Sequence[Example]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int64], list[tuple[Sequence[int], Sequence[Span]]]]:
        """Token ids of all sequences, their types, how many each has, and where each has something to answer."""
        if self.choice:
            given: list[Any] = [(example.first, second) for example in examples for second in example.seconds]
        else:
            given = [(example.first, *example.seconds) if example.seconds else example.first for example in examples]
        # Without their places in the text tokens are found faster.
        encode = self.backend.encode_batch if self.words else self.backend.encode_batch_fast
        found = cast("Any", encode)(given)
        return (
            np.fromiter(chain.from_iterable(one.ids for one in found), dtype=np.int32),
            np.fromiter(chain.from_iterable(one.type_ids for one in found), dtype=np.uint8),
            np.array([len(one) for one in found], dtype=np.int64),
            [_places_of(example, one) for example, one in zip(examples, found, strict=True)] if self.words else [],
        )


def _as_array(labels: Sequence[Label]) -> NDArray[Any]:
    """One a row; of several the indices, -1 behind them: ``(examples, most labels of one)``."""
    sets = [np.array(one, dtype=np.int64) for one in labels if isinstance(one, tuple)]
    if sets:
        return _filled(sets)
    found = np.array(labels)
    return found.astype(np.float32 if found.dtype.kind == "f" else np.int64)


def _places_of(example: Example, encoding: Any) -> tuple[Sequence[int], Sequence[Span]]:
    """The token that each word begins with, and where the words are; without words all tokens of the text."""
    inside = [n for n, special in enumerate(encoding.special_tokens_mask) if not special]
    offsets = encoding.offsets
    if example.words is None:
        return inside, [offsets[n] for n in inside]
    # A token may begin with the blank before its word, and some are nothing but a blank: what counts is where they end.
    found: list[int] = []
    at = 0
    for start, end in example.words:
        while at < len(inside) and offsets[inside[at]][1] <= start:
            at += 1
        begun = at < len(inside) and offsets[inside[at]][0] < end
        found.append(inside[at] if begun else -1)
    return found, example.words


def _together(each: Sequence[tuple[Sequence[int], Sequence[Span]]]) -> Places:
    return Places(
        at=np.array([place for places, _ in each for place in places], dtype=np.int64),
        spans=np.array([span for _, spans in each for span in spans], dtype=np.int64).reshape(-1, 2),
        ends=np.cumsum([0, *(len(places) for places, _ in each)], dtype=np.int64),
    )


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
