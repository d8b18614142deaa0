"""Files that are whole or absent, and the lock on a folder: with the system's locks, without them, without a module."""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from subarch import storage
from subarch.errors import as_input
from subarch.storage import (
    claimed,
    made_directory,
    put_in_place,
    read_json,
    told_when_full,
    write_json,
    written_whole,
)

HOLDING = """
import sys, time
from collections.abc import Callable, Iterator
from pathlib import Path
{before}
from subarch.storage import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(300)
"""
LOCKLESS = """
import errno, fcntl, os
def refuse(*given):
    raise OSError(errno.{name}, os.strerror(errno.{name}))
fcntl.flock = fcntl.lockf = refuse
"""
NO_MODULE = "import sys; sys.modules['fcntl'] = None\n"
ERRORS = ("ENOLCK", "EOPNOTSUPP", "ENOSYS", "EPERM", "EINVAL")


def holding(folder: Path, before: str = "") -> subprocess.Popen[str]:
    """Another process that holds the folder; returns when it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING.format(before=before), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def without_locks(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import fcntl

    def refuse(*given: object) -> None:
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    monkeypatch.setattr(fcntl, "flock", refuse)
    storage._told.cache_clear()


@pytest.mark.parametrize("before", ["", LOCKLESS.format(name="ENOLCK"), NO_MODULE])
def test_a_folder_is_held_by_one_process_until_it_ends_however_it_ends(
    tmp_path: Path, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before:
        without_locks(monkeypatch, "ENOLCK")
    process = holding(tmp_path, before)
    try:
        with pytest.raises(ValueError, match="another process"), claimed(tmp_path):
            pass
    finally:
        process.kill()
        process.wait()
    with claimed(tmp_path):
        pass
    with claimed(tmp_path):
        pass


@pytest.mark.parametrize("name", ERRORS)
def test_a_file_system_without_locks_is_told_once_and_worked_on(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without_locks(monkeypatch, name)
    with caplog.at_level(logging.WARNING), claimed(tmp_path):
        write_json(tmp_path / "a.json", {"a": 1})
        with claimed(made_directory(tmp_path / "inner")):
            (tmp_path / "inner" / ".lock").unlink()
    (tmp_path / "inner").rmdir()
    assert len(caplog.messages) == 1
    assert str(tmp_path) in caplog.messages[0] and "--run" in caplog.messages[0] and "local" in caplog.messages[0]
    assert read_json(tmp_path / "a.json") == {"a": 1}
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "a.json"}


def test_a_mark_of_another_machine_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, "ENOLCK")
    (tmp_path / ".lock.held").write_text(f"1\nnot-{socket.gethostname()}\n")
    with pytest.raises(ValueError, match="another process"), claimed(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot be written"), claimed(tmp_path / "nowhere"):
        pass


def test_a_finished_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("part", "folder"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_text(name)
    put_in_place(tmp_path / "part", tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (tmp_path / "folder" / "inner" / "file").read_text() == "part"


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """No file may have more than so many bytes: what is written beyond fails, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_a_compiled_library_says_of_a_full_disk_is_said_in_words(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    """torch says "unexpected pos", OpenVINO "iostream error"."""
    torch = pytest.importorskip("torch")
    full_disk(100_000)
    told = r"could not write .*state\.pt: .*; free some room"
    with pytest.raises(OSError, match=told) as raised, written_whole(tmp_path / "state.pt") as part:
        torch.save({"weights": torch.zeros(100_000)}, part)
    assert as_input(raised.value) is None  # nobody's input
    assert not list(tmp_path.iterdir())


def test_an_error_is_left_as_it_is_where_the_disk_has_room(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="of the library's own"), told_when_full(tmp_path):
        raise RuntimeError("of the library's own")
    assert not list(tmp_path.iterdir())
