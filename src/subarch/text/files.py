"""Reading text files: compressed or not, line by line, and labelled examples out of tables.

Everything is read as a stream of bytes, so that a file of any size takes constant memory and an error can name the
row where it happened. Columns of labelled files are found by name; labels are kept by name.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import math
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

MAX_LINE_BYTES = 10_000_000

TEXT_COLUMNS = ("text", "sentence", "review", "content", "comment", "document", "body", "message", "tweet", "question")
LABEL_COLUMNS = ("label", "labels", "class", "category", "sentiment", "target", "rating", "stars", "intent", "topic")
DELIMITERS = (",", ";", "\t")
COMPRESSIONS: tuple[str, ...] = (".gz", ".xz", ".zst")

Row = tuple[int, Mapping[str, object]]  # row number as an editor or a spreadsheet shows it, values by column


@dataclass(frozen=True)
class LabelledFile:
    """Texts and the names of their classes, in the order of the file."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]


def read_labelled(path: Path, *, text_column: str | None = None, label_column: str | None = None) -> LabelledFile:
    """Read single texts with one class each from CSV, TSV, JSONL or Parquet (the first three also compressed).

    The columns are found by name in any case: ``text`` and ``label``, or a common synonym. A CSV may be delimited by
    comma, semicolon or tab; a TSV has no line breaks inside its fields.

    Args:
        path: the file.
        text_column: name of the text column where it is none of the usual ones.
        label_column: likewise for the label.

    Raises:
        ValueError: naming the row, for a file that is empty, binary, damaged, without those columns, with an empty
            text or label, a line of more than 10 MB, a single class, or as many classes as texts.
        OSError: when the file cannot be opened.
    """
    wanted = (_one_name(text_column, TEXT_COLUMNS), _one_name(label_column, LABEL_COLUMNS))
    texts: list[str] = []
    labels: list[str] = []
    columns: tuple[str, str] | None = None
    for number, values in _rows(path, wanted):
        columns = columns or _find_columns(path, list(values), wanted)
        text, label = values.get(columns[0]), _label_name(values.get(columns[1]))
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"{path}, row {number}: expected a text in column {columns[0]!r}, got {text!r}: fill it in"
            )
        if label is None:
            got = values.get(columns[1])
            raise ValueError(
                f"{path}, row {number}: expected a label in column {columns[1]!r}, got {got!r}: fill it in"
            )
        texts.append(text)
        labels.append(label)
    _check_classes(path, labels)
    return LabelledFile(tuple(texts), tuple(labels))


def _one_name(given: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if given is None else (given.casefold(),)


def _find_columns(path: Path, columns: list[str], wanted: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[str, str]:
    by_name = {column.strip().casefold(): column for column in reversed(columns)}
    found = [next((by_name[name] for name in names if name in by_name), None) for names in wanted]
    if found[0] is None or found[1] is None:
        raise ValueError(
            f"{path}: expected a text column ({_listed(wanted[0])}) and a label column ({_listed(wanted[1])}) in "
            f"row 1, got {columns[:12]}: rename the columns"
        )
    return found[0], found[1]


def _listed(names: tuple[str, ...]) -> str:
    return repr(names[0]) + (", or such as " + ", ".join(names[1:4]) if len(names) > 1 else "")


def _label_name(value: object) -> str | None:
    """The label as text, None where it is missing ("none" and "na" can be real classes)."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    if not isinstance(value, (str, int)):
        return None
    name = str(value).strip()
    return None if name.casefold() in ("", "nan", "null") else name


def _check_classes(path: Path, labels: list[str]) -> None:
    counts = Counter(labels)
    if not labels:
        raise ValueError(f"{path}: expected rows with a text and a label, got none: the file is empty")
    if len(counts) == 1:
        raise ValueError(
            f"{path}: expected at least two classes, got only {labels[0]!r} in all {len(labels)} rows: "
            "add examples of another class, or name the right label column"
        )
    if len(labels) >= 10 and len(counts) > len(labels) / 2:
        raise ValueError(
            f"{path}: expected a few classes with several texts each, got {len(counts)} different labels in "
            f"{len(labels)} rows: is this the label column? Numbers have to be grouped into classes first"
        )


# --- rows of every format ---------------------------------------------------------------------------------------------


def _rows(path: Path, wanted: tuple[tuple[str, ...], tuple[str, ...]]) -> Iterator[Row]:
    kind = format_of(path)
    if kind == ".parquet":
        yield from parquet_rows(path)
    elif kind == ".jsonl":
        yield from jsonl_rows(path)
    elif kind == ".tsv":
        yield from _named(path, ((n, _split_tsv(line)) for n, line in lines(path)))
    elif kind == ".csv":
        header = next(lines(path), (1, ""))[1]
        with _long_fields():
            yield from _named(path, _csv_cells(path, _sniff(header, wanted)))
    else:
        raise ValueError(f"{path}: expected a file of labelled texts (.csv, .tsv, .jsonl or .parquet), got {kind!r}")


def _named(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    columns: list[str] | None = None
    for number, cells in rows:
        if not any(cells):
            continue
        if columns is None:
            columns = cells
        elif len(cells) != len(columns):
            raise ValueError(
                f"{path}, row {number}: expected {len(columns)} columns as in the first row, got {len(cells)}: "
                "quote the fields that hold the delimiter or a line break"
            )
        else:
            yield number, dict(zip(columns, cells, strict=True))


def _sniff(header: str, wanted: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    def score(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        names = {cell.strip().casefold() for cell in cells}
        return sum(any(name in names for name in column) for column in wanted), len(cells)

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
    """Fields between tabs. Quotes are stripped only where they enclose a field: many TSV files do not quote at all."""
    cells = line.split("\t")
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
        except ValueError as error:
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
    try:
        with library.ParquetFile(path) as file:
            names: list[str] = file.schema_arrow.names
            if missing := set(columns or ()) - set(names):
                raise ValueError(f"{path}: expected a column {sorted(missing)[0]!r}, got {names[:12]}: rename it")
            number = 0
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    yield number, values
    except cast("Any", arrow).ArrowInvalid as error:
        raise ValueError(
            f"{path}: not readable as Parquet ({error}): the file is damaged or of another kind"
        ) from error


# --- bytes ------------------------------------------------------------------------------------------------------------


def format_of(path: Path) -> str:
    """The suffix that tells the format, without that of the compression: ``.txt`` for ``a.txt.xz`` and ``a.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        inner = suffixes[-2] if len(suffixes) > 1 else ""
        return inner if inner in (".txt", ".jsonl", ".csv", ".tsv", ".parquet") else ".txt"
    return suffixes[-1] if suffixes else ""


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
