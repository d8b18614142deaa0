"""Trainings at the same time: what is done comes out, and what takes too long is not waited for."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest

from subarch.executors.engines.threads import Threads
from subarch.extraction.pool import Pool

ENDLESS = threading.Event()


def evaluate(index: tuple[int, ...]) -> Any:
    """Measures at once, but for -1, which hangs, and -2, which fails."""
    if index == (-1,):
        ENDLESS.wait(60)
    if index == (-2,):
        raise RuntimeError("no training today")
    return index[0] / 10


def pool(seconds: float = math.inf, executor: Executor | None = None, renew: Any = None) -> Pool:
    return Pool(executor or Threads(), evaluate, seconds, renew)


def collected(found: Pool, patience: float = 5.0) -> dict[tuple[int, ...], Any]:
    results: dict[tuple[int, ...], Any] = {}
    end = time.monotonic() + patience
    while found.running and time.monotonic() < end:
        found.wait(0.2)
        results |= {index: future.exception() or future.result() for index, future in found.finished()}
        if not any(future.done() for future in found.running) and found.overdue():
            break
    return results


def test_what_is_done_comes_out_with_its_architecture() -> None:
    made = pool()
    for n in (1, 2, 3):
        made.submit((n,))
    assert set(made.indices) <= {(1,), (2,), (3,)}
    assert collected(made) == {(1,): 0.1, (2,): 0.2, (3,): 0.3} and made.indices == ()


def test_a_failure_is_the_futures_own_and_the_others_go_on() -> None:
    made = pool()
    for n in (-2, 4):
        made.submit((n,))
    found = collected(made)
    assert isinstance(found[(-2,)], RuntimeError) and found[(4,)] == 0.4


def test_what_hangs_is_overdue_after_its_time_and_is_not_waited_for() -> None:
    made = pool(0.3)
    made.submit((-1,))
    began = time.monotonic()
    assert made.overdue() == []
    made.wait(math.inf)
    assert made.overdue() == [(-1,)] and made.indices == ()
    assert 0.25 < time.monotonic() - began < 5


def test_where_the_executor_is_renewed_the_others_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subarch.extraction.pool.BEGINNING_SECONDS", 0.0)
    renewed: list[Executor] = []

    def renew() -> Executor:
        renewed.append(ThreadPoolExecutor(2))
        return renewed[-1]

    made = pool(0.2, ThreadPoolExecutor(1), renew)
    made.submit((-1,))
    time.sleep(0.45)  # twice its time, where trainings end themselves
    made.submit((5,))  # waits behind it
    assert made.overdue() == [(-1,)] and len(renewed) == 1
    assert collected(made) == {(5,): 0.5}


def test_waiting_for_all_cancels_what_has_not_begun() -> None:
    made = pool(math.inf, ThreadPoolExecutor(1))
    gate = threading.Event()
    made._evaluate = lambda index: gate.wait(5) and index[0]  # type: ignore[assignment]
    for n in (1, 2):
        made.submit((n,))
    threading.Timer(0.2, gate.set).start()
    made.wait_for_all(5.0)
    assert [index for index, _ in made.finished()] == [(1,)]


ALONE = """
import time
from subarch.extraction.pool import TooLong, _Timed

def endless(index):
    while True:
        time.sleep(0.01)

assert _Timed(endless, 0.2)((1,)) == TooLong(0.2)
assert _Timed(lambda index: 0.1 * index[0], 5.0)((7,)) == 0.1 * 7
"""


def test_in_a_main_thread_a_training_ends_itself() -> None:
    # In a process of its own: the alarm goes to a whole process, and a worker of the tests has other things in it.
    ran = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
