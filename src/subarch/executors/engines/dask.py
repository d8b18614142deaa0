"""``dask:host:port``: the workers of a Dask scheduler.

What trainings share is sent to each worker once. A training whose worker is lost is given to another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from subarch.errors import InputError, MissingPackageError
from subarch.executors.base import PATIENCE, RETRIES, Resources, Workers, refused
from subarch.executors.sharing import Packing, Shared

FORM = "dask:host:port"


def opened(where: str, asked: Resources) -> Workers:
    """Connect, and see what the workers have.

    Args:
        where: host and port of the scheduler.
        asked: of a worker that was started with them, by the names that Dask's own pages use
            (``dask worker --resources "CPU=4 GPU=1 MEMORY=16e9"``).

    Raises:
        ValueError: for a scheduler that is not there or has no workers, and for resources that none of them has.
        ImportError: where Dask is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingPackageError("--executor dask needs Dask: pip install 'subarch[dask]'") from error
    if not where:
        raise InputError(f"--executor {FORM}: got dask: without a scheduler")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        client = distributed.Client(where, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"--executor dask:{where}: the scheduler does not answer ({reason}): is it up?") from error
    workers = list(client.scheduler_info(n_workers=-1)["workers"].values())
    wanted = {"CPU": asked.cpus, "GPU": asked.gpus, "MEMORY": asked.memory}
    wanted = {name: float(amount) for name, amount in wanted.items() if amount}
    at_once = sum(_fitting(worker, wanted) for worker in workers)
    if at_once < 1:
        client.close()
        if not wanted:
            raise InputError(f"--executor dask:{where}: the scheduler has no workers: start some")
        raise refused(asked, [_has(worker) for worker in workers])
    return Workers(executor=DaskTasks(client, wanted), count=at_once)


def _fitting(worker: Mapping[str, Any], wanted: Mapping[str, float]) -> int:
    """Trainings that a worker can run at once."""
    has = worker.get("resources", {})
    return min([int(worker["nthreads"]), *(int(has.get(name, 0.0) / amount + 1e-9) for name, amount in wanted.items())])


def _has(worker: Mapping[str, Any]) -> str:
    named = ",".join(f"{name}={amount:g}" for name, amount in worker.get("resources", {}).items())
    return named or f"{worker['nthreads']} threads and no resources of a name"


class DaskTasks(Executor):
    """Dask's futures as those of the standard library."""

    def __init__(self, client: Any, wanted: Mapping[str, float]) -> None:
        self._client, self._packing = client, Packing(elsewhere=True)
        self._pool = client.get_executor(resources=dict(wanted) or None, retries=RETRIES, pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._pool.submit(_done, self._packing(fn, self._sent), args, kwargs)

    def _sent(self, function: Shared) -> Any:
        return self._client.scatter([function], broadcast=True, hash=False)[0]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait=wait and not cancel_futures)
        self._client.close()


def _done(function: Shared, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """In a worker."""
    return function(*args, **kwargs)
