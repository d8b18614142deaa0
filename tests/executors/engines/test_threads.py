"""Threads of this process."""

from __future__ import annotations

import threading

from subarch.executors.base import end
from subarch.executors.opening import open_executor


def test_a_thread_for_each_piece_of_work() -> None:
    executor = open_executor("threads:2").executor
    assert executor is not None
    meet = threading.Barrier(2, timeout=30)  # each waits for the other: one after the other would end in an error
    assert [one.result() for one in [executor.submit(meet.wait) for _ in range(2)]] in ([0, 1], [1, 0])
    end(executor, now=False)


def test_what_a_thread_raises_is_told() -> None:
    executor = open_executor("threads:1").executor
    assert executor is not None
    assert isinstance(executor.submit(int, "x").exception(), ValueError)
    end(executor, now=False)
