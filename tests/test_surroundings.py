"""Without a home folder, and with one that cannot be written."""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from subarch import surroundings

NOBODY = """
import pwd
def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
"""


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (surroundings.home, surroundings.cache_folder, surroundings._temporary):
        one.cache_clear()
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def unknown(uid: int) -> None:
    raise KeyError(uid)


def test_a_home_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert surroundings.home() == tmp_path
    assert surroundings.cache_folder().is_relative_to(tmp_path)
    surroundings.cache_folder.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert surroundings.cache_folder() == tmp_path / "elsewhere" / "subarch"
    surroundings.cache_folder.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # to be ignored, says its specification
    assert surroundings.cache_folder().is_relative_to(tmp_path)


def test_without_a_home_there_is_one_for_this_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", "")  # so that it is put back
    monkeypatch.delenv("HOME")
    with caplog.at_level(logging.WARNING):
        found = surroundings.home()
    assert found.is_dir() and found.stat().st_mode & 0o077 == 0
    assert os.environ["HOME"] == str(found) and os.environ["LOGNAME"] == f"user-{os.getuid()}"
    assert surroundings.cache_folder().is_relative_to(found)
    assert len(caplog.messages) == 1 and "HOME" in caplog.messages[0]


@pytest.mark.parametrize("home", ["file", "file/below"])
def test_a_cache_that_cannot_be_written_goes_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / home))
    with caplog.at_level(logging.WARNING):
        found = surroundings.cache_folder()
    found.mkdir(parents=True, exist_ok=True)
    assert not found.is_relative_to(tmp_path)
    assert len(caplog.messages) == 1 and "XDG_CACHE_HOME" in caplog.messages[0]


def test_nowhere_at_all_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    def refuse(**given: object) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(surroundings.tempfile, "mkdtemp", refuse)
    with pytest.raises(OSError, match="set HOME"):
        surroundings.home()


def test_commands_and_programs_run_for_a_user_whom_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "nobody").mkdir()
    (tmp_path / "nobody" / "sitecustomize.py").write_text(NOBODY)
    work = tmp_path / "work"
    work.mkdir()
    path = os.pathsep.join([str(tmp_path / "nobody"), *sys.path])
    program = (
        "import subarch, sys\nfrom subarch.cli import main\nstatus = main(['demo', '--help'])\n"
        "subarch.ExtractOptions(source='bort')\nfrom subarch.text.corpora import open_corpus\n"
        "from subarch.text.tokenizers import train_tokenizer\n"
        "train_tokenizer(['a few words of a text'] * 50, 300)\nimport torch._inductor.runtime.cache_dir_utils as c\n"
        "print(c.cache_dir())\n"
    )
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "TMPDIR": str(work), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=work, env=bare, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not [one for one in work.rglob("*") if one.name == "~"]
    assert not list(work.glob("subarch-home-*"))  # gone with the program
