"""A local Ray cluster: the same answers, what is shared once, and no waiting for what is not there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor

import pytest

from subarch.executors.base import Resources, end
from subarch.executors.opening import open_executor

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two processors, whatever this machine has."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def executor(cluster: None) -> Iterator[Executor]:
    opened = open_executor("ray")
    assert opened.count == 2 and opened.executor is not None
    yield opened.executor
    opened.executor.shutdown()


class Opened:
    """Tells how often it was opened in a process, and in which."""

    def __setstate__(self, state: object) -> None:
        os.environ["OPENED"] = str(int(os.environ.get("OPENED", "0")) + 1)

    def __getstate__(self) -> dict[str, int]:
        return {"some": 1}

    def __call__(self, number: int) -> tuple[int, int, int]:
        return number, os.getpid(), int(os.environ["OPENED"])


def test_answers_come_back_and_what_is_shared_is_opened_once_in_a_worker(executor: Executor) -> None:
    work = Opened()
    found = [one.result(timeout=120) for one in [executor.submit(work, n) for n in range(8)]]
    assert [number for number, _, _ in found] == list(range(8))
    assert os.getpid() not in {process for _, process, _ in found} and {times for _, _, times in found} == {1}


def test_what_work_raises_is_raised(executor: Executor) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        executor.submit(int, "x").result(timeout=120)


def test_a_worker_that_is_lost_is_replaced(executor: Executor, tmp_path_factory: pytest.TempPathFactory) -> None:
    mark = tmp_path_factory.mktemp("lost") / "mark"

    def once(number: int) -> int:
        if not mark.exists():
            mark.touch()
            os._exit(9)
        return number + 1

    assert executor.submit(once, 1).result(timeout=120) == 2 and mark.exists()


def test_what_is_not_wanted_any_more_ends(cluster: None) -> None:
    opened = open_executor("ray").executor
    assert opened is not None
    future = opened.submit(time.sleep, 300)
    began = time.monotonic()
    end(opened, now=True)
    assert future.exception(timeout=60) is not None and time.monotonic() - began < 60


def test_resources_are_counted_and_impossible_ones_refused_at_once(cluster: None) -> None:
    assert open_executor("ray", Resources.parse("cpus=2")).count == 1
    assert open_executor("ray", Resources.parse("cpus=0.5")).count == 4
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"--resources gpus=1: no node has as much \(there are: cpus=2,memory="):
        open_executor("ray", Resources.parse("gpus=1"))
    with pytest.raises(ValueError, match="cpus=64,memory=900GB"):
        open_executor("ray", Resources.parse("cpus=64,memory=900GB"))
    assert time.monotonic() - began < 10
