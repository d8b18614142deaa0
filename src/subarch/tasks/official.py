"""The 23 tasks' data: official files in a local folder, or the Parquet files of the Hugging Face hub.

Both are brought to the same flat rows, which the table's castings turn into examples. The hub's files are read through
``datasets``, without data set scripts; a folder with the same layout of files serves where there is no network.
"""

from __future__ import annotations

import json
import logging
import math
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from subarch.errors import InputError, MissingPackageError
from subarch.tasks.casting import Values, as_it_is, number_of
from subarch.tasks.suites import TASKS, BenchmarkTask, Part
from subarch.text.examples import Example, Split
from subarch.text.files import COMPRESSIONS, MAX_LINE_BYTES, decode, format_of, lines, open_bytes
from subarch.text.tables import jsonl_rows

Rows = Iterator[tuple[str, Values]]  # where a row stands, for messages, and its values by official column

_MAX_ARCHIVE_BYTES = 1_000_000_000
_DEPTH = 3  # levels of folders below the given one that are searched
_MAX_FOLDERS = 5_000
_CUT_IN_ALL, _MOST_CUT = 30, 0.001  # rows, or this share of a file's; the official one has 25 in 364,000

_LOG = logging.getLogger(__name__)


def official_examples(task: BenchmarkTask, part: Part, data: Path | None) -> Split:
    """One part of a benchmark task.

    Args:
        task: from the table.
        part: ``"train"``, ``"dev"`` or ``"test"``; examples of the last have labels only where the files have them.
        data: the task's own folder, the suite's, or one that holds it, in the official layout or the hub's
            (``nyu-mll/glue/cola/train-00000-of-00001.parquet``); RACE also as its archive. None for the hub itself.

    Raises:
        ValueError: naming file and row, for a part that the task does not have, a missing, empty or damaged file,
            missing columns, an unknown label, a row without a label outside the test part, or no way to the hub.
        ImportError: for Parquet files without the extra ``hub``.
    """
    if part not in task.files:
        instead = f"; its model is that of {task.trained_on}" if task.trained_on else ""
        raise InputError(f"{task.name} has no {part} part, only {', '.join(task.files)}{instead}")
    files = None if data is None else _mirrored(task, part, data)
    if data is None or files is not None:
        place, rows, unfold = str(data or task.hub.repository), _hub_rows(task, part, files), as_it_is
    else:
        source = _find_source(task, part, data)
        place, rows, unfold = str(source), _official_rows(task, part, source), task.unfold
    examples: list[Example] = []
    for where, record in rows:
        try:
            for row in unfold(record):
                if task.left_out is None or row.get(task.label) != task.left_out:
                    examples.append(_example(task, part, row, len(examples)))
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error
    if not examples:
        raise InputError(f"{place}: expected rows of {task.name}, got none: the file is empty")
    return Split(examples)


def _example(task: BenchmarkTask, part: Part, row: Values, number: int) -> Example:
    example = task.encode(row)
    if example.id is None:
        example = example._replace(id=number_of(row, task.id) if task.id in row else number)
    if task.label:
        example = example._replace(label=_label(task, row.get(task.label)))
    if example.label is None and part != "test":
        raise InputError(f"expected a label in column {task.label or 'answers'!r}, got none")
    return example


def _label(task: BenchmarkTask, value: object) -> int | float | None:
    word = str(value).lower() if isinstance(value, bool) else str(value)
    if value is None or word in ("", "-1", "-1.0"):  # -1 is the hub's word for unknown
        return None
    if task.kind == "regression":
        return _number(task, word)
    if word not in task.label_words:
        raise InputError(f"expected one of {', '.join(task.label_words)} in column {task.label!r}, got {word!r:.60}")
    return task.label_words.index(word)


def _number(task: BenchmarkTask, word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"expected a number in column {task.label!r}, got {word!r:.60}")
    return number


# --- the official layout ----------------------------------------------------------------------------------------------


def _find_source(task: BenchmarkTask, part: Part, data: Path) -> Path:
    """The file (of RACE the folder or the archive) that holds a part, in the folder nearest to the given one."""
    if not data.exists():
        raise InputError(f"expected a folder with the data of {task.name} at {data}, got nothing there: check the path")
    if data.is_file():
        if _is_archive(task, data):
            return data
        raise InputError(f"{data}: expected a folder with the data of {task.name}, got a file: give its folder")
    named: list[Path] = []
    for level in _levels(data):
        folders = [folder for folder in level if _is_named(task, folder) or (folder == data and not _is_other(folder))]
        sources = [source for folder in folders if (source := _source_in(task, part, folder))]
        if task.suite == "race":
            sources += [file for folder in level for file in _listed(folder) if _is_archive(task, file)]
        if len(sources) > 1:
            raise InputError(f"{data}: expected one copy of {task.name}, got {sources[0]} and {sources[1]}: give one")
        if sources:
            return sources[0]
        named += [folder for folder in folders if folder != data]
    names = " or ".join(task.files[part])
    if named:
        raise InputError(f"{named[0]}: expected {names}, got {_names(named[0])}")
    raise InputError(
        f"{data}: expected a folder {task.folder} with {names} ({task.suite}/{task.folder} will do), got {_names(data)}"
    )


def _levels(root: Path) -> Iterator[list[Path]]:
    level, total = [root], 0
    for _ in range(_DEPTH + 1):
        yield level
        total += len(level)
        level = [child for folder in level for child in _listed(folder) if child.is_dir()][: _MAX_FOLDERS - total]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    except PermissionError:
        return []


def _names(folder: Path) -> str:
    names = [child.name for child in _listed(folder)]
    return f"{names[:12]}" if names else "an empty folder"


def _is_named(task: BenchmarkTask, folder: Path) -> bool:
    return _letters(folder.name) in map(_letters, (task.folder, *task.folders))


def _is_other(folder: Path) -> bool:
    """Whether a folder has the name of some task: another one's files must not be taken for this one's."""
    return any(_is_named(task, folder) for task in TASKS.values())


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _is_archive(task: BenchmarkTask, path: Path) -> bool:
    return (
        task.suite == "race" and path.is_file() and path.name.casefold() in {f"race.tar{end}" for end in COMPRESSIONS}
    )


def _source_in(task: BenchmarkTask, part: Part, folder: Path) -> Path | None:
    paths = (folder / f"{name}{end}" for name in task.files[part] for end in ("", *COMPRESSIONS))
    return next((path for path in paths if path.exists()), None)


def _official_rows(task: BenchmarkTask, part: Part, source: Path) -> Rows:
    if task.suite == "race":
        articles = _article_files(source) if source.is_dir() else _archived_articles(source, task.files[part][0])
        return _articles(articles)
    if format_of(source) == ".jsonl":
        return ((f"{source}, row {number}", values) for number, values in jsonl_rows(source))
    return _tsv_rows(task, part, source)


def _tsv_rows(task: BenchmarkTask, part: Part, path: Path) -> Rows:
    """Fields between tabs as they stand: these files quote nothing."""
    columns: list[str] | None = None
    good, cut = 0, 0
    for number, line in lines(path):
        cells = line.split("\t")
        if columns is None:
            has_header = part == "test" or not task.headless or set(task.texts) <= set(cells)
            columns = cells if has_header else list(task.headless)
            _check_columns(task, part, path, columns)
            if has_header:
                continue
        if len(cells) == len(columns):
            good += 1
            yield f"{path}, row {number}", dict(zip(columns, cells, strict=True))
        elif line.strip() and task.cut_rows and part != "test":
            cut += 1
        elif line.strip():
            raise InputError(
                f"{path}, row {number}: expected {len(columns)} columns ({', '.join(columns[:12])}), got {len(cells)}"
            )
    if cut > max(_CUT_IN_ALL, _MOST_CUT * (good + cut)):
        raise InputError(f"{path}: expected whole rows, got {cut} of {good + cut} with other numbers of columns")
    if cut:
        _LOG.warning("%s: %d of %d rows are cut by a line break; they are left out", path, cut, good + cut)


def _check_columns(task: BenchmarkTask, part: Part, path: Path, columns: list[str]) -> None:
    needed = (*task.texts, *(() if part == "test" else (task.label,)))
    if missing := [column for column in needed if column not in columns]:
        raise InputError(f"{path}, row 1: expected a column {missing[0]!r} in the header, got {columns[:16]!r:.300}")


def _articles(files: Iterator[tuple[str, bytes]]) -> Rows:
    for place, content in files:
        try:
            values: object = json.loads(decode(content, place))
        except json.JSONDecodeError as error:
            raise InputError(f"{place}: expected a JSON object, got {content[:60]!r}") from error
        if not isinstance(values, dict):
            raise InputError(f"{place}: expected a JSON object, got {content[:60]!r}")
        yield place, cast("Values", values)


def _article_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in _listed(folder):
        if path.suffix == ".txt" and path.is_file():
            _check_size(str(path), path.stat().st_size)
            yield str(path), path.read_bytes()


def _archived_articles(archive: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    """Articles of one folder in an archive, sorted by name; nothing is unpacked to the disk."""
    found: dict[str, bytes] = {}
    total = 0
    try:
        with open_bytes(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as members:  # as a stream: no way back in compressed data
                for member in members:
                    if member.isreg() and re.search(rf"(^|/){folder}/[^/.][^/]*\.txt$", member.name):
                        _check_size(f"{archive}, {member.name}", member.size)
                        total += member.size
                        if total > _MAX_ARCHIVE_BYTES:
                            raise InputError(f"{archive}: expected at most {_MAX_ARCHIVE_BYTES:,} bytes of articles")
                        found[member.name] = cast("Any", members.extractfile(member)).read()
            while stream.read(1 << 16):  # an archive that was cut short shows it at its end alone
                pass
    except tarfile.TarError as error:
        raise InputError(f"{archive}: cannot be read ({error}): the archive is damaged or cut short") from error
    yield from ((f"{archive}, {name}", found[name]) for name in sorted(found))


def _check_size(place: str, size: int) -> None:
    if size > MAX_LINE_BYTES:
        raise InputError(f"{place}: expected one article, got {size:,} bytes (at most {MAX_LINE_BYTES:,})")


# --- the hub's layout -------------------------------------------------------------------------------------------------


def _mirrored(task: BenchmarkTask, part: Part, data: Path) -> list[str] | None:
    """The part's files in a folder laid out like the hub, None where the folder is not."""
    hub = task.hub
    for root in (data / hub.repository, data / hub.repository.rpartition("/")[2], data):
        folder = root / hub.configuration
        if any(folder.glob("*.parquet")):
            files = sorted(map(str, folder.glob(f"{hub.splits[part]}-*.parquet")))
            if not files:
                raise InputError(f"{folder}: expected {hub.splits[part]}-*.parquet, got {_names(folder)}")
            return files
    return None


def _hub_rows(task: BenchmarkTask, part: Part, files: list[str] | None) -> Rows:
    hub = task.hub
    place = f"{hub.repository}/{hub.configuration}/{hub.splits[part]}"
    where = files or [f"hf://datasets/{place}-*.parquet"]
    numbers: dict[object, int] = {}
    try:
        for number, values in enumerate(_parquet_rows(where, local=files is not None), start=1):
            row = {hub.columns.get(name, name): value for name, value in values.items()}
            if hub.shared_id:
                index = numbers[row.get("id")] = numbers.get(row.get("id"), -1) + 1
                row["id"] = f"{row.get('id')}-{index}"
            yield f"{place}, row {number}", _with_label_word(task, row)
    except ImportError:
        raise
    except Exception as error:  # the libraries below raise whatever the network, the cache or the format suggests
        if files is not None:
            raise InputError(f"{files[0]}: not readable as Parquet ({error}): the file is damaged") from error
        raise InputError(
            f"{task.name}: cannot be read from the Hugging Face hub ({type(error).__name__}: {error}): give a folder "
            "with the official files or a copy of the hub's: --task-data FOLDER"
        ) from error


def _parquet_rows(files: list[str], *, local: bool) -> Iterator[Mapping[str, object]]:
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingPackageError("reading the hub's files needs datasets: pip install 'subarch[hub]'") from error
    load = partial(cast("Any", load_dataset), "parquet", data_files={"part": files}, split="part")
    if not local:
        yield from load()  # kept in the library's cache
        return
    with tempfile.TemporaryDirectory() as cache:  # read where they are; the library wants a folder for its locks
        yield from load(streaming=True, cache_dir=cache)


def _with_label_word(task: BenchmarkTask, row: dict[str, object]) -> Values:
    """The official word for the hub's index of a class or candidate."""
    index, words = row.get(task.label), task.label_words
    if isinstance(index, int) and 0 <= index < len(words):
        return {**row, task.label: words[index]}
    return row
