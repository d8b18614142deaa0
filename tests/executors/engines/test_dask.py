"""A local Dask cluster: the same answers, what is shared once, and no waiting for what is not there."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from subarch.executors.base import Resources
from subarch.executors.opening import open_executor

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Two workers with a resource of a name."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        resources={"GPU": 1},
        silence_logs=50,
    ) as cluster:
        cluster.wait_for_workers(2)
        yield cluster.scheduler_address.removeprefix("tcp://")


class Opened:
    """Tells how often it was opened in a process, and in which."""

    def __setstate__(self, state: object) -> None:
        os.environ["OPENED"] = str(int(os.environ.get("OPENED", "0")) + 1)

    def __getstate__(self) -> dict[str, int]:
        return {"some": 1}

    def __call__(self, number: int) -> tuple[int, int, int]:
        return number, os.getpid(), int(os.environ["OPENED"])


def test_answers_come_back_and_what_is_shared_is_opened_once_in_a_worker(scheduler: str) -> None:
    opened = open_executor(f"dask:{scheduler}")
    assert opened.count == 2 and opened.executor is not None
    work = Opened()
    found = [one.result(timeout=120) for one in [opened.executor.submit(work, n) for n in range(8)]]
    with pytest.raises(ValueError, match="invalid literal"):
        opened.executor.submit(int, "x").result(timeout=120)
    opened.executor.shutdown()
    assert [number for number, _, _ in found] == list(range(8))
    assert os.getpid() not in {process for _, process, _ in found} and {times for _, _, times in found} == {1}


def test_resources_are_counted_and_impossible_ones_refused_at_once(scheduler: str) -> None:
    opened = open_executor(f"dask:{scheduler}", Resources.parse("gpus=0.5"))
    assert opened.count == 2 and opened.executor is not None  # one thread each, whatever else a worker has
    opened.executor.shutdown()
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"--resources gpus=2: no node has as much \(there are: GPU=1; GPU=1\)"):
        open_executor(f"dask:{scheduler}", Resources.parse("gpus=2"))
    with pytest.raises(ValueError, match="no node has as much"):
        open_executor(f"dask:{scheduler}", Resources.parse("memory=4GB"))
    assert time.monotonic() - began < 10


def test_a_scheduler_that_is_not_there_is_not_waited_for() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(ValueError, match=f"dask:127.0.0.1:{port}: the scheduler does not answer .* is it up"):
        open_executor(f"dask:127.0.0.1:{port}")
    assert time.monotonic() - began < 30
    with pytest.raises(ValueError, match="without a scheduler"):
        open_executor("dask:")
