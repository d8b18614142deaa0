"""Reading text files: compressed or not, line by line, and the rows of tables of every format.

Everything is read as a stream of bytes, so that a file of any size takes constant memory and an error can name the
row where it happened.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

MAX_LINE_BYTES = 10_000_000

DELIMITERS = (",", ";", "\t")
COMPRESSIONS: tuple[str, ...] = (".gz", ".xz", ".zst")

Row = tuple[int, Mapping[str, object]]  # row number as an editor or a spreadsheet shows it, values by column


# --- rows of every format ---------------------------------------------------------------------------------------------


def rows(path: Path, expected: Collection[str] = ()) -> Iterator[Row]:
    """Rows of a CSV, TSV, JSONL or Parquet file, also compressed, with their numbers.

    A CSV may be delimited by comma, semicolon or tab; a TSV has no line breaks inside its fields.

    Args:
        path: the file.
        expected: names of columns in lower case; the delimiter that finds most of them in the header is the CSV's.

    Raises:
        ValueError: naming the row, for another suffix, binary or damaged files, other encodings than UTF-8, a line of
            more than 10 MB, rows of unequal length, and a column name that occurs twice.
        ImportError: for Parquet without the extra ``parquet``.
        OSError: when the file cannot be opened.
    """
    kind = format_of(path)
    if kind == ".parquet":
        yield from parquet_rows(path)
    elif kind == ".jsonl":
        yield from jsonl_rows(path)
    elif kind == ".tsv":
        yield from _named(path, ((n, _split_tsv(line)) for n, line in lines(path)))
    elif kind == ".csv":
        with _long_fields():
            yield from _named(path, _csv_cells(path, delimiter_of(path, expected)))
    else:
        raise ValueError(f"{path}: expected a file of labelled texts (.csv, .tsv, .jsonl or .parquet), got {kind!r}")


def _named(path: Path, table: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    columns: list[str] | None = None
    for number, cells in table:
        if not cells or (not any(cells) and (columns is None or len(columns) > 1)):
            continue  # of a single column, an empty field in quotes is a row without a text
        if columns is None:
            columns = _once_each(path, cells)
        elif len(cells) != len(columns):
            advice = "quote the fields that hold the delimiter or a line break"
            if format_of(path) == ".tsv":
                advice = "fields of a TSV hold no tabs and line breaks; save the table as .csv"
            raise ValueError(
                f"{path}, row {number}: expected {len(columns)} columns as in the first row, got {len(cells)}: {advice}"
            )
        else:
            yield number, dict(zip(columns, cells, strict=True))


def _once_each(path: Path, names: list[str]) -> list[str]:
    twice = next((name for n, name in enumerate(names) if name in names[:n] and name), None)
    if twice is not None:
        raise ValueError(f"{path}, row 1: expected every column name once, got {twice!r} twice: rename one of them")
    return names


def delimiter_of(path: Path, expected: Collection[str] = ()) -> str:
    """What stands between the fields of a CSV file: the delimiter that finds most expected names in its header."""
    header = next((line for _, line in lines(path) if line.strip()), "")

    def score(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error as error:
            raise ValueError(
                f"{path}, row 1: not readable as CSV ({error}): lines must end with LF or CR LF, not with CR alone"
            ) from error
        return sum(cell.strip().casefold() in expected for cell in cells), len(cells)

    return max(DELIMITERS, key=score)


def _csv_cells(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((line + "\n" for _, line in lines(path)), delimiter=delimiter)
    start = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"{path}, row {start}: not readable as CSV ({error}): is a quote left open?") from error
        yield start, cells
        start = reader.line_num + 1


@contextmanager
def _long_fields() -> Generator[None]:
    """Lift the csv module's limit of 131,072 characters a field; the limit is the process's, so put it back."""
    before = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _split_tsv(line: str) -> list[str]:
    """Fields between tabs, none of a blank line. Quotes are stripped only where they enclose a field: many TSV files do
    not quote at all."""
    cells = line.split("\t") if line else []
    return [c[1:-1].replace('""', '"') if len(c) > 1 and c[0] == c[-1] == '"' else c for c in cells]


def jsonl_rows(path: Path) -> Iterator[Row]:
    """One JSON object a line.

    Raises:
        ValueError: naming the row, for a line that is no JSON object, is longer than 10 MB or is not UTF-8.
    """
    for number, line in lines(path):
        if not line.strip():
            continue
        try:
            values: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, row {number}: expected a JSON object a line, got {line[:60]!r}") from error
        if not isinstance(values, dict):
            raise ValueError(f"{path}, row {number}: expected a JSON object a line, got {line[:60]!r}")
        yield number, cast("dict[str, object]", values)


def parquet_rows(path: Path, columns: list[str] | None = None) -> Iterator[Row]:
    """Rows of a Parquet file, read in batches.

    Raises:
        ImportError: without the extra ``parquet``.
        ValueError: for a damaged file or a column that is not there.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ImportError(f"reading {path} needs pyarrow: pip install 'subarch[parquet]'") from error
    library = cast("Any", parquet)
    number = 0
    try:
        with _parquet_source(path) as source, library.ParquetFile(source) as file:
            names: list[str] = _once_each(path, file.schema_arrow.names)
            if missing := set(columns or ()) - set(names):
                raise ValueError(f"{path}: expected a column {sorted(missing)[0]!r}, got {names[:12]}: rename it")
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    yield number, values
    except cast("Any", arrow).ArrowInvalid as error:
        raise ValueError(
            f"{path}: not readable as Parquet ({error}): the file is damaged or of another kind"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}, after row {number}: expected UTF-8 text, got other bytes: save it as UTF-8"
        ) from error


@contextmanager
def _parquet_source(path: Path) -> Generator[Path | IO[bytes]]:
    """The file itself, or its bytes in memory where it is compressed as a whole: Parquet is read from its end."""
    if path.suffix.lower() not in COMPRESSIONS:
        yield path
        return
    with open_bytes(path) as stream:
        whole = io.BytesIO(stream.read())
    yield whole


# --- bytes ------------------------------------------------------------------------------------------------------------


def format_of(path: Path) -> str:
    """The suffix that tells the format, without that of the compression: ``.txt`` for ``a.txt.xz`` and ``a.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        inner = suffixes[-2] if len(suffixes) > 1 else ""
        return inner if inner in (".txt", ".jsonl", ".csv", ".tsv", ".parquet") else ".txt"
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
        raise ValueError(f"{path}: cannot be decompressed ({error}): the file is damaged or cut short") from error


def _open_zstd(path: Path) -> IO[bytes]:
    try:
        import zstandard
    except ImportError as error:
        raise ImportError(f"reading {path} needs zstandard: pip install 'subarch[zstd]'") from error
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


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file with their numbers from 1, without line ends; a byte-order mark is dropped.

    Raises:
        ValueError: naming the row, for a line of more than 10 MB, a NUL byte or bytes that are not UTF-8.
    """
    with open_bytes(path) as stream:
        number = 0
        while raw := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES:
                raise ValueError(
                    f"{path}, row {number}: longer than {MAX_LINE_BYTES:,} bytes: one row a line is expected"
                )
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            yield number, decode(raw, f"{path}, row {number}").rstrip("\r\n")


def decode(raw: bytes, place: str) -> str:
    """UTF-8 text out of bytes.

    Raises:
        ValueError: naming the place, for binary data and other encodings.
    """
    if b"\0" in raw:
        raise ValueError(
            f"{place}: expected UTF-8 text, got binary data (a NUL byte): is this a text file? UTF-16 is not"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.start + 1]
        raise ValueError(f"{place}: expected UTF-8 text, got the byte {bad!r}: save the file as UTF-8") from error
