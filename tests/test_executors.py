"""Executors by name: processes share the cores that there are."""

from __future__ import annotations

import os

import torch

from subarch.executors import open_executor


def test_processes_have_the_cores_between_them() -> None:
    executor, workers = open_executor("processes:2")
    assert executor is not None and workers == 2
    with executor:
        assert executor.submit(torch.get_num_threads).result() == max(1, (os.cpu_count() or 1) // 2)
