"""What an engine gives: an executor, how many trainings it runs at once, and what each of them may ask for."""

from __future__ import annotations

import re
from concurrent.futures import Executor
from dataclasses import dataclass

from subarch.errors import InputError

RETRIES = 2
"""A training whose worker is lost is asked for again so often."""
PATIENCE = 10.0
"""Seconds after which a cluster that does not answer is no longer waited for."""
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_FORM = "cpus=2,gpus=0.25,memory=4GB"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one training asks of the node that runs it.

    Attributes:
        cpus: processors; None: whatever the engine takes.
        gpus: accelerators, also parts of one.
        memory: bytes.

    >>> Resources.parse("cpus=2,memory=4GB")
    Resources(cpus=2.0, gpus=None, memory=4000000000)
    """

    cpus: float | None = None
    gpus: float | None = None
    memory: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> Resources:
        """As an option has them.

        Raises:
            ValueError: for anything else, and for amounts that are not above 0.
        """
        found: dict[str, float] = {}
        for part in (text or "").split(",") if text is not None else ():
            matched = re.fullmatch(r"\s*(cpus|gpus|memory)=(\d+(?:\.\d+)?)\s*(KB|MB|GB|TB|)\s*", part)
            if (
                matched is None
                or matched[1] in found
                or float(matched[2]) <= 0
                or (matched[1] != "memory" and matched[3])
            ):
                raise InputError(f"--resources are amounts above 0 such as {_FORM}, got {text!r}")
            found[matched[1]] = float(matched[2]) * _UNITS[matched[3]]
        memory = found.get("memory")
        return cls(cpus=found.get("cpus"), gpus=found.get("gpus"), memory=None if memory is None else int(memory))

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return (self.cpus, self.gpus, self.memory) != (None, None, None)

    def __str__(self) -> str:
        """For messages, as an option has them."""
        memory = None if self.memory is None else f"{self.memory / 10**9:g}GB"
        amounts = {"cpus": self.cpus, "gpus": self.gpus, "memory": memory}
        each = (
            f"{name}={amount:g}" if isinstance(amount, float) else f"{name}={amount}"
            for name, amount in amounts.items()
            if amount
        )
        return ",".join(each)


WHATEVER = Resources()
"""Nothing is asked for."""


@dataclass(frozen=True, kw_only=True)
class Workers:
    """An engine at work.

    Attributes:
        executor: None: trainings run in the process that asks, one after the other.
        count: trainings at once.
        is_renewed: whether another can be opened in its place, when something hangs in it.
    """

    executor: Executor | None
    count: int
    is_renewed: bool = False


def end(executor: Executor, *, now: bool) -> None:
    """Shut an executor down: when its work is done, or now, whatever it is still at."""
    try:
        executor.shutdown(wait=not now, cancel_futures=now)
    except TypeError:  # some have no cancel_futures
        executor.shutdown(wait=not now)


def refused(asked: Resources, nodes: list[str]) -> InputError:
    """For a request that no node can ever meet: whoever waited for it would wait for ever."""
    there = "; ".join(nodes) or "none"
    return InputError(f"--resources {asked}: no node has as much (there are: {there}): ask for less")
