"""Executors by name: processes share the cores that there are, know nothing of the main file, and end when told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from subarch.executors import end, fresh_processes, open_executor

SCRIPT = """
print("main begins", flush=True)
from subarch.executors import fresh_processes

def twice(number):
    return 2 * number

executor = fresh_processes(1, share_cores=False)
print("twice:", executor.submit(twice, 21).result())
executor.shutdown()
"""


def test_processes_have_the_cores_between_them() -> None:
    executor, workers = open_executor("processes:2")
    assert executor is not None and workers == 2
    with executor:
        assert executor.submit(torch.get_num_threads).result() == max(1, (os.cpu_count() or 1) // 2)


@pytest.mark.parametrize("way", ["file", "standard input", "-c"])
def test_a_program_without_a_guard_runs_once_and_its_own_functions_are_sent(tmp_path: Path, way: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    words = {"file": ["script.py"], "standard input": ["-"], "-c": ["-c", SCRIPT]}[way]
    given = SCRIPT if way == "standard input" else None
    ran = subprocess.run([sys.executable, *words], cwd=tmp_path, input=given, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("main begins\ntwice: 42\n", "", 0)


def test_a_module_beside_a_program_is_found_in_processes(tmp_path: Path) -> None:
    """As the command line finds it: the current directory is not on its path."""
    (tmp_path / "beside.py").write_text("def thrice(number):\n    return 3 * number\n")
    program = (
        "import sys\nsys.path.remove('')\nfrom subarch.executors import open_executor\n"
        "from subarch.plugins import imported\nfunction = imported('beside:thrice', 'function', 'one')\n"
        "executor, _ = open_executor('processes:1')\nprint(executor.submit(function, 4).result())\nexecutor.shutdown()"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("12\n", "")


@pytest.mark.parametrize("name", ["threads:2", "processes:2"])
def test_work_that_hangs_ends_with_its_executor(name: str) -> None:
    program = (
        "import time\nfrom subarch.executors import end, open_executor\n"
        f"executor, _ = open_executor({name!r})\nexecutor.submit(time.sleep, 300)\n"
        "print(executor.submit(abs, -3).result(), flush=True)\nend(executor, now=True)\n"
    )
    began = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (ran.stdout, ran.returncode) == ("3\n", 0), ran.stderr
    assert time.monotonic() - began < 60  # with the imports of a busy machine; five minutes would be the work's


def test_what_a_thread_raises_is_told() -> None:
    executor, _ = open_executor("threads:1")
    assert executor is not None
    assert isinstance(executor.submit(int, "x").exception(), ValueError)
    end(executor, now=False)


def test_the_environment_is_left_alone() -> None:
    before = dict(os.environ)
    with fresh_processes(1, share_cores=False) as executor:
        assert executor.submit(os.getenv, "PYTHONSAFEPATH").result() == "1"
    assert dict(os.environ) == before
