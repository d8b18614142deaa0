"""Submission archives: written as the portals want them, and checked whoever wrote them.

A portal wants one zip with a file for each task of its suite, at the top level and complete: see
:mod:`subarch.tasks.predictions` for what is in a file. RACE has no portal; its archive is made likewise.
"""

from __future__ import annotations

import codecs
import math
import os
import re
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from subarch.errors import InputError, MissingFileError
from subarch.tasks.predictions import MULTIRC, SCORES, Index, Problems, check, index_of, render
from subarch.tasks.suites import SUITES, BenchmarkTask, find_task
from subarch.text.examples import Example

LARGEST_FILE_BYTES = 50_000_000  # ten times the largest one that is right
NO_ENTITY = "unknown"  # a placeholder for ReCoRD's answers, which may be any text
_FINDER = re.compile(r"(^|[\\/])(__MACOSX[\\/]|\.DS_Store$|\._)")
_OUTWARD = re.compile(r"([A-Za-z]:)?[\\/]|(.*[\\/])?\.\.[\\/]")

Answer = tuple[Example, int | float | None]  # None where nothing was predicted


@dataclass(frozen=True, kw_only=True)
class Written:
    """An archive that was written and checked.

    Attributes:
        archive: where it is.
        files: what it holds.
        placeholders: those of the files that say the same of every example, because nothing was predicted.
    """

    archive: Path
    files: tuple[str, ...]
    placeholders: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found in an archive.

    Attributes:
        archive: where it is.
        files: what it holds.
        problems: one sentence each, with file, row, and what to do; none when the portal should accept it.
    """

    archive: Path
    files: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


# --- writing ----------------------------------------------------------------------------------------------------------


def write_archive(path: Path, suite: str, answers: Mapping[str, Sequence[Answer] | None]) -> Written:
    """Write a suite's submission archive, whole or not at all; equal answers give equal bytes.

    A portal wants all files of its suite, also from whoever has no model or no data for one of the tasks. Such a task
    takes None, or its examples with None for predictions: its file is a placeholder then, which says the first class
    (0.0, an unknown entity) throughout. MultiRC's file follows the structure of its data and needs the examples, RACE's
    the names of its questions.

    Args:
        path: of the archive; ends in ``.zip``.
        suite: ``"glue"``, ``"superglue"`` or ``"race"``.
        answers: by the name of the task, for every task of the suite: each example of the official test part with the
            index of the class, the number, or the index of the chosen candidate.

    Raises:
        ValueError: for a task that is missing or of another suite, for examples that are not the official test part,
            and for a prediction that is no class, number or candidate of its task.
        OSError: when it cannot be written; an older archive stays as it was.
    """
    if path.suffix.lower() != ".zip":
        raise InputError(f"expected a path that ends in .zip, got {path}: portals take zip archives alone")
    tasks = _suite(suite)
    given = _by_task(suite, tasks, answers)
    contents = {task.submission.file: _content(task, given[task.name]) for task in tasks}
    part = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.part")
    try:
        _write(part, contents)
        problems = check_archive(part, suite).problems
        if problems:
            raise InputError(f"{suite}: expected the examples of the official test parts, got others: {problems[0]}")
        part.replace(path)
    except OSError as error:
        raise OSError(
            f"could not write {path}: {error.strerror or error}; free some room or take another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    placeholders = [task.submission.file for task in tasks if _predicted(given[task.name]) == 0]
    return Written(archive=path, files=tuple(contents), placeholders=tuple(placeholders))


def _suite(suite: str) -> tuple[BenchmarkTask, ...]:
    if suite not in SUITES:
        raise InputError(f"expected a suite of {', '.join(SUITES)}, got {suite!r}")
    return SUITES[suite]


def _by_task(
    suite: str, tasks: Sequence[BenchmarkTask], answers: Mapping[str, Sequence[Answer] | None]
) -> dict[str, Sequence[Answer] | None]:
    given = {find_task(name).name: rows for name, rows in answers.items()}
    names = [task.name for task in tasks]
    if foreign := [name for name in given if name not in names]:
        raise InputError(f"expected tasks of {suite} ({', '.join(names)}), got {', '.join(foreign)}")
    if missing := [name for name in names if name not in given]:
        raise InputError(
            f"{suite}: expected answers to all {len(names)} tasks, got none to {', '.join(missing)}: predict them, or "
            "ask for placeholders by None"
        )
    for task in tasks:
        _check_complete(task, given[task.name])
    return given


def _check_complete(task: BenchmarkTask, answers: Sequence[Answer] | None) -> None:
    official = task.submission.examples or task.submission.rows
    if answers is None:
        if task.name == MULTIRC or task.suite == "race":
            raise InputError(
                f"{task.name}: expected examples, got None: a placeholder follows the test file's structure"
            )
        return
    if len(answers) != official:
        raise InputError(
            f"{task.name}: expected the {official:,} examples of the official test part, got {len(answers):,}: portals "
            "refuse a part of them; give all, or None for a placeholder"
        )
    if _predicted(answers) not in (0, official):
        raise InputError(f"{task.name}: expected {official:,} predictions or none, got {_predicted(answers):,}")


def _predicted(answers: Sequence[Answer] | None) -> int:
    return sum(prediction is not None for _, prediction in answers or ())


def _content(task: BenchmarkTask, answers: Sequence[Answer] | None) -> str:
    """A whole file."""
    if answers is None:
        word = _word(task, Example("", answers=((NO_ENTITY,), ())), None)
        return render(task, ((index, word) for index in range(task.submission.rows)))
    lines: list[tuple[Index, object]] = [(index_of(task, e), _word(task, e, prediction)) for e, prediction in answers]
    return render(task, sorted(lines, key=lambda line: line[0]))


def _word(task: BenchmarkTask, example: Example, prediction: int | float | None) -> object:
    """What a file says for a prediction."""
    if task.kind == "regression":
        number = float(prediction or 0)
        if not math.isfinite(number):
            raise InputError(f"{task.name}, example {example.id}: expected a finite number, got {number}")
        return f"{min(max(SCORES[0], number), SCORES[1]):.3f}"
    words = task.submission.words or (example.answers[0] if example.answers else ())
    choice = prediction or 0
    if choice not in range(len(words)):
        raise InputError(
            f"{task.name}, example {example.id}: expected the index of one of {len(words)} classes or candidates, got "
            f"{prediction}"
        )
    return words[int(choice)]


def _write(path: Path, contents: Mapping[str, str]) -> None:
    with path.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, content in contents.items():
                member = zipfile.ZipInfo(file)  # dated 1980, so that equal files are equal bytes
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o644 << 16
                archive.writestr(member, content)
        stream.flush()
        os.fsync(stream.fileno())


# --- checking ---------------------------------------------------------------------------------------------------------


def check_archive(path: Path, suite: str, expected: Mapping[str, Sequence[Example]] | None = None) -> Checked:
    """Check a submission archive, made by this program or any other.

    Nothing is unpacked to disk, and no more is read of a file than a right one could hold.

    Args:
        path: of the archive.
        suite: what it is for.
        expected: the examples of test parts by the name of the task, where they are at hand: their indices are expected
            then. Those of other tasks follow from the official counts; of RACE, whose questions have names instead of
            numbers, the count alone is known.

    Raises:
        ValueError: for an unknown suite or task.
        FileNotFoundError: when there is no such file.
    """
    tasks = {task.submission.file: task for task in _suite(suite)}
    known = [(find_task(name), examples) for name, examples in (expected or {}).items() if examples]
    indices = {task.name: sorted(index_of(task, example) for example in examples) for task, examples in known}
    if not path.is_file():
        raise MissingFileError(f"expected a submission archive, got no file at {path}: give the path of a .zip file")
    of_archive = Problems(path.name, shown=20)
    problems: list[str] = []
    files: tuple[str, ...] = ()
    try:
        with zipfile.ZipFile(path) as archive:
            files = tuple(archive.namelist())
            for file, member in _members(archive, tuple(tasks), of_archive):
                of_file = Problems(file)
                text = _text(archive, member, of_file)
                if text is not None:
                    check(tasks[file], text, indices.get(tasks[file].name), of_file)
                problems += of_file.sentences
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        of_archive.note(None, f"expected a zip archive, got another or a damaged file ({error}): zip the files again")
    return Checked(archive=path, files=files, problems=(*of_archive.sentences, *problems))


def _members(archive: zipfile.ZipFile, wanted: Sequence[str], problems: Problems) -> list[tuple[str, zipfile.ZipInfo]]:
    """Those entries of the archive that are what is wanted, once each."""
    note = problems.note
    by_name = {file.casefold(): file for file in wanted}
    found: dict[str, zipfile.ZipInfo] = {}
    folders: Counter[str] = Counter()
    elsewhere: set[str] = set()
    for member in archive.infolist():
        path = member.filename
        folder, _, name = path.replace("\\", "/").rpartition("/")
        right = by_name.get(name.casefold(), "")
        if _FINDER.search(path):
            note(None, f"expected the files alone, got what the Finder adds, {path!r}: leave it out (zip -X)")
            continue
        if path in found:
            note(None, f"expected {path} once, got it again: leave one of them out")
        elif path in wanted:
            found[path] = member
        elif _OUTWARD.match(path):
            note(None, f"expected files at the top level, got {path!r}, which leads out of the archive: zip them again")
        elif folder:
            folders[folder] += bool(name)
        elif right:
            note(None, f"expected the name {right}, got {name!r}: rename it, upper and lower case matter")
        else:
            note(None, f"expected the {len(wanted)} files of the suite alone, got {name!r} as well: leave it out")
        elsewhere.add(right)
    for folder, count in folders.items():
        note(None, f"expected files at the top level, got {count} in the folder {folder!r}: zip the files alone")
    if missing := [file for file in wanted if file not in found and file not in elsewhere]:
        note(None, f"expected all {len(wanted)} files of the suite, got none named {', '.join(missing)}: add them")
    return [(file, found[file]) for file in wanted if file in found]


def _text(archive: zipfile.ZipFile, member: zipfile.ZipInfo, problems: Problems) -> str | None:
    """What is in a file, None where it cannot be had."""
    content = _content_of(archive, member, problems)
    if content is None:
        return None
    if content.startswith(codecs.BOM_UTF8):
        problems.note(1, "expected plain UTF-8, got a byte-order mark at the start: save it without")
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        problems.note(row, f"expected UTF-8 text, got the byte {content[error.start]:#04x}: save it as UTF-8")
        return None


def _content_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo, problems: Problems) -> bytes | None:
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problems.note(None, "expected an open file, got one with a password or in a rare compression: zip it plainly")
        return None
    try:
        with archive.open(member) as stream:
            content = stream.read(LARGEST_FILE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        problems.note(None, f"expected an undamaged file, got another ({error}): zip the files again")
        return None
    if len(content) > LARGEST_FILE_BYTES:
        problems.note(None, f"expected at most {LARGEST_FILE_BYTES:,} bytes, got more: it is no file of predictions")
        return None
    return content
