"""Where trainings run: any ``concurrent.futures.Executor``, by name; and fresh processes for whoever needs some.

A fresh process never runs the program's main file again: scripts need no guard around their main part, and programs
from standard input, ``python -c`` and notebooks work. Nor does it look for modules in the current directory, which may
be a stranger's, unless something that a user named was found there.
"""

from __future__ import annotations

import multiprocessing.resource_tracker
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from subarch.errors import InputError
from subarch.plugins import NAME, made

_FACTORY = "module.path:function that returns a concurrent.futures.Executor"
_HELP = f"give serial, threads:N, processes:N, or {_FACTORY}"
_SAFE_PATH = "PYTHONSAFEPATH"  # in the environment: -c and -m put no current directory on the module path


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
        return (Threads() if match[1] == "threads" else fresh_processes(workers)), workers
    if not NAME.fullmatch(name):
        raise InputError(f"unknown executor {name!r}: {_HELP}")
    found = made(name, "executor", _FACTORY, lambda factory: factory())
    executor, workers = cast("tuple[Any, int]", found) if isinstance(found, tuple) else (found, 4)
    if not isinstance(executor, Executor):
        raise InputError(f"executor {name!r} returned {type(found).__name__}: {_HELP}")
    return executor, workers


def end(executor: Executor, *, now: bool) -> None:
    """Shut an executor down: when its work is done, or now, whatever it is still at."""
    try:
        executor.shutdown(wait=not now, cancel_futures=now)
    except TypeError:  # some have no cancel_futures
        executor.shutdown(wait=not now)


class OutOfTimeError(BaseException):
    """Work was interrupted. Not an ``Exception``: what catches those of the work must not catch this."""


@contextmanager
def interrupted_after(seconds: float) -> Generator[None]:
    """Interrupt the work of this thread after so long, wherever in Python it is; infinite: never.

    That takes the main thread and a system with timers. Elsewhere work is not interrupted.

    Raises:
        OutOfTimeError: in the work, when its time is over.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if seconds == float("inf") or not in_main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*signalled: Any) -> None:
        del signalled
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ------------------------------------------------------------------------------------------------------------- threads


class Threads(Executor):
    """A thread for each piece of work, at once; whoever submits does not submit more than should run.

    Unlike those of ``ThreadPoolExecutor`` they do not keep the program from ending: one that hangs is left behind.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future


# ----------------------------------------------------------------------------------------------------- fresh processes


def fresh_processes(workers: int, *, share_cores: bool = True) -> Executor:
    """So many new processes; ``shutdown(cancel_futures=True)`` ends whatever they are at.

    Args:
        workers: how many.
        share_cores: all of them together have one thread of torch's a core, unless their work says otherwise.
    """
    here = str(Path.cwd())
    found_here = here not in sys.path and any(_lies_in(module, here) for module in list(sys.modules.values()))
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


def _lies_in(module: Any, folder: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.startswith(folder + os.sep) and "site-packages" not in file


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
