"""Rows of tables of every format, one after another: delimited text, JSON, Parquet."""

from __future__ import annotations

import codecs
import io
import json
import logging
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from subarch.errors import InputError, MissingPackageError
from subarch.text.delimited import NOTHING, Quoting, records
from subarch.text.dialects import dialect_of
from subarch.text.files import COMPRESSIONS, CONLL, MAX_LINE_BYTES, decode, format_of, lines, open_bytes

_LOG = logging.getLogger(__name__)

Row = tuple[int, Mapping[str, object]]  # row number as an editor or a spreadsheet shows it, values by column

_CURES = {  # of other formats, what to do
    ".zip": "an archive: unpack it (unzip FILE)",
    ".7z": "an archive: unpack it",
    ".tar": "an archive: unpack it",
    ".bz2": "compressed by bzip2: unpack it, or compress it by gzip",
    ".xlsx": "a workbook: save it as CSV UTF-8",
    ".xls": "a workbook: save it as CSV UTF-8",
    ".ods": "a workbook: save it as CSV in UTF-8",
    ".txt": "text without columns: give it a header line and name it .csv or .tsv; a word and its tag a line are read "
    "with --kind tokens, or under the name .conll",
    **dict.fromkeys(CONLL, "a word and its tag a line: that is read where words have tags (--kind tokens)"),
    ".pkl": "Python's own format: save the table as .csv or .parquet",
    ".arrow": "Arrow's own format: save the table as .parquet",
}


def rows(path: Path, expected: Collection[str] = (), *, quoting: Quoting | None = None) -> Iterator[Row]:
    """Rows of a CSV, TSV, JSON, JSONL or Parquet file, also compressed, with their numbers.

    Args:
        path: the file.
        expected: names of columns in lower case; the delimiter that finds most of them in the header is the CSV's.
        quoting: of delimited text, what quotes and backslashes are; seen from the whole file when not given.

    Raises:
        ValueError: naming the row, for another suffix, binary or damaged files, other encodings than UTF-8, a line of
            more than 10 MB, quotes that can be read in two ways, rows of unequal length, and a column name that occurs
            twice.
        ImportError: for Parquet without the extra ``parquet``.
        OSError: when the file cannot be opened.
    """
    kind = format_of(path)
    if kind == ".parquet":
        yield from parquet_rows(path)
    elif kind in (".json", ".jsonl", ".ndjson"):
        yield from _json_rows(path)
    elif kind in (".csv", ".tsv"):
        yield from _delimited_rows(path, expected, quoting)
    else:
        got = f"{kind!r}, {_CURES[kind]}" if kind in _CURES else repr(kind) if kind else "a name without an ending"
        raise InputError(f"{path}: expected a file of texts (.csv, .tsv, .jsonl, .json or .parquet), got {got}")


def _delimited_rows(path: Path, expected: Collection[str], quoting: Quoting | None) -> Iterator[Row]:
    columns: list[str] | None = None
    told = _Told(path)
    for number, cells in records(path, dialect_of(path, expected, quoting=quoting)):
        if columns is None:
            columns = _once_each(path, cells)
        elif len(columns) > 1 and not any(cells):
            told.note("empty", number)
        elif cells == columns and len(cells) > 1:
            told.note("header", number)
        else:
            if NOTHING in cells:
                told.note("nothing", number)
                yield number, {name: None if one == NOTHING else one for name, one in zip(columns, cells, strict=True)}
                continue
            yield number, dict(zip(columns, cells, strict=True))
    told.tell()


class _Told:
    """What is left out or replaced: said once, with its first row."""

    _WORDS: Mapping[str, str] = {
        "empty": "rows without anything in them are left out",
        "header": "rows that repeat the names of the columns are left out",
        "nothing": r"rows with \N as a field, which is taken for no value",
    }

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def note(self, what: str, number: int) -> None:
        self._counts[what] += 1
        self._first.setdefault(what, number)

    def tell(self) -> None:
        for what, count in self._counts.items():
            _LOG.warning("%s, row %d: %d %s", self._path, self._first[what], count, self._WORDS[what])


def _once_each(path: Path, names: list[str]) -> list[str]:
    twice = next((name for n, name in enumerate(names) if name in names[:n] and name), None)
    if twice is not None:
        raise InputError(f"{path}, row 1: expected every column name once, got {twice!r} twice: rename one of them")
    return names


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[Row]:
    """One JSON object a line, or an array of objects, numbered from 1."""
    first = next((line.lstrip() for _, line in lines(path) if line.strip()), "")
    yield from _array_rows(path) if first.startswith("[") else jsonl_rows(path)


def jsonl_rows(path: Path) -> Iterator[Row]:
    """One JSON object a line.

    Raises:
        ValueError: naming the row, for a line that is no JSON object, gives a name twice, is longer than 10 MB or is
            not UTF-8.
    """
    for number, line in lines(path):
        if line.strip():
            yield number, _object(path, number, line)


def _object(path: Path, number: int, line: str) -> Mapping[str, object]:
    try:
        values: object = _DECODER.decode(line)
    except _TwiceError as error:
        raise _twice(path, number, error) from error
    except (ValueError, RecursionError) as error:
        raise _no_object(path, number, line) from error
    return _checked(path, number, values, line)


def _checked(path: Path, number: int, values: object, text: str) -> Mapping[str, object]:
    if not isinstance(values, dict):
        raise _no_object(path, number, text)
    found = cast("dict[str, object]", values)
    if found and all(isinstance(value, dict) for value in found.values()):
        raise InputError(
            f"{path}, row {number}: expected a JSON object with the values of one row, got an object for every column: "
            "write one object a row (pandas: to_json(orient='records', lines=True))"
        )
    return found


def _no_object(path: Path, number: int, text: str) -> InputError:
    other = " (or an array of such objects)" if format_of(path) == ".json" else ""
    return InputError(f"{path}, row {number}: expected a JSON object a line{other}, got {text.strip()[:60]!r}")


class _TwiceError(InputError):
    """A name that occurs twice in an object."""


def _twice(path: Path, number: int, error: _TwiceError) -> InputError:
    return InputError(f"{path}, row {number}: expected every name once in an object, got {error} twice: leave one away")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise _TwiceError(repr(names.most_common(1)[0][0]))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once)
_SPACE = " \t\r\n"


def _array_rows(path: Path) -> Iterator[Row]:
    """Objects of an array, of which no more lies in memory than the one that is read."""
    blocks = _blocks(path)
    text, number, between = next(blocks).lstrip(_SPACE)[1:], 0, True  # between: what comes next is no comma
    while True:
        text = text.lstrip(_SPACE)
        if text[:1] == "]":
            rest = text[1:] + "".join(blocks)
            if rest.strip(_SPACE):
                raise InputError(f"{path}: expected nothing behind the array, got {rest.strip()[:60]!r}")
            return
        if text[:1] == "," and not between:
            text, between = text[1:], True
            continue
        try:
            if text and not between:
                raise _no_object(path, number + 1, text)
            values, end = _DECODER.raw_decode(text)
        except _TwiceError as error:
            raise _twice(path, number + 1, error) from error
        except (json.JSONDecodeError, RecursionError) as error:
            more = next(blocks, "")
            while more and len(more) < len(text):  # each attempt with twice as much
                block = next(blocks, "")
                more += block
                if not block:
                    break
            if not more or len(text) > MAX_LINE_BYTES:
                raise _no_object(path, number + 1, text or "the end of the file") from error
            text += more
            continue
        number += 1
        yield number, _checked(path, number, values, text)
        text, between = text[end:], False


def _blocks(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    with open_bytes(path) as stream:
        while raw := stream.read(1 << 16):
            try:
                yield decoder.decode(raw)
            except UnicodeDecodeError:
                decode(raw, str(path))
                raise


# --- Parquet ----------------------------------------------------------------------------------------------------------


def parquet_rows(path: Path, columns: list[str] | None = None) -> Iterator[Row]:
    """Rows of a Parquet file, read in batches; numbers of classes whose names the schema has are those names.

    Raises:
        ImportError: without the extra ``parquet``.
        ValueError: for a damaged file or a column that is not there.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingPackageError(f"reading {path} needs pyarrow: pip install 'subarch[parquet]'") from error
    library = cast("Any", parquet)
    number = 0
    try:
        with _parquet_source(path) as source, library.ParquetFile(source) as file:
            names: list[str] = _once_each(path, file.schema_arrow.names)
            if missing := set(columns or ()) - set(names):
                raise InputError(f"{path}: expected a column {sorted(missing)[0]!r}, got {names[:12]}: rename it")
            classes = [one for one in _classes_of(file.schema_arrow).items() if columns is None or one[0] in columns]
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    for name, known in classes:
                        values[name] = _class_name(values[name], known)
                    yield number, values
    except cast("Any", arrow).ArrowInvalid as error:
        raise InputError(
            f"{path}: not readable as Parquet ({error}): the file is damaged or of another kind"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
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


def class_names(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Names of classes that a table declares, by column, in the order of their numbers: as ``datasets`` keeps them in
    the schema of a Parquet file. None in other formats, and without the extra ``parquet``."""
    if format_of(path) != ".parquet":
        return {}
    import pyarrow.parquet as parquet

    with _parquet_source(path) as source, cast("Any", parquet).ParquetFile(source) as file:
        return _classes_of(file.schema_arrow)


def _classes_of(schema: Any) -> dict[str, tuple[str, ...]]:
    try:
        features: Any = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        inner = {str(column): _inside(feature) for column, feature in features.items()}
        return {
            column: tuple(map(str, feature["names"]))
            for column, feature in inner.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _inside(feature: Any) -> Any:
    """What a list is of, as several versions of ``datasets`` write it; anything else as it is."""
    while isinstance(feature, list) or (isinstance(feature, dict) and feature.get("_type") in ("Sequence", "List")):
        feature = feature[0] if isinstance(feature, list) else feature["feature"]
    return feature


def _class_name(value: object, names: tuple[str, ...]) -> object:
    """The name of a class by its number, or those of a list of them; -1 says that there is none."""
    if isinstance(value, list):
        return [_class_name(one, names) for one in cast("list[object]", value)]
    if isinstance(value, int) and not isinstance(value, bool) and -1 <= value < len(names):
        return None if value == -1 else names[value]
    return value
