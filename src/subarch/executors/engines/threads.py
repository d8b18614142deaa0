"""``threads:N``: in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from subarch.executors.base import Resources, Workers
from subarch.executors.local import count_of

FORM = "threads:N"


def opened(where: str, asked: Resources) -> Workers:
    """So many threads.

    Raises:
        ValueError: for no number of them, and for resources, which this machine has but once.
    """
    return Workers(executor=Threads(), count=count_of(FORM, where, asked))


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
