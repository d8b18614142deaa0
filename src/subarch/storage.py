"""Files that are whole or absent, and the lock on a run directory."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from subarch.errors import InputError
from subarch.progress import Watch, silent
from subarch.results.base import Record

R = TypeVar("R", bound=Record)

_LOG = logging.getLogger(__name__)
_TRIAL = 1 << 20  # bytes that a disk with room takes

LOCK_FILES = (".lock", ".lock.held")
"""Of a folder that is or was held: the second where the file system has no locks, and only while it is held."""


@contextmanager
def claimed(run: Path) -> Generator[None]:
    """Hold the run directory for this process; the lock goes with the process, however it ends.

    Raises:
        ValueError: when another process holds it.
        OSError: when the directory cannot be written.
    """
    try:
        with held(run, seconds=0):
            yield
    except Timeout as error:
        raise InputError(f"another process is working in {run}: wait for it, or give another --run") from error


@contextmanager
def held(folder: Path, *, seconds: float = -1) -> Generator[None]:
    """Hold a folder for this process, waiting for others so long; for ever where that is negative.

    Where the file system has no locks, or Python knows none, a file that names the process stands for the lock: one
    whose process is gone is passed over, and so much is said.

    Raises:
        Timeout: when another process holds it.
        OSError: when the folder cannot be written.
    """
    lock = _acquired(folder, seconds)
    try:
        yield
    finally:
        lock.release()


def _acquired(folder: Path, seconds: float) -> BaseFileLock:
    locks, marks = (folder / name for name in LOCK_FILES)
    try:
        os.close(os.open(locks, os.O_RDWR | os.O_CREAT, 0o644))
    except OSError as error:
        raise OSError(f"the run directory {folder} cannot be written: {error.strerror}") from error
    reason: object = "this Python has none"
    if FileLock is not SoftFileLock:
        lock = FileLock(locks, timeout=seconds, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            raise
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
        else:
            return lock
    _tell_once(folder.stat().st_dev, str(reason), folder)
    soft = SoftFileLock(marks, timeout=seconds)
    try:
        soft.acquire()
    except Timeout:
        raise
    except OSError as error:
        raise OSError(
            f"{folder} can neither be locked ({reason}) nor hold a file that stands for it "
            f"({error.strerror or error}): give another --run, on a local disk"
        ) from error
    return soft


@functools.lru_cache(maxsize=16)
def _told(device: int, reason: str) -> list[Path]:
    """Folders of which it was said: the first of each file system is enough."""
    del device, reason
    return []


def _tell_once(device: int, reason: str, folder: Path) -> None:
    if not (told := _told(device, reason)):
        told.append(folder)
        _LOG.warning(
            "%s cannot be locked (%s): a file in it stands for the lock. Do not work in it from two machines at once, "
            "or give another --run on a local disk",
            folder,
            reason,
        )


def first_process() -> bool:
    """Whether this process is the one that writes and speaks: the only one, or the first that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


def sha256_of(file: Path) -> str:
    """Digest (hex) of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def new_run_directory(verb: str, name: str, watch: Watch = silent) -> Path:
    """A folder under ``runs/`` that does not exist yet, named after what is done to what; the watch is told of it."""
    stem = "".join(c if c.isalnum() else "-" for c in Path(name).name).strip("-") or "run"
    run = Path("runs") / f"{verb}-{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    tell_directory(run, watch)
    return run


def tell_directory(run: Path, watch: Watch) -> None:
    """Say what a run directory is called before the work begins: whoever is interrupted must know how to go on."""
    watch("the run directory", note=f"{run} (with --run {run} the same command goes on)")


def is_free(path: Path) -> bool:
    """Whether nothing is there yet; of a path that cannot be, false."""
    try:
        return not path.exists()
    except OSError:
        return False


def made_directory(run: Path) -> Path:
    """The run directory, made where it is missing.

    Raises:
        OSError: when it cannot be made.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"the run directory {run} cannot be made: {error.strerror or error}; choose another --run"
        ) from error
    return run


def read_json(path: Path) -> dict[str, Any] | None:
    """The object that a file holds; None where there is no such file, or it holds something else."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def read_record(kind: type[R], path: Path) -> R | None:
    """The record that a file holds; None where there is no such file, or it holds something else."""
    found = read_json(path)
    try:
        return None if found is None else kind.from_json(found)
    except InputError:  # written by another version
        return None


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file whole or not at all: temporary file, fsync, rename.

    Raises:
        OSError: when it cannot be written; an older file stays as it was.
    """
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """As :func:`write_json`, for any text."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def written_whole(path: Path) -> Generator[Path]:
    """A temporary file to write; when it is done it takes the place of ``path``, which is thus whole or absent.

    Raises:
        OSError: when it cannot be written; an older file stays as it was.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.part")
    try:
        with told_when_full(path.parent):
            yield part
        _flushed(part)
        part.replace(path)
    except OSError as error:
        raise OSError(
            f"could not write {path}: {error.strerror or error}; free some room or choose another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def told_when_full(folder: Path) -> Generator[None]:
    """Say what a disk refuses where compiled libraries write: their own errors name neither the disk nor the reason.

    Raises:
        OSError: naming the folder, in place of such an error, where nothing more can be written into it.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        if isinstance(error, RuntimeError) or error.filename is None:
            _try_to_write(folder, error)
        raise


def _try_to_write(folder: Path, because: Exception) -> None:
    trial = folder / f".{os.getpid()}.{time.monotonic_ns()}.part"
    try:
        trial.write_bytes(bytes(_TRIAL))
        _flushed(trial)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from because
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)


def require_output(path: Path, option: str) -> None:
    """See before the work that its result can be written: a file of this name, in a folder that is there.

    Raises:
        ValueError: when it cannot be.
    """
    folder = path.parent
    if path.exists() and not path.is_file():
        what = "is a folder" if path.is_dir() else "is no file but a pipe or a device"
        raise InputError(f"{option} {path} {what}: give the name of a file")
    if not folder.is_dir():
        raise InputError(f"{option} {path}: there is no folder {folder}: make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: the folder {folder} cannot be written: give {option} in another one")


def put_in_place(part: Path, folder: Path) -> None:
    """Let a finished folder take the place of another: everything in it is on disk before it gets its name.

    Raises:
        OSError: when that cannot be done.
    """
    for path in (*(file for file in part.rglob("*") if file.is_file()), part):
        _flushed(path)
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _flushed(path: Path) -> None:
    """Everything of a file or folder is on the disk, as far as the system can tell."""
    if path.is_dir() and os.name != "posix":
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
