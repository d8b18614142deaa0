"""Files that are whole or absent, and the lock on a run directory."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def claimed(run: Path) -> Generator[None]:
    """Hold the run directory for this process; the lock goes with the process, however it ends.

    Raises:
        ValueError: when another process holds it.
        OSError: when the directory cannot be written.
    """
    try:
        handle = os.open(run / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OSError(f"the run directory {run} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"another process is working in {run}: wait for it, or give another --run") from error
        yield
    finally:
        os.close(handle)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file whole or not at all: temporary file, fsync, rename.

    Raises:
        OSError: when it cannot be written; an older file stays as it was.
    """
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """As :func:`write_json`, for any text."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(
            f"could not write {path}: {error.strerror or error}; free some room or choose another --run"
        ) from error
