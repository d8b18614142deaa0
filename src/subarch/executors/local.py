"""What engines on this machine share."""

from __future__ import annotations

import re

from subarch.errors import InputError
from subarch.executors.base import Resources


def count_of(form: str, text: str, asked: Resources) -> int:
    """N of ``threads:N``.

    Args:
        form: for messages.
        text: what stands for N.
        asked: that no engine of this machine knows.

    Raises:
        ValueError: for anything but a number from 1, and where resources are asked for.
    """
    if not re.fullmatch(r"[1-9]\d*", text):
        given = f"{form.partition(':')[0]}:{text}"
        raise InputError(f"--executor {form} takes a number from 1, got {given!r}")
    if asked:
        raise InputError(f"--resources {asked} are asked of the nodes of a cluster, --executor {form} has none")
    return int(text)
