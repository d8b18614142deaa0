"""``processes:N``: fresh processes of this machine, for whoever needs some.

A fresh process never runs the program's main file again: scripts need no guard around their main part, and programs
from standard input, ``python -c`` and notebooks work. Nor does it look for modules in the current directory, which may
be a stranger's, unless something that a user named was found there.
"""

from __future__ import annotations

import multiprocessing.resource_tracker
import os
import sys
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from subarch.executors.base import Resources, Workers
from subarch.executors.local import count_of
from subarch.executors.sharing import Packing, modules_here

FORM = "processes:N"
_SAFE_PATH = "PYTHONSAFEPATH"  # in the environment: -c and -m put no current directory on the module path


def opened(where: str, asked: Resources) -> Workers:
    """So many processes.

    Raises:
        ValueError: for no number of them, and for resources, which this machine has but once.
    """
    workers = count_of(FORM, where, asked)
    return Workers(executor=fresh_processes(workers), count=workers, is_renewed=True)


def fresh_processes(workers: int, *, share_cores: bool = True) -> Executor:
    """So many new processes; ``shutdown(cancel_futures=True)`` ends whatever they are at.

    Args:
        workers: how many.
        share_cores: all of them together have one thread of torch's a core, unless their work says otherwise.
    """
    here = str(Path.cwd())
    found_here = here not in sys.path and bool(modules_here())
    with _safe_path():
        multiprocessing.resource_tracker.ensure_running()
        loky = cast("Any", import_module("joblib.externals.loky"))
        import_module("joblib.externals.loky.backend.resource_tracker").ensure_running()
        return _processes(loky)(
            workers,
            context=import_module("joblib.externals.loky.backend").get_context("loky"),
            initializer=_begin,
            initargs=(workers if share_cores else None, here if found_here else None),
            env={_SAFE_PATH: "1"},
        )


def _processes(loky: Any) -> Any:
    class Processes(loky.ProcessPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            if not hasattr(self, "packing"):
                self.packing = Packing(elsewhere=False)
            return super().submit(self.packing(fn), *args, **kwargs)

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=wait, kill_workers=cancel_futures)

    return Processes


def _begin(sharing: int | None, here: str | None) -> None:
    """In each process, before anything else; ``sharing``: so many of them share the cores."""
    if here is not None:
        sys.path.append(here)
    if sharing is not None:
        import torch

        torch.set_num_threads(max(1, (os.cpu_count() or 1) // sharing))


@contextmanager
def _safe_path() -> Generator[None]:
    """Helpers that libraries start meanwhile do not look for modules in the current directory either."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
