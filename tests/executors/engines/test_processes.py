"""Processes share the cores that there are, know nothing of the main file, and open what they share once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from subarch.executors.engines.processes import fresh_processes
from subarch.executors.opening import open_executor

SCRIPT = """
print("main begins", flush=True)
from subarch.executors.engines.processes import fresh_processes

def twice(number):
    return 2 * number

executor = fresh_processes(1, share_cores=False)
print("twice:", executor.submit(twice, 21).result())
executor.shutdown()
"""


def test_processes_have_the_cores_between_them() -> None:
    opened = open_executor("processes:2")
    executor, workers = opened.executor, opened.count
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
        "import sys\nsys.path.remove('')\nfrom subarch.executors.opening import open_executor\n"
        "from subarch.plugins import imported\nfunction = imported('beside:thrice', 'function', 'one')\n"
        "executor = open_executor('processes:1').executor\n"
        "print(executor.submit(function, 4).result())\nexecutor.shutdown()"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("12\n", "")


def test_the_environment_is_left_alone() -> None:
    before = dict(os.environ)
    with fresh_processes(1, share_cores=False) as executor:
        assert executor.submit(os.getenv, "PYTHONSAFEPATH").result() == "1"
    assert dict(os.environ) == before


class Opened:
    """Tells how often it was opened in a process, and in which."""

    def __setstate__(self, state: object) -> None:
        os.environ["OPENED"] = str(int(os.environ.get("OPENED", "0")) + 1)

    def __getstate__(self) -> dict[str, int]:
        return {"some": 1}

    def __call__(self, number: int) -> tuple[int, int]:
        return os.getpid(), int(os.environ["OPENED"])


def test_what_trainings_share_is_opened_once_in_each_process() -> None:
    work = Opened()
    with fresh_processes(2, share_cores=False) as executor:
        found = [one.result() for one in [executor.submit(work, n) for n in range(12)]]
    assert {times for _, times in found} == {1} and len({process for process, _ in found}) <= 2
