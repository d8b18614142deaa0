"""Reading text files: compressed or not, line by line.

Everything is read as a stream of bytes, so that a file of any size takes constant memory and an error can name the
row where it happened.
"""

from __future__ import annotations

import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from subarch.errors import InputError, MissingPackageError

MAX_LINE_BYTES = 10_000_000

COMPRESSIONS: tuple[str, ...] = (".gz", ".xz", ".zst")
CONLL: tuple[str, ...] = (".conll", ".conll2003", ".conllu", ".bio", ".iob", ".iob2", ".iobes", ".bioes")
"""What files of a word and its tags a line are called."""
_FORMATS = (".txt", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", *CONLL)


def format_of(path: Path) -> str:
    """The suffix that tells the format, without that of the compression: ``.txt`` for ``a.txt.xz`` and ``a.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        inner = suffixes[-2] if len(suffixes) > 1 else ""
        return inner if inner in _FORMATS else ".txt"
    return suffixes[-1] if suffixes else ""


def stem_of(path: Path) -> str:
    """A file's name without what tells its format and compression: ``reviews.2024`` for ``reviews.2024.csv.gz``."""
    name = path.name
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    return Path(name).stem.lstrip(".") or "data"


@contextmanager
def open_bytes(path: Path) -> Generator[IO[bytes]]:
    """Open a file for reading and decompress it on the way, by its suffix.

    Raises:
        ValueError: while reading, for a compressed file that is damaged or cut short.
        OSError: when it cannot be opened.
        ImportError: for ``.zst`` without the extra ``zstd``.
    """
    openers: dict[str, Callable[[Path], Any]] = {
        ".gz": gzip.GzipFile,
        ".xz": lzma.LZMAFile,
        ".zst": _open_zstd,
    }
    damaged = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
    try:
        with openers.get(path.suffix.lower(), lambda p: p.open("rb"))(path) as stream:
            yield stream
    except damaged as error:
        raise InputError(f"{path}: cannot be decompressed ({error}): the file is damaged or cut short") from error


def _open_zstd(path: Path) -> IO[bytes]:
    try:
        import zstandard
    except ImportError as error:
        raise MissingPackageError(f"reading {path} needs zstandard: pip install 'subarch[zstd]'") from error
    return io.BufferedReader(_ZstdStream(path.open("rb"), zstandard))


class _ZstdStream(io.RawIOBase):
    """Decompressed bytes, frame after frame. The library's own reader takes a file cut short for a complete one."""

    def __init__(self, file: IO[bytes], library: Any) -> None:
        self._file = file
        self._library = library
        self._frame: Any = None
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._rest:
            piece = self._file.read(1 << 14)
            if not piece and self._frame is None:
                return 0
            if not piece:
                raise EOFError("the last frame is incomplete")
            self._rest = self._decompressed(piece)
        size = min(len(view), len(self._rest))
        view[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _decompressed(self, piece: bytes) -> bytes:
        pieces: list[bytes] = []
        while piece:
            self._frame = self._frame or self._library.ZstdDecompressor().decompressobj()
            try:
                pieces.append(self._frame.decompress(piece))
            except self._library.ZstdError as error:
                raise EOFError(str(error)) from error
            piece = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()
        super().close()


# --- lines ------------------------------------------------------------------------------------------------------------

_SIGNATURES = {
    b"PK\x03\x04": "a ZIP archive: unpack it; or, where it is a workbook, save that as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save it as CSV UTF-8",
    b"\x1f\x8b": "compressed by gzip: add .gz to its name",
    b"\xfd7zXZ": "compressed by xz: add .xz to its name",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: add .zst to its name",
    b"BZh": "compressed by bzip2: unpack it, or compress it by gzip",
    b"PAR1": "Parquet: name it .parquet",
}


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file with their numbers from 1, without line ends; otherwise as :func:`raw_lines`."""
    for number, line in raw_lines(path):
        yield number, line.rstrip("\r\n")


def raw_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file as they stand, with their numbers from 1; byte-order marks before lines are dropped.

    The text is UTF-8, or UTF-16 where such a mark says so. Lines end with LF or CR LF; where a file has none of these,
    with CR, in whose place LF is given.

    Raises:
        ValueError: naming the row, for a line of more than 10 MB, a NUL byte or bytes that are no such text.
    """
    with open_bytes(path) as stream:
        begin: bytes = cast("Any", stream).peek(1 << 13)
        if (kind := next((kind for sign, kind in _SIGNATURES.items() if begin.startswith(sign)), None)) is not None:
            raise InputError(f"{path}: expected text, got what is {kind}")
        if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            yield from _lines_of_utf16(path, stream)
            return
        read = _until_cr(path, stream) if b"\r" in begin and b"\n" not in begin else _until_lf(stream)
        for number, raw in enumerate(read, start=1):
            if len(raw) > MAX_LINE_BYTES:
                raise _too_long(path, number)
            line = raw.removeprefix(codecs.BOM_UTF8)  # files that are joined have one at every beginning
            yield number, decode(line, f"{path}, row {number}")


def _too_long(path: Path, number: int) -> InputError:
    return InputError(f"{path}, row {number}: longer than {MAX_LINE_BYTES:,} bytes: one row a line is expected")


def _until_lf(stream: IO[bytes]) -> Iterator[bytes]:
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        yield raw


def _until_cr(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of a file without LF, as old spreadsheets leave them."""
    rest, number = b"", 1
    while block := stream.read(1 << 16):
        *whole, rest = (rest + block).split(b"\r")
        for raw in whole:
            if b"\n" in raw:
                raise InputError(f"{path}, row {number}: some lines end with CR alone, others with LF: make them alike")
            yield raw + b"\n"
            number += 1
        if len(rest) > MAX_LINE_BYTES:
            break
    if rest:
        yield rest


def _lines_of_utf16(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with io.TextIOWrapper(cast("Any", stream), encoding="utf-16", newline="\n") as text:
            while line := text.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise _too_long(path, number)
                if "\0" in line:
                    raise InputError(f"{path}, row {number}: expected UTF-16 text, got a NUL character: is this text?")
                yield number, line.removeprefix("\ufeff")
    except UnicodeError as error:
        raise InputError(
            f"{path}, after row {number}: expected UTF-16 text as the first bytes say, got others ({error}): the file "
            "is damaged; save it as UTF-8"
        ) from error


def decode(raw: bytes, place: str) -> str:
    """UTF-8 text out of bytes.

    Raises:
        ValueError: naming the place, for binary data and other encodings.
    """
    if b"\0" in raw:
        halves = raw[1::2].count(0), raw[::2].count(0)
        if max(halves) > len(raw) / 4:
            advice = f"it looks like UTF-16: iconv -f UTF-16{'LE' if halves[0] >= halves[1] else 'BE'} -t UTF-8"
        else:
            advice = "is this a text file?"
        raise InputError(f"{place}: expected UTF-8 text, got binary data (a NUL byte): {advice}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.start + 1]
        raise InputError(
            f"{place}: expected UTF-8 text, got the byte {bad!r}: save the file as UTF-8, or convert it from what it "
            "is (in Western Europe mostly iconv -f CP1252 -t UTF-8)"
        ) from error
