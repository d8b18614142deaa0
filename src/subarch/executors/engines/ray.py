"""``ray``: a Ray cluster, where there is one, or else one of this machine alone, for as long as it is needed.

Trainings are tasks. What they share, such as texts and the network that candidates inherit from, goes into the object
store once. A task whose worker or node is lost is given to another by Ray itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from subarch.errors import InputError, MissingPackageError
from subarch.executors.base import RETRIES, Resources, Workers, refused
from subarch.executors.sharing import Packing, Shared

FORM = "ray[://host:port]"


def opened(where: str, asked: Resources) -> Workers:
    """Connect, and see what the nodes have.

    Args:
        where: ``""`` for the cluster that runs here or is named in RAY_ADDRESS, ``//host:port`` for one elsewhere.
        asked: one processor where nothing is said of them.

    Raises:
        ValueError: for a cluster that is not there, and for resources that none of its nodes has.
        ImportError: where Ray is not installed.
    """
    ray = _package()
    owns = not ray.is_initialized()
    if owns:
        _connect(ray, where)
    wanted = {"CPU": asked.cpus or 1.0, "GPU": asked.gpus or 0.0, "memory": float(asked.memory or 0)}
    nodes = [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    at_once = sum(_fitting(node, wanted) for node in nodes)
    if at_once < 1:
        if owns:
            ray.shutdown()
        raise refused(asked or Resources(cpus=1.0), [_has(node) for node in nodes])
    return Workers(executor=RayTasks(ray, wanted, owns=owns), count=at_once)


def _package() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves this machine unasked
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingPackageError("--executor ray needs Ray: pip install 'subarch[ray]'") from error
    return ray


def _connect(ray: Any, where: str) -> None:
    quiet: Mapping[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if where.startswith("//"):
            ray.init(address=f"ray:{where}", **quiet)
            return
        if where:
            raise InputError(f"--executor {FORM}: got ray:{where}")
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:
            ray.init(address="local", include_dashboard=False, num_cpus=len(os.sched_getaffinity(0)), **quiet)
    except (ConnectionError, OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"--executor ray:{where}: the cluster does not answer ({reason}): is it up?") from error


def _fitting(node: Mapping[str, float], wanted: Mapping[str, float]) -> int:
    """Trainings that a node can run at once."""
    return min((int(node.get(name, 0.0) / amount + 1e-9) for name, amount in wanted.items() if amount), default=0)


def _has(node: Mapping[str, float]) -> str:
    parts = [f"cpus={node.get('CPU', 0):g}"]
    if node.get("GPU"):
        parts.append(f"gpus={node['GPU']:g}")
    return ",".join([*parts, f"memory={node.get('memory', 0) / 1e9:.1f}GB"])


class RayTasks(Executor):
    """Ray's references are futures already; this keeps them, so that they can be cancelled."""

    def __init__(self, ray: Any, wanted: Mapping[str, float], *, owns: bool) -> None:
        self._ray, self._owns = ray, owns
        self._task = ray.remote(
            num_cpus=wanted["CPU"], num_gpus=wanted["GPU"], memory=wanted["memory"] or None, max_retries=RETRIES
        )(_done)
        self._packing = Packing(elsewhere=True)
        self._running: dict[Future[Any], Any] = {}
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        reference = self._task.remote(self._packing(fn, self._ray.put), args, kwargs)
        future: Future[Any] = reference.future()
        with self._lock:
            self._running[future] = reference
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            reference = self._running.pop(future, None)
        if reference is not None and future.cancelled():
            self._ray.cancel(reference, force=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            left = list(self._running.values())
        if cancel_futures:
            for reference in left:
                self._ray.cancel(reference, force=True)
        elif wait and left:
            self._ray.wait(left, num_returns=len(left))
        if self._owns and self._ray.is_initialized():
            self._ray.shutdown()


def _done(function: Shared, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """In a worker."""
    return function(*args, **kwargs)
