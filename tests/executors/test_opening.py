"""Executors by name, and what they are refused for before anything is written."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from subarch.executors.base import Resources
from subarch.executors.opening import engines, open_executor


def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


def test_each_engine_is_a_file() -> None:
    assert engines() == ("dask", "processes", "ray", "threads")


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("threads", "", "threads:N takes a number from 1, got 'threads:'"),
        ("processes:0", "", "processes:N takes a number from 1, got 'processes:0'"),
        ("slurm", "", "unknown executor 'slurm': give serial, dask:host:port, processes:N, ray"),
        ("threads:2", "cpus=2", "--executor threads:N has none"),
        ("serial", "gpus=1", "--executor serial has none"),
        ("json:JSONDecoder", "", "returned JSONDecoder"),
    ],
)
def test_what_means_nothing_is_refused(name: str, asked: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        open_executor(name, Resources.parse(asked or None))


def test_a_function_of_ones_own(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_pools", sys.modules[__name__])
    opened = open_executor("my_pools:pool")
    assert opened.count == 4 and not opened.is_renewed
    assert opened.executor is not None and opened.executor.submit(abs, -3).result() == 3
    opened.executor.shutdown()
    assert open_executor("serial").executor is None


@pytest.mark.parametrize("name", ["threads:2", "processes:2"])
def test_work_that_hangs_ends_with_its_executor(name: str) -> None:
    program = (
        "import time\nfrom subarch.executors.base import end\nfrom subarch.executors.opening import open_executor\n"
        f"executor = open_executor({name!r}).executor\nexecutor.submit(time.sleep, 300)\n"
        "print(executor.submit(abs, -3).result(), flush=True)\nend(executor, now=True)\n"
    )
    began = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (ran.stdout, ran.returncode) == ("3\n", 0), ran.stderr
    assert time.monotonic() - began < 60  # with the imports of a busy machine; five minutes would be the work's
