"""Text of any size as packed rows of tokens on disk, read at random in constant memory.

A corpus is read once: chunk after chunk, tokenised by many processes, each chunk a file that is whole or absent. A row
has a fixed number of tokens and is full: documents follow one another as pieces ``[CLS] ... [SEP]``, the last piece is
cut where the row ends and goes on in the next row. One document in eight is held out, by a hash of its text. Only as
much of a corpus is read as a run needs; a later run that needs more goes on there.

Where another network with another tokenizer reads along, its tokens lie beside ours, and both are numbered by words:
the smallest stretches of text that neither tokenizer cuts.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from subarch.errors import InputError
from subarch.progress import Watch, silent
from subarch.storage import held, written_whole
from subarch.surroundings import cache_folder
from subarch.text.corpora import Corpus, in_turns, is_held_out
from subarch.text.vocabulary import Vocabulary

SIDES = ("learning", "held-out")
_FORMAT = 1

Row = NDArray[np.void]


# --- tokenizers -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _tokenizer(backend: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(backend)
    cast("Any", tokenizer).encode_special_tokens = True  # a text that says "[MASK]" holds that word, not the token
    return tokenizer


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RowLayout:
    """What a row is.

    Args:
        vocabulary: of the network that learns.
        length: tokens a row, special tokens included; at least 3.
        other: of a network that reads along with another tokenizer.
        other_length: tokens a row of the other network; where its tokens are more, the last ones are left out.
    """

    vocabulary: Vocabulary
    length: int
    other: Vocabulary | None = None
    other_length: int = 0

    def __post_init__(self) -> None:
        if self.length < 3 or (self.other is not None and self.other_length < 3):
            raise InputError(f"expected rows of at least 3 tokens, got {self.length}")

    @cached_property
    def fields(self) -> np.dtype[np.void]:
        """One row: tokens, and the number of each token's word in the row, from 1; padding has token and word 0."""
        fields: list[tuple[str, str, tuple[int]]] = [
            ("tokens", "u2" if self.vocabulary.size <= 1 << 16 else "u4", (self.length,)),
            ("words", "u2", (self.length,)),
        ]
        if self.other is not None:
            size = "u2" if self.other.size <= 1 << 16 else "u4"
            fields += [("other_tokens", size, (self.other_length,)), ("other_words", "u2", (self.other_length,))]
        return np.dtype(fields)

    @property
    def fingerprint(self) -> str:
        parts = [self.vocabulary.fingerprint, self.length, self.other and self.other.fingerprint, self.other_length]
        return hashlib.sha256(repr(parts).encode()).hexdigest()


class PackedRows:
    """Packed rows on disk, read at random; holds no more memory than the list of its files."""

    def __init__(self, files: Sequence[Path], layout: RowLayout) -> None:
        self.layout = layout
        arrays = [cast("np.memmap[Any, Any]", np.load(file, mmap_mode="r")) for file in files]
        self._files = [(file, array.offset) for file, array in zip(files, arrays, strict=True)]
        self._ends = np.cumsum([len(array) for array in arrays], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._files else 0

    def __getitem__(self, index: int) -> Row:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        file = int(np.searchsorted(self._ends, index, side="right"))
        path, begin = self._files[file]
        first = int(self._ends[file - 1]) if file else 0
        # Opened each time: any number of files, and processes that are forked share nothing.
        size = self.layout.fields.itemsize
        with path.open("rb") as stream:
            stream.seek(begin + (index - first) * size)
            return np.frombuffer(stream.read(size), self.layout.fields)[0]


class _Packer:
    """Puts documents into rows, one after another."""

    def __init__(self, layout: RowLayout) -> None:
        self.layout = layout
        self.rows: list[Row] = []
        self._at = self._other_at = self._words = 0

    def add(self, text: str) -> None:
        tokens, words, other_tokens, other_words = _encoded(text, self.layout)
        begin = 0
        while begin < len(tokens):
            if not self.rows or self._at > self.layout.length - 3:
                self._open()
            end = begin + min(self.layout.length - self._at - 2, len(tokens) - begin)
            # A word that goes on outside is none that both networks see whole.
            outside = np.concatenate([words[:begin][-1:], words[end:][:1]])
            names, numbers = np.unique(words[begin:end], return_inverse=True)
            shared = np.isin(other_words, np.setdiff1d(names, outside))
            self._piece(tokens[begin:end], numbers, other_tokens[shared], np.searchsorted(names, other_words[shared]))
            begin = end

    def _open(self) -> None:
        row = np.zeros((), self.layout.fields)
        row["tokens"] = self.layout.vocabulary.padding
        if self.layout.other is not None:
            row["other_tokens"] = self.layout.other.padding
        self.rows.append(row)
        self._at = self._other_at = self._words = 0

    def _piece(self, tokens: Any, numbers: Any, other_tokens: Any, other_numbers: Any) -> None:
        row, layout = self.rows[-1], self.layout
        words = (self._words + 1, self._words + int(numbers.max()) + 3)  # of [CLS] and [SEP]; the piece's lie between
        self._at = _put(row["tokens"], row["words"], self._at, layout.vocabulary, tokens, numbers, words)
        if layout.other is not None and (room := layout.other_length - self._other_at - 2) > 0:
            self._other_at = _put(
                row["other_tokens"],
                row["other_words"],
                self._other_at,
                layout.other,
                other_tokens[:room],
                other_numbers[:room],
                words,
            )
        self._words = words[1]

    def packed(self) -> NDArray[np.void]:
        return np.array(self.rows, self.layout.fields)


def _put(
    row: Any, row_words: Any, at: int, vocabulary: Vocabulary, tokens: Any, numbers: Any, words: tuple[int, int]
) -> int:
    """Write a piece into a row from ``at`` on; where it ends."""
    end = at + len(tokens) + 2
    row[at], row[end - 1] = vocabulary.start, vocabulary.end
    row[at + 1 : end - 1] = tokens
    row_words[at], row_words[end - 1] = words
    row_words[at + 1 : end - 1] = numbers + words[0] + 1
    return end


def _encoded(text: str, layout: RowLayout) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A text's tokens and the number of each one's word, by our tokenizer and by the other one."""
    ours: Any = _tokenizer(layout.vocabulary.backend).encode(text, add_special_tokens=False)
    tokens, none = np.array(ours.ids, np.int64), np.empty(0, np.int64)
    if layout.other is None:
        # Some tokenizers give no word to a token that stands for nothing they know: it is a word of its own.
        words = [n if n is not None else -1 - at for at, n in enumerate(ours.word_ids)]
        return tokens, np.cumsum(np.diff(words, prepend=words[:1]) != 0), none, none
    theirs: Any = _tokenizer(layout.other.backend).encode(text, add_special_tokens=False)
    words, other_words = _common_words(_stretches(ours), _stretches(theirs))
    return tokens, words, np.array(theirs.ids, np.int64), other_words


def _stretches(encoding: Any) -> NDArray[np.int64]:
    """The stretch of text of the word that each token belongs to: ``(tokens, 2)``."""
    offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
    words = [n if n is not None else -1 - at for at, n in enumerate(encoding.word_ids)]
    starts = np.flatnonzero(np.diff(words, prepend=np.nan) != 0)
    if not len(starts):
        return offsets
    repeats = np.diff(starts, append=len(words))
    begins = np.minimum.reduceat(offsets[:, 0], starts)
    ends = np.maximum.reduceat(offsets[:, 1], starts)
    return np.stack([np.repeat(begins, repeats), np.repeat(ends, repeats)], 1)


def _common_words(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the smallest stretches that both kinds of words divide: words that overlap are one."""
    both = np.concatenate([ours, theirs])
    both = both[np.argsort(both[:, 0], kind="stable")]
    reached = np.maximum.accumulate(both[:, 1])
    begins = both[1:, 0][both[1:, 0] >= reached[:-1]]
    return np.searchsorted(begins, ours[:, 0], "right"), np.searchsorted(begins, theirs[:, 0], "right")


# --- the store --------------------------------------------------------------------------------------------------------


def open_rows(
    corpus: Corpus,
    layout: RowLayout,
    *,
    rows: int,
    held_out: int,
    workers: int | None = None,
    chunk: int = 2_000_000,
    cache: Path | None = None,
    watch: Watch = silent,
) -> tuple[PackedRows, PackedRows]:
    """The rows of a corpus, for learning and held out: as many as asked for or a few more, or all there are.

    Which rows these are depends on the arguments alone, not on what lies in the cache. Processes that open the same
    rows at the same time wait for the first one.

    Args:
        corpus: where the text comes from.
        layout: what a row is.
        rows: how many a run has use for.
        held_out: how many held-out ones; at least one must be there.
        workers: processes that tokenise; as many as cores when not given, 0 for none but this one.
        chunk: characters that one process takes at a time.
        cache: folder of the store; the user's cache folder when not given.
        watch: told how many rows there are.

    Raises:
        ValueError: when the corpus has no row for learning, or none held out.
        OSError: when the store cannot be written.
    """
    identity = hashlib.sha256(f"{_FORMAT} {chunk} {corpus.fingerprint} {layout.fingerprint}".encode())
    store = _Store((cache_folder() if cache is None else cache) / f"rows-{identity.hexdigest()[:16]}", layout, chunk)
    counts = store.filled(corpus, (rows, held_out), _cores() if workers is None else workers, watch)
    learning, kept = (
        PackedRows([store.file(n, side) for n in range(count)], layout)
        for side, count in zip(SIDES, counts, strict=True)
    )
    if not len(learning) or not len(kept):
        raise InputError(
            f"{corpus.name}: expected text for at least one row of {layout.length} tokens to learn from and one held "
            f"out (one document in eight is), got {len(learning)} and {len(kept)}: give a longer corpus, or separate "
            "its documents by blank lines"
        )
    return learning, kept


class _Store:
    """A folder of chunks: ``00000.learning.npy``, ``00000.held-out.npy``, ..., and ``end`` once all text is in it."""

    def __init__(self, folder: Path, layout: RowLayout, characters: int) -> None:
        self.folder, self.layout, self.characters = folder, layout, characters

    def file(self, chunk: int, side: str) -> Path:
        return self.folder / f"{chunk:05d}.{side}.npy"

    def filled(self, corpus: Corpus, wanted: tuple[int, int], workers: int, watch: Watch) -> list[int]:
        """Make chunks until there are enough rows of each side; in how many chunks these are, side by side."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found, chunks = [0, 0], [0, 0]
        with held(self.folder):
            for sizes in self._sizes(corpus, workers):
                for side in (0, 1):
                    if found[side] < wanted[side]:  # what one side gets does not depend on the other's need
                        found[side] += sizes[side]
                        chunks[side] += 1
                watch("reading text", done=min(found[0], wanted[0]), total=wanted[0], note=f"{max(chunks)} chunks")
                if found[0] >= wanted[0] and found[1] >= wanted[1]:
                    break
        return chunks

    def _sizes(self, corpus: Corpus, workers: int) -> Iterator[tuple[int, int]]:
        """Rows of each chunk, one after another; those that are not there are made."""
        known = 0
        while (sizes := self._known(known)) is not None:
            yield sizes
            known += 1
        end = self.folder / "end"
        if end.is_file() and end.read_text() == str(known):
            return
        made = known
        for sizes in self._made(islice(_chunks(corpus, self.characters), known, None), known, workers):
            yield sizes
            made += 1
        with written_whole(end) as part:
            part.write_text(str(made))

    def _known(self, chunk: int) -> tuple[int, int] | None:
        try:
            files = [np.load(self.file(chunk, side), mmap_mode="r") for side in SIDES]
        except (OSError, ValueError, EOFError):  # not there, or damaged: it is made again
            return None
        return len(files[0]), len(files[1])

    def _made(self, chunks: Iterator[list[str]], first: int, workers: int) -> Iterator[tuple[int, int]]:
        if not workers or "fork" not in get_all_start_methods():
            for n, texts in enumerate(chunks, first):
                yield self.make(n, texts)
            return
        # Forked: a process is there at once, and scripts need no guard around their main part.
        with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
            waiting: deque[Future[tuple[int, int]]] = deque()
            try:
                for n, texts in enumerate(chunks, first):
                    waiting.append(pool.submit(self.make, n, texts))
                    if len(waiting) > workers + 2:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def make(self, chunk: int, texts: list[str]) -> tuple[int, int]:
        """Tokenise, pack and write one chunk."""
        packers = [_Packer(self.layout) for _ in SIDES]
        for text in texts:
            packers[is_held_out(text)].add(text)
        for side, packer in zip(SIDES, packers, strict=True):
            with written_whole(self.file(chunk, side)) as part, part.open("wb") as stream:
                np.save(stream, packer.packed())
        return len(packers[0].rows), len(packers[1].rows)


def _chunks(corpus: Corpus, characters: int) -> Iterator[list[str]]:
    """Documents in parts of so many characters or a few more; several files in turns, so that a first part is mixed."""
    texts: list[str] = []
    size = 0
    order = np.random.default_rng(0).permutation(len(corpus.parts))
    for text in in_turns(corpus.parts[n] for n in order):
        texts.append(text)
        size += len(text)
        if size >= characters:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
