"""Corpora: text in from any place and format, packed blocks of token ids out.

A corpus is a stream of documents that never lies in memory as a whole. Where no files are given it is the English
documentation that every machine with our dependencies has (:mod:`subarch.text.documentation`). :func:`blocks` reads
no more of it than it needs, and splits it by document: one document in eight, chosen by a hash of its text, is held
out whatever the seed, so that no text is ever on both sides.
"""

from __future__ import annotations

import codecs
import hashlib
import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from subarch.errors import InputError, MissingFileError
from subarch.text.documentation import Document, installed_documentation
from subarch.text.files import COMPRESSIONS, decode, format_of, open_bytes
from subarch.text.tables import jsonl_rows, parquet_rows

__all__ = [
    "Corpus",
    "Document",
    "blocks",
    "installed_documentation",
    "is_held_out",
    "open_corpus",
    "packed",
    "passages",
]

FORMATS = (".txt", ".jsonl", ".parquet")
MAX_DOCUMENT_CHARACTERS = 20_000
HELD_OUT_SHARE = 8  # one document in this many
_OPEN_PARTS = 8  # files read in turns; each open decompressor has its own window in memory
_TURNS = 8  # passes over the corpus, each taking another eighth of the passages
_PASSAGE_CHARACTERS = 2_000  # an article of thirty pages must not fill all blocks

Part = Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Corpus:
    """A source of documents.

    Args:
        name: the path as given, or ``"installed documentation"``.
        fingerprint: sha256 (hex) of the content.
        parts: one function a file; each call reads it from the start.
    """

    name: str
    fingerprint: str
    parts: tuple[Part, ...] = field(repr=False)

    def documents(self) -> Iterator[str]:
        """All documents, file after file, in constant memory.

        Raises:
            ValueError: for a file that turns out to be binary or damaged.
        """
        return chain.from_iterable(part() for part in self.parts)


def open_corpus(path: str | Path | None = None, *, cache: Path | None = None) -> Corpus:
    """Open a corpus without reading more than its first document and its hash.

    Args:
        path: a ``.txt`` file (documents separated by blank lines), ``.jsonl`` or ``.parquet`` (a column ``text``), the
            first two also as ``.gz``, ``.xz`` or ``.zst``; a folder of such files; None for installed documentation.
        cache: folder for what is read out of installed documentation; the user's cache folder when not given.

    Raises:
        FileNotFoundError: when there is nothing at the path.
        ValueError: for an unknown suffix, a folder without such files, an empty or a binary file.
        ImportError: when an optional extra is missing, naming it.
    """
    if path is None:
        texts = [document.text for document in installed_documentation(cache=cache)]
        # By hash: any first part of the corpus is a fair mixture of all packages, in an order that nobody chose.
        texts.sort(key=_digest)
        return Corpus("installed documentation", _fingerprint(texts), (partial(iter, texts),))
    root = Path(path)
    files = _files(root)
    parts: list[Part] = [partial(_read, file) for file in files]
    for file, part in zip(files, parts, strict=True):
        if next(part(), None) is None:
            raise InputError(f"{file}: expected text, got an empty file: remove it or fill it")
    return Corpus(str(path), _file_fingerprint(root, files), tuple(parts))


def passages(text: str) -> list[str]:
    """The passages that :func:`blocks` takes a document in; none where it is taken as it is."""
    found = list(_bounded(text, _PASSAGE_CHARACTERS))
    return [] if found == [text] else found


def is_held_out(text: str) -> bool:
    """Whether a document belongs to the held-out eighth: by its text alone, never by a seed."""
    return _digest(text)[0] % HELD_OUT_SHARE == 0


def blocks(
    corpus: Corpus, tokenizer: PreTrainedTokenizerFast, *, length: int, count: int, held_out: bool, seed: int
) -> NDArray[np.int64]:
    """Packed blocks of token ids: ``[CLS] ... [SEP]``, documents separated by ``[SEP]``, none padded.

    Passages of up to 2,000 characters are drawn from up to eight files in turns and thinned by a hash with the seed, so
    that few blocks come out of one document and other seeds give other text. Reads and tokenises only what is needed.

    Args:
        corpus: where the text comes from.
        tokenizer: any fast tokenizer with a start and an end token.
        length: tokens a block, special tokens included; at least 3.
        count: blocks; at least 1.
        held_out: blocks of the held-out eighth of the documents, or of the other seven.
        seed: of the choice and the order.

    Returns:
        Token ids, shape (count, length).

    Raises:
        ValueError: when the corpus is too short, saying how many blocks it had.
    """
    if length < 3 or count < 1:
        raise InputError(f"expected a length of at least 3 and a count of at least 1, got {length} and {count}")
    rows = list(islice(packed(_mixed(corpus, seed, held_out), tokenizer, length=length), count))
    if len(rows) < count:
        side = "held-out eighth" if held_out else "training part"
        raise InputError(
            f"{corpus.name}: expected {count} blocks of {length} tokens in its {side}, got {len(rows)}: "
            "give a longer corpus, shorter blocks or fewer of them"
        )
    order = np.random.default_rng(seed).permutation(count)
    return np.asarray(rows, dtype=np.int64)[order]  # (count, length)


def packed(documents: Iterable[str], tokenizer: PreTrainedTokenizerFast, *, length: int) -> Iterator[list[int]]:
    """Cut the stream of all documents' tokens into blocks; what is left over at the end is dropped.

    The inner tokens of the blocks, put together, are the documents' tokens with one end token after each document.

    Raises:
        ValueError: when the tokenizer has no start or end token.
    """
    start, end = _special_tokens(tokenizer)
    encode = _encoder(tokenizer)
    stream: deque[int] = deque()
    for text in documents:
        stream.extend(encode(text))
        stream.append(end)
        while len(stream) >= length - 2:
            yield [start, *(stream.popleft() for _ in range(length - 2)), end]


def _special_tokens(tokenizer: PreTrainedTokenizerFast) -> tuple[int, int]:
    known = cast("Any", tokenizer)
    start = known.cls_token_id if known.cls_token_id is not None else known.bos_token_id
    end = known.sep_token_id if known.sep_token_id is not None else known.eos_token_id
    if start is None or end is None:
        raise InputError("expected a tokenizer with a [CLS] and a [SEP] token (or <s> and </s>), got one without them")
    return int(start), int(end)


def _encoder(tokenizer: PreTrainedTokenizerFast) -> Callable[[str], list[int]]:
    # A copy, because truncation and padding are state of the object. One text at a time: batches start the library's
    # thread pool, which then complains whenever the process forks; and the stream is stopped early anyway.
    backend = cast("Any", tokenizer).backend_tokenizer
    copy = type(backend).from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()

    def encode(text: str) -> list[int]:
        return copy.encode(text, add_special_tokens=False).ids

    return encode


# --- order ------------------------------------------------------------------------------------------------------------


def _mixed(corpus: Corpus, seed: int, held_out: bool) -> Iterator[str]:
    """Every passage of one side once, in an order by seed that needs no memory: files in turns, thinned passes."""
    parts = list(corpus.parts)
    random.Random(seed).shuffle(parts)
    salt = str(seed)
    for turn in range(_TURNS):
        for text in in_turns(parts):
            if is_held_out(text) == held_out:
                for passage in _bounded(text, _PASSAGE_CHARACTERS):
                    if _digest(salt + passage)[1] % _TURNS == turn:
                        yield passage


def in_turns(parts: Iterable[Part]) -> Iterator[str]:
    """A document of each part after the other, of a few parts at once."""
    waiting = iter(parts)
    reading = deque(part() for part in islice(waiting, _OPEN_PARTS))
    while reading:
        documents = reading.popleft()
        text = next(documents, None)
        if text is not None:
            reading.append(documents)
            yield text
        elif (part := next(waiting, None)) is not None:
            reading.append(part())


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()


# --- files ------------------------------------------------------------------------------------------------------------


def _files(root: Path) -> list[Path]:
    if not root.exists():
        raise MissingFileError(f"expected a corpus at {root}, got nothing there: check the path")
    if not root.is_dir():
        if format_of(root) not in FORMATS:
            raise InputError(
                f"{root}: expected {', '.join(FORMATS)} (or compressed: {', '.join(COMPRESSIONS)}), "
                f"got the suffix {root.suffix!r}: rename or convert the file"
            )
        return [root]
    files = [file for file in root.rglob("*") if file.is_file() and format_of(file) in FORMATS]
    files = sorted(f for f in files if not any(part.startswith(".") for part in f.relative_to(root).parts))
    if not files:
        raise InputError(f"{root}: expected a folder with {', '.join(FORMATS)} files (also compressed), got none")
    return files


def _fingerprint(texts: Iterable[str]) -> str:
    sha = hashlib.sha256()
    for text in texts:
        sha.update(hashlib.sha256(text.encode()).digest())
    return sha.hexdigest()


def _file_fingerprint(root: Path, files: list[Path]) -> str:
    """Names, sizes and contents (as they lie on disk, not decompressed: 1 GB takes about a second)."""
    sha = hashlib.sha256()
    for path in files:
        name = path.name if path == root else path.relative_to(root).as_posix()
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        sha.update(f"{name}\n{path.stat().st_size}\n{content}\n".encode())
    return sha.hexdigest()


def _read(path: Path) -> Iterator[str]:
    kind = format_of(path)
    for piece in _text_blocks(path) if kind == ".txt" else _text_column(path, kind):
        yield from _bounded(piece)


_BLANK_LINES = re.compile(r"\n[ \t\r]*\n\s*")


def _text_blocks(path: Path) -> Iterator[str]:
    rest = ""
    for chunk in _chunks(path):
        *complete, rest = _BLANK_LINES.split(rest + chunk)
        if len(rest) > 2 * MAX_DOCUMENT_CHARACTERS:
            # Without a blank line in sight: hand on whole pieces, keep the last, which may go on.
            gap = rest[len(rest.rstrip()) :]  # the space before a word that the next chunk begins with
            *pieces, rest = _bounded(rest)
            rest += gap
            complete += pieces
        yield from complete
    yield rest


def _chunks(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    with open_bytes(path) as stream:
        while raw := stream.read(1 << 16):
            place = f"{path}, near byte {position}"
            try:
                text = decoder.decode(raw)
            except UnicodeDecodeError:
                decode(raw, place)
                raise
            if "\0" in text:
                decode(raw, place)
            yield text.removeprefix("\ufeff") if position == 0 else text
            position += len(raw)
    if decoder.getstate()[0]:
        decode(decoder.getstate()[0], f"{path}, near byte {position}")


def _text_column(path: Path, kind: str) -> Iterator[str]:
    for number, values in parquet_rows(path, ["text"]) if kind == ".parquet" else jsonl_rows(path):
        text = values.get("text")
        if not isinstance(text, str):
            raise InputError(
                f"{path}, row {number}: expected a string under 'text', got {list(values)[:12]}: rename it"
            )
        yield text


def _bounded(text: str, limit: int = MAX_DOCUMENT_CHARACTERS) -> Iterator[str]:
    """Pieces of bounded length, cut at a line break or a space where there is one."""
    text = text.strip()
    while len(text) > limit:
        cut = text.rfind("\n", 1, limit)
        cut = cut if cut > 0 else text.rfind(" ", 1, limit)
        cut = cut if cut > 0 else limit
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    if text:
        yield text
