"""From a name to the executor that it means."""

from __future__ import annotations

from concurrent.futures import Executor
from importlib import import_module, resources
from typing import Any, cast

from subarch.errors import InputError
from subarch.executors.base import WHATEVER, Resources, Workers
from subarch.plugins import NAME, made

_FACTORY = "module.path:function that returns a concurrent.futures.Executor"


def engines() -> tuple[str, ...]:
    """Names of the engines: a file each."""
    files = resources.files("subarch").joinpath("executors", "engines").iterdir()
    return tuple(
        sorted(file.name.removesuffix(".py") for file in files if file.name.endswith(".py") and file.name[0] != "_")
    )


def open_executor(name: str, asked: Resources = WHATEVER) -> Workers:
    """The executor of that name: ``serial``, an engine with what it needs to know, or a function of the user's.

    A factory ``module.path:function`` may return an executor, or a pair of an executor and its number of workers
    (4 otherwise): that is how further clusters come in, such as mpi4py's.

    Args:
        name: as an option has it.
        asked: of the node that runs a training, where the engine has nodes.

    Raises:
        ValueError: for a name that means nothing, a cluster that cannot be reached, resources that none of its nodes
            has, and a factory that returns no executor.
        ImportError: where the engine's package is not installed, naming the extra.
    """
    if name == "serial":
        _none_asked(name, asked)
        return Workers(executor=None, count=1)
    engine, _, where = name.partition(":")
    if engine in engines():
        return import_module(f"subarch.executors.engines.{engine}").opened(where, asked)
    if not NAME.fullmatch(name):
        raise InputError(f"unknown executor {name!r}: {_help()}")
    _none_asked(name, asked)
    found = made(name, "executor", _FACTORY, lambda factory: factory())
    executor, workers = cast("tuple[Any, int]", found) if isinstance(found, tuple) else (found, 4)
    if not isinstance(executor, Executor):
        raise InputError(f"executor {name!r} returned {type(found).__name__}: {_help()}")
    return Workers(executor=executor, count=workers)


def check_executor(name: str, asked: Resources = WHATEVER) -> None:
    """Refuse a wrong name, an unreachable cluster or impossible resources before anything is written.

    Raises:
        ValueError, ImportError: as :func:`open_executor`.
    """
    if (executor := open_executor(name, asked).executor) is not None:
        executor.shutdown()


def _none_asked(name: str, asked: Resources) -> None:
    if asked:
        raise InputError(f"--resources {asked} are asked of the nodes of a cluster, --executor {name} has none")


def _help() -> str:
    forms = (import_module(f"subarch.executors.engines.{engine}").FORM for engine in engines())
    return f"give serial, {', '.join(forms)}, or {_FACTORY}"
