"""Where trainings run: any ``concurrent.futures.Executor``, by name."""

from __future__ import annotations

import multiprocessing
import os
import re
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, cast

from subarch.plugins import NAME, made

_FACTORY = "module.path:function that returns a concurrent.futures.Executor"
_HELP = f"give serial, threads:N, processes:N, or {_FACTORY}"


def _share_cores(workers: int) -> None:
    """In each of so many processes: all of them together have one thread a core, unless a training says otherwise."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))


def open_executor(name: str) -> tuple[Executor | None, int]:
    """The executor of that name and how many trainings it runs at once; None and 1 for ``serial``.

    A factory ``module.path:function`` may return an executor, or a pair of an executor and its number of workers
    (4 otherwise): that is how clusters come in (Dask and mpi4py offer executors, Ray's references become futures).

    Raises:
        ValueError: for a name that means nothing, or a factory that returns no executor.
    """
    if name == "serial":
        return None, 1
    if match := re.fullmatch(r"(threads|processes):([1-9]\d*)", name):
        workers = int(match[2])
        if match[1] == "threads":
            return ThreadPoolExecutor(workers), workers
        # Spawned, not forked: a fork in a process whose numerical libraries have started threads can hang.
        spawned = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=spawned, initializer=_share_cores, initargs=(workers,)), workers
    if not NAME.fullmatch(name):
        raise ValueError(f"unknown executor {name!r}: {_HELP}")
    found = made(name, "executor", _FACTORY, lambda factory: factory())
    executor, workers = cast("tuple[Any, int]", found) if isinstance(found, tuple) else (found, 4)
    if not isinstance(executor, Executor):
        raise ValueError(f"executor {name!r} returned {type(found).__name__}: {_HELP}")
    return executor, workers
